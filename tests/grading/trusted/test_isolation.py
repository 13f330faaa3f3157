"""Grading says what it ran in: a sandbox, or none; and it refuses rather than pretend."""

import csv
import errno
import io
import platform

import nbformat
import pytest
from mini import GOOD, TENSOR_MODULE, answered, hand_in, sandboxed

from tito.engine.isolation import Isolation
from tito.engine.runner import Limits
from tito.errors import CourseError
from tito.grading.feedback import write_feedback
from tito.grading.grade import grade_module
from tito.grading.report import csv_text, grade_rows
from tito.grading.work import EXPOSED
from tito.trusted import box, refused, runner

ASKS = """
import ctypes, threading
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def error_of(*call):
    ctypes.set_errno(0)
    return ctypes.get_errno() if libc.syscall(*call) < 0 else 0


refused = {number: error_of(number, 0, 0, 0, 0, 0) for number in NUMBERS}
print("refused", sorted(set(refused.values())), "clone", error_of(CLONE, 0x10000011, 0, 0, 0, 0))
thread = threading.Thread(target=print, args=("a thread runs",))
thread.start()
thread.join()
"""
PARSED = "\nprint('parsed ahead:', list(get_ipython().compile.parsed))"
HARD_END = "#| export\ndef shift(x, by):\n    import os\n    os._exit(1)\n"
SLOW = "#| export\ndef shift(x, by):\n    while True:\n        pass\n"
MANY = 20
REFUSES = (
    'import socket, sys; socket.socket(fileno=int(sys.argv[1])).send(b\'["It cannot be shut in.", "Get a box."]\')'
)


def graded(course, answers, isolation, **limits):
    """The report's row of each student after grading."""
    for student, texts in answers.items():
        hand_in(course, student, answered(course, texts))
    list(grade_module(course, TENSOR_MODULE, None, 2, Limits(**limits), isolation=isolation))
    return {row.student: row for row in grade_rows(course, [TENSOR_MODULE])}


@sandboxed
def test_a_cell_that_ends_its_process_costs_itself(course):
    fork = GOOD | {"shift": f"{GOOD['shift']}\nimport os\nos.fork()"}
    answers = {"ann": GOOD, "ben": GOOD | {"shift": HARD_END}, "cleo": GOOD | {"shift": SLOW}, "dora": fork}
    rows = graded(course, answers, Isolation.SANDBOX, cell_seconds=4)
    assert {name: row.points for name, row in rows.items()} == {
        "ann": "10 of 10, 5 waits",
        "ben": "4 of 10, 5 waits",
        "cleo": "4 of 10, 5 waits",
        "dora": "10 of 10, 5 waits",
    }
    assert rows["ann"].notes == ()
    assert rows["ben"].notes == ("Cell 'test-shift' ended the Python process; the other cells were still run.",)
    assert "was stopped: one cell may take 4 seconds" in rows["cleo"].notes[0]


@sandboxed
def test_system_calls_that_no_answer_needs_are_refused(course):
    column = refused.MACHINES[platform.machine()][0]
    numbers = [both[column] for both in refused.CALLS.values()]
    asks = ASKS.replace("NUMBERS", str(numbers)).replace("CLONE", str(refused.CLONE[column]))
    graded(course, {"ann": GOOD | {"shift": GOOD["shift"] + asks}}, Isolation.SANDBOX)
    told = course.graded("ann", TENSOR_MODULE).read_text()
    assert f"refused [{errno.EPERM}] clone {errno.EPERM}" in told
    assert "a thread runs" in told


@sandboxed
def test_of_the_cells_that_are_parsed_ahead_none_is_a_test(course):
    graded(course, {"ann": GOOD | {"shift": GOOD["shift"] + PARSED}}, Isolation.SANDBOX)
    outputs = [cell.get("outputs") for cell in nbformat.read(course.graded("ann", TENSOR_MODULE), as_version=4).cells]
    assert [output.text for some in outputs if some for output in some] == ["parsed ahead: []\n"]


@sandboxed
def test_without_isolation_every_result_says_so(course):
    rows = graded(course, {"ann": GOOD, "ben": {"q-float32": "?"}}, Isolation.NONE)
    assert [row.points for row in rows.values()] == ["10 of 10, 5 waits", "0 of 10, 5 waits"]
    assert [row.notes[0] for row in rows.values()] == [EXPOSED] * 2
    table = list(csv.DictReader(io.StringIO(csv_text(list(rows.values())))))
    assert all(EXPOSED in row["notes"] for row in table)
    pages = list(write_feedback(course, TENSOR_MODULE))
    assert len(pages) == 2


@sandboxed
def test_a_result_without_isolation_does_not_count_as_one_with_it(course):
    graded(course, {"ann": GOOD}, Isolation.NONE)
    assert graded(course, {}, Isolation.SANDBOX)["ann"].notes == ()


@sandboxed
def test_the_same_submission_has_the_same_result_every_time(course):
    texts = {f"s{number}": GOOD | {"shift": "#| export\ndef shift(x, by):\n    return x"} for number in range(MANY)}
    rows = graded(course, texts, Isolation.SANDBOX)
    assert {row.points for row in rows.values()} == {"4 of 10, 5 waits"}
    seen = {course.graded(student, TENSOR_MODULE).read_bytes() for student in texts}
    assert len(seen) == 1


@pytest.mark.parametrize("command", [["no-such-program"], ["sh", "-c", "echo bwrap: No permissions >&2; exit 1"]])
def test_without_a_working_sandbox_it_refuses_and_says_how_to_get_one(command, course, monkeypatch):
    monkeypatch.setattr(box, "bubblewrap", lambda stack: command)
    monkeypatch.setattr(box, "trouble", box.trouble.__wrapped__)  # not what was found before
    hand_in(course, "ann", answered(course, GOOD))
    with pytest.raises(CourseError) as refusal:
        list(grade_module(course, TENSOR_MODULE))
    assert "apt install bubblewrap" in refusal.value.cure
    assert "--isolation=none" in refusal.value.cure
    assert "No permissions" in refusal.value.problem or "not installed" in refusal.value.problem
    assert grade_rows(course, [TENSOR_MODULE])[0].score is None


@sandboxed
def test_a_refusal_of_the_scorer_stops_the_command_before_anything_is_graded(course, monkeypatch):
    hand_in(course, "ann", answered(course, GOOD))
    monkeypatch.setattr(runner, "SCORER", ["-c", REFUSES])
    with pytest.raises(CourseError, match="cannot be shut in"):
        list(grade_module(course, TENSOR_MODULE))
    assert grade_rows(course, [TENSOR_MODULE])[0].score is None
