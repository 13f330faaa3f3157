"""`python -m tito.doctor`: the doctor without colours, for a machine on which nothing is installed yet."""

import sys

from tito.course import find_course
from tito.doctor import examine
from tito.errors import CourseError


def main() -> int:
    """Print every check; return 1 when something is broken."""
    try:
        course = find_course()
    except CourseError:
        course = None
    broken = False
    for check in examine(course):
        print(f"{check.word:8} {check.name}: {check.found}")
        if check.cure:
            print(f"{'':8} next: {check.cure}")
        broken |= not check.ok
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
