"""What each misconception of the bank answers to each check, as digests: how a failing test knows a belief again.

The digests and the one-sentence beliefs go into the kit (`tito/lab/beliefs/NN_name.json`); the answers do not.
"""

import copy
import hashlib
import json
import tempfile
from pathlib import Path

import nbformat
from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_code_cell

import tito.lab
from tito.course import Course
from tito.engine.measurements import without_measurements
from tito.engine.runner import Limits
from tito.engine.warm import warm_runner
from tito.errors import CourseError
from tito.files import write_atomic
from tito.grading.stack import build_stack
from tito.registry import Module
from tito.sources.build import notebook_text
from tito.sources.cells import read_cells
from tito.sources.variants import Variant, misconceptions, variant_paths

GENERATED = "by `tito sync` from the misconceptions; do not edit"
START = "from tito.lab.beliefs import start_recording\n\nstart_recording()"
END = "from tito.lab.beliefs import recorded\n\nprint('\\n'.join(recorded()))"
MOST_BELIEFS = 2  # that give one answer; more of them tell a student nothing
LAB = Path(tito.lab.__file__).parent
CHECKS = ("beliefs.py", "calls.py", "checks.py")  # what a digest, and a mutation score, depends on


def fingerprint(course: Course, module: Module) -> str:
    """A hash of all that the digests depend on: the code of the page, the bank and the checks."""
    code = [cell.source for cell in read_cells(course.teaching_source(module)) if cell.kind == "code"]
    files = [*variant_paths(course, module, "misconceptions"), *(LAB / name for name in CHECKS)]
    parts = [*code, *(path.read_text(encoding="utf-8") for path in files)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def up_to_date(course: Course, module: Module) -> bool:
    """Whether the module's digests belong to its page and its bank as they are."""
    path = course.beliefs(module)
    return path.is_file() and json.loads(path.read_text(encoding="utf-8"))["of"] == fingerprint(course, module)


def write_beliefs(course: Course, module: Module) -> Path:
    """Run every misconception of a module and write down its answers as digests.

    Raises:
        CourseError: a notebook did not run to its end.
    """
    notebook = nbformat.reads(notebook_text(course, module), as_version=4)
    bank = misconceptions(course, module)
    with tempfile.TemporaryDirectory() as folder:
        stack = build_stack(course, module, Path(folder))
        once, again = (_answers(notebook, bank, stack) for _ in range(2))
    answers = [sorted(first & second) for first, second in zip(once, again, strict=True)]  # some are random: no belief
    known: dict[str, list[int]] = {}
    for number, keys in enumerate(answers):
        for key in keys:
            known.setdefault(key, []).append(number)
    known = {key: numbers for key, numbers in known.items() if len(numbers) <= MOST_BELIEFS}
    facts = {
        "generated": GENERATED,
        "of": fingerprint(course, module),
        "beliefs": [variant.belief for variant in bank],
        "answers": dict(sorted(known.items())),
    }
    path = course.beliefs(module)
    write_atomic(path, json.dumps(facts, indent=1, ensure_ascii=False) + "\n")
    return path


def _recording(notebook: NotebookNode, variant: Variant | None = None) -> NotebookNode:
    """A copy of a notebook, with a variant's answers, that prints the digests of the checks that fail."""
    job = copy.deepcopy(notebook)
    answers = variant.answers if variant else {}
    for cell in job.cells:
        cell.source = answers.get(cell.metadata.get("nbgrader", {}).get("grade_id", ""), cell.source)
    job.cells = [new_code_cell(START), *job.cells, new_code_cell(END)]
    return without_measurements(job)


def _answers(notebook: NotebookNode, bank: list[Variant], stack: Path) -> list[set[str]]:
    """The digests of the checks that fail with each variant's answers.

    Raises:
        CourseError: a notebook did not run to its end.
    """
    answers = []
    with warm_runner() as runner:
        runner.start_from(_recording(notebook), stack, Limits())
        for variant in bank:
            execution = runner.run(_recording(notebook, variant), stack, Limits())
            outputs = execution.notebook.cells[-1].outputs
            printed = [output.text for output in outputs if output.output_type == "stream"]
            if execution.stops or not printed:
                raise CourseError(f"{variant.path} did not run to its end.", "Run its round trip test.")
            answers.append(set("".join(printed).split()))
    return answers
