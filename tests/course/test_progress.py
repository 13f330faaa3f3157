"""Long work tells how far it is: on a terminal by a bar, in a log by lines."""

import io
import re

import pytest
from rich.console import Console

from tito import progress


@pytest.fixture
def told(monkeypatch):
    """What is printed while three things are done, every `every` seconds at most."""

    def told(every, terminal):
        monkeypatch.setattr(progress, "EVERY", every)
        console = Console(file=io.StringIO(), force_terminal=terminal, width=80)
        with progress.Bar(console) as bar:
            task = bar.add_task("01_tensor", total=3)
            for _ in range(3):
                bar.advance(task)
        return console.file.getvalue()

    return told


def test_lines_in_a_log(told):
    lines = told(0, terminal=False).split("\n")
    assert [re.sub("; about .*", "", line) for line in lines if line.strip()] == [
        "01_tensor 1 of 3",
        "01_tensor 2 of 3",
        "01_tensor 3 of 3",
    ]
    assert lines[1].endswith("; about 0 min left")


def test_not_too_many_of_them(told):
    assert told(60, terminal=False).strip() == ""


def test_on_a_terminal_there_is_the_bar(told):
    shown = told(0, terminal=True)
    assert "3/3" in shown
    assert "of 3" not in shown
