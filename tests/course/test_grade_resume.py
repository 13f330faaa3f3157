"""A kill at any point of `tito grade` loses nothing and repeats nothing."""

import multiprocessing
import os
import shutil
import signal
import threading

import pytest
from mini import GOOD, TENSOR_MODULE, FastRunner, answered, hand_in

from tito.course import Course
from tito.errors import CourseError
from tito.grading import grade, journal, record, recorder
from tito.grading.grade import grade_module
from tito.grading.gradebook import open_gradebook
from tito.grading.journal import read_journal
from tito.grading.lock import alone
from tito.grading.report import GONE, grade_rows

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a forked process")

ANSWERS = {"all": GOOD, "half": {"scale": GOOD["scale"]}, "none": {}}


@pytest.fixture(scope="module")
def handed_in(released_once, tmp_path_factory):
    root = tmp_path_factory.mktemp("class") / "course"
    shutil.copytree(released_once.root, root)
    course = Course(root)
    for student, answers in ANSWERS.items():
        hand_in(course, student, answered(course, answers))
    return course


@pytest.fixture
def ready(handed_in, tmp_path, monkeypatch):
    monkeypatch.setattr(grade, "SubprocessRunner", FastRunner)
    shutil.copytree(handed_in.root, tmp_path / "course")
    return Course(tmp_path / "course")


def everything(course):
    """All that grading writes, as plain values."""
    stored = {}
    with open_gradebook(course) as book:
        for submission in book.assignment_submissions(TENSOR_MODULE.folder):
            for cell in submission.notebooks[0].grades:
                stored[submission.student.id, cell.name] = (cell.auto_score, cell.manual_score, cell.needs_manual_grade)
            for comment in submission.notebooks[0].comments:
                stored[submission.student.id, comment.name, "comment"] = comment.auto_comment
    files = {p.relative_to(course.autograded): p.read_bytes() for p in course.autograded.rglob("*.ipynb")}
    entries = [(e.student, e.status, e.notes, e.recorded) for e in read_journal(course.state)]
    return stored, files, entries


@pytest.fixture(scope="module")
def uninterrupted(handed_in, tmp_path_factory):
    root = tmp_path_factory.mktemp("whole") / "course"
    shutil.copytree(handed_in.root, root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grade, "SubprocessRunner", FastRunner)
        list(grade_module(Course(root), TENSOR_MODULE))
    return everything(Course(root))


def killed(course, prepare):
    """Grade in a forked process that `prepare` makes kill itself; return whether it was killed."""

    def child():
        prepare()
        list(grade_module(course, TENSOR_MODULE))

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(60)
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


def die(*_args, **_kwargs):
    os.kill(os.getpid(), signal.SIGKILL)


def before(owner, name, call):
    """Kill the process when `owner.name` is called for the `call`-th time."""

    def prepare():
        real, calls = getattr(owner, name), []

        def wrapper(*args, **kwargs):
            calls.append(1)
            return die() if len(calls) == call else real(*args, **kwargs)

        setattr(owner, name, wrapper)

    return prepare


POINTS = {
    "during the first run": before(FastRunner, "run", 1),
    "during the second run": before(FastRunner, "run", 2),
    "before the first commit": before(journal.Journal, "put", 1),
    "between journal and gradebook": before(recorder, "record", 1),
    "while the gradebook is written": before(record.SaveAutoGrades, "_add_score", 2),
    "before the autograded notebook": before(record, "write_atomic", 1),
    "between gradebook and mark": before(journal.Journal, "mark", 2),
    "in the second submission": before(record.SaveAutoGrades, "_add_score", 5),
}


@pytest.mark.parametrize("prepare", POINTS.values(), ids=POINTS.keys())
def test_killed_at(prepare, ready, uninterrupted):
    assert killed(ready, prepare)
    done = len(read_journal(ready.state))
    runs = ready.state / "runs.log"
    before_resuming = runs.read_text().count("---") if runs.exists() else 0
    list(grade_module(ready, TENSOR_MODULE))
    assert everything(ready) == uninterrupted
    assert runs.read_text().count("---") - before_resuming == 3 - done


@pytest.mark.parametrize("delay", [0.02, 0.06, 0.1, 0.15, 0.2, 0.3])
def test_killed_again_and_again(delay, ready, uninterrupted):
    def prepare():
        timer = threading.Timer(delay, die)
        timer.daemon = True
        timer.start()

    for _ in range(3):
        killed(ready, prepare)
    list(grade_module(ready, TENSOR_MODULE))
    assert everything(ready) == uninterrupted


def test_a_graded_submission_is_not_run_again(ready, uninterrupted):
    list(grade_module(ready, TENSOR_MODULE))
    list(grade_module(ready, TENSOR_MODULE))
    assert (ready.state / "runs.log").read_text().count("---") == 3
    assert everything(ready) == uninterrupted


def test_a_new_version_is_run_alone(ready):
    list(grade_module(ready, TENSOR_MODULE))
    hand_in(ready, "none", answered(ready, GOOD))
    list(grade_module(ready, TENSOR_MODULE))
    assert (ready.state / "runs.log").read_text().count("---") == 4
    stored, files, _ = everything(ready)
    assert stored["none", "test-shift"][0] == 6
    assert files.keys() == {p for p in files if p.name == "tensor.ipynb"}


def test_a_changed_test_grades_everyone_again(ready):
    list(grade_module(ready, TENSOR_MODULE))
    source = ready.source / "01_tensor" / "tensor.ipynb"
    source.write_text(source.read_text().replace("shift forgets some entries", "shift forgets an entry"))
    list(grade_module(ready, TENSOR_MODULE))
    assert (ready.state / "runs.log").read_text().count("---") == 6


def test_a_lost_gradebook_entry_is_written_again_without_running(ready, uninterrupted):
    list(grade_module(ready, TENSOR_MODULE))
    with open_gradebook(ready) as book:
        book.remove_submission(TENSOR_MODULE.folder, "all")
    shutil.rmtree(ready.autograded / "half")
    list(grade_module(ready, TENSOR_MODULE))
    assert (ready.state / "runs.log").read_text().count("---") == 3
    assert everything(ready) == uninterrupted


def test_points_given_by_hand_stay(ready):
    list(grade_module(ready, TENSOR_MODULE))
    with open_gradebook(ready) as book:
        book.find_grade("q-float32", "tensor", "01_tensor", "all").manual_score = 4
        book.db.commit()
    (ready.autograded / "all" / "01_tensor" / "tensor.ipynb").unlink()  # so that it is recorded again
    list(grade_module(ready, TENSOR_MODULE))
    assert everything(ready)[0]["all", "q-float32"][1] == 4


def test_a_submission_that_was_renamed_after_grading_is_not_reported_twice_in_silence(ready):
    list(grade_module(ready, TENSOR_MODULE))
    (ready.submitted / "all").rename(ready.submitted / "jdoe")
    list(grade_module(ready, TENSOR_MODULE))
    notes = {row.student: row.notes for row in grade_rows(ready, [TENSOR_MODULE])}
    assert notes == {"all": (GONE,), "half": (), "jdoe": (), "none": ()}


def test_two_graders_at_once(ready):
    with alone(ready), pytest.raises(CourseError, match="'tito grade' or 'tito release' is running in this course"):
        list(grade_module(ready, TENSOR_MODULE))
