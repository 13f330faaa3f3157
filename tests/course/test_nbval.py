"""nbval: a notebook prints the same in a Jupyter kernel as it printed where grading runs it.

Measurements differ from run to run by nature. They are left out here (`nbval-skip`); `test_round_trip.py` runs them.
"""

import os
import subprocess
import sys

import nbformat
import pytest
from real import FIRST_OR_SLOW, read

from tito.engine.measurements import measurements
from tito.engine.runner import Limits


@pytest.mark.parametrize("module", FIRST_OR_SLOW, ids=lambda module: module.folder)
def test_a_second_run_prints_the_same(module, real_course, runner, tmp_path):
    stack = real_course[module].stack
    notebook = read(real_course[module].source)
    left_out = measurements(notebook)
    for index in left_out:
        notebook.cells[index].source, notebook.cells[index].metadata["tags"] = "", ["nbval-skip"]
    path = tmp_path / f"{module.name}.ipynb"
    nbformat.write(runner.run(notebook, stack, Limits()).notebook, path)
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
