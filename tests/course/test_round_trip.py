"""For every module: the solution gets full points, a blank notebook none, each misconception loses what it should.

Everything passes the normaliser and is scored by nbgrader. The solution and the blank notebook take the whole way of
`tito grade`, gradebook included. The many variants run from the first answer in which they differ. Like grading, they
leave the measurements out, which earn no points and run in `test_nbval.py`.
"""

import pytest
from mini import sandboxed
from nbgrader.apps import NbGraderAPI
from nbgrader.utils import determine_grade
from real import REPOSITORY, is_answer, is_test, message, read

from tito.engine.measurements import without_measurements
from tito.engine.normalise import normalise
from tito.engine.reading import parse_submission
from tito.engine.runner import Limits
from tito.grading.feedback import HIDDEN_LINE, public_notebook
from tito.grading.grade import grade_module
from tito.grading.gradebook import open_gradebook
from tito.grading.settings import nbgrader_config
from tito.registry import MODULES
from tito.sources.variants import alternatives, misconceptions, read_variant, variant_paths
from tito.trusted.runner import TrustedRunner

LONGEST_MESSAGE = 12  # lines
FEWEST_MISCONCEPTIONS = 5
FEW = 3  # of each bank; `tests/grading/trusted/` takes all


def every(kind):
    """One test for each file of a kind."""
    found = [(module, path) for module in MODULES for path in variant_paths(REPOSITORY, module, kind)]
    names = [f"{module.folder}/{path.stem}" for module, path in found]
    return pytest.mark.parametrize(("module", "path"), found, ids=names)


every_module = pytest.mark.parametrize("module", MODULES, ids=lambda module: module.folder)


@pytest.fixture
def run(real_course, runner):
    """Run the solution of a module with some answers replaced; returns the executed notebook."""

    def answered(real, answers):
        return without_measurements(normalise(parse_submission(real.answered(answers)), real.skeleton).notebook)

    def run(module, replaced, other=None):
        real = real_course[module]
        if other is None:
            runner.start_from(answered(real, real.solution), real.stack, Limits())
        return (other or runner).run(answered(real, real.solution | replaced), real.stack, Limits()).notebook

    return run


@pytest.fixture(scope="session")
def apart():
    """Runs tests outside the answers' process, as `tito grade` does."""
    with TrustedRunner() as runner:
        yield runner


def lost(notebook):
    """The test cells without full points."""
    scores = {cell.id: determine_grade(cell) for cell in notebook.cells if is_test(cell)}
    return {name for name, (score, most) in scores.items() if score < most}


def grades(course, module, student):
    """(points, possible points, waits for a person) of every graded cell, as the gradebook has it."""
    with open_gradebook(course) as book:
        (notebook,) = book.find_submission(module.folder, student).notebooks
        return {grade.name: (grade.auto_score, grade.max_score, grade.needs_manual_grade) for grade in notebook.grades}


@every_module
def test_solution_gets_full_points_and_blank_none(module, real_course):
    real = real_course[module]
    real.hand_in("solved", real.solution)
    real.hand_in("blank", {})
    for entry in grade_module(real.course, module, jobs=2):
        assert (entry.status, entry.notes) == ("graded", ()), f"{entry.student}: {entry.notes}"
    solved = read(real.course.autograded / "solved" / module.folder / real.source.name)
    assert {cell.id: message(cell) for cell in solved.cells if message(cell)} == {}
    for name, (points, possible, waits) in grades(real.course, module, "solved").items():
        assert (points, waits) in [(possible, False), (None, True)], name
    assert {points for points, _, _ in grades(real.course, module, "blank").values()} == {0}
    possible = [possible for _, possible, _ in grades(real.course, module, "solved").values()]
    assert sum(possible) == module.points


@every("misconceptions")
def test_misconception_loses_its_tests_and_is_answered(module, path, run, real_course):
    variant = read_variant(path)
    notebook = run(module, variant.answers)
    real = real_course[module]
    seen = public_notebook(notebook, read(real.source), read(real.release))  # by the student
    said = {cell.id: message(cell) for cell in seen.cells if is_test(cell) and message(cell)}
    shown = "\n".join(f"-- {name}: {text}" for name, text in said.items())
    assert lost(notebook) == variant.loses, shown
    told = [text for text in said.values() if f'"{variant.belief}"' in text or "\n  shows " in text]
    assert told, f"neither the belief nor anything that the answer shows is told:\n{shown}"
    for name, text in said.items():
        assert len(text.splitlines()) <= LONGEST_MESSAGE, f"{name} talks too much:\n{text}"
        assert HIDDEN_LINE not in text, f"{name} quotes a line of a hidden test:\n{text}"


@sandboxed
@every_module
def test_misconceptions_lose_the_same_in_the_same_words_apart_from_the_tests(module, run, real_course, apart):
    bank = misconceptions(REPOSITORY, module)
    for variant in bank[:: max(1, len(bank) // FEW)]:
        here, there = (run(module, variant.answers, runner) for runner in (apart, None))
        assert (variant.name, lost(here)) == (variant.name, variant.loses)
        assert {cell.id: message(cell) for cell in here.cells} == {cell.id: message(cell) for cell in there.cells}


@every("alternatives")
def test_alternative_gets_full_points(module, path, run):
    notebook = run(module, read_variant(path).answers)
    assert lost(notebook) == set(), "\n".join(message(cell) for cell in notebook.cells)


@every_module
def test_there_are_variants_enough(module, real_course):
    """Five misconceptions, and for every answer another one that is right."""
    cells = read(real_course[module].source).cells
    exercises = {cell.id for cell in cells if cell.cell_type == "code" and is_answer(cell)}
    solved_otherwise = {name for variant in alternatives(REPOSITORY, module) for name in variant.answers}
    assert exercises - solved_otherwise == set()
    assert len(misconceptions(REPOSITORY, module)) >= FEWEST_MISCONCEPTIONS


@pytest.mark.timeout(400)  # seconds: nine kernels; nbgrader would swallow the interruption, and say something else
@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # of nbgrader itself
@pytest.mark.parametrize("module", [m for m in MODULES if m.number in (1, 5)], ids=lambda module: module.folder)
def test_same_points_as_nbgrader(module, real_course, monkeypatch):
    """Stock `nbgrader autograde` and `tito grade` agree."""
    real = real_course[module]
    half = dict(list(real.solution.items())[: len(real.solution) // 2])
    texts = {"solved": real.solution, "half": half, "blank": {}}
    for student, answers in texts.items():
        real.hand_in(student, answers)
        real.hand_in(f"{student}-stock", answers)
    for student in texts:
        list(grade_module(real.course, module, student))
    ours = {student: grades(real.course, module, student) for student in texts}

    monkeypatch.setenv("PYTHONPATH", str(real.stack))
    api = NbGraderAPI(config=nbgrader_config(real.course))
    for student in texts:
        result = api.autograde(module.folder, f"{student}-stock", create=True)
        assert result["success"], result
    assert {student: grades(real.course, module, f"{student}-stock") for student in texts} == ours
    assert 0 < sum(points or 0 for points, _, _ in ours["half"].values()) < module.points
