"""Whatever a cell prints, displays, raises, starts or breaks costs that cell: the next one still counts."""

import os
import sys
import time

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tito.engine import process
from tito.engine.runner import Limits, Reason, SubprocessRunner

ODD = {
    "a lone surrogate printed": "print('\\ud800 x')",
    "a lone surrogate as value": "'\\ud800'; chr(0xdfff)",
    "a lone surrogate on stderr": "import sys; sys.stderr.write('\\udc80')",
    "a lone surrogate in a message": "raise ValueError('\\ud800')",
    "a lone surrogate in metadata": "display({'text/plain': 'x'}, raw=True, metadata={'\\ud800': '\\ud800'})",
    "a lone surrogate as mime type": "display({'\\ud800': '\\ud800'}, raw=True)",
    "control characters": "print(''.join(map(chr, range(32))) + chr(127)); '\\0'",
    "a giant dict": "{i: 'x' * 100 for i in range(300_000)}",
    "a giant dict as JSON": "display({'application/json': {str(i): i for i in range(300_000)}}, raw=True)",
    "keys that are no text": "display({1: 'x', None: 'y'}, raw=True)",
    "JSON with keys that are no text": "display({'application/json': {(1, 2): 3}}, raw=True)",
    "JSON that holds itself": "a = []; a.append(a); display({'application/json': a}, raw=True)",
    "JSON that is too deep": "a = []\nfor _ in range(50_000): a = [a]\ndisplay({'application/json': a}, raw=True)",
    "no number in JSON": "display({'application/json': float('nan')}, raw=True)",
    "bytes as text": "display({'text/plain': b'x', 'text/html': 5, 'image/png': None}, raw=True)",
    "metadata that is none": "display({'text/plain': 'x'}, raw=True, metadata=5)",
    "a million outputs": "for i in range(1_000_000): display(i, exclude=['text/html']) if i < 3000 else None",
    "a message that cannot be told": "class E(Exception):\n    def __str__(self): raise E\nraise E",
    "a message that exits": "class E(Exception):\n    def __str__(self): raise SystemExit\nraise E",
    "a message that is no text": "class E(Exception):\n    __str__ = None\nraise E",
    "a repr that fails": "class R:\n    def __repr__(self): raise SystemExit\nR()",
    "an error with a strange name": "raise type('\\ud800<b>' * 10_000, (Exception,), {})('x')",
    "an error whose name fails": "class M(type):\n    __name__ = property(lambda c: 1/0)\n"
    "class E(Exception, metaclass=M): pass\nraise E('x')",
    "an endless chain of causes": "e = ValueError('x'); e.__cause__ = e\nraise e",
    "sys.exit in a thread": "import sys, threading\nt = threading.Thread(target=sys.exit); t.start(); t.join()",
    "an error in a thread": "import threading\nt = threading.Thread(target=lambda: 1/0); t.start(); t.join()",
    "no working folder": "import os, shutil; shutil.rmtree(os.getcwd())",
    "no standard streams": "import sys; sys.stdout = sys.stderr = None",
    "closed descriptors 0 to 2": "import os; os.closerange(0, 3)",
    "a closed stream": "import sys; sys.stdout.close()",
    "children that go on": "import os\nfor _ in range(3): os.fork()",
    "no recursion": "import sys; sys.setrecursionlimit(60)",
}
ENDS = {
    "os._exit": ("import os; os._exit(3)", Reason.ENDED),
    "os.abort": ("import os; os.abort()", Reason.ENDED),
    "a signal": ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", Reason.ENDED),
    "every descriptor closed": ("import os; os.closerange(0, 256)", Reason.ENDED),
    "the supervisor killed": (  # a quick cell may end before that takes the process with it
        "import os, signal, time; os.kill(os.getppid(), signal.SIGKILL); time.sleep(60)",
        Reason.ENDED,
    ),
    "a stop": ("import os, signal; os.kill(os.getpid(), signal.SIGSTOP)", Reason.CELL_TIME),
    "the supervisor stopped": (
        "import os, signal, time; os.kill(os.getppid(), signal.SIGSTOP); time.sleep(60)",
        Reason.CELL_TIME,
    ),
}
PIPES = """\
import os
for descriptor in range(3, 64):
    try:
        os.write(descriptor, {line!r})
    except OSError:
        pass
"""
GARBAGE = [
    b"\xff\xfe\n",
    b'{"ready": "\\ud800"}\n',
    b'{"done": 999, "count": 1, "outputs": []}\n',
    b'{"done": 0, "count": 1, "outputs": [{"output_type": "none"}]}\n',
]
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets one process adopt all orphans below it")


@pytest.fixture
def run(tmp_path):
    """Run cells; whatever happens, the result is a valid notebook that a file can hold."""

    def run(*sources, **limits):
        notebook = new_notebook(cells=[new_code_cell(source) for source in sources])
        limits = Limits(**{"cell_seconds": 10, "total_seconds": 40} | limits)
        execution = SubprocessRunner(tmp_path).run(notebook, tmp_path, limits)
        nbformat.validate(execution.notebook)
        assert len(nbformat.writes(execution.notebook).encode()) < 3_000_000
        return execution

    return run


def values(execution):
    """The value or the error's name of every cell that has one."""
    shown = [cell.outputs[-1] if cell.outputs else {} for cell in execution.notebook.cells]
    return [output.get("ename") or output.get("data", {}).get("text/plain") for output in shown]


def started_here(folder):
    """Processes whose working folder was made below `folder`."""
    found = []
    for one in psutil.process_iter():
        try:
            if str(folder) in one.environ().get("TMPDIR", "") and one.status() != psutil.STATUS_ZOMBIE:
                found.append(one.pid)
        except psutil.Error:
            continue
    return found


def test_odd_output_costs_its_cell_at_most(run):
    """All in one notebook: a hundred starts of Python would take a minute."""
    sources = [source for odd in ODD.values() for source in (odd, "40 + 2")]
    execution = run(*sources)
    assert execution.stops == ()
    assert dict(zip(ODD, values(execution)[1::2], strict=True)) == dict.fromkeys(ODD, "42")


def test_an_error_without_words_is_still_an_error(run):
    """A test cell that shows no error would earn its points."""
    execution = run(ODD["a message that exits"], ODD["an error whose name fails"], "get_ipython().run_cell = None", "1")
    assert [cell.outputs[-1].output_type for cell in execution.notebook.cells if cell.outputs] == ["error"] * 3
    assert values(execution)[2:] == [None, "TypeError"]


def test_outputs_have_a_limit(run):
    execution = run(ODD["a million outputs"])
    assert len(execution.notebook.cells[0].outputs) == 501
    assert "output cut here" in execution.notebook.cells[0].outputs[-1].text


@pytest.mark.parametrize(("source", "reason"), ENDS.values(), ids=ENDS)
def test_the_end_of_the_process_costs_its_cell(source, reason, run, monkeypatch):
    monkeypatch.setattr(process, "PATIENCE", 1.0)
    execution = run("1", source, "40 + 2", cell_seconds=3)
    assert [(stop.cell, stop.reason) for stop in execution.stops] == [(1, reason)]
    assert values(execution) == ["1", "Stopped", "42"]


@pytest.mark.skipif(os.name != "posix", reason="finds the pipe by its number")
@pytest.mark.parametrize("line", GARBAGE)
def test_garbage_in_the_protocol_costs_its_cell(line, run):
    execution = run(PIPES.format(line=line), "40 + 2")
    assert [(stop.cell, stop.reason) for stop in execution.stops] == [(0, Reason.GARBLED)]
    assert values(execution) == ["Stopped", "42"]
    assert execution.remarks[0].startswith("Cell number 1 wrote into the grader's own pipe; ")


DAEMON = """\
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(1000)  # keeps every pipe open
    os._exit(0)
"""
ESCAPES = {
    "a session": "import subprocess; p = subprocess.Popen(['setsid', 'sleep', '1000'])",
    "an empty environment": "import subprocess; subprocess.Popen(['sleep', '1000'], env={}, start_new_session=True)",
    "a daemon": DAEMON,
    "a small fork bomb": "import os, time\nfor _ in range(6): os.fork()\ntime.sleep(1000)",
}


@linux
@pytest.mark.parametrize("source", ESCAPES.values(), ids=ESCAPES)
def test_no_process_outlives_its_notebook(source, run, tmp_path):
    before = {one.pid for one in psutil.process_iter()}
    start = time.monotonic()
    execution = run(source, "40 + 2", cell_seconds=3)
    assert time.monotonic() - start < 3 + process.PATIENCE
    assert values(execution)[1] == "42" or execution.stops
    sleeping = {one.pid for one in psutil.process_iter(["cmdline"]) if one.info["cmdline"] == ["sleep", "1000"]}
    assert (sleeping - before, started_here(tmp_path)) == (set(), [])


@linux
def test_a_stopped_cell_leaves_no_process(run, tmp_path):
    start = time.monotonic()
    execution = run(f"{DAEMON}\nwhile True: pass", cell_seconds=1.5)
    assert execution.stops[0].reason is Reason.CELL_TIME
    assert time.monotonic() - start < 1.5 + process.PATIENCE
    assert started_here(tmp_path) == []


@linux
def test_a_pipe_that_somebody_holds_is_not_waited_for(run, monkeypatch):
    """The last resort: the supervisor is gone, and a daemon keeps the pipe open."""
    monkeypatch.setattr(process, "PATIENCE", 1.0)
    short = DAEMON.replace("1000", "8")
    source = f"{short}\nimport signal; os.kill(os.getppid(), signal.SIGKILL); time.sleep(60)"
    start = time.monotonic()
    execution = run(source, "40 + 2", cell_seconds=2, total_seconds=20)
    assert time.monotonic() - start < 12
    assert values(execution) == ["Stopped", "42"]


@pytest.mark.skipif(os.name != "posix", reason="only POSIX systems limit the size of a file")
def test_a_file_has_a_limit(run):
    write = "with open('big', 'wb') as file: n = file.write(bytes({size}))\nn"
    assert values(run(write.format(size=1 << 20), write.format(size=65 << 20), "1")) == ["1048576", "OSError", "1"]


def test_pictures_have_a_limit(run):
    """20 characters of pictures for one of text, over all pictures of a cell."""
    show = "display({{'image/png': 'A' * {size}}}, raw=True)\n"
    execution = run(show.format(size=2000), show.format(size=2001), show.format(size=1100) * 2, output_chars=100)
    shown = [[output.data["image/png"] for output in cell.outputs] for cell in execution.notebook.cells]
    left_out = "(output of {} characters left out)"
    assert shown == [["A" * 2000], [left_out.format(2001)], ["A" * 1100, left_out.format(1100)]]


def test_a_measurement_is_not_run(run):
    execution = run("def analyze_speed():\n    print('slow')\n\nanalyze_speed()", "40 + 2")
    assert values(execution) == [None, "42"]
    assert execution.notebook.cells[0].execution_count is None
