"""What a notebook says of a test that passed: points, what waits, and after the last test the sum."""

from types import SimpleNamespace

import pytest
from IPython.core.interactiveshell import InteractiveShell
from mini import released
from real import is_test
from traitlets.config import Config

from tito.lab.passed import Tally, released_notebooks
from tito.lab.shell import speak_in

UNKNOWN = "def test_unit_other():\n    pass\n\n\nif __name__ == '__main__':\n    test_unit_other()"


@pytest.fixture(autouse=True)
def in_work(course, monkeypatch):
    """Notebooks run in their own folder, somewhere below the course or kit."""
    folder = course.root / "work" / "01_tensor"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    released_notebooks.cache_clear()
    return folder


@pytest.fixture
def tests(course):
    """Texts of the two test cells."""
    return [cell.source for cell in released(course).cells if is_test(cell)]


@pytest.fixture
def say(capsys):
    """Tell a tally that a cell has run, and return what it prints."""
    tally = Tally()

    def say(text, success=True):
        tally.after_cell(SimpleNamespace(info=SimpleNamespace(raw_cell=text), success=success))
        return capsys.readouterr().out

    return say


def test_a_passed_test_names_its_points_and_that_hidden_cases_wait(say, tests):
    assert say(tests[0]) == "test_unit_scale passed: 4 points, if its hidden cases pass too when it is graded.\n"


def test_the_last_test_shows_what_was_reached(say, tests):
    say(tests[0])
    assert say(tests[1]) == (
        "test_unit_shift passed: 6 points, if its hidden cases pass too when it is graded.\n"
        "2 of 2 tests passed in this session: 10 of 15 points; a person reads your written answer for 5 more.\n"
    )


def test_the_last_test_names_what_is_missing(say, tests):
    say(tests[0])
    assert say(tests[0], success=False) == ""
    assert say(tests[1]).splitlines()[1] == (
        "1 of 2 tests passed in this session: 6 of 15 points; a person reads your written answer for 5 more."
        " Still to pass: test_unit_scale."
    )


@pytest.mark.parametrize(
    "text", ["", "x = 1", "def test_unit_x():\n    pass", "test_unit_scale()", "def f():\n    f()"]
)
def test_other_cells_say_nothing(say, text):
    assert say(text) == ""


def test_a_test_that_was_not_released_has_no_points(say):
    assert say(UNKNOWN) == "test_unit_other passed; hidden cases wait until it is graded.\n"


def test_outside_a_course_there_are_no_points(say, tests, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert say(tests[0]) == "test_unit_scale passed; hidden cases wait until it is graded.\n"


@pytest.mark.parametrize(
    "damage", ["", "{}", '{"cells": [{}]}', '{"cells": [{"metadata": {"nbgrader": {"grade": 1}}}]}', "[]"]
)
def test_a_damaged_release_raises_nothing(say, tests, course, damage):
    (course.release / "01_tensor" / "tensor.ipynb").write_text(damage)
    assert say(tests[0]) == "test_unit_scale passed; hidden cases wait until it is graded.\n"


@pytest.fixture
def shell(monkeypatch):
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    return InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))


def test_a_shell_says_it_once_however_often_the_page_imports(shell, capsys):
    speak_in(shell)
    speak_in(shell)
    shell.run_cell(UNKNOWN)
    assert capsys.readouterr().out == "test_unit_other passed; hidden cases wait until it is graded.\n"


def test_grading_prints_nothing_of_it(shell, capsys, monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    speak_in(shell)
    assert shell.run_cell(UNKNOWN).success
    assert capsys.readouterr().out == ""
