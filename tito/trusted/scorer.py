"""The trusted process: it forks for each submission, sends the answers into the box and runs the tests itself.

Started by `runner.py` with a control socket and, on standard input, the page. It runs no student's code and holds no
secret but the hidden tests; what it may use of memory and time is limited all the same, because tests handle whatever
the box gives them.
"""

import contextlib
import gc
import io
import itertools
import json
import os
import resource
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import nbformat
import numpy.random  # noqa: F401  (else every fork loads it anew)

from tito.engine.cells import is_answer, is_test
from tito.engine.runner import Limits, Reason
from tito.errors import CourseError
from tito.lab.data import load_digits
from tito.lab.failures import test_failure
from tito.sources.markers import UNWRITTEN
from tito.trusted import box
from tito.trusted.channel import Channel, Halt
from tito.trusted.names import give_names
from tito.trusted.page import ELSEWHERE, LOCAL, Page, prepare
from tito.trusted.reports import Raised
from tito.trusted.wire import Closed, receive, send

MOST_PRINTED = 50_000  # characters of a test's own output
AGAIN = 0.5  # seconds between alarms: one that falls into a `__del__` is lost


class Text(io.StringIO):
    """Standard output or error of a test: it stops growing."""

    def write(self, text: str) -> int:
        if self.tell() < MOST_PRINTED:
            super().write(text[:MOST_PRINTED])
        return len(text)


class Scoring:
    """One submission: the page with its answers, and the box in which they run."""

    def __init__(self, page: Page, job: dict[str, Any], channel: Channel, report: Callable[[dict[str, Any]], None]):
        self.page, self.channel, self.report, self.job = page, channel, report, job
        self.limits = Limits(**job["limits"])
        self.stop = time.monotonic() + job["seconds"]
        self.asked: set[str] = set()

    def run(self) -> None:
        """Run the cells in their order and report each; a `Halt` ends it."""
        for count, (index, source) in enumerate(self.job["cells"], start=1):
            self.report({"start": index})
            self._allow()
            try:
                outputs = self._test(index) if index in self.page.tests else self._cell(index, count, source)
            except Halt as halt:
                self.report({"failed": halt.reason.name})
                return
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            self.report({"done": index, "count": count, "outputs": outputs})

    def _allow(self) -> None:
        """Let the next cell have its time, on either side of the pipe."""
        left = self.stop - time.monotonic()
        seconds = min(self.limits.cell_seconds, left)
        self.channel.reason = Reason.CELL_TIME if seconds < left else Reason.TOTAL_TIME
        signal.setitimer(signal.ITIMER_REAL, max(0.01, seconds), AGAIN)

    def _cell(self, index: int, count: int, source: str) -> Any:
        self.channel.reports.texts[index] = [*itertools.dropwhile(lambda line: not line.strip(), source.splitlines())]
        self.channel.reports.counts[count] = index
        return self.channel.cell({"source": source, "cell": index, "count": count})["outputs"]

    def _test(self, index: int) -> list[dict[str, Any]]:
        """Run a test here; its outputs are what it and the box printed, and its error."""
        test, names, out, err = self.page.tests[index], self.page.names, Text(), Text()
        for name in self.asked:
            names.pop(name, None)
        error: list[dict[str, Any]] = []
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                wanted = sorted(test.names - names.keys() - names["__builtins__"].keys())
                found = self.channel.ask("names", *wanted)
                found = {name: value for name, value in found.items() if name in wanted}
                for name in set(wanted) & self.page.home.keys() - found.keys():
                    found[name] = self.channel.ask("get", self.channel.ask("import", self.page.home[name]), name)
                self.asked = set(found)
                names.update(found)
                exec(test.code, names)
            except (Exception, SystemExit) as failure:  # noqa: BLE001  (whatever ends a test fails it)
                error = [failed(failure, names)]
        return [*self._printed(out, err), *error]

    def _printed(self, out: Text, err: Text) -> list[dict[str, Any]]:
        told = self.channel.cell({"do": "printed"})["outputs"]
        streams = {"stdout": out.getvalue(), "stderr": err.getvalue()}
        for output in told if isinstance(told, list) else ():
            if isinstance(output, dict) and output.get("name") in streams:
                streams[output["name"]] = str(output.get("text"))[:MOST_PRINTED] + streams[output["name"]]
        return [{"output_type": "stream", "name": name, "text": text} for name, text in streams.items() if text]


def failed(error: BaseException, names: dict[str, Any]) -> dict[str, Any]:
    """What a notebook shows of a test that failed."""
    text = str(error)
    if isinstance(error, NotImplementedError) and text == UNWRITTEN and isinstance(error, Raised):
        text = f"not written yet: {error.places[-1][1] if error.places else 'this cell'}"
        lines = [text]
    else:
        steps = traceback.walk_tb(error.__traceback__)
        frames = [step for step in steps if not step[0].f_code.co_filename.startswith(ELSEWHERE)]
        lines = test_failure(frames, names, error) or [f"{type(error).__name__}: {text}"]
    return {"output_type": "error", "ename": type(error).__name__[:200], "evalue": text[:4000], "traceback": lines}


def main() -> None:
    """Prepare the page and the nursery, say that it is ready, then fork until the control socket closes."""
    control = socket.socket(fileno=int(sys.argv[1]))
    settings = json.loads(sys.stdin.readline())
    cells = [nbformat.from_dict(cell) for cell in settings["cells"]]
    stack, limits = Path(settings["stack"]), Limits(**settings["limits"])
    given = [c.source for c in cells if c.cell_type == "code" and not is_answer(c) and not is_test(c)]
    try:
        nursery = box.start(stack, settings["modules"], given, limits, settings["boxed"])
    except CourseError as error:
        control.send(json.dumps([error.problem, error.cure]).encode())
        return
    with contextlib.closing(nursery), contextlib.suppress(ConnectionError):  # who asks may be gone by now
        _serve(control, nursery, prepare(cells, stack, import_elsewhere))


def _serve(control: socket.socket, nursery: box.Nursery, page: Page) -> None:
    """Fork for each submission."""
    _warm_up()
    gc.collect()
    gc.freeze()  # as in the nursery
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    control.send(b"[]")
    while True:
        message, handles, _, _ = socket.recv_fds(control, 100, 1)
        if not message:
            return
        if os.fork() == 0:
            control.close()
            try:
                _score(page, nursery.control, socket.socket(fileno=handles[0]))
            finally:
                os._exit(0)
        os.close(handles[0])


def _warm_up() -> None:
    """Load now what every submission's tests would load anew: digits, the fonts of a figure."""
    with contextlib.suppress(OSError):
        load_digits()
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        figure, _ = pyplot.subplots()
        figure.canvas.draw()
        pyplot.close(figure)


def import_elsewhere(name: str, *rest: Any) -> Any:
    """Before there is a box: only what tests use on this side can be imported."""
    if name.split(".")[0] not in LOCAL:
        raise NameError(name)
    return __import__(name, *rest)


def _score(page: Page, nursery: socket.socket, link: socket.socket) -> None:
    """In the child: score one submission."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    job, _ = receive(link)
    memory = job["limits"]["memory_bytes"]
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    channel = Channel(box.open_seat(nursery))
    give_names(page, channel)

    def too_long(*_: object) -> NoReturn:
        raise Halt(channel.reason)

    signal.signal(signal.SIGALRM, too_long)
    send(link, {"process": os.getpid()}, [])
    with contextlib.suppress(Closed):
        Scoring(page, job, channel, lambda message: send(link, message, [])).run()
        send(link, {"over": True}, [])


if __name__ == "__main__":
    main()
