"""`nbgrader validate`: every notebook with solutions passes; in a released one every test fails until it is solved."""

import nbformat
import pytest
from nbgrader.validator import Validator
from real import FIRST_OR_SLOW, is_test, read

from tito.engine.measurements import measurements

every_module = pytest.mark.parametrize("module", FIRST_OR_SLOW, ids=lambda module: module.folder)


@pytest.fixture
def validate(real_course, monkeypatch, tmp_path):
    """Validate a notebook without its measurements, which only cost time here; `test_nbval.py` runs them."""

    def validate(module, path):
        notebook = read(path)
        for index in measurements(notebook):
            notebook.cells[index].metadata["tags"] = ["skip-execution"]
        nbformat.write(notebook, tmp_path / path.name)
        monkeypatch.setenv("PYTHONPATH", str(real_course[module].stack))
        return Validator(validate_all=True).validate(str(tmp_path / path.name))

    return validate


@every_module
def test_source_notebook_passes(module, real_course, validate):
    assert validate(module, real_course[module].source) == {}


@every_module
def test_every_test_of_a_release_notebook_fails(module, real_course, validate):
    path = real_course[module].release
    failed = {cell["source"] for cell in validate(module, path)["failed"]}
    assert {cell.id for cell in read(path).cells if is_test(cell) and cell.source.strip() not in failed} == set()
