"""What commands print can be read and piped whole."""

import pytest

from tito import console
from tito.commands import roster
from tito.course import Course
from tito.grading.roster import Student

LONG = "a-student-of-the-school-" * 5


@pytest.fixture
def narrow(monkeypatch):
    """Consoles as narrow as a phone."""
    monkeypatch.setenv("COLUMNS", "30")
    console.out.cache_clear()
    yield
    console.out.cache_clear()


def test_a_table_is_cut_nowhere(narrow, capsys):
    console.table(("student", "points"), [(LONG, "3 of 10"), ("bob", "10 of 10, 5 waits")])
    rows = [
        f"{'student':<{len(LONG)}}  points           ",
        f"{LONG}  3 of 10          ",
        f"{'bob':<{len(LONG)}}  10 of 10, 5 waits",
    ]
    assert capsys.readouterr().out.splitlines() == rows


def test_no_text_commands_the_terminal(capsys):
    console.out().print("a\x1b[2J\x07b\u202ec\x9b\n\td", markup=False)
    console.table(("student",), [("a\x1b]0;owned\x07\nb",)])
    shown = capsys.readouterr().out
    assert shown.splitlines()[:2] == ["a\\x1b[2J\\x07b\\u202ec\\x9b", "        d"]
    assert shown.splitlines()[-1] == "a\\x1b]0;owned\\x07\\nb"


@pytest.mark.parametrize("name", ["[bold]ann[/bold]", "[/]", "Ann [she]", "[link=x]", ":smile:", "ann\\"])
def test_a_text_in_a_table_stands_as_it_is(name, capsys):
    console.table(("student",), [(name,)])
    assert capsys.readouterr().out.splitlines()[1].rstrip() == name


def test_names_of_a_roster_are_no_markup(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("tito.course.find_course", lambda: Course(tmp_path))
    monkeypatch.setattr(
        "tito.grading.roster.all_students", lambda course: [Student("ann", "Ann [she]", "Ray", "", "7")]
    )
    roster.list_students()
    assert capsys.readouterr().out.splitlines()[1].split() == ["ann", "Ann", "[she]", "Ray", "7"]
