"""A class in which everyone's code does something odd: each gets a status, and nobody after is kept from points."""

import os
import tracemalloc

import nbformat
import pytest
from mini import GOOD, TENSOR_MODULE, FastRunner, answered, hand_in

from tito.engine.runner import Limits
from tito.grading import grade
from tito.grading.feedback import write_feedback
from tito.grading.grade import grade_module
from tito.grading.report import csv_text, grade_rows

SHIFT = "\n#| export\ndef shift(x, by):\n    return (np.asarray(x) + by).astype(np.float32)\n"
CODE = {
    "surrogate-printed": "print('\\ud800')",
    "surrogate-raised": "raise ValueError('\\ud800')",
    "surrogate-metadata": "display({'text/plain': '\\ud800'}, raw=True, metadata={'\\ud800': 1})",
    "nul": "print('\\0\\x01\\x1b'); '\\0'",
    "giant": "{i: 'x' * 100 for i in range(100_000)}",
    "odd-keys": "display({'application/json': {(1, 2): 3}}, raw=True)",
    "outputs": "for i in range(5000): display(i)",
    "class-name": "raise type('\\ud800<script>', (Exception,), {})('x')",
    "exit": "import os; os._exit(1)",
    "pipe": "import os\nfor fd in range(3, 30):\n    try: os.write(fd, b'garbage\\n')\n    except OSError: pass",
    "daemon": "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(1000 if os.fork() == 0 else 0)\n"
    "    os._exit(0)",
}
STOPPED = {"exit": "crashed", "pipe": "crashed"}
PADDING = 2_000_000  # characters


@pytest.mark.skipif(os.name != "posix", reason="forks, and closes descriptors")
def test_everyone_gets_the_points_of_the_other_cells(course):
    for student, code in CODE.items():
        hand_in(course, student, answered(course, GOOD | {"shift": f"{code}{SHIFT}"}))
    surrogate = nbformat.writes(answered(course, GOOD)).replace("It halves", "\\ud800 It halves")
    hand_in(course, "surrogate-file", surrogate)
    hand_in(course, "zz-honest", answered(course, GOOD))
    list(grade_module(course, TENSOR_MODULE, jobs=2, limits=Limits(cell_seconds=8)))
    rows = {row.student: row for row in grade_rows(course, [TENSOR_MODULE])}
    assert {student: row.status for student, row in rows.items()} == {
        student: STOPPED.get(student, "graded") for student in (*CODE, "surrogate-file", "zz-honest")
    }
    assert {student: row.score.score for student, row in rows.items() if row.score.score < 4} == {}
    assert (rows["zz-honest"].points, rows["surrogate-file"].points) == ("10 of 10, 5 waits",) * 2
    csv_text(list(rows.values())).encode()
    assert len(list(write_feedback(course, TENSOR_MODULE))) == len(rows)


def test_a_name_that_is_no_text_stops_nobody(course, monkeypatch):
    monkeypatch.setattr(grade, "TrustedRunner", FastRunner)
    hand_in(course, "ann", answered(course, GOOD))
    path = hand_in(course, "ben", answered(course, GOOD))
    path.parents[1].rename(os.fsdecode(os.fsencode(path.parents[2]) + b"/\xff"))
    found = {entry.student: str(entry.shown_status) for entry in grade_module(course, TENSOR_MODULE)}
    assert found == {"ann": "graded", "\\xff": "unreadable"}
    assert [row.student for row in grade_rows(course, [TENSOR_MODULE])] == ["\\xff", "ann"]


def test_memory_does_not_grow_with_the_class(course, monkeypatch):
    monkeypatch.setattr(grade, "TrustedRunner", FastRunner)
    padded = answered(course, GOOD)
    padded.cells[0].metadata["padding"] = "x" * PADDING
    first = hand_in(course, "first", padded)
    peaks = []
    for size in (3, 9):
        for number in range(size):
            path = course.submission(f"s{size}-{number}", TENSOR_MODULE)
            path.parent.mkdir(parents=True)
            path.hardlink_to(first)
        tracemalloc.start()
        list(grade_module(course, TENSOR_MODULE))
        grade_rows(course, [TENSOR_MODULE])
        list(write_feedback(course, TENSOR_MODULE, "first"))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < PADDING
