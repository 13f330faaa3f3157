"""Outside the student's process every page gives the same scores, in the same words, as in a notebook.

This is for `.ci/run`: `test_round_trip.py` does it with the solutions, and with three misconceptions of each module.
Of a module's misconceptions one run takes a fourth, and another fourth each day; `TITO_SHARE=1` takes all of them.
"""

import os
from datetime import date

import pytest
from mini import sandboxed
from nbgrader.utils import determine_grade
from real import REPOSITORY, is_test, without_folders

from tito.engine.measurements import without_measurements
from tito.engine.normalise import normalise
from tito.engine.reading import parse_submission
from tito.engine.runner import Limits
from tito.registry import MODULES
from tito.sources.variants import alternatives, misconceptions
from tito.trusted.runner import TrustedRunner

pytestmark = [
    sandboxed,
    pytest.mark.timeout(1800),  # whole banks
]
every_module = pytest.mark.parametrize("module", MODULES, ids=lambda module: module.folder)
SHARE = int(os.environ.get("TITO_SHARE", "4"))  # every how-manieth misconception
FEWEST_HONEST = 100
OUTSIDE = "a given function that runs outside is not among the places on the way to the error"
LEFT = "what it leaves in a list of the test is an object, whose word is no verdict"
OTHER_WORDS = {  # misconception: why its messages are not those of a notebook
    "a_new_list_for_the_old": LEFT,
    "empty_rows_skipped": OUTSIDE,
    "one_level_deep": LEFT,
    "order_from_global_random": "its answers are random",
    "starts_without_the_zero": OUTSIDE,
    "tuples_cannot_change": LEFT,
    "merge_in_place": "a list of the test that it edits is whole again for the next check",
    "tokens_bytes_of_a_number": "its text is too large to be handed over",
}


@pytest.fixture(scope="module")
def trusted():
    """One runner for all tests here."""
    with TrustedRunner() as runner:
        yield runner


def answered(real, texts):
    """The released notebook with these answers, ready to run."""
    return without_measurements(normalise(parse_submission(real.answered(texts)), real.skeleton).notebook)


def lost(notebook):
    """The test cells without full points."""
    scores = {cell.id: determine_grade(cell) for cell in notebook.cells if is_test(cell)}
    return {name for name, (score, most) in scores.items() if score < most}


def said(notebook):
    """What is said under each test that failed, without the random names of folders."""
    words = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", ()) if is_test(cell) else ():
            if output.output_type == "error":
                words[cell.id] = without_folders("\n".join(output.traceback))
    return words


@pytest.fixture
def run(real_course, trusted):
    """Run the solution of a module with some answers replaced, its tests outside; returns the executed notebook."""

    def run(module, replaced):
        real = real_course[module]
        return trusted.run(answered(real, real.solution | replaced), real.stack, Limits()).notebook

    return run


@pytest.mark.slow
@every_module
def test_blank_gets_nothing(module, real_course, trusted):
    real = real_course[module]
    blank = trusted.run(answered(real, {}), real.stack, Limits()).notebook
    assert lost(blank) == {cell.id for cell in blank.cells if is_test(cell)}


@pytest.mark.slow
@every_module
def test_alternatives_lose_nothing(module, run):
    """All of a file together, and each answer alone."""
    for name, answers in honest(module):
        notebook = run(module, answers)
        assert (name, said(notebook), lost(notebook)) == (name, {}, set())


def test_there_are_alternatives_enough():
    assert sum(len([*honest(module)]) for module in MODULES) >= FEWEST_HONEST


def honest(module):
    """Answers that are right and not the solution's: name, and text by cell."""
    for variant in alternatives(REPOSITORY, module):
        yield variant.name, variant.answers
        for cell, text in variant.answers.items():
            yield f"{variant.name}: {cell}", {cell: text}


@pytest.mark.slow
@every_module
def test_misconceptions_lose_the_same_in_the_same_words(module, real_course, run, runner):
    real = real_course[module]
    runner.start_from(answered(real, real.solution), real.stack, Limits())
    for variant in misconceptions(REPOSITORY, module)[date.today().toordinal() % SHARE :: SHARE]:
        here = run(module, variant.answers)
        there = runner.run(answered(real, real.solution | variant.answers), real.stack, Limits()).notebook
        assert (variant.name, lost(here)) == (variant.name, variant.loses)
        if variant.name not in OTHER_WORDS:
            assert (variant.name, said(here)) == (variant.name, said(there))
