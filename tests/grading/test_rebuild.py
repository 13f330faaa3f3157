"""A gradebook that is lost or damaged is made again from the journal, with what people had put in; nothing is run."""

import shutil
from datetime import datetime

import pytest
from mini import ACTIVATIONS_MODULE, GOOD, TENSOR_MODULE, FastRunner, answered, hand_in

from tito.commands import gradebook as commands
from tito.errors import CourseError
from tito.grading import grade
from tito.grading.grade import grade_module
from tito.grading.gradebook import open_gradebook
from tito.grading.rebuild import check, rebuild
from tito.grading.report import csv_text, grade_rows
from tito.grading.roster import Student, all_students, import_roster
from tito.release.notebooks import release_modules

MODULES = [TENSOR_MODULE, ACTIVATIONS_MODULE]
DUE = datetime(2026, 3, 1, 12)


class Runner(FastRunner):
    """For notebooks of both modules."""

    def run(self, notebook, stack, limits):
        if any(cell.id == "relu" for cell in notebook.cells):
            from tito.engine.runner import Execution

            return Execution(notebook)
        return super().run(notebook, stack, limits)


@pytest.fixture
def term(course, monkeypatch):
    """Two modules, three students, points and a comment by hand, a due date, a roster."""
    monkeypatch.setattr(grade, "SubprocessRunner", Runner)
    import_roster(course, [Student("zoe", "Zoe", "Z.", "zoe@example.org")])
    for student, answers in {"ann": GOOD, "ben": {"scale": GOOD["scale"]}, "cleo": {}}.items():
        hand_in(course, student, answered(course, answers | {"q-float32": f"Says {student}."}))
        hand_in(course, student, answered(course, {}, ACTIVATIONS_MODULE), ACTIVATIONS_MODULE)
    for module in MODULES:
        list(grade_module(course, module))
    with open_gradebook(course) as book:
        book.find_assignment("01_tensor").duedate = DUE
        for student, points in {"ann": 4, "ben": 0}.items():
            given = book.find_grade("q-float32", "tensor", "01_tensor", student)
            given.manual_score, given.needs_manual_grade = points, False
        book.find_grade("test-shift", "tensor", "01_tensor", "cleo").extra_credit = 1
        book.find_comment("q-float32", "tensor", "01_tensor", "ann").manual_comment = "Well put — 好."
        book.db.commit()
    return course


def everything(course):
    with open_gradebook(course) as book:
        given = {
            (one.student.id, row.name): (row.auto_score, row.manual_score, row.extra_credit, row.needs_manual_grade)
            for one in book.assignment_submissions("01_tensor")
            for row in one.notebooks[0].grades
        }
        said = book.find_comment("q-float32", "tensor", "01_tensor", "ann").manual_comment
        due = book.find_assignment("01_tensor").duedate
    return given, said, due, all_students(course), csv_text(grade_rows(course, MODULES))


def runs(course):
    return (course.state / "runs.log").read_text().count("---")


LOSSES = {
    "half of it": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "another file": lambda path: path.write_bytes(b"PK\x03\x04" * 1000),
    "all of it": lambda path: path.unlink(),
}


@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES)
def test_all_is_there_again(lose, term):
    list(grade_module(term, ACTIVATIONS_MODULE))  # any run keeps what people put in
    whole, ran = everything(term), runs(term)
    assert whole[0]["ann", "q-float32"] == (None, 4, None, False)
    assert check(term) == []
    lose(term.gradebook)
    assert any("gradebook.db is" in sentence for sentence in check(term))
    assert len(list(rebuild(term))) == 6
    assert everything(term) == whole
    assert check(term) == []
    assert runs(term) == ran
    assert (term.root / "gradebook.db.1").exists() is (lose is not LOSSES["all of it"])


def test_a_gradebook_that_can_be_read_is_kept_as_it_is(term):
    whole = everything(term)  # nothing ran since people put it in
    list(rebuild(term))
    assert everything(term) == whole


def test_as_the_messages_say(term):
    """Move the gradebook away, release, grade: one student first."""
    list(grade_module(term, ACTIVATIONS_MODULE))
    whole = everything(term)
    term.gradebook.rename(term.root / "away.db")
    release_modules(term, MODULES)
    list(grade_module(term, TENSOR_MODULE, "cleo"))
    for module in MODULES:
        list(grade_module(term, module))
    assert everything(term) == whole


def test_points_taken_back_by_a_person_stay_away(term):
    list(grade_module(term, TENSOR_MODULE))
    with open_gradebook(term) as book:
        book.find_grade("q-float32", "tensor", "01_tensor", "ann").manual_score = None
        book.db.commit()
    list(grade_module(term, TENSOR_MODULE))
    assert everything(term)[0]["ann", "q-float32"][1] is None


def test_what_is_missing_is_told(term):
    with open_gradebook(term) as book:
        book.remove_submission("01_tensor", "ben")
    shutil.rmtree(term.autograded / "cleo" / "01_tensor")
    assert check(term) == ["2 submissions of 01_tensor were graded and are not recorded: ben, cleo."]


def test_a_damaged_journal_is_told(term):
    path = term.state / "journal.db"
    path.write_bytes(path.read_bytes()[:5000])
    (sentence,) = check(term)
    assert sentence.startswith("journal.db is damaged: ")
    with pytest.raises(CourseError, match=r"\.tito/journal\.db is damaged"):
        list(rebuild(term))


def test_commands(term, capsys, monkeypatch):
    monkeypatch.chdir(term.root)
    commands.check()
    commands.rebuild()
    said = capsys.readouterr().out
    assert "Gradebook and journal are whole and agree." in said
    assert "6 submissions recorded; nothing was run" in said


def test_nothing_to_rebuild_from(course):
    with pytest.raises(CourseError, match="Nothing has been graded yet"):
        list(rebuild(course))
