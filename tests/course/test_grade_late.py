"""nbgrader's late policy applies as with stock `nbgrader autograde`, and the whole class is in the report."""

import shutil
from datetime import UTC, datetime

import pytest
from mini import GOOD, TENSOR_MODULE, FastRunner, answered, hand_in
from nbgrader.apps import NbGraderAPI

from tito.errors import CourseError
from tito.grading import grade
from tito.grading.grade import grade_module
from tito.grading.gradebook import open_gradebook
from tito.grading.report import csv_text, grade_rows
from tito.grading.scores import read_scores
from tito.grading.settings import nbgrader_config
from tito.grading.status import Status

DUE = datetime(2026, 3, 1, 12)
STAMPS = {
    "early": "2026-02-28 12:00:00 UTC",
    "late": "2026-03-03 00:00:00 UTC",
    "zone": "2026-03-01T13:30:00+02:00",
    "none": "",
}
ZERO = 'c.LateSubmissionPlugin.penalty_method = "zero"\n'
TWO_A_DAY = """
from nbgrader.plugins import BasePlugin


class TwoADay(BasePlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return 2 * total_seconds_late / 86400


c.AssignLatePenalties.plugin_class = TwoADay
"""


@pytest.fixture
def late_course(course):
    """Three students who handed in around the due date, one without a time."""
    for student, stamp in STAMPS.items():
        path = hand_in(course, student, answered(course, GOOD))
        if stamp:
            path.with_name("timestamp.txt").write_text(f"{stamp}\n")
    set_due(course, DUE)
    return course


def set_due(course, due):
    with open_gradebook(course) as book:
        book.find_assignment("01_tensor").duedate = due
        book.db.commit()


def add_setting(course, text):
    with (course.root / "nbgrader_config.py").open("a") as file:
        file.write(text)


def penalties(course):
    with open_gradebook(course) as book:
        found = {s.student.id: (s.late_submission_penalty, s.score) for s in book.assignment_submissions("01_tensor")}
    return found


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # of nbgrader itself
@pytest.mark.parametrize(("policy", "taken"), [(ZERO, 10), (TWO_A_DAY, 3)], ids=["zero", "a class of the course"])
def test_same_penalties_as_nbgrader(policy, taken, late_course):
    add_setting(late_course, policy)
    api = NbGraderAPI(config=nbgrader_config(late_course))
    for student in ("late", "zone"):
        result = api.autograde("01_tensor", student, create=True)
        assert result["success"], result
    theirs = penalties(late_course)
    shutil.rmtree(late_course.autograded)
    with open_gradebook(late_course) as book:
        for student in theirs:
            book.remove_submission("01_tensor", student)
    for student in theirs:
        list(grade_module(late_course, TENSOR_MODULE, student))
    assert penalties(late_course) == theirs
    assert theirs == {"late": (taken, 10), "zone": (0, 10)}


@pytest.fixture
def fast(monkeypatch):
    monkeypatch.setattr(grade, "TrustedRunner", FastRunner)


def test_days_and_penalty_are_in_report_and_csv(late_course, fast):
    add_setting(late_course, TWO_A_DAY)
    list(grade_module(late_course, TENSOR_MODULE))
    rows = grade_rows(late_course, [TENSOR_MODULE])
    assert {row.student: row.numbers for row in rows} == {
        "early": ("10", "10", "5", "0", "0"),
        "late": ("7", "10", "5", "1.5", "3"),
        "none": ("10", "10", "5", "0", "0"),
        "zone": ("10", "10", "5", "0", "0"),
    }
    assert "late,01_tensor,graded,7,10,5,1.5,3," in csv_text(rows).splitlines()


def test_a_later_due_date_takes_the_penalty_back_without_a_run(late_course, fast):
    add_setting(late_course, ZERO)
    list(grade_module(late_course, TENSOR_MODULE))
    assert read_scores(late_course)["late", "01_tensor"].score == 0
    set_due(late_course, datetime(2026, 4, 1, tzinfo=UTC).replace(tzinfo=None))
    list(grade_module(late_course, TENSOR_MODULE))
    assert read_scores(late_course)["late", "01_tensor"].score == 10
    assert (late_course.state / "runs.log").read_text().count("---") == len(STAMPS)


def test_a_new_time_of_the_same_work_counts(late_course, fast):
    add_setting(late_course, ZERO)
    list(grade_module(late_course, TENSOR_MODULE))
    stamp = late_course.submission("early", TENSOR_MODULE).with_name("timestamp.txt")
    stamp.write_text("2026-03-02 12:00:00 UTC\n")
    list(grade_module(late_course, TENSOR_MODULE))
    assert read_scores(late_course)["early", "01_tensor"].late_days == 1
    assert read_scores(late_course)["early", "01_tensor"].score == 0


@pytest.mark.parametrize("line", ['c.LateSubmissionPlugin.penalty_method = "half"\n', "c.NoSuchName(\n", "1 / 0\n"])
def test_a_policy_that_there_is_not(line, late_course, fast):
    add_setting(late_course, line)
    with pytest.raises(CourseError, match=r"nbgrader_config\.py cannot be used: "):
        list(grade_module(late_course, TENSOR_MODULE))


def test_a_time_that_is_none_costs_its_submission(late_course, fast):
    late_course.submission("early", TENSOR_MODULE).with_name("timestamp.txt").write_bytes(b"\xff soon\n")
    entries = {entry.student: entry for entry in grade_module(late_course, TENSOR_MODULE)}
    assert {student: entry.shown_status for student, entry in entries.items()} == {
        "early": Status.NOT_RECORDED,
        "late": Status.GRADED,
        "none": Status.GRADED,
        "zone": Status.GRADED,
    }
    (row,) = (row for row in grade_rows(late_course, [TENSOR_MODULE]) if row.student == "early")
    assert (row.status, row.points) == ("not recorded yet", "-")
    assert row.notes[-1].startswith("The gradebook could not take it: ParserError: Unknown string format")


def test_who_hands_in_nothing_is_in_the_report(late_course, fast):
    with open_gradebook(late_course) as book:
        book.add_student("zoe", first_name="Zoe")
    list(grade_module(late_course, TENSOR_MODULE))
    rows = {row.student: row for row in grade_rows(late_course, [TENSOR_MODULE])}
    assert (rows["zoe"].status, rows["zoe"].points) == ("missing", "-")
    assert "zoe,01_tensor,missing,,,,,," in csv_text(list(rows.values())).splitlines()
