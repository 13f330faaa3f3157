"""What a collect says of the files that it did not take, and where `tito report` finds it afterwards."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from tito.course import Course
from tito.files import write_atomic
from tito.printable import printable

NAME_IT = "Name it STUDENT_tensor.ipynb or STUDENT/tensor.ipynb, or say whose it is: tito collect INBOX --map FILE.csv."


@dataclass(frozen=True)
class Listed:
    """A file that did not become a submission.

    label:  its path in the inbox, fit to be printed.
    reason: why it was not taken, fit to be printed.
    hint:   what a person can do; "" when there is nothing to do, as with an older version or a file of the kit.
    """

    label: str
    reason: str
    hint: str = ""

    def __post_init__(self) -> None:
        for name in ("label", "reason"):
            object.__setattr__(self, name, printable(getattr(self, name)))


def write_left_over(course: Course, entries: Iterable[Listed]) -> None:
    """Keep what this collect left over for `tito report`; it replaces that of the collect before."""
    content = [asdict(entry) for entry in entries]
    write_atomic(course.last_collect, json.dumps(content, ensure_ascii=False, indent=1) + "\n")


def left_over(course: Course) -> list[Listed]:
    """Return the files of the last collect that wait for a person; empty when there was none."""
    try:
        content = json.loads(course.last_collect.read_text(encoding="utf-8"))
        return [Listed(**entry) for entry in content]
    except (FileNotFoundError, ValueError, TypeError):
        return []
