"""Run the code cells of one notebook in this process and report each on the original standard output.

Started as a script by `runner.py`, so it imports nothing of tito. Standard input brings one JSON line with the
job; when it closes later, the parent is gone and so is the reason to live. Every answer is one JSON line.
"""

import ast
import base64
import builtins
import contextlib
import io
import json
import os
import re
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any, BinaryIO, NoReturn

from IPython.core.compilerop import CachingCompiler
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Type
from traitlets.config import Config

CUT = "\n... output cut here ...\n"
MOST_OUTPUTS = 500  # of one cell
ASYNC = re.compile(r"\b(await|async)\b")


class Outputs:
    """The outputs of the running cell, never more than `limit` characters of text and 20 times as many of pictures."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.start(0)

    def start(self, count: int) -> None:
        """Begin the `count`-th cell."""
        self.count = count
        self.entries: list[dict[str, Any]] = []
        self.left, self.left_for_pictures = self.limit, 20 * self.limit

    def stream(self, name: str, text: str) -> None:
        """Add printed text, cut where the cell has used up its share."""
        if not text or self.left <= 0:
            return
        if len(text) > self.left:
            text = text[: self.left] + CUT
        self.left -= len(text)
        last = self.entries[-1] if self.entries else {}
        if last.get("output_type") == "stream" and last["name"] == name:
            last["parts"].append(text)
        else:
            self._add({"output_type": "stream", "name": name, "parts": [text]})

    def data(self, kind: str, data: dict[str, Any], metadata: Any) -> None:
        """Add a displayed value; a picture or text that is too large is replaced by a note.

        Raises:
            TypeError, ValueError, RecursionError: the value is none that a notebook can hold.
        """
        kept = {mime: self._fitting(mime, value) for mime, value in data.items()}
        facts = (
            metadata if isinstance(metadata, dict) and len(json.dumps(metadata, allow_nan=False)) <= self.limit else {}
        )
        entry = {"output_type": kind, "data": kept, "metadata": facts}
        self._add(entry | ({"execution_count": self.count} if kind == "execute_result" else {}))

    def _fitting(self, mime: str, value: Any) -> Any:
        """The value if there is room for it, else a note."""
        is_json = mime.endswith("json")
        size = len(json.dumps(value, allow_nan=False) if is_json else str(value))
        picture = mime.startswith("image/")
        if size > (self.left_for_pictures if picture else self.left):
            return f"(output of {size} characters left out)"
        if picture:
            self.left_for_pictures -= size
        else:
            self.left -= size
        return value if is_json else str(value)

    def _add(self, entry: dict[str, Any]) -> None:
        if len(self.entries) < MOST_OUTPUTS:
            self.entries.append(entry)
        elif len(self.entries) == MOST_OUTPUTS:
            self.entries.append({"output_type": "stream", "name": "stdout", "parts": [CUT]})

    def error(self, name: str, value: str, traceback: list[str]) -> None:
        """Add an exception."""
        lines = "\n".join(traceback)
        lines = lines if len(lines) <= self.limit else lines[: self.limit // 2] + CUT + lines[-self.limit // 2 :]
        entry = {"output_type": "error", "ename": name[:200], "evalue": value[:4000], "traceback": lines.split("\n")}
        self._add(entry)

    def collected(self) -> list[dict[str, Any]]:
        """The outputs as nbformat writes them."""
        plain = []
        for entry in self.entries:
            entry = dict(entry)
            if "parts" in entry:
                entry["text"] = "".join(entry.pop("parts"))
            plain.append(entry)
        return plain


class Stream(io.TextIOBase):
    """`sys.stdout` or `sys.stderr` of the student's code."""

    def __init__(self, outputs: Outputs, name: str) -> None:
        self.outputs, self._name = outputs, name

    def write(self, text: str) -> int:
        self.outputs.stream(self._name, str(text))
        return len(text)

    def writable(self) -> bool:
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"


def _json_data(data: dict[str, Any]) -> dict[str, Any]:
    return {k: base64.b64encode(v).decode() if isinstance(v, bytes) else v for k, v in data.items()}


class Publisher(DisplayPublisher):
    """`display(...)` goes to the cell's outputs."""

    outputs: Outputs

    def publish(self, data: Any, metadata: Any = None, source: Any = None, **kwargs: Any) -> None:
        self.outputs.data("display_data", _json_data(data), metadata)

    def clear_output(self, wait: bool = False) -> None:
        self.outputs.entries.clear()


class Hook(DisplayHook):
    """The value of a cell's last line goes to its outputs."""

    outputs: Outputs

    def write_output_prompt(self) -> None:
        """No prompt: the notebook has its own."""

    def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None:
        self.outputs.data("execute_result", _json_data(format_dict), md_dict)

    def finish_displayhook(self) -> None:
        """Nothing to end: no line was begun."""


class Compiler(CachingCompiler):
    """IPython's, which need not parse again what `parsed` holds: texts, and their trees."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.parsed: dict[str, ast.AST] = {}

    def ast_parse(self, source: str, filename: str = "<unknown>", symbol: str = "exec") -> ast.AST:
        return self.parsed.pop(source, None) or super().ast_parse(source, filename, symbol)


class Shell(InteractiveShell):
    """IPython as a notebook's kernel has it, without a kernel."""

    displayhook_class = Type(Hook)
    display_pub_class = Type(Publisher)
    compiler_class = Type(Compiler)
    compile: Compiler
    outputs: Outputs

    def _showtraceback(self, etype: Any, evalue: Any, stb: Any) -> None:
        lines = stb if isinstance(stb, list) else [str(stb)]
        self.outputs.error(_name(evalue), _text(evalue), lines)

    def transform_cell(self, raw_cell: str) -> str:
        """Look for a notebook's commands only in what is no Python: that takes longer than to compile it."""
        if raw_cell in self.compile.parsed:
            return raw_cell
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                tree = ast.parse(raw_cell)
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                return str(super().transform_cell(raw_cell))  # type: ignore[no-untyped-call]
        if not caught:  # they come again when it is parsed again
            self.compile.parsed[raw_cell] = tree
        return raw_cell

    def should_run_async(self, raw_cell: str, **options: Any) -> bool:
        """Compile a cell to find that out only if it has one of the words for it."""
        return bool(ASYNC.search(raw_cell)) and super().should_run_async(raw_cell, **options)

    def enable_gui(self, gui: Any = None) -> None:
        """No window system here."""

    def ask_exit(self) -> None:
        """`exit` in a cell means nothing: the other cells still run."""


def _name(error: BaseException) -> str:
    """An exception's class, whatever its metaclass says."""
    return str(type.__dict__["__name__"].__get__(type(error)))


def _text(error: BaseException) -> str:
    """An exception's message, if its class gives one."""
    try:
        return str(error)
    except BaseException:  # noqa: BLE001  (a student's `__str__` may raise anything, `SystemExit` too)
        return "(its message cannot be shown)"


def no_input(prompt: object = "") -> NoReturn:
    """Stands for `input`: nobody is there to answer."""
    raise RuntimeError("input() cannot be used here: nobody is there to answer while the notebook is checked or graded")


@contextlib.contextmanager
def _redirected(outputs: Outputs) -> Iterator[None]:
    with contextlib.redirect_stdout(Stream(outputs, "stdout")), contextlib.redirect_stderr(Stream(outputs, "stderr")):
        yield


def limit_resources(job: dict[str, Any]) -> None:
    """Set this process's limits for memory, processor time and file size, where the system has them."""
    with contextlib.suppress(ImportError):
        import resource

        for name, value in (("AS", job["memory"]), ("CPU", job["cpu"]), ("FSIZE", job["file"]), ("CORE", 0)):
            kind = getattr(resource, f"RLIMIT_{name}")
            hard = resource.getrlimit(kind)[1]
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            with contextlib.suppress(ValueError, OSError):  # macOS refuses some of them
                resource.setrlimit(kind, (value, value))


def make_shell(outputs: Outputs) -> Any:
    """Start IPython without history, colours or a user's configuration."""
    shell: Any = Shell.instance(colors="nocolor", config=Config({"HistoryManager": {"enabled": False}}))
    for part in (shell, shell.display_pub, shell.displayhook):
        part.outputs = outputs
    return shell


def _run(shell: Any, source: str, outputs: Outputs) -> BaseException | None:
    """Run one cell; return what it raised, if it raised anything."""
    try:
        with _redirected(outputs):
            result = shell.run_cell(source, store_history=True)
    except BaseException as error:  # noqa: BLE001  (IPython itself fails on what the cell left behind)
        return error
    failure: BaseException | None = result.error_before_exec or result.error_in_exec
    return failure


class Session:
    """IPython for the cells of one notebook; `answers` is told, for each cell, that it starts and then its outputs."""

    def __init__(self, output: int, answers: BinaryIO) -> None:
        self._answers, self._outputs = answers, Outputs(output)
        self._shell = make_shell(self._outputs)
        self._send({"ready": True})

    def run(self, count: int, cell: dict[str, Any]) -> None:
        """Run one cell, the `count`-th of the notebook."""
        outputs = self._outputs
        self._send({"start": cell["index"]})
        outputs.start(count)
        failure = _run(self._shell, cell["source"], outputs)
        if failure is not None and not any(entry["output_type"] == "error" for entry in outputs.entries):
            outputs.error(_name(failure), text := _text(failure), [text])
        self._send({"done": cell["index"], "count": count, "outputs": outputs.collected()})

    def _send(self, message: dict[str, Any]) -> None:
        self._answers.write(json.dumps(message, ensure_ascii=False).encode(errors="replace") + b"\n")
        self._answers.flush()


def _leave_with_parent(stream: BinaryIO) -> None:
    stream.read()
    os._exit(1)


def main() -> None:
    """Take one job from standard input and run it."""
    commands = os.fdopen(os.dup(0), "rb", buffering=0)
    answers = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115  (open as long as the process lives)
    job = json.loads(_line(commands))
    threading.Thread(target=_leave_with_parent, args=(commands,), daemon=True).start()
    limit_resources(job)
    builtins.input = no_input
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=answers.close)  # a child that goes on after its cell would answer, too
    session = Session(job["output"], answers)
    for count, cell in enumerate(job["cells"], start=1):
        session.run(count, cell)
    os._exit(0)  # no exit handlers or leftover threads of the student's


def _line(stream: BinaryIO) -> bytes:
    line = bytearray()
    while not line.endswith(b"\n"):
        part = stream.read(1 << 16)
        if not part:
            break
        line += part
    return bytes(line)


if __name__ == "__main__":
    main()
