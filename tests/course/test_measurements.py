"""Only cells that nothing graded can depend on are left out when a notebook is graded."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tito.engine.measurements import measurements
from tito.engine.skeleton import defined_names
from tito.registry import MODULES
from tito.sources.build import build

ANALYSIS = "def analyze_speed():\n    print(1)\n\n\nif __name__ == '__main__':\n    analyze_speed()\n"
GRADED = {"nbgrader": {"grade": True, "grade_id": "t", "points": 1, "solution": False}}
ANSWER = {"nbgrader": {"grade": False, "grade_id": "s", "solution": True}}


def left_out(source, *others, **metadata):
    cells = [new_code_cell(source, metadata=metadata), *map(new_code_cell, others), new_markdown_cell("layer")]
    return 0 in measurements(new_notebook(cells=cells))


@pytest.mark.parametrize(
    "source",
    [
        ANALYSIS,
        ANALYSIS.replace("analyze_speed", "check_slopes"),
        "def analyze_it(): ...\nanalyze_it()",
        "class Plain: ...\ndef analyze_it(x=1): ...\nanalyze_it(x=2)",
    ],
)
def test_a_measurement(source):
    assert left_out(source)


@pytest.mark.parametrize(
    "source",
    [
        "",
        "analyze_speed()",
        "def analyze_speed(): ...",
        "def layer(): ...\nlayer()",
        "def analyze_it(): ...\nx = 1\nanalyze_it()",
        "def analyze_it(): ...\nif True:\n    analyze_it()",
        "%timeit 1",
    ],
)
def test_no_measurement(source):
    assert not left_out(source)


def test_answers_and_graded_cells_are_never_left_out():
    assert not left_out(ANALYSIS, **ANSWER)
    assert not left_out(ANALYSIS, **GRADED)


@pytest.mark.parametrize("user", ["helper(2)", "def f(:\n    helper", "'helper'"])
def test_what_another_cell_names_is_run(user):
    source = f"def helper(x): ...\n{ANALYSIS}"
    assert left_out(source)
    assert not left_out(source, user)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.folder)
def test_every_measurement_of_the_course_is_left_out(module, real_course):
    notebook = nbformat.read(build(real_course.course, module), as_version=4)
    analyses = {
        index
        for index, cell in enumerate(notebook.cells)
        if cell.cell_type == "code" and any(name.startswith("analyze_") for name in defined_names(cell.source))
    }
    left = measurements(notebook)
    assert analyses <= left
    assert all("check_" in notebook.cells[index].source for index in left - analyses)
    assert len(analyses) >= 2
