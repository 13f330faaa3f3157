"""How long grading a whole course takes: `python -m benchmarks.grading [--count N] [--modules 01 02]`.

A class is made up from the solutions, alternatives and misconceptions of the modules, every notebook another one; one
of a hundred is hostile. It is graded as `tito grade` does it, and the time is extrapolated to 17 modules and 1,000
students: what passes until a module's first result counts once, and so does the wait at its end for workers that are
still busy when others have nothing left, such as with an endless loop; the rest counts for each submission.
"""

import argparse
import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from rich.console import Console
from rich.progress import track
from rich.table import Table

from tito.console import err, progress
from tito.course import Course
from tito.registry import MODULES, Module, find_module

ROOT = Path(__file__).parents[1]
COPIED = ("modules", "tests", "datasets", "milestones", "requirements", "pyproject.toml", "nbgrader_config.py")
WHOLE_COURSE, WHOLE_CLASS = 17, 1000
GOAL_MINUTES, GOAL_MEGABYTES = 60, 500
HOSTILE = (
    "while True: pass",
    "import os\nos._exit(1)",
    "x = bytearray(1 << 40)",
    "print('x' * 50_000_000)",
    "import os\nfor _ in range(50):\n    if os.fork() == 0:\n        import time\n        time.sleep(1000)",
    "import sys\nsys.setrecursionlimit(10**9)\ndef f():\n    return f()\nf()",
)


def main() -> None:
    """Make up a class, grade it, show the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.grading", description=__doc__)
    parser.add_argument("--count", type=int, default=2000, help="submissions to grade, over all modules")
    parser.add_argument("--modules", nargs="*", help="these modules; by default all that are written")
    parser.add_argument("--hostile", type=float, default=0.01, help="share of hostile submissions")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    written = [module for module in MODULES if (ROOT / module.source).is_file()]
    modules = [find_module(word) for word in options.modules] if options.modules else written
    if options.measure:
        print(json.dumps(measure(Course(options.measure), modules)))
        return
    with tempfile.TemporaryDirectory() as folder:
        course = make_course(Path(folder), modules)
        hand_in_all(course, modules, options.count, options.hostile)
        command = [sys.executable, "-m", "benchmarks.grading", "--measure", str(course.root)]
        command += ["--modules", *(module.folder for module in modules)]
        show(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=ROOT).stdout))


def make_course(folder: Path, modules: list[Module]) -> Course:
    """Copy the course, and release the modules."""
    from tito.release.notebooks import release_modules
    from tito.sources.build import build

    for name in COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
        copy(ROOT / name, folder / name)
    course = Course(folder)
    for module in modules:
        build(course, module)
    release_modules(course, modules)
    return course


def hand_in_all(course: Course, modules: list[Module], count: int, hostile: float) -> None:
    """Hand in `count` notebooks, as many of each module."""
    kinds = {module.folder: itertools.cycle(answers_of(course, module)) for module in modules}
    attacks, owed = itertools.cycle(HOSTILE), 0.0
    numbers = track(range(count), "handing in", console=err())
    for number, module in zip(numbers, itertools.cycle(modules), strict=False):
        notebook = nbformat.read(course.released(module), as_version=4)
        answers, owed = next(kinds[module.folder]), owed + hostile
        attack = next(attacks) if owed >= 1 else ""
        owed -= bool(attack)
        for cell in notebook.cells:
            if cell.metadata.get("nbgrader", {}).get("solution"):
                cell.source = answers.get(cell.id, cell.source) + (f"\n{attack}" if cell.cell_type == "code" else "")
                attack = attack if cell.cell_type == "markdown" else ""
                if cell.cell_type == "markdown":
                    cell.source += f" Says {number}."
        path = course.submission(f"s{number:05d}", module)
        path.parent.mkdir(parents=True)
        nbformat.write(notebook, path)


def answers_of(course: Course, module: Module) -> Iterator[dict[str, str]]:
    """The answers of the solution, and those with one alternative or misconception in them; half are the solution."""
    from tito.sources.variants import alternatives, misconceptions

    full = nbformat.read(course.built(module), as_version=4)
    solution = {cell.id: cell.source for cell in full.cells if cell.metadata.get("nbgrader", {}).get("solution")}
    for variant in (*alternatives(course, module), *misconceptions(course, module)):
        yield solution
        yield solution | variant.answers


def measure(course: Course, modules: list[Module]) -> dict[str, Any]:
    """Grade everything with a process for each processor; return numbers by module, and the memory used."""
    from tito.grading.grade import grade_module, processors, submitted_students

    rows = []
    with progress() as bar:
        task = bar.add_task("grading", total=sum(len(submitted_students(course, module)) for module in modules))
        for module in modules:
            start, times, statuses = time.perf_counter(), [], []
            for entry in grade_module(course, module, jobs=processors()):
                times.append(time.perf_counter() - start)
                statuses.append(str(entry.shown_status))
                bar.advance(task)
            rows.append((module.folder, len(times), *phases(times, processors()), statuses.count("failed")))
    return {"rows": rows, "processors": processors(), "megabytes": most_memory(), "load": os.getloadavg()[0]}


def phases(times: list[float], workers: int) -> tuple[float, float, float]:
    """Split the times of results into that of the first, that of each one after it, and the wait at the end.

    The last results, one of each worker, come when that worker has nothing left: their mean is when all would have
    ended with the work shared out to the last.
    """
    shared = statistics.mean(times[-workers:])
    return times[0], (shared - times[0]) / max(1, len(times) - 1), times[-1] - shared


def most_memory() -> float:
    """The most memory that this process ever had, its children not counted; in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise OSError("/proc/self/status has no VmHWM")


def show(found: dict[str, Any]) -> None:
    """Print what was measured, and what it means for the whole course."""
    table = Table("module", "count", "first after s", "then ms each", "last wait s", "failed", box=None)
    rows = found["rows"]
    for name, count, begun, each, wait, failed in rows:
        table.add_row(name, str(count), f"{begun:.1f}", f"{1000 * each:.0f}", f"{wait:.1f}", str(failed))
    seconds = sum(begun + (WHOLE_CLASS - 1) * each + wait for _, _, begun, each, wait, _ in rows) / len(rows)
    minutes = WHOLE_COURSE * seconds / 60
    Console().print(table)
    print(
        f"{sum(count for _, count, *_ in rows)} gradings on {found['processors']} processors (load {found['load']:.1f})"
    )
    print(f"{WHOLE_COURSE} modules x {WHOLE_CLASS} students: {minutes:.0f} minutes (goal: {GOAL_MINUTES})")
    print(f"memory of the grader's own process: {found['megabytes']:.0f} MB (goal: {GOAL_MEGABYTES})")


if __name__ == "__main__":
    main()
