"""`tito doctor`: every check finds its problem and names the cure."""

import importlib.metadata
import sys
from pathlib import Path

import pytest

from tito import doctor
from tito.course import Course
from tito.registry import Module
from tito.sources.build import build
from tito.sources.export import export

SAMPLE = Path(__file__).with_name("sample_source.txt")
ROW = Module(2, "activations", "core.activations", (), 10, 2, "a sample")


@pytest.fixture
def sample(tmp_path, monkeypatch) -> Course:
    """A course of one module, without imports of another."""
    monkeypatch.setattr(doctor, "MODULES", (ROW,))
    source = tmp_path / ROW.source
    source.parent.mkdir(parents=True)
    source.write_text(SAMPLE.read_text().replace("from tinytorch.core.tensor import Tensor", "Tensor = list"))
    return Course(tmp_path)


def test_python_must_be_new_enough():
    assert doctor.check_python((3, 11, 0)).ok
    old = doctor.check_python((3, 10, 9))
    assert (old.found, old.cure) == ("3.10.9", "install Python 3.11 or newer")


def test_programs_must_be_those_of_this_environment(tmp_path, monkeypatch):
    own, other = tmp_path / "own", tmp_path / "other"
    for folder in (own, other):
        folder.mkdir()
        for name in ("alembic", "alembic.exe"):
            (folder / name).touch(mode=0o755)
    monkeypatch.setattr(sys, "executable", str(own / "python"))
    assert doctor.check_program("alembic", str(own)).ok
    wrong = doctor.check_program("alembic", f"{other}{doctor.os.pathsep}{own}")
    assert str(other) in wrong.found
    assert "activate" in wrong.cure
    assert "PATH leads to none" in doctor.check_program("alembic", "").found
    assert doctor.check_program("jupyter", str(own)).ok


def test_packages_are_compared_with_their_pins(tmp_path):
    pins = tmp_path / "student.txt"
    numpy = importlib.metadata.version("numpy")
    pins.write_text(f"# pinned\n-r other.txt\nnumpy=={numpy}  # arrays\ntyper==0 ; python_version < '3'\n\n")
    assert doctor.check_pins(pins) == doctor.Check("requirements/student.txt", "1 packages as pinned")
    pins.write_text("numpy==0.1\nno-such-package==1.0\n")
    wrong = doctor.check_pins(pins)
    assert wrong.found == f"numpy is {numpy}, pinned 0.1; no-such-package is missing, pinned 1.0"
    assert wrong.cure == "pip install -r requirements/student.txt"


def test_blas_is_named_with_its_threads():
    check = doctor.check_blas()
    assert check.ok
    assert "threads: " in check.found


def test_a_folder_that_cannot_be_written_is_named(sample, monkeypatch):
    assert doctor.check_writable(sample).ok

    def refuse(dir):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refuse)
    check = doctor.check_writable(sample)
    assert not check.ok
    assert "Permission denied" in check.found


def test_notebooks_are_missing_then_there_then_old(sample):
    (check,) = doctor.check_notebooks(sample)
    assert (check.found, check.cure) == ("not up to date: 02", "tito build")
    build(sample, ROW)
    (check,) = doctor.check_notebooks(sample)
    assert check.ok
    source = sample.root / ROW.source
    source.write_text(source.read_text().replace("## ReLU", "## The ReLU"))
    (check,) = doctor.check_notebooks(sample)
    assert check.cure == "tito build"


def test_a_student_kit_has_no_notebooks_to_build(tmp_path):
    assert list(doctor.check_notebooks(Course(tmp_path))) == []


def test_the_package_is_missing_then_there_then_edited(sample):
    assert doctor.check_package(sample).cure == "tito export"
    export(sample, [ROW])
    assert doctor.check_package(sample).ok
    (sample.package / "core" / "activations.py").write_text("x = 1\n")
    check = doctor.check_package(sample)
    assert check.found == "not as exported: tinytorch/core/activations.py"


def test_a_source_that_cannot_be_exported_is_a_problem_and_no_crash(sample):
    source = sample.root / ROW.source
    source.write_text(source.read_text().replace("class ReLU:", "class ReLU"))
    check = doctor.check_package(sample)
    assert "expected ':'" in check.found
    assert not check.ok


@pytest.mark.parametrize(
    ("code", "found"),
    [("x = 1\n", "works"), ("1 / 0\n", "ZeroDivisionError"), ("import warnings\nwarnings.warn('look')\n", "look")],
)
def test_importing_the_package_is_tried(sample, code, found):
    sample.package.mkdir()
    (sample.package / "__init__.py").write_text(code)
    check = doctor.check_import(sample)
    assert found in check.found
    assert check.ok is (found == "works")


def test_without_a_course_the_machine_is_still_examined():
    names = [check.name for check in doctor.examine(None)]
    assert names == ["Python", "jupyter", "alembic", "BLAS", "course"]


def test_a_course_is_examined_as_a_whole(sample):
    (sample.root / "requirements").mkdir()
    (sample.root / "requirements" / "student.txt").write_text("")
    names = [check.name for check in doctor.examine(sample)]
    assert names[4:] == ["requirements/student.txt", "folders", "notebooks", "package", "import tinytorch"]
