"""What the doctor says about one thing."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One line of the doctor.

    name:       what was looked at.
    found:      what was found.
    cure:       the next step, when there is one.
    unfinished: the next step is work to be done, and nothing is broken.
    """

    name: str
    found: str
    cure: str = ""
    unfinished: bool = False

    @property
    def ok(self) -> bool:
        """Whether nothing is broken."""
        return not self.cure or self.unfinished

    @property
    def word(self) -> str:
        """The verdict in one word."""
        return "ok" if not self.cure else "to do" if self.unfinished else "problem"
