"""A written answer waits for a person: shown as waiting, out of the total, and asked for again only when it changed."""

import pytest
from mini import GOOD, TENSOR_MODULE, FastRunner, answered, hand_in

from tito.grading import grade
from tito.grading.feedback import write_feedback
from tito.grading.grade import grade_module
from tito.grading.gradebook import open_gradebook
from tito.grading.report import grade_rows
from tito.grading.scores import Score, read_scores


@pytest.fixture
def graded(course, monkeypatch):
    """One student, whose written answer got 4 points from a person."""
    monkeypatch.setattr(grade, "TrustedRunner", FastRunner)
    hand_in(course, "ann", answered(course, GOOD))
    list(grade_module(course, TENSOR_MODULE))
    assert [row.points for row in grade_rows(course, [TENSOR_MODULE])] == ["10 of 10, 5 waits"]
    give(course, "q-float32", 4)
    assert [row.points for row in grade_rows(course, [TENSOR_MODULE])] == ["14 of 15"]
    return course


def give(course, cell, points):
    """What Formgrader does when a person enters points."""
    with open_gradebook(course) as book:
        stored = book.find_grade(cell, "tensor", "01_tensor", "ann")
        stored.manual_score, stored.needs_manual_grade = points, False
        book.db.commit()


def waiting(course):
    with open_gradebook(course) as book:
        (notebook,) = book.find_submission("01_tensor", "ann").notebooks
        return {one.name for one in notebook.grades if one.needs_manual_grade}


def regrade(course, **answers):
    hand_in(course, "ann", answered(course, GOOD | answers))
    list(grade_module(course, TENSOR_MODULE))


def test_a_changed_answer_waits_again(graded):
    regrade(graded, **{"q-float32": "Because."})
    assert waiting(graded) == {"q-float32"}
    assert read_scores(graded)["ann", "01_tensor"] == Score(10, 10, waits=5)


def test_an_unchanged_answer_does_not(graded):
    regrade(graded, shift="#| export\nshift = 5")
    assert waiting(graded) == set()
    assert read_scores(graded)["ann", "01_tensor"] == Score(14, 15)


def test_nor_after_a_changed_test(graded):
    source = graded.built(TENSOR_MODULE)
    source.write_text(source.read_text().replace("shift forgets some entries", "shift forgets an entry"))
    list(grade_module(graded, TENSOR_MODULE))
    assert (graded.state / "runs.log").read_text().count("---") == 2
    assert waiting(graded) == set()


def test_an_answer_that_nobody_looked_at_still_waits(graded):
    with open_gradebook(graded) as book:
        book.find_grade("q-float32", "tensor", "01_tensor", "ann").needs_manual_grade = True
        book.db.commit()
    regrade(graded, shift="#| export\nshift = 5")
    assert waiting(graded) == {"q-float32"}


def test_points_of_a_test_given_by_hand_are_asked_for_again_when_an_answer_changed(graded):
    give(graded, "test-shift", 3)
    graded.graded("ann", TENSOR_MODULE).with_name("timestamp.txt").write_text("2026-01-01")  # recorded again
    list(grade_module(graded, TENSOR_MODULE))
    assert waiting(graded) == set()
    regrade(graded, scale="#| export\nscale = 5")
    assert waiting(graded) == {"test-shift"}


def test_feedback_says_that_it_waits(course, monkeypatch):
    monkeypatch.setattr(grade, "TrustedRunner", FastRunner)
    hand_in(course, "ann", answered(course, GOOD))
    list(grade_module(course, TENSOR_MODULE))
    (page,) = write_feedback(course, TENSOR_MODULE)
    text = page.read_text()
    assert "tensor (Score: 10.0 / 10.0)" in text
    assert "Written response</a> (Score: waits / 5.0)" in text
    assert "5 more points wait for a person, who reads: q-float32." in text
    give(course, "q-float32", 4)
    list(write_feedback(course, TENSOR_MODULE))
    text = page.read_text()
    assert "tensor (Score: 14.0 / 15.0)" in text
    assert "Written response</a> (Score: 4.0 / 5.0)" in text
    assert "wait for a person" not in text
