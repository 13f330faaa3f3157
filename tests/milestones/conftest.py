"""The course's own milestones, and a student's kit to break."""

import shutil
from pathlib import Path

import pytest

from tito.course import Course

REPOSITORY = Course(Path(__file__).parents[2])


@pytest.fixture
def kit(tmp_path, monkeypatch) -> Course:
    """A kit in which everything is exported; the test stands in it."""
    for name in ("milestones", "datasets", "tinytorch"):
        shutil.copytree(REPOSITORY.root / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "nbgrader_config.py"):
        shutil.copyfile(REPOSITORY.root / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return Course(tmp_path)
