"""An instructor who releases a module anew is told what that means for grades, and no student is blamed for it."""

import pytest
from mini import GOOD, TENSOR_MODULE, FastRunner, answered, hand_in

from tito.grading import grade
from tito.grading.grade import grade_module
from tito.grading.report import OUTDATED, grade_rows
from tito.release.notebooks import release_modules

EARLIER = "The notebook is of an earlier release; the tests of the present one were used."
CHANGES = {
    "points of a test": ('"points": 4', '"points": 3'),
    "points of a question": ('"points": 5', '"points": 2'),
    "a visible test": ("should be 2", "is 2"),
    "a hidden test": ("shift forgets some entries", "shift forgets an entry"),
}


@pytest.fixture
def graded(course, monkeypatch):
    monkeypatch.setattr(grade, "SubprocessRunner", FastRunner)
    hand_in(course, "ann", answered(course, GOOD))
    run(course)
    return course


def run(course):
    list(grade_module(course, TENSOR_MODULE))


def release_anew(course, old, new):
    path = course.built(TENSOR_MODULE)
    text = path.read_text().replace(old, new)
    assert text != path.read_text()
    path.write_text(text)
    release_modules(course, [TENSOR_MODULE])


def row(course):
    (found,) = grade_rows(course, [TENSOR_MODULE])
    return str(found.status), found.notes


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_the_report_tells_until_it_is_graded_again(change, graded):
    release_anew(graded, *change)
    assert row(graded) == ("graded", (OUTDATED.format(number=1),))
    run(graded)
    hidden = "forgets" in change[0]  # the students' notebook is the same
    assert row(graded) == ("graded", () if hidden else (EARLIER,))
    hand_in(graded, "ann", answered(graded, GOOD))
    run(graded)
    assert row(graded) == ("graded", ())


def test_who_edits_a_test_of_an_earlier_release_is_told(graded):
    notebook = answered(graded, GOOD)
    cell = next(cell for cell in notebook.cells if cell.id == "test-shift")
    cell.source = cell.source.replace("shift([1.0], 1)[0] == 2", "True")
    cell.metadata.nbgrader.points = 60
    hand_in(graded, "ann", notebook)
    release_anew(graded, *CHANGES["points of a test"])
    run(graded)
    assert row(graded) == (
        "repaired",
        (
            "Test cell 'test-shift' had been edited; the original was used.",
            "The points of cell 'test-shift' had been changed; the original 6 were used.",
            EARLIER,
        ),
    )
