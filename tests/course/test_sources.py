"""A teaching source is a script, a pytest file, a notebook and a module at once: each use, typed as a person would."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from real import REPOSITORY, read

from tito.registry import MODULES
from tito.sources.cells import read_cells
from tito.sources.export import export
from tito.sources.syntax import compile_plain, public_names

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


@pytest.fixture(scope="module")
def type_in(real_course):
    """Run a command in the folder of a module's source, with only the modules before it exported."""

    def type_in(module, *command, stack=None):
        real = real_course[module]
        settings = {
            "MPLBACKEND": "Agg",
            "OPENBLAS_NUM_THREADS": "1",
            "PATH": os.pathsep.join([str(PROGRAMS), os.environ["PATH"]]),
            "PYTEST_ADDOPTS": "",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
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
    done = type_in(module, "pytest", "-v", "-p", "no:cacheprovider", "-p", "pytest_timeout", f"{module.name}_dev.py")
    assert "warning" not in done.stdout.splitlines()[-1]
    assert "test_module PASSED" in done.stdout


@every_module
def test_import_is_silent(module, type_in):
    exported = [cell.source for cell in read_cells(REPOSITORY.root / module.source) if cell.exported]
    names = public_names([node for text in exported for node in compile_plain(text, module.source).body])
    code = f"from {module.name}_dev import {', '.join(names)}"
    done = type_in(module, sys.executable, "-W", "default", "-c", code)
    assert (done.stdout, done.stderr) == ("", "")


@pytest.fixture(scope="module")
def by_jupytext(real_course, type_in):
    """The folder of the course after `jupytext --to notebook` on every source (one command: it starts slowly)."""
    root = real_course.course.root
    type_in(MODULES[0], "jupytext", "--to", "notebook", *(str(root / module.source) for module in MODULES))
    return root


@every_module
def test_jupytext_makes_the_notebook_that_tito_builds(module, by_jupytext, real_course):
    """So what `test_validate.py` finds of the one holds for the other."""
    theirs, ours = (
        [(cell.cell_type, cell.source, cell.metadata.get("nbgrader")) for cell in read(notebook).cells]
        for notebook in ((by_jupytext / module.source).with_suffix(".ipynb"), real_course[module].source)
    )
    assert theirs == ours


def test_nbgrader_validates_what_jupytext_makes(by_jupytext, type_in):
    module = MODULES[0]
    done = type_in(module, "nbgrader", "validate", f"{module.name}_dev.ipynb")
    assert "Success! Your notebook passes all the tests." in done.stdout


@every_module
def test_examples_in_docstrings(module, type_in, real_course, tmp_path):
    known = [earlier for earlier in MODULES if earlier.number <= module.number]
    export(real_course.course, known, package=tmp_path / "tinytorch")
    type_in(module, sys.executable, "-c", DOCTESTS, f"tinytorch.{module.export}", stack=tmp_path)
