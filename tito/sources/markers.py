"""The comments that say what students do not receive, such as `### BEGIN SOLUTION`, and what stands in its place.

nbgrader_config.py tells nbgrader the same; `tests/course/test_sources.py` holds the two together.
"""

import re
from collections.abc import Sequence

SOLUTION, HIDDEN_TESTS = "SOLUTION", "HIDDEN TESTS"
UNWRITTEN = "your code here"  # what the `NotImplementedError` in an answer's place says
MARKER = re.compile(rf"###\s*(BEGIN|END)\s+({SOLUTION}|{HIDDEN_TESTS})")


def region(lines: Sequence[str], kind: str) -> list[int] | None:
    """Return the numbers (1-based) of the lines between the BEGIN and END markers of a kind.

    Returns:
        An empty list when there is no marker; `None` when the markers are not in pairs.

    Example:
        >>> region(["### BEGIN SOLUTION", "x = 1", "### END SOLUTION"], SOLUTION)
        [2]
    """
    inside: list[int] = []
    open_marker = False
    for number, line in enumerate(lines, start=1):
        mark = MARKER.fullmatch(line.strip())
        if mark and mark[2] == kind:
            if (mark[1] == "BEGIN") == open_marker:
                return None
            open_marker = not open_marker
        elif open_marker:
            inside.append(number)
    return None if open_marker else inside
