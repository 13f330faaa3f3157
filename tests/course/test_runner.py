"""A bad cell costs itself and nothing else: bounded time, memory and output."""

import os
import time

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tito.engine.runner import Limits, Reason, SubprocessRunner


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stack")
    (folder / "tinytorch").mkdir()
    (folder / "tinytorch" / "__init__.py").write_text("origin = 'stack'\n")
    return folder


@pytest.fixture
def run(stack):
    def run(*sources, **limits):
        limits = {"cell_seconds": 10, "total_seconds": 40} | limits
        notebook = new_notebook(cells=[new_code_cell(source) for source in sources])
        execution = SubprocessRunner().run(notebook, stack, Limits(**limits))
        nbformat.validate(execution.notebook)
        return execution

    return run


def values(execution):
    """What each cell shows: its text, or the name of its error."""
    shown = []
    for cell in execution.notebook.cells:
        texts = []
        for output in cell.outputs:
            if output.output_type == "error":
                texts.append(output.ename)
            elif output.output_type == "stream":
                texts.append(f"{output.name}:{output.text}")
            else:
                texts.append(output.data["text/plain"])
        shown.append("|".join(texts))
    return shown


def test_outputs_are_those_of_a_kernel(run):
    execution = run(
        "1 + 1\n2 + 2", "print('out')\nimport sys; print('err', file=sys.stderr)", "1/0", "x = 1;", "x", "await_ = 3"
    )
    assert values(execution) == ["4", "stdout:out\n|stderr:err\n", "ZeroDivisionError", "", "1", ""]
    assert [c.execution_count for c in execution.notebook.cells] == [1, 2, 3, 4, 5, 6]
    assert execution.stops == ()


def test_cells_run_as_main_with_the_given_stack(run):
    execution = run("__name__", "import tinytorch; tinytorch.origin", "import os; os.environ['OPENBLAS_NUM_THREADS']")
    assert values(execution) == ["'__main__'", "'stack'", "'1'"]


def test_a_cell_may_wait_at_its_top_and_warn_twice(run):
    execution = run("import asyncio\nawait asyncio.sleep(0, 'slept')", "1 is 1; 0", "1 is 1; 0", "2")
    found = values(execution)
    assert [found[0], found[3]] == ["'slept'", "2"]
    assert [text.count('"is" with a literal') for text in found] == [0, 1, 1, 0]


def test_the_users_own_settings_do_not_leak_in(run, monkeypatch, tmp_path):
    (tmp_path / "startup.py").write_text("leaked = 1")
    monkeypatch.setenv("PYTHONSTARTUP", str(tmp_path / "startup.py"))
    monkeypatch.setenv("SECRET_TOKEN", "abc")
    names = "HOME", "IPYTHONDIR", "JUPYTER_CONFIG_DIR", "MPLCONFIGDIR"
    execution = run(
        "import os\n'SECRET_TOKEN' in os.environ or 'leaked' in globals()",
        f"len({{os.environ[n] for n in {names}}} | {{os.getcwd()}})",
        "import shutil, sys; os.path.dirname(shutil.which('python')) == os.path.dirname(sys.executable)",
    )
    assert values(execution) == ["False", "1", "True"]


def test_figures_need_no_screen(run):
    execution = run("import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()")
    (output,) = execution.notebook.cells[0].outputs
    assert output.data["image/png"].startswith("iVBOR")


def test_markdown_and_empty_cells_are_left_alone(stack):
    notebook = new_notebook(cells=[new_markdown_cell("# Hi"), new_code_cell(""), new_code_cell("5")])
    execution = SubprocessRunner().run(notebook, stack, Limits())
    assert execution.notebook.cells[2].outputs[0].data["text/plain"] == "5"
    assert execution.notebook.cells[1].outputs == []


def test_infinite_loop(run):
    start = time.monotonic()
    execution = run("x = 1", "while True:\n    pass", "x + 1", cell_seconds=1.5)
    assert values(execution) == ["", "Stopped", "2"]
    assert execution.stops[0].reason is Reason.CELL_TIME
    assert execution.remarks == (
        "Cell number 2 was stopped: one cell may take 1.5 seconds; the other cells were still run.",
    )
    assert time.monotonic() - start < 8


def test_a_loop_that_catches_everything_is_stopped_too(run):
    source = "while True:\n    try:\n        while True: pass\n    except BaseException: pass"
    assert values(run(source, "2", cell_seconds=1.5)) == ["Stopped", "2"]


def test_total_time_is_bounded(run):
    start = time.monotonic()
    execution = run(*["import time; time.sleep(60)"] * 5, cell_seconds=1, total_seconds=2.5)
    assert time.monotonic() - start < 8
    assert values(execution) == ["Stopped"] * 5
    assert execution.stops[-1].reason is Reason.TOTAL_TIME
    assert execution.remarks[-1].endswith("the cells after it were not run.")


def test_os_exit_costs_only_the_cells_that_call_it(run):
    execution = run("import os\ndef f():\n    os._exit(0)", "f()", "1", "f()", "2")
    assert values(execution) == ["", "Stopped", "1", "Stopped", "2"]
    assert [(stop.cell, stop.reason) for stop in execution.stops] == [(1, Reason.ENDED), (3, Reason.ENDED)]


def test_restarts_are_bounded(run):
    execution = run(*["import os; os._exit(1)"] * 4, "1", restarts=2)
    assert values(execution) == ["Stopped"] * 5
    assert len(execution.remarks) == 3


def test_a_crash_of_the_interpreter(run):
    assert values(run("import ctypes; ctypes.string_at(0)", "1")) == ["Stopped", "1"]


@pytest.mark.skipif(os.name != "posix", reason="only POSIX systems limit a process's memory")
def test_60_gigabytes(run):
    execution = run("import numpy as np", "np.ones(60 << 30, dtype='u1')", "b'x' * (60 << 30)", "7")
    assert values(execution) in (["", "MemoryError", "MemoryError", "7"], ["", "_ArrayMemoryError", "MemoryError", "7"])
    assert execution.stops == ()


def test_a_gigabyte_of_output(run):
    execution = run(
        "for _ in range(1000): print('x' * 10**6)", "'y' * 10**8", "import sys; sys.stderr.write('z' * 10**8)", "1"
    )
    assert values(execution)[3] == "1"
    assert len(nbformat.writes(execution.notebook)) < 500_000
    assert "output cut here" in execution.notebook.cells[0].outputs[0].text


def test_a_flood_past_python(run):
    execution = run("import os\nos.system('head -c 300000000 /dev/zero')", "os.write(1, b'x' * 10**6)", "3")
    assert values(execution) == ["0", "1000000", "3"]


def test_input_has_no_one_to_answer(run):
    execution = run("input('name? ')", "import sys; sys.stdin.read()", "1")
    assert values(execution) == ["RuntimeError", "''", "1"]
    assert "nobody is there to answer" in execution.notebook.cells[0].outputs[0].evalue


def test_exit_does_not_end_the_notebook(run):
    execution = run("import sys; sys.exit(0)", "exit()", "quit", "4")
    assert values(execution)[3] == "4"
    assert execution.stops == ()


@pytest.mark.skipif(os.name != "posix", reason="process groups are POSIX")
def test_no_process_is_left_behind(run, tmp_path):
    mark = tmp_path / "pid"
    run(f"import subprocess\np = subprocess.Popen(['sleep', '300'])\nopen({str(mark)!r}, 'w').write(str(p.pid))")
    with pytest.raises(ProcessLookupError):
        for _ in range(50):
            os.kill(int(mark.read_text()), 0)
            time.sleep(0.1)


def test_odd_sources_are_errors_of_their_cell(run):
    execution = run("x\0y", "def f(:", "%nosuchmagic", "(" * 300, "1")
    assert values(execution)[4] == "1"
    assert all(cell.outputs for cell in execution.notebook.cells)
