"""`nbgrader validate`: every notebook with solutions passes; in a released one every test fails until it is solved."""

import pytest
from nbgrader.validator import Validator
from real import is_test, read

from tito.registry import MODULES

every_module = pytest.mark.parametrize("module", MODULES, ids=lambda module: module.folder)


@pytest.fixture
def validate(real_course, monkeypatch):
    def validate(module, path):
        monkeypatch.setenv("PYTHONPATH", str(real_course[module].stack))
        return Validator(validate_all=True).validate(str(path))

    return validate


@every_module
def test_source_notebook_passes(module, real_course, validate):
    """All cells: the measurements neither fail nor warn."""
    assert validate(module, real_course[module].source) == {}


@every_module
def test_every_test_of_a_release_notebook_fails(module, real_course, validate):
    path = real_course[module].release
    results = validate(module, path)
    failed = {cell["source"] for cell in results["failed"]}
    graded = {cell.id for cell in read(path).cells if is_test(cell)}
    assert graded <= {cell.id for cell in read(path).cells if cell.source.strip() in failed}
