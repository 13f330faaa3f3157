"""Inside the box: one student's process. It runs the cells that are not tests, and serves the tests outside."""

import builtins
import os
import sys
from typing import Any

from objects import Server  # type: ignore[import-not-found]  # beside this file
from wire import Closed, Garbled, receive, send  # type: ignore[import-not-found]
from worker import Outputs, Stream, _name, _run, _text, make_shell, no_input  # type: ignore[import-not-found]


class Seat:
    """IPython and the objects behind one link."""

    def __init__(self, output: int) -> None:
        self.outputs = Outputs(output)
        self.shell = make_shell(self.outputs)

    def warm_up(self, given: list[str]) -> None:
        """Let IPython load what it loads late, for its first cell and its first error; parse the `given` cells."""
        for source in ("None", "raise ValueError", "import warnings; warnings.warn('x')"):
            self.outputs.start(0)
            _run(self.shell, source, self.outputs)
        self.shell.reset(new_session=True)
        for source in given:
            self.shell.transform_cell(source)
        self.outputs.start(0)

    def serve(self, link: Any) -> None:
        """Do what comes through the link until its other end closes."""
        self.link, self.server = link, Server(link, self.shell.user_ns)
        sys.stdout, sys.stderr = Stream(self.outputs, "stdout"), Stream(self.outputs, "stderr")
        while True:
            try:
                message, arrays = receive(link)
                if message.get("do") == "cell":
                    self._cell(message)
                elif message.get("do") == "printed":
                    send(link, {"outputs": self.outputs.collected()}, [])
                    self.outputs.start(0)
                else:
                    self.server.answer(message, arrays)
            except (Closed, Garbled):
                return

    def _cell(self, message: dict[str, Any]) -> None:
        outputs, count = self.outputs, message["count"]
        outputs.start(count)
        self.shell.execution_count = count  # it names the file of the cell, which errors name
        self.server.cells[count] = message["cell"]
        failure = _run(self.shell, message["source"], outputs)
        if failure is not None and not any(entry["output_type"] == "error" for entry in outputs.entries):
            outputs.error(_name(failure), text := _text(failure), [text])
        send(self.link, {"outputs": outputs.collected(), "failed": failure is not None}, [])
        outputs.start(count)


def sit(seat: Seat, link: Any, folder: str) -> None:
    """Be a student's process until the link closes."""
    sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115  (open as long as the process lives)
    builtins.input = no_input
    os.chdir(folder)
    os.register_at_fork(after_in_child=link.close)  # a child that goes on after its cell would answer, too
    seat.serve(link)
    os._exit(0)
