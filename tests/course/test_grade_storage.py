"""A locked, read-only or damaged database, a full disk: one sentence, the next step, and nothing done is lost."""

import errno
import os
import sqlite3
import warnings
from contextlib import closing

import nbformat
import pytest
from mini import GOOD, TENSOR_MODULE, FastRunner, answered, hand_in
from sqlalchemy.exc import SAWarning

from tito.errors import CourseError
from tito.grading import grade, gradebook, recorder, scores, work
from tito.grading import record as recording
from tito.grading.feedback import write_feedback
from tito.grading.grade import grade_module
from tito.grading.gradebook import open_gradebook
from tito.grading.journal import read_journal
from tito.grading.report import grade_rows
from tito.grading.scores import read_scores

STUDENTS = ("ann", "ben", "cleo")


@pytest.fixture
def ready(course, monkeypatch):
    monkeypatch.setattr(grade, "SubprocessRunner", FastRunner)
    for student in STUDENTS:
        hand_in(course, student, answered(course, GOOD))
    return course


def run(course):
    return list(grade_module(course, TENSOR_MODULE))


def runs(course):
    return (course.state / "runs.log").read_text().count("---")


def full(*_args, **_kwargs):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def report(course):
    return [(row.status, row.points) for row in grade_rows(course, [TENSOR_MODULE])]


def test_a_locked_gradebook(ready):
    with closing(sqlite3.connect(ready.gradebook, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(CourseError, match=r"gradebook\.db is in use by another program\. Close that program"):
            run(ready)
    assert len(run(ready)) == 3


def test_nbgraders_warnings_are_silent_whatever_a_thread_puts_back(ready):
    """Submissions are normalised in threads, which silence Python's warnings and then restore the filters."""
    with warnings.catch_warnings(record=True) as shown:
        with open_gradebook(ready):
            pass
        thread = warnings.catch_warnings()
        thread.__enter__()
        with open_gradebook(ready):
            thread.__exit__(None, None, None)
            warnings.warn("Object of type <SubmittedAssignment> not in session", SAWarning, stacklevel=1)
    assert shown == []


def test_a_gradebook_that_is_locked_while_grading(ready, capfd, monkeypatch):
    """What runs is kept in the journal; the next run records it."""
    real = recorder.record

    def locked(*args):
        with closing(sqlite3.connect(ready.gradebook, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            real(*args)

    with monkeypatch.context() as patch:
        patch.setattr(recorder, "record", locked)
        with pytest.raises(CourseError, match=r"gradebook\.db is in use"):
            run(ready)
    assert capfd.readouterr().err == ""
    assert report(ready) == [("not recorded yet", "-")] * 3
    assert runs(ready) == 3
    run(ready)
    assert report(ready) == [("graded", "10 of 10, 5 waits")] * 3
    assert runs(ready) == 3


def test_a_read_only_gradebook(ready, monkeypatch):
    url = f"sqlite:///file:{ready.gradebook}?mode=ro&uri=true"
    monkeypatch.setattr(gradebook, "gradebook_url", lambda course: url)
    with pytest.raises(CourseError, match=r"gradebook\.db cannot be written\. Allow writing to the file"):
        run(ready)


DAMAGE = {
    "no database": lambda path: path.write_bytes(b"PK\x03\x04" * 1000),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "another's tables": lambda path: rename_column(path),
}


def rename_column(path):
    with closing(sqlite3.connect(path)) as database:
        database.execute("ALTER TABLE student RENAME COLUMN email TO mail")
        database.commit()


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_gradebook(damage, ready):
    run(ready)
    damage(ready.gradebook)
    for ask in (run, scores.enrolled_students, lambda course: grade_rows(course, [TENSOR_MODULE])):
        hand_in(ready, "ann", answered(ready, {}))
        with pytest.raises(
            CourseError, match=r"gradebook\.db (is damaged|has not the tables).* Put back a copy of it\."
        ):
            ask(ready)


@pytest.mark.parametrize("damage", [b"PK\x03\x04" * 1000, None], ids=["no database", "a foreign row"])
def test_a_damaged_journal(damage, ready):
    run(ready)
    path = ready.state / "journal.db"
    if damage:
        for file in ready.state.glob("journal.db*"):
            file.unlink()
        path.write_bytes(damage)
    else:
        with closing(sqlite3.connect(path)) as database:
            database.execute("UPDATE submission SET notes = '[', notebook = 'x' WHERE student = 'ben'")
            database.commit()
    for ask in (run, lambda course: grade_rows(course, [TENSOR_MODULE])):
        with pytest.raises(CourseError, match=r"\.tito/journal\.db is damaged\. Move it away: "):
            ask(ready)
    path.unlink()
    run(ready)
    assert runs(ready) == 6


def test_a_journal_of_an_earlier_version(ready):
    run(ready)
    with closing(sqlite3.connect(ready.state / "journal.db")) as database:
        database.execute("ALTER TABLE submission DROP COLUMN trouble")
        database.commit()
    assert [entry.student for entry in read_journal(ready.state)] == list(STUDENTS)


FULL_AT = {
    "the autograded notebook": lambda patch: patch.setattr(recording, "write_atomic", full),
    "the gradebook": lambda patch: patch.setattr(recording.SaveAutoGrades, "_add_score", full),
    "the working folder": lambda patch: patch.setattr(FastRunner, "run", full),
}


@pytest.mark.parametrize("fill", FULL_AT.values(), ids=FULL_AT)
def test_a_full_disk(fill, ready, monkeypatch):
    with monkeypatch.context() as patch:
        fill(patch)
        with pytest.raises(CourseError, match=r" could not be written: the disk is full\. Free some space and run"):
            run(ready)
        assert {status for status, _ in report(ready)} <= {"not recorded yet", "not graded"}
    run(ready)
    assert report(ready) == [("graded", "10 of 10, 5 waits")] * 3
    assert runs(ready) == 3


def test_a_full_disk_under_the_databases(ready, monkeypatch):
    """SQLite's own word for it, from a database that may not grow."""
    hand_in(ready, "ben", answered(ready, GOOD | {"q-float32": os.urandom(200_000).hex()}))
    real = grade.Journal.__init__

    def small(journal, folder):
        real(journal, folder)
        pages = journal._database.execute("PRAGMA page_count").fetchone()[0]
        journal._database.execute(f"PRAGMA max_page_count = {pages}")

    with monkeypatch.context() as patch:
        patch.setattr(grade.Journal, "__init__", small)
        with pytest.raises(CourseError, match=r"\.tito/journal\.db could not be written: the disk is full\."):
            run(ready)
    run(ready)
    assert len(read_scores(ready)) == 3


def test_a_submission_that_nbgrader_refuses_costs_itself(ready, monkeypatch):
    def refuse(gradebook, course, module, student, notebook):
        if student == "ben":
            raise KeyError("points")
        recording.record(gradebook, course, module, student, notebook)

    with monkeypatch.context() as patch:
        patch.setattr(recorder, "record", refuse)
        assert [entry.recorded for entry in sorted(run(ready), key=lambda entry: entry.student)] == [True, False, True]
    (row,) = (row for row in grade_rows(ready, [TENSOR_MODULE]) if row.student == "ben")
    assert (row.status, row.points) == ("not recorded yet", "-")
    assert row.notes == ("The gradebook could not take it: KeyError: 'points'.",)
    run(ready)
    assert report(ready) == [("graded", "10 of 10, 5 waits")] * 3
    assert runs(ready) == 3


def test_a_bug_of_ours_is_called_a_bug_and_costs_one_submission(ready, monkeypatch):
    real = work.normalise

    def fails_on_empty(submission, skeleton):
        if not any("It halves the memory" in cell.source for cell in submission.cells):
            raise IndexError("tuple index out of range")
        return real(submission, skeleton)

    hand_in(ready, "ben", answered(ready, {}))
    with monkeypatch.context() as patch:
        patch.setattr(work, "normalise", fails_on_empty)
        found = {entry.student: entry for entry in run(ready)}
    assert {student: str(entry.shown_status) for student, entry in found.items()} == {
        "ann": "graded",
        "ben": "failed",
        "cleo": "graded",
    }
    (note,) = found["ben"].notes
    assert note.startswith("tito failed on this submission (IndexError: tuple index out of range). This is a bug")
    run(ready)
    assert [status for status, _ in report(ready)] == ["graded"] * 3


LOST = {
    "release": lambda course: course.released(TENSOR_MODULE).unlink(),
    "source": lambda course: course.built(TENSOR_MODULE).unlink(),
}


@pytest.mark.parametrize("lose", LOST.values(), ids=LOST)
def test_feedback_without_its_notebooks(lose, ready):
    run(ready)
    lose(ready)
    with pytest.raises(CourseError, match=r"tensor\.ipynb is missing\. Run 'tito release' first\."):
        list(write_feedback(ready, TENSOR_MODULE))


def test_feedback_of_another_release(ready):
    run(ready)
    for path in (ready.built(TENSOR_MODULE), ready.released(TENSOR_MODULE)):
        notebook = nbformat.read(path, as_version=4)
        del notebook.cells[-2]
        nbformat.write(notebook, path)
    with pytest.raises(CourseError, match=r"changed since 'ann' was graded\. Run 'tito grade 01' first\."):
        list(write_feedback(ready, TENSOR_MODULE))


def test_feedback_on_a_full_disk(ready, monkeypatch):
    run(ready)
    monkeypatch.setattr("tito.grading.feedback.write_atomic", full)
    with pytest.raises(CourseError, match=r"feedback/ could not be written: the disk is full\."):
        list(write_feedback(ready, TENSOR_MODULE))


def test_feedback_of_what_is_not_recorded_says_so(ready, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(recording, "write_atomic", full)
        with pytest.raises(CourseError):
            run(ready)
    (page, *_) = write_feedback(ready, TENSOR_MODULE)
    assert "<h4>tensor: not recorded yet</h4>" in page.read_text()


def test_an_error_that_is_no_storage_stays_what_it_is(ready):
    with pytest.raises(ZeroDivisionError), open_gradebook(ready):
        _ = 1 / 0
