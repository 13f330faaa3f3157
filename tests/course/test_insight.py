"""`tito insight` over classes that were graded: items, misconceptions and pairs are what the class was made of."""

import csv
import io
import math

import nbformat
import numpy as np
import pytest
import sqlalchemy
from mini import GOOD, TENSOR_MODULE, FastRunner, answered
from nbformat.v4 import new_code_cell, new_notebook, new_output
from real import REPOSITORY

from tito.commands import insight
from tito.errors import CourseError
from tito.grading import grade as grading
from tito.grading.grade import grade_module
from tito.grading.gradebook import open_gradebook
from tito.insight.beliefs import beliefs
from tito.insight.items import items
from tito.insight.similar import pairs
from tito.insight.views import page, tables, view
from tito.registry import find_module
from tito.sources.variants import misconceptions

SCALE, SHIFT = ({name: GOOD[name]} for name in ("scale", "shift"))


@pytest.fixture
def graded(course, monkeypatch):
    """Grade a class, given as student -> answers."""
    monkeypatch.setattr(grading, "TrustedRunner", FastRunner)

    def graded(answers):
        for student, texts in answers.items():
            path = course.submission(student, TENSOR_MODULE)
            path.parent.mkdir(parents=True)
            path.write_text(nbformat.writes(answered(course, texts)))
        assert {entry.status for entry in grade_module(course, TENSOR_MODULE)} == {"graded"}
        return course

    return graded


def found_in(course):
    return items(course, TENSOR_MODULE, nbformat.read(course.released(TENSOR_MODULE), as_version=4))


def by_name(course):
    return {item.name: item for item in found_in(course)}


class TestItems:
    def test_shares_and_who_got_nothing(self, graded):
        found = by_name(graded({"ann": GOOD, "bob": SCALE, "cleo": {}, "dan": {}}))
        assert (found["test-scale"].graded, found["test-scale"].share, found["test-scale"].none) == (4, 0.5, 2)
        assert (found["test-shift"].share, found["test-shift"].none) == (0.25, 3)

    def test_what_waits_for_a_person_is_not_counted_as_nothing(self, graded):
        found = by_name(graded({"ann": GOOD, "bob": {}}))
        one = found["q-float32"]
        assert (one.graded, one.waiting, one.share) == (1, 1, 0)  # bob wrote nothing, which is 0 at once
        assert found["q-float32"].discrimination is None

    def test_what_one_submission_lacks_does_not_wait(self, graded):
        course = graded({"ann": GOOD, "bob": GOOD})
        with open_gradebook(course) as book:
            book.db.delete(book.find_grade("test-shift", "tensor", TENSOR_MODULE.folder, "bob"))
            book.db.commit()
        one = by_name(course)["test-shift"]
        assert (one.graded, one.waiting, one.share) == (1, 0, 1)

    def test_the_order_is_the_page_s_not_the_gradebook_s(self, graded):
        course = graded({"ann": GOOD, "bob": SCALE})
        with open_gradebook(course) as book:
            book.db.execute(sqlalchemy.text("UPDATE grade SET rowid = 1000 - rowid"))
            book.db.commit()
        assert [item.name for item in found_in(course)] == ["test-scale", "test-shift", "q-float32"]

    def test_points_of_a_person_count(self, graded):
        course = graded({"ann": GOOD})
        with open_gradebook(course) as book:
            grade = book.find_grade("q-float32", "tensor", TENSOR_MODULE.folder, "ann")
            grade.manual_score, grade.needs_manual_grade = 4, False
            book.db.commit()
        assert by_name(course)["q-float32"].share == pytest.approx(0.8)

    def test_discrimination_is_the_correlation_with_the_other_items(self, graded):
        rows = [(1, 1), (1, 1), (1, 0), (0, 0), (0, 1), (1, 1)]
        parts = [(SCALE if a else {}) | (SHIFT if b else {}) for a, b in rows]
        found = by_name(graded({f"s{i}": answers for i, answers in enumerate(parts)}))
        expected = np.corrcoef(np.array(rows).T)[0, 1]
        assert found["test-scale"].discrimination == pytest.approx(expected)
        assert found["test-shift"].discrimination == pytest.approx(expected)

    def test_four_students_or_one_result_say_nothing(self, graded):
        course = graded({f"s{i}": GOOD if i else {} for i in range(4)})
        assert by_name(course)["test-scale"].discrimination is None


def failed(message, *, grade=True):
    managed = {"grade": grade, "solution": not grade, "grade_id": "test-mean"}
    output = new_output("error", ename="AssertionError", evalue=message, traceback=[])
    return new_notebook(cells=[new_code_cell("", metadata={"nbgrader": managed}, outputs=[output])])


class TestBeliefs:
    module = find_module("02")

    def test_every_misconception_is_counted_for_whoever_holds_it(self):
        first, second = (variant.belief for variant in misconceptions(REPOSITORY, self.module)[:2])
        told = {
            "ann": failed(f'mean(x)\n  belief  "{first}"'),
            "bob": failed(f'mean(x)\n  belief  "{first}" or "{second}"'),
            "cleo": failed("mean(x)\n  expected 2"),
        }
        found = beliefs(self.module, told)
        assert [(one.text, one.students, one.cells) for one in found] == [
            (first, ("ann", "bob"), ("test-mean",)),
            (second, ("bob",), ("test-mean",)),
        ]

    def test_what_a_student_prints_is_no_belief(self):
        belief = misconceptions(REPOSITORY, self.module)[0].belief
        assert beliefs(self.module, {"ann": failed(f'"{belief}"', grade=False)}) == []

    def test_a_graded_class(self, real_course):
        """Whoever hands in a misconception is found under its belief, if the numbers gave the test that belief."""
        real = real_course[self.module]
        bank = {f"s-{v.name}": v for v in misconceptions(REPOSITORY, self.module)[:4]}
        for student, variant in bank.items():
            real.hand_in(student, real.solution | variant.answers)
            list(grade_module(real.course, self.module, student))
        found = {one.text: one.students for one in view(real.course, self.module).beliefs}
        held = {student: variant.belief for student, variant in bank.items()}
        assert {who: text for text, students in found.items() for who in students if held.get(who) == text} == {
            who: text for who, text in held.items() if text in found
        }
        assert found


class TestPairs:
    text = "".join(f"    part{i} = x * {i + 2} - by ** {i + 3}\n    x = part{i} + {i}\n" for i in range(8))
    own = "".join(f"    if by > {i}:\n        x = np.minimum(x, {i + 1} / by)\n" for i in range(8))

    @pytest.fixture
    def alike(self, course):
        release = nbformat.read(course.released(TENSOR_MODULE), as_version=4)

        def alike(bodies):
            texts = {
                who: {"shift": f"#| export\ndef shift(x, by):\n{body}    return x\n"} for who, body in bodies.items()
            }
            notebooks = {who: answered(course, answers) for who, answers in texts.items()}
            return [(pair.one, pair.other, pair.share) for pair in pairs(notebooks, release)]

        return alike

    def test_a_copy_with_other_names_is_found(self, alike):
        copy = self.text.replace("part", "piece")
        assert alike({"ann": self.text, "bob": self.own, "cleo": copy}) == [("ann", "cleo", 1.0)]

    def test_what_the_class_has_in_common_does_not_count(self, alike):
        assert alike({f"s{i}": self.text for i in range(5)}) == []

    def test_a_pair_in_a_class_that_answers_alike(self, alike):
        bodies = {f"s{i}": self.text for i in range(6)} | {"ann": self.text + self.own, "bob": self.text + self.own}
        assert alike(bodies) == [("ann", "bob", 1.0)]

    def test_the_release_does_not_count(self, alike):
        assert alike({"ann": "", "bob": ""}) == []


class TestPage:
    def test_command(self, graded, monkeypatch, capsys, tmp_path):
        course = graded({"ann": GOOD, "bob": SHIFT})
        monkeypatch.chdir(course.root)
        insight.insight([], tmp_path / "insight")
        rows = list(csv.DictReader(io.StringIO((tmp_path / "insight" / "items.csv").read_text())))
        assert [(row["item"], row["share"], row["nothing"]) for row in rows] == [
            ("test-scale", "0.500", "1"),
            ("test-shift", "1.000", "0"),
            ("q-float32", "0.000", "1"),
        ]
        shown = (tmp_path / "insight" / "index.html").read_text()
        assert '<td>q-float32</td><td class="number">1</td>\n<td colspan="4">1 wait for a person</td>' in shown
        assert "01_tensor: 2 graded; hardest: test-scale 50%; pairs alike: 0" in capsys.readouterr().out

    def test_nothing_graded(self, course, monkeypatch):
        monkeypatch.chdir(course.root)
        with pytest.raises(CourseError, match="Nothing has been graded yet"):
            insight.insight()

    def test_names_cannot_become_markup_or_formulas(self):
        from tito.insight.similar import Pair
        from tito.insight.views import View

        views = [View("01_tensor", 2, [], [], [Pair("<script>alert(1)</script>", "=cmd()", 1.0)])]
        assert "<script" not in page(views)
        assert "'=cmd()" in tables(views)["similar.csv"]

    def test_a_number_that_is_not_defined_is_empty(self):
        from tito.insight.items import Item
        from tito.insight.views import View

        row = tables([View("01_tensor", 1, [Item("q", 0, 2, math.nan, 0, None)], [], [])])["items.csv"].splitlines()[1]
        assert row == "01_tensor,q,0,2,,0,"
