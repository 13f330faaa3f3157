"""How fast `tito grade` is, beside stock nbgrader: `python -m benchmarks.beside_nbgrader [SUBMISSIONS] [MODULE...]`.

The reference solution of each module stands for a submission. Printed are, for each module, the median time of one, the
time that opening and closing a sandbox takes, and the time of one on nbgrader, on the same files.
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbgrader.apps import NbGraderAPI

from benchmarks.grading import make_course
from tito.course import Course
from tito.engine.normalise import normalise
from tito.engine.reading import parse_submission
from tito.engine.runner import Limits
from tito.engine.skeleton import load_skeleton
from tito.grading.settings import nbgrader_config
from tito.grading.stack import build_stack
from tito.registry import MODULES, Module
from tito.trusted import box
from tito.trusted.runner import TrustedRunner
from tito.trusted.wire import receive, send

STOCK = 3  # submissions that nbgrader grades


def hand_in(course: Course, module: Module) -> None:
    """Let `STOCK` students hand in the solution."""
    for number in range(STOCK):
        path = course.submission(f"s{number}", module)
        path.parent.mkdir(parents=True)
        path.write_bytes(solved(course, module))


def solved(course: Course, module: Module) -> bytes:
    """The released notebook with the solutions in it."""
    notebook = nbformat.read(course.released(module), as_version=4)
    answers = {cell.id: cell.source for cell in nbformat.read(course.built(module), as_version=4).cells}
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            cell.source = answers[cell.id]
    return str(nbformat.writes(notebook)).encode()


def ours(course: Course, module: Module, stack: Path, count: int) -> tuple[float, float]:
    """Median seconds of one submission, and of them those of a sandbox."""
    skeleton = load_skeleton(course.released(module), course.built(module))
    data, seconds = solved(course, module), []
    with TrustedRunner() as runner:
        for _ in range(count + 1):
            notebook = normalise(parse_submission(data), skeleton).notebook
            start = time.perf_counter()
            runner.run(notebook, stack, Limits())
            seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:]), sandbox(stack)


def sandbox(stack: Path, count: int = 20) -> float:
    """Median seconds from asking for a seat until it has answered and is gone."""
    nursery = box.start(stack, {"numpy": True}, [], Limits(), boxed=True)
    seconds, processors = [], os.sched_getaffinity(0)
    for _ in range(count):
        start = time.perf_counter()
        link = box.open_seat(nursery.control)
        send(link, {"do": "printed"}, [])
        receive(link)
        link.close()
        seconds.append(time.perf_counter() - start)
    nursery.close()
    os.sched_setaffinity(0, processors)  # a seat took one
    return statistics.median(seconds)


def stock(course: Course, module: Module) -> float:
    """Seconds of one submission on nbgrader, which starts a kernel for it."""
    api, start = NbGraderAPI(config=nbgrader_config(course)), time.perf_counter()
    for number in range(STOCK):
        api.autograde(module.folder, f"s{number}", create=True, force=True)
    return (time.perf_counter() - start) / STOCK


def show(name: str, one: float, seat: float, theirs: float) -> None:
    """Print a row."""
    print(f"{name:<16} {one:5.3f} s   {seat:5.3f} s   {theirs:6.2f} s   {theirs / one:8.1f}", flush=True)


def main() -> None:
    """Print the table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    modules = [module for module in MODULES if not sys.argv[2:] or f"{module.number:02d}" in sys.argv[2:]]
    with tempfile.TemporaryDirectory() as folder:
        course = make_course(Path(folder), modules)
        print("module             ours   sandbox   nbgrader   times as fast")
        rows = []
        for module in modules:
            hand_in(course, module)
            stack = build_stack(course, module, Path(folder, "stacks", module.folder))
            one, seat = ours(course, module, stack, count)
            rows.append((one, seat, stock(course, module)))
            show(module.folder, *rows[-1])
        show("median", *(statistics.median(column) for column in zip(*rows, strict=True)))


if __name__ == "__main__":
    main()
