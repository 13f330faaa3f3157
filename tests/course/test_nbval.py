"""nbval: a notebook that is run twice prints the same twice.

Measurements differ from run to run by nature. They are left out here (`nbval-skip`); `test_validate.py` runs them.
"""

import os
import subprocess
import sys

import nbformat
import pytest
from nbclient import NotebookClient
from real import is_measurement, read

from tito.registry import MODULES


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.folder)
def test_a_second_run_prints_the_same(module, real_course, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(real_course[module].stack))
    monkeypatch.setenv("PYTEST_ADDOPTS", "")
    notebook = read(real_course[module].source)
    for cell in notebook.cells:
        if is_measurement(cell):
            cell.metadata["tags"] = ["nbval-skip", "skip-execution"]
    NotebookClient(
        notebook, timeout=60, record_timing=False, skip_cells_with_tag="skip-execution", kernel_name="python3"
    ).execute(cwd=tmp_path)
    path = tmp_path / f"{module.name}.ipynb"
    nbformat.write(notebook, path)
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "--rootdir", str(tmp_path), str(path)], cwd=tmp_path, env=os.environ, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    code = sum(cell.cell_type == "code" and not is_measurement(cell) for cell in notebook.cells)
    assert f"{code} passed" in done.stdout
