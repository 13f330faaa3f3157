"""What stands between student code and the rest of the machine."""

from enum import StrEnum


class Isolation(StrEnum):
    """What a grade can say of the place in which its submission ran."""

    SANDBOX = "sandbox"
    NONE = "none"
