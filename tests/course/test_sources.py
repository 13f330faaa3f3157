"""A teaching source is a script, a pytest file, a notebook and a module at once: each use, typed as a person would."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from real import REPOSITORY, read

from tito.cells import read_cells
from tito.export import export
from tito.registry import MODULES
from tito.syntax import compile_plain, public_names

PROGRAMS = Path(sys.executable).parent
# doctest.testmod would leave out what another module's decorator has wrapped, which is every operation.
DOCTESTS = """
import doctest, importlib, sys
module = importlib.import_module(sys.argv[1])
finder, runner = doctest.DocTestFinder(), doctest.DocTestRunner()
for name in module.__all__:
    for test in finder.find(getattr(module, name), name, module=False, globs=vars(module)):
        runner.run(test)
assert runner.tries, "no docstring has an example"
sys.exit(runner.failures > 0)
"""

every_module = pytest.mark.parametrize("module", MODULES, ids=lambda module: module.folder)


@pytest.fixture
def type_in(real_course):
    """Run a command in the folder of a module's source, with only the modules before it exported."""

    def type_in(module, *command, stack=None):
        real = real_course[module]
        settings = {
            "MPLBACKEND": "Agg",
            "OPENBLAS_NUM_THREADS": "1",
            "PATH": os.pathsep.join([str(PROGRAMS), os.environ["PATH"]]),
            "PYTEST_ADDOPTS": "",
            "PYTHONPATH": str(stack or real.stack),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        folder = (real.course.root / module.source).parent
        done = subprocess.run(
            command, cwd=folder, env=os.environ | settings, capture_output=True, text=True, encoding="utf-8"
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    return type_in


@every_module
def test_script(module, type_in):
    done = type_in(module, sys.executable, f"{module.name}_dev.py")
    assert done.stderr == ""


@every_module
def test_pytest(module, type_in):
    done = type_in(module, sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", f"{module.name}_dev.py")
    assert "warning" not in done.stdout.splitlines()[-1]
    assert "test_module PASSED" in done.stdout


@every_module
def test_import_is_silent(module, type_in):
    exported = [cell.source for cell in read_cells(REPOSITORY.root / module.source) if cell.exported]
    names = public_names([node for text in exported for node in compile_plain(text, module.source).body])
    code = f"from {module.name}_dev import {', '.join(names)}"
    done = type_in(module, sys.executable, "-W", "default", "-c", code)
    assert (done.stdout, done.stderr) == ("", "")


@every_module
def test_jupytext_makes_the_notebook_that_tito_builds(module, type_in, real_course, tmp_path):
    """So what `test_validate.py` finds of the one holds for the other."""
    path = tmp_path / f"{module.name}_dev.ipynb"
    type_in(module, "jupytext", "--to", "notebook", f"{module.name}_dev.py", "--output", str(path))
    by_jupytext, by_tito = (
        [(cell.cell_type, cell.source, cell.metadata.get("nbgrader")) for cell in read(notebook).cells]
        for notebook in (path, real_course[module].source)
    )
    assert by_jupytext == by_tito


def test_nbgrader_validates_what_jupytext_makes(type_in, tmp_path):
    module = MODULES[0]
    path = tmp_path / f"{module.name}_dev.ipynb"
    type_in(module, "jupytext", "--to", "notebook", f"{module.name}_dev.py", "--output", str(path))
    done = type_in(module, "nbgrader", "validate", str(path))
    assert "Success! Your notebook passes all the tests." in done.stdout


@every_module
def test_examples_in_docstrings(module, type_in, real_course, tmp_path):
    known = [earlier for earlier in MODULES if earlier.number <= module.number]
    export(real_course.course, known, package=tmp_path / "tinytorch")
    type_in(module, sys.executable, "-c", DOCTESTS, f"tinytorch.{module.export}", stack=tmp_path)
