"""A whole page, measurements too, runs where grading runs it; by nbval, a Jupyter kernel prints the same.

Measurements differ from run to run by nature: nbval leaves them out (`nbval-skip`).
"""

import copy
import os
import subprocess
import sys

import nbformat
import pytest
from real import FIRST_OR_SLOW, message, read

from tito.engine.measurements import measurements
from tito.engine.runner import Limits


@pytest.fixture(scope="module", params=FIRST_OR_SLOW, ids=lambda module: module.folder)
def module(request):
    return request.param


@pytest.fixture(scope="module")
def executed(module, real_course, runner):
    """The notebook with its outputs; it runs once for both tests."""
    return runner.run(read(real_course[module].source), real_course[module].stack, Limits()).notebook


def test_measurements_run(executed):
    """Grading leaves them out; students do not."""
    cells = [executed.cells[index] for index in sorted(measurements(executed))]
    assert cells
    assert [message(cell) for cell in cells] == [""] * len(cells)
    analyses = [cell for cell in cells if "analyze_" in cell.source]  # the others check, and say nothing
    assert analyses
    assert all(cell.outputs for cell in analyses)


def test_a_kernel_prints_the_same(module, real_course, executed, tmp_path):
    stack, notebook = real_course[module].stack, copy.deepcopy(executed)
    for index in measurements(notebook):
        cell = notebook.cells[index]
        cell.source, cell.outputs, cell.metadata["tags"] = "", [], ["nbval-skip"]
    path = tmp_path / f"{module.name}.ipynb"
    nbformat.write(notebook, path)
    options = ["-p", "nbval.plugin", "--nbval", "--nbval-current-env", "-q", "-p", "no:cacheprovider"]
    settings = {
        "PYTHONPATH": str(stack),
        "PYTEST_ADDOPTS": "",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "--rootdir", str(tmp_path), str(path)],
        cwd=tmp_path,
        env=os.environ | settings,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    code = sum(cell.cell_type == "code" for cell in read(path).cells if cell.source)
    assert f"{code} passed" in done.stdout
