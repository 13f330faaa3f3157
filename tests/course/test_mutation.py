"""`tito mutate`: which mutants there are, which are caught, and what is recorded of every module."""

import importlib.util
import zipfile

import mini
import pytest
from mini import ACTIVATIONS_MODULE, TENSOR_MODULE
from real import REPOSITORY

from tito.errors import CourseError
from tito.mutation.equivalents import read_equivalents
from tito.mutation.measure import answers, trial
from tito.mutation.mutants import mutants
from tito.mutation.score import Score, measure, read_record, record, together, up_to_date, weak
from tito.registry import MODULES
from tito.release.kit import make_kit

needs_operators = pytest.mark.skipif(
    not importlib.util.find_spec("cosmic_ray"),
    reason="cosmic-ray is not installed: pip install -r requirements/mutation.txt",
)
CELL = """\
#| export
def mean(x, start=0):
    ### BEGIN SOLUTION
    total = start + 1
    for a, b in zip(x, x, strict=True):
        total = total + a
    return total if x else None
    ### END SOLUTION
"""
HIDDEN = 'assert relu([4.0])[0] == 4, "relu changes positive numbers"'
COUNTING = """\
    moved = np.asarray(x, dtype=np.float32)
    while by > 0:
        moved, by = moved + np.float32(1), by - 1
    return moved
"""
EQUIVALENT = """\
[[equivalent]]
cell = "relu"
before = "positive_part = np.maximum(scale(x, 1), np.float32(0))"
after = ["positive_part = np.maximum(scale(x, 2), np.float32(0))"]
reason = "{}"
"""


@pytest.fixture
def sources(tmp_path):
    return mini.make_sources(tmp_path)


def edit(course, module, old, new):
    path = course.teaching_source(module)
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


def equivalents(course, text):
    path = course.tests(ACTIVATIONS_MODULE) / "equivalents.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@needs_operators
class TestMutants:
    def test_only_the_solution_changes_and_each_mutant_comes_once(self):
        found = mutants(CELL)
        assert {one.line for one in found} == {4, 5, 6, 7}
        assert len({one.source for one in found}) == len(found)
        assert [one.line for one in found] == sorted(one.line for one in found)

    def test_what_they_are(self):
        assert [one.after for one in mutants(CELL) if one.line == 6] == [
            f"total = total {sign} a" for sign in ("%", "*", "**", "-", "/", "//")
        ]
        assert "for a, b in []:" in {one.after for one in mutants(CELL)}

    def test_the_strictness_of_zip_is_no_part_of_an_answer(self):
        assert not [one for one in mutants(CELL) if "strict=False" in one.source]

    def test_a_cell_without_a_solution_has_none(self):
        assert mutants("x = 1 + 2\n") == ()


@needs_operators
class TestMeasure:
    def test_strict_tests_catch_all(self, sources):
        scores = list(measure(sources, TENSOR_MODULE))
        assert [(one.name, one.survivors) for one in scores] == [("scale", ()), ("shift", ())]
        assert all(one.killed == len(mutants(cell)) for one, cell in zip(scores, self.cells(sources), strict=True))
        assert weak(scores) == []

    @staticmethod
    def cells(course):
        with trial(course, TENSOR_MODULE) as run:
            return [run.notebook.cells[place].source for place in answers(run.notebook)]

    def test_a_weak_test_lets_some_through_and_they_are_named(self, sources):
        edit(sources, ACTIVATIONS_MODULE, HIDDEN, "pass")
        (score,) = measure(sources, ACTIVATIONS_MODULE)
        assert ["".join(words.split("->")[1].split()) for words in score.survivors] == [
            "positive_part=np.maximum(scale(x,0),np.float32(0))",
            "positive_part=np.maximum(scale(x,2),np.float32(0))",
        ]
        assert score.survivors[0].startswith("relu, line 5: positive_part = np.maximum(scale(x, 1), np.float32(0))  ->")
        assert weak([score]) == ["relu 50.0%", "all answers 50.0%"]

    def test_a_mutant_that_never_ends_is_killed(self, sources, monkeypatch):
        monkeypatch.setattr("tito.mutation.measure.SPARE", 1)
        old = "    moved = np.asarray(x, dtype=np.float32) + np.float32(by)\n    return moved.astype(np.float32)\n"
        edit(sources, TENSOR_MODULE, old, COUNTING)
        scores = {one.name: one for one in measure(sources, TENSOR_MODULE)}
        assert [words.split("  ->  ")[1] for words in scores["shift"].survivors] == ["while by != 0:"]

    def test_an_answer_that_fails_its_own_test_is_refused(self, sources):
        edit(sources, ACTIVATIONS_MODULE, HIDDEN, "assert relu([4.0])[0] == 5")
        with pytest.raises(CourseError, match="relu does not pass test-relu"):
            list(measure(sources, ACTIVATIONS_MODULE))


@needs_operators
class TestEquivalents:
    def test_they_do_not_count(self, sources):
        edit(sources, ACTIVATIONS_MODULE, HIDDEN, "pass")
        equivalents(sources, EQUIVALENT.format("for this test"))
        (score,) = measure(sources, ACTIVATIONS_MODULE)
        assert (score.killed, score.equivalent, len(score.survivors)) == (2, 1, 1)

    def test_one_that_is_no_mutant_is_reported_before_anything_runs(self, sources):
        edit(sources, ACTIVATIONS_MODULE, HIDDEN, "assert relu([4.0])[0] == 5")  # running it would be refused, too
        equivalents(sources, EQUIVALENT.format("it was once").replace("scale(x, 2)", "scale(x,  7)"))
        with pytest.raises(CourseError, match=r"are mutants no more: relu: positive_part .* 7"):
            next(measure(sources, ACTIVATIONS_MODULE))

    def test_one_that_the_tests_notice_is_reported(self, sources):
        equivalents(sources, EQUIVALENT.format("nobody has tried it"))
        with pytest.raises(CourseError, match=r"are noticed by the tests: relu: positive_part .* 2"):
            list(measure(sources, ACTIVATIONS_MODULE))

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            (EQUIVALENT.format(" "), "no reason is given for relu"),
            (EQUIVALENT.replace("before", "befor"), "KeyError"),
            ("[[equivalent]", "TOMLDecodeError"),
        ],
    )
    def test_a_file_that_says_too_little(self, text, problem, sources):
        equivalents(sources, text)
        with pytest.raises(CourseError, match=problem):
            read_equivalents(sources, ACTIVATIONS_MODULE)


class TestRecord:
    def test_it_is_read_as_it_was_written(self, sources):
        scores = [Score("relu", 3, 1, ("relu, line 5: a  ->  b",))]
        sources.tests(ACTIVATIONS_MODULE).mkdir(parents=True)
        record(sources, ACTIVATIONS_MODULE, scores)
        assert read_record(sources, ACTIVATIONS_MODULE) == scores
        assert together("all", scores).share == 0.75

    def test_a_changed_page_makes_it_old(self, sources):
        sources.tests(ACTIVATIONS_MODULE).mkdir(parents=True)
        record(sources, ACTIVATIONS_MODULE, [])
        assert up_to_date(sources, ACTIVATIONS_MODULE)
        edit(sources, ACTIVATIONS_MODULE, HIDDEN, "pass")
        assert not up_to_date(sources, ACTIVATIONS_MODULE)


def test_a_kit_holds_no_mutants(course):
    record(course, TENSOR_MODULE, [Score("scale", 1, 0, ("scale, line 5: the solution  ->  a mutant of it",))])
    (course.tests(TENSOR_MODULE) / "equivalents.toml").write_text(EQUIVALENT.format("as an example"))
    with zipfile.ZipFile(make_kit(course)) as kit:
        assert [name for name in kit.namelist() if name.endswith(("mutation.json", "equivalents.toml"))] == []


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.folder)
class TestEveryModule:
    def test_the_record_belongs_to_the_page_as_it_is(self, module):
        assert up_to_date(REPOSITORY, module), f"run 'tito mutate {module.number:02d}'"

    def test_its_tests_are_strict(self, module):
        assert weak(read_record(REPOSITORY, module)) == []
