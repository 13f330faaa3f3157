"""CONTRIBUTING's walk through adding a module, command by command, in a copy of the course with one module."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tito.registry import MODULES

ROOT = Path(__file__).parents[2]
WALK = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## To add a module")[2]
COMMANDS = re.findall(r"^    (\w+ .+)$", WALK, flags=re.MULTILINE)
FIRST = MODULES[0]
WORDS = {"NN": "02", "NAME": "walking"}
PROGRAMS = {"tito": ["-m", "tito"], "pytest": ["-m", "pytest", "-q", "-p", "no:cacheprovider"], "python": []}
UNCOPIED = shutil.ignore_patterns("__pycache__", "test_*.py")


@pytest.fixture(scope="module")
def small_course(tmp_path_factory):
    """The course as it would be with its first module only."""
    root = tmp_path_factory.mktemp("walk")
    for name in (
        "tito",
        f"modules/{FIRST.folder}",
        f"tests/{FIRST.folder}",
        "tests/course",
        "datasets",
        "requirements",
    ):
        shutil.copytree(ROOT / name, root / name, ignore=UNCOPIED)
    (root / "milestones").mkdir()
    kept = ("README.md", "LICENSE", "pyproject.toml", "nbgrader_config.py", "tests/conftest.py")
    for name in (*kept, "tests/course/test_round_trip.py"):
        shutil.copyfile(ROOT / name, root / name)
    registry = root / "tito" / "registry.py"
    rows = re.split(r"(?=^    Module\($)", registry.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert len(rows) == len(MODULES) + 1
    registry.write_text("".join(rows[:2]) + ")  # fmt: skip\n" + rows[-1].partition(")  # fmt: skip\n")[2])
    return root


def run(root, command):
    """Run a line of the walk there, as a person would with the environment active."""
    for word, value in WORDS.items():
        command = re.sub(rf"(?<![A-Z]){word}(?![A-Z])", value, command)
    program, *arguments = shlex.split(command)
    settings = {"PYTHONPATH": str(root), "PYTEST_ADDOPTS": "", "MPLBACKEND": "Agg", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *PROGRAMS[program], *arguments],
        cwd=root,
        env=os.environ | settings,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(600)  # eight programs in a row
def test_the_walk_leads_to_a_module_that_can_be_graded(small_course):
    printed = {command: run(small_course, command) for command in COMMANDS}
    page = "modules/02_walking/walking_dev.py"
    assert f"wrote {page}" in printed["tito new NN NAME"]
    for derived in ("source/02_walking/walking.ipynb", "tinytorch/core/walking.py", "README.md"):
        assert f"wrote {derived}" in printed["tito sync"]
    assert "sources: 1, errors: 0" in printed["tito lint NN"]
    assert "warning" not in printed["tito lint NN"]
    assert "The package is up to date." in printed["tito export --check"]
    for command, output in printed.items():
        assert not command.startswith("pytest") or re.search(r"\b[34] passed", output), output
    assert f"| 02 | [walking]({page}) |" in (small_course / "README.md").read_text(encoding="utf-8")
    assert run(small_course, "tito sync") == "Everything is up to date.\n"
