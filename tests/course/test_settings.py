"""How the tests themselves are run: none goes on for ever, and what is left out is said with its reason."""

import re
from pathlib import Path

import pytest

pytest_plugins = "pytester"
ROOT = Path(__file__).parents[2]

SLOW_AND_ENDLESS = """
import time, pytest

@pytest.mark.slow
def test_training():
    pass

def test_endless():
    time.sleep(60)
"""


@pytest.fixture
def course_settings(pytester):
    """This course's own settings, with a time limit that a test can wait for."""
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    conftest = (ROOT / "tests" / "conftest.py").read_text(encoding="utf-8")
    pytester.path.joinpath("pyproject.toml").write_text(settings)
    pytester.path.joinpath("conftest.py").write_text(re.sub(r"^PATIENCE = \d+", "PATIENCE = 1", conftest, flags=re.M))
    pytester.makepyfile(test_it=SLOW_AND_ENDLESS)
    return pytester


def test_slow_tests_are_skipped_with_a_reason_and_endless_ones_fail(course_settings):
    result = course_settings.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(skipped=1, failed=1)
    result.stdout.fnmatch_lines(["*Timeout*1.0s*", "SKIPPED*test_it.py:*: slow: .ci/run runs it*"])


def test_slow_tests_run_when_asked_for(course_settings):
    result = course_settings.runpytest_inprocess("-p", "no:cacheprovider", "--slow", "-k", "training")
    result.assert_outcomes(passed=1, deselected=1)


def test_make_test_leaves_them_out_and_ci_runs_them():
    assert "$(SLOW) tests" in (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "make test SLOW=--slow" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
