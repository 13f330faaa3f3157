"""A complete course in miniature: modules 01 and 02 with two functions, hidden tests and a written question."""
# ruff: noqa: E501  (cell markers are one line)

import shutil
from pathlib import Path

import nbformat
from nbformat.notebooknode import NotebookNode

from tito.course import Course
from tito.engine.runner import Execution
from tito.registry import Module, find_module
from tito.sources.build import build

REPOSITORY = Path(__file__).parents[2]

HEADER = """\
# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---
"""

TENSOR = '''
# %% [markdown]
"""
# Module 01: a tensor in miniature
"""

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| default_exp core.tensor
#| export
import numpy as np

# %% nbgrader={"grade": false, "grade_id": "scale", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def scale(x, factor):
    """Return `x` times `factor` as float32."""
    ### BEGIN SOLUTION
    product = np.asarray(x, dtype=np.float32) * np.float32(factor)
    return product.astype(np.float32)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-scale", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
def test_unit_scale():
    """Twice one is two."""
    assert scale([1.0], 2)[0] == 2, "scale([1.0], 2) should be 2"
    ### BEGIN HIDDEN TESTS
    hidden_rows = np.arange(6.0).reshape(2, 3)
    assert np.allclose(scale(hidden_rows, 3), [[0, 3, 6], [9, 12, 15]]), "scale of a table is wrong: check the shape"
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_scale()

# %% nbgrader={"grade": false, "grade_id": "shift", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def shift(x, by):
    """Return `x` plus `by` as float32."""
    ### BEGIN SOLUTION
    moved = np.asarray(x, dtype=np.float32) + np.float32(by)
    return moved.astype(np.float32)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-shift", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
def test_unit_shift():
    """One and one is two."""
    assert shift([1.0], 1)[0] == 2, "shift([1.0], 1) should be 2"
    ### BEGIN HIDDEN TESTS
    assert shift(np.zeros((2, 2)), 7.0).sum() == 28, "shift forgets some entries"
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_shift()

# %% [markdown]
"""
**Question.** Why float32?
"""

# %% [markdown] nbgrader={"grade": true, "grade_id": "q-float32", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
"""
Half the memory of float64 and enough digits for gradients: bandwidth is what training waits for.
"""
'''

ACTIVATIONS = '''
# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| default_exp core.activations
#| export
import numpy as np

from tinytorch.core.tensor import scale

# %% nbgrader={"grade": false, "grade_id": "relu", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def relu(x):
    """Return `x` where it is positive, else 0."""
    ### BEGIN SOLUTION
    positive_part = np.maximum(scale(x, 1), np.float32(0))
    return positive_part
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-relu", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_relu():
    """Negative becomes zero."""
    assert relu([-1.0])[0] == 0, "relu([-1.0]) should be 0"
    ### BEGIN HIDDEN TESTS
    assert relu([4.0])[0] == 4, "relu changes positive numbers"
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_relu()
'''

MISCONCEPTION = '''"""A factor adds."""
# loses: test-scale

# %% scale
#| export
def scale(x, factor):
    return np.asarray(x, dtype=np.float32) + np.float32(factor)
'''

GOOD = {
    "scale": "#| export\ndef scale(x, factor):\n    return (np.asarray(x) * factor).astype(np.float32)\n",
    "shift": "#| export\ndef shift(x, by):\n    return (np.asarray(x) + by).astype(np.float32)\n",
    "q-float32": "It halves the memory.",
}
TENSOR_MODULE: Module = find_module("01")
ACTIVATIONS_MODULE: Module = find_module("02")


def make_sources(root: Path) -> Course:
    """Write the teaching sources and settings of the miniature course."""
    for module, text in ((TENSOR_MODULE, TENSOR), (ACTIVATIONS_MODULE, ACTIVATIONS)):
        path = root / module.source
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HEADER + text, encoding="utf-8")
    for name in ("pyproject.toml", "nbgrader_config.py"):
        shutil.copyfile(REPOSITORY / name, root / name)
    requirements = root / "requirements" / "student.txt"
    requirements.parent.mkdir(exist_ok=True)
    requirements.write_text("numpy\n", encoding="utf-8")
    course = Course(root)
    for module in (TENSOR_MODULE, ACTIVATIONS_MODULE):
        build(course, module)
    return course


def add_public_files(course: Course) -> None:
    """Add what else goes into a kit, or must not: tests, a checkpoint, a milestone, a misconception and an alternative."""
    tests = course.tests(TENSOR_MODULE)
    for folder, text in (("misconceptions", MISCONCEPTION), ("alternatives", MISCONCEPTION.replace("+", "- 2 *"))):
        (tests / folder).mkdir(parents=True)
        (tests / folder / "one.py").write_text(text)
    (tests / "test_public.py").write_text("def test_scale():\n    from tinytorch.core.tensor import scale\n")
    course.checkpoint(TENSOR_MODULE).parent.mkdir(parents=True)
    course.checkpoint(TENSOR_MODULE).write_text("def test_it_scales():\n    from tinytorch.core.tensor import scale\n")
    (course.root / "milestones" / "1957").mkdir(parents=True)
    (course.root / "milestones" / "1957" / "run.py").write_text("print('perceptron')\n")


def released(course: Course, module: Module = TENSOR_MODULE) -> NotebookNode:
    """The notebook that students receive."""
    return nbformat.read(course.released(module), as_version=4)


def answered(course: Course, answers: dict[str, str], module: Module = TENSOR_MODULE) -> NotebookNode:
    """A released notebook with some answer cells filled in."""
    notebook = released(course, module)
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") in answers:
            cell.source = answers[cell.metadata["nbgrader"]["grade_id"]]
    return notebook


def hand_in(course: Course, student: str, notebook: NotebookNode | str | bytes, module: Module = TENSOR_MODULE) -> Path:
    """Put a submission where `tito collect` would."""
    path = course.submission(student, module)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = nbformat.writes(notebook) if isinstance(notebook, NotebookNode) else notebook
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


class FastRunner:
    """Runs no code: a test passes when its answer is there; every run leaves a line in a file."""

    def __init__(self, scratch):
        self.log = scratch.parent / "runs.log"

    def run(self, notebook, stack, limits):
        answers = {c.metadata.nbgrader.grade_id: c.source for c in notebook.cells if "nbgrader" in c.metadata}
        with self.log.open("a") as file:
            file.write(answers["scale"] + answers["shift"] + "\n---\n")
        for cell in notebook.cells:
            name = cell.metadata.get("nbgrader", {}).get("grade_id", "")
            if name.startswith("test-") and "your code here" in answers[name.removeprefix("test-")]:
                error = {"output_type": "error", "ename": "E", "evalue": "", "traceback": []}
                cell.outputs = [type(notebook)(error)]
        return Execution(notebook)
