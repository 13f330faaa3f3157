"""Outside the student's process every page gives the same scores, in the same words, as in a notebook.

`.ci/run` compares all modules and their whole banks; `make test` module 01's solution and its misconceptions.
"""

import sys

import pytest
from nbgrader.utils import determine_grade
from real import FIRST_OR_SLOW, REPOSITORY, is_test

from tito.engine.measurements import without_measurements
from tito.engine.normalise import normalise
from tito.engine.reading import parse_submission
from tito.engine.runner import Limits
from tito.engine.warm import warm_runner
from tito.sources.variants import alternatives, misconceptions
from tito.trusted.runner import TrustedRunner

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox needs Linux")
every_module = pytest.mark.parametrize("module", FIRST_OR_SLOW, ids=lambda module: module.folder)


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
    """The errors and warnings under each test."""
    words = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", ()) if is_test(cell) else ():
            if output.output_type == "error":
                words[cell.id] = "\n".join(output.traceback)
    return words


@every_module
def test_solution_gets_full_points_and_blank_none(module, real_course, trusted):
    real = real_course[module]
    solved, blank = (answered(real, texts) for texts in (real.solution, {}))
    assert said(trusted.run(solved, real.stack, Limits()).notebook) == {}
    assert lost(solved) == set()
    trusted.run(blank, real.stack, Limits())
    assert lost(blank) == {cell.id for cell in blank.cells if is_test(cell)}


@every_module
def test_alternatives_lose_nothing(module, real_course, trusted):
    real = real_course[module]
    for variant in alternatives(REPOSITORY, module):
        notebook = trusted.run(answered(real, real.solution | variant.answers), real.stack, Limits()).notebook
        assert (variant.path.stem, said(notebook), lost(notebook)) == (variant.path.stem, {}, set())


@every_module
def test_misconceptions_lose_the_same_in_the_same_words(module, real_course, trusted):
    real = real_course[module]
    with warm_runner() as runner:
        runner.start_from(answered(real, real.solution), real.stack, Limits())
        for variant in misconceptions(REPOSITORY, module):
            texts = real.solution | variant.answers
            here = trusted.run(answered(real, texts), real.stack, Limits()).notebook
            there = runner.run(answered(real, texts), real.stack, Limits()).notebook
            assert (variant.path.stem, lost(here)) == (variant.path.stem, variant.loses)
            assert said(here) == said(there)
