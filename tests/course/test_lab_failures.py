"""What a notebook shows of an error: the message first and alone, an unwritten answer in one line."""

from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_notebook
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from tito.lab.shell import speak_in
from tito.sources.markers import UNWRITTEN

ROOT = Path(__file__).parents[2]
STUB_LINE = f'raise NotImplementedError("{UNWRITTEN}")'
CHECK = """\
def test_unit_scale():
    {}


if __name__ == "__main__":
    test_unit_scale()
"""


class Shell(InteractiveShell):
    """Keeps what a notebook would show of an error: name, value, lines."""

    def _showtraceback(self, etype, evalue, stb):
        self.shown = (etype.__name__, str(evalue), stb)


@pytest.fixture
def shell():
    shell = Shell(colors="nocolor", config=Config({"HistoryManager": {"enabled": False}}))
    speak_in(shell)
    shell.run_cell("from tito.lab import check_close, check_equal, check_raises", silent=True)
    return shell


def error(shell, *cells):
    """Run cells, the last of which must fail, and return what is shown of its error."""
    for cell in cells:
        result = shell.run_cell(cell, silent=True)
    assert not result.success
    return shell.shown


def in_test(line):
    return CHECK.format(line)


def test_a_failed_check_is_its_message_and_nothing_else(shell):
    name, value, lines = error(shell, "def scale(x): return x", in_test('check_equal(scale(1), 2, call="scale(1)")'))
    assert name == "AssertionError"
    assert value.startswith("\nscale(1)\n  expected  2\n")
    assert lines == [
        "failed: scale(1)",
        "  expected  2",
        "  got       1",
        "  next      print both values for one small input and follow the first line that differs",
    ]


def test_a_check_that_expects_an_error_is_short_too(shell):
    _, _, lines = error(shell, in_test('check_raises(ValueError, len, [], call="len([])")'))
    assert lines[:3] == ["failed: len([])", "  expected  ValueError", "  got       int, no error"]


@pytest.mark.parametrize("number", [1, 40])
def test_a_check_in_a_deep_call_is_as_short(shell, number):
    nested = f"def nested(n):\n    nested(n - 1) if n else check_equal(1, 2, call='x')\nnested({number})"
    assert error(shell, nested)[2][0] == "failed: x"


def test_a_plain_assert_of_a_test_shows_its_message(shell):
    assert error(shell, in_test('assert 1 == 2, "one is not two:\\nlook again"'))[2] == [
        "failed: one is not two:",
        "look again",
    ]


def test_a_plain_assert_without_words_shows_its_line(shell):
    assert error(shell, in_test("assert 1 == 2"))[2] == [
        "failed: AssertionError",
        "  in test_unit_scale, line 2: assert 1 == 2",
    ]


def test_an_error_in_the_answer_shows_the_answers_lines_only(shell):
    answer = "def scale(x):\n    y = x\n    return y + 'a'"
    name, value, lines = error(shell, answer, in_test("scale(1)"))
    assert (name, value) == ("TypeError", "unsupported operand type(s) for +: 'int' and 'str'")
    assert lines == [f"failed: TypeError: {value}", "  in scale, line 3: return y + 'a'"]


def test_a_name_that_is_not_there_yet_shows_the_tests_line(shell):
    assert error(shell, in_test("scale(1)"))[2] == [
        "failed: NameError: name 'scale' is not defined",
        "  in test_unit_scale, line 2: scale(1)",
    ]


def test_endless_recursion_is_short(shell):
    lines = error(shell, "def scale(x): return scale(x)", in_test("scale(1)"))[2]
    assert lines[0].startswith("failed: RecursionError: maximum recursion depth exceeded")
    assert 2 <= len(lines) <= 12


@pytest.mark.parametrize(
    ("answer", "call", "name"),
    [
        (f"def scale(x):\n    {STUB_LINE}", "scale(1)", "scale"),
        (f"class Tensor:\n    def reshape(self):\n        {STUB_LINE}", "Tensor().reshape()", "Tensor.reshape"),
        (f"def op(f): return lambda *x: f(*x)\n@op\ndef add(a):\n    {STUB_LINE}", "add(1)", "add"),
        (f"def make():\n    def inner():\n        {STUB_LINE}\n    return inner", "make()()", "inner"),
        (f"def scale(x):\n    {STUB_LINE}", "check_close(lambda: scale(1), 2, call='scale(1)')", "scale"),
    ],
)
@pytest.mark.parametrize("frame", [in_test, str])
def test_an_unwritten_answer_is_one_line(shell, answer, call, name, frame):
    text = f"not written yet: {name}"
    assert error(shell, answer, frame(call)) == ("NotImplementedError", text, [text])


def test_an_unwritten_cell_is_one_line(shell):
    assert error(shell, STUB_LINE)[1] == "not written yet: this cell"


@pytest.mark.parametrize(
    "cell", ["raise NotImplementedError('no such layer')", "def f(x): return x + ''\nf(1)", "1 / 0"]
)
def test_any_other_error_keeps_its_traceback(shell, cell):
    name, value, lines = error(shell, cell)
    text = "\n".join(lines)
    assert "Traceback (most recent call last)" in text
    assert text.endswith(f"{name}: {value}")


@pytest.mark.parametrize("cell", ["def f(:", "if True:\nx = 1", "exec('1 +')", "import nonsense_of_nobody"])
def test_errors_of_syntax_and_imports_are_left_to_ipython(shell, cell):
    plain = Shell(colors="nocolor", config=Config({"HistoryManager": {"enabled": False}}))
    ours, theirs = error(shell, cell), error(plain, cell)
    assert ours[0] == theirs[0]
    assert len(ours[2]) == len(theirs[2])


def test_the_whole_traceback_can_be_asked_for(shell):
    error(shell, in_test("assert 1 == 2, 'words'"))
    shell.run_line_magic("tb", "")
    assert "test_unit_scale()" in "\n".join(shell.shown[2])


def test_a_kernel_stops_at_it_as_at_any_error(monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    cells = ["import tito.lab", f"def scale(x):\n    {STUB_LINE}", in_test("scale(1)"), "print('never')"]
    notebook = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    client = NotebookClient(notebook, kernel_name="python3", resources={"metadata": {"path": tmp_path}})
    with pytest.raises(CellExecutionError, match="not written yet: scale"):
        client.execute()
    (shown,) = notebook.cells[2].outputs
    line = "not written yet: scale"
    assert (shown.ename, shown.evalue, shown.traceback) == ("NotImplementedError", line, [line])
    assert notebook.cells[3].outputs == []


def test_the_stub_is_the_one_that_nbgrader_writes():
    config = PyFileConfigLoader("nbgrader_config.py", path=str(ROOT)).load_config()
    assert config.ClearSolutions.code_stub == {"python": STUB_LINE}


def test_without_a_notebook_python_shows_the_error():
    from tito.lab import check_equal

    with pytest.raises(AssertionError, match=r"^\nx\n  expected  2\n  got       1\n"):
        check_equal(1, 2, call="x")
