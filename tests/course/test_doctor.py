"""`tito doctor`: every check finds its problem and names the cure."""

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from mini import GOOD, REPOSITORY, TENSOR_MODULE, answered

from tito.course import Course
from tito.doctor import examine, setup, state
from tito.doctor.check import Check
from tito.registry import Module
from tito.sources.build import build
from tito.sources.export import export
from tito.student.export import export_work
from tito.student.work import read_work, start

SAMPLE = Path(__file__).with_name("sample_source.txt")
ROW = Module(2, "activations", "core.activations", (), 10, 2, "a sample")


@pytest.fixture
def sample(tmp_path, monkeypatch) -> Course:
    """A course of one module, without imports of another."""
    monkeypatch.setattr(state, "MODULES", (ROW,))
    source = tmp_path / ROW.source
    source.parent.mkdir(parents=True)
    source.write_text(SAMPLE.read_text().replace("from tinytorch.core.tensor import Tensor", "Tensor = list"))
    return Course(tmp_path)


def test_python_must_be_new_enough():
    assert setup.check_python((3, 11, 0)).ok
    old = setup.check_python((3, 10, 9))
    assert (old.found, old.cure) == ("3.10.9", "install Python 3.11 or newer")


def test_programs_must_be_those_of_this_environment(tmp_path, monkeypatch):
    own, other = tmp_path / "own", tmp_path / "other"
    for folder in (own, other):
        folder.mkdir()
        for name in ("alembic", "alembic.exe"):
            (folder / name).touch(mode=0o755)
    monkeypatch.setattr(sys, "executable", str(own / "python"))
    assert setup.check_program("alembic", str(own)).ok
    wrong = setup.check_program("alembic", f"{other}{os.pathsep}{own}")
    assert str(other) in wrong.found
    assert "activate" in wrong.cure
    assert "PATH leads to none" in setup.check_program("alembic", "").found
    assert setup.check_program("jupyter", str(own)).ok


def test_packages_are_compared_with_their_pins(tmp_path):
    pins = tmp_path / "student.txt"
    numpy = importlib.metadata.version("numpy")
    pins.write_text(f"# pinned\n-r other.txt\nnumpy=={numpy}  # arrays\ntyper==0 ; python_version < '3'\n\n")
    assert setup.check_pins(pins, "install") == Check("requirements/student.txt", "1 packages as pinned")
    pins.write_text("numpy==0.1\nno-such-package==1.0\n")
    wrong = setup.check_pins(pins, "install")
    assert wrong.found == f"numpy is {numpy}, pinned 0.1; no-such-package is missing, pinned 1.0"
    assert wrong.cure == "install"
    pins.unlink()
    assert not setup.check_pins(pins, "install").ok


def test_blas_is_named_with_its_threads():
    check = setup.check_blas()
    assert check.ok
    assert "threads: " in check.found


def test_a_folder_that_cannot_be_written_is_named(sample, monkeypatch):
    assert state.check_writable(sample).ok

    def refuse(dir):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(state.tempfile, "TemporaryFile", refuse)
    check = state.check_writable(sample)
    assert not check.ok
    assert "Permission denied" in check.found


def test_notebooks_are_missing_then_there_then_old(sample):
    (check,) = state.check_notebooks(sample)
    assert (check.found, check.cure, check.ok) == ("not built yet: 02", "tito build", True)
    build(sample, ROW)
    (check,) = state.check_notebooks(sample)
    assert check.ok
    source = sample.root / ROW.source
    source.write_text(source.read_text().replace("## ReLU", "## The ReLU"))
    (check,) = state.check_notebooks(sample)
    assert (check.found, check.cure, check.ok) == ("older than their sources: 02", "tito build", False)


def test_a_student_kit_has_no_notebooks_to_build(tmp_path):
    assert list(state.check_notebooks(Course(tmp_path))) == []


def test_the_package_is_missing_then_there_then_edited(sample):
    assert state.check_package(sample).cure == "tito export"
    export(sample, [ROW])
    assert state.check_package(sample).ok
    (sample.package / "core" / "activations.py").write_text("x = 1\n")
    check = state.check_package(sample)
    assert check.found == "not as exported: tinytorch/core/activations.py"


def test_a_source_that_cannot_be_exported_is_a_problem_and_no_crash(sample):
    source = sample.root / ROW.source
    source.write_text(source.read_text().replace("class ReLU:", "class ReLU"))
    check = state.check_package(sample)
    assert "expected ':'" in check.found
    assert not check.ok


@pytest.mark.parametrize(
    ("code", "found"),
    [("x = 1\n", "works"), ("1 / 0\n", "ZeroDivisionError"), ("import warnings\nwarnings.warn('look')\n", "look")],
)
def test_importing_the_package_is_tried(sample, code, found):
    sample.package.mkdir()
    (sample.package / "__init__.py").write_text(code)
    check = state.check_import(sample)
    assert found in check.found
    assert check.ok is (found == "works")


def test_without_a_course_the_machine_is_still_examined():
    names = [check.name for check in examine(None)]
    assert names == ["Python", "jupyter", "alembic", "BLAS", "course"]


def test_a_course_is_examined_as_a_whole(sample):
    (sample.root / "requirements").mkdir()
    (sample.root / "requirements" / "course.txt").write_text("")
    names = [check.name for check in examine(sample)]
    assert names[4:] == ["requirements/course.txt", "folders", "notebooks", "package", "import tinytorch"]


def test_unfinished_is_not_broken(kit):
    """Right after `tito start` nothing is red; what is left to do is said."""
    (kit.root / "requirements" / "student.txt").write_text(f"numpy=={importlib.metadata.version('numpy')}\n")
    start(kit, TENSOR_MODULE)
    checks = {check.name: check for check in examine(kit)}
    assert [name for name, check in checks.items() if not check.ok] == []
    waiting = checks["package"]
    assert (waiting.word, waiting.found) == ("to do", "not exported yet: 01_tensor")
    assert waiting.cure.startswith("tito export 01")
    assert "alembic" not in checks


def test_work_that_changed_since_its_export_is_no_damage(kit):
    start(kit, TENSOR_MODULE)
    kit.work(TENSOR_MODULE).write_text(nbformat.writes(answered(kit, GOOD)))
    export_work(kit, [read_work(kit, TENSOR_MODULE)])
    assert state.check_package(kit).word == "ok"
    kit.work(TENSOR_MODULE).write_text(nbformat.writes(answered(kit, GOOD | {"shift": GOOD["shift"] + "\n# done\n"})))
    check = state.check_package(kit)
    assert (check.word, check.found) == ("to do", "not as exported: tinytorch/core/tensor.py")


def bare(module: str, kit: Course) -> subprocess.CompletedProcess[str]:
    """Run one of our modules, in the kit, in a Python without any package."""
    code = (
        f"import sys, runpy; sys.path.insert(0, {str(REPOSITORY)!r}); runpy.run_module({module!r}, run_name='__main__')"
    )
    command = [sys.executable, "-I", "-S", "-c", code]
    return subprocess.run(command, cwd=kit.root, capture_output=True, text=True, timeout=60)


def test_before_anything_is_installed_the_set_up_is_examined(kit):
    """Python without its packages, in a kit: no import fails, and the next step is start.py."""
    done = bare("tito.doctor", kit)
    assert done.stderr == ""
    assert done.returncode == 1
    first, second, third = done.stdout.splitlines()
    assert first.startswith("ok       Python: 3.")
    assert second == "problem  packages: not installed in this Python yet"
    assert "run start.py" in third


def test_the_command_without_its_packages_names_the_next_step(kit):
    done = bare("tito", kit)
    assert done.stderr == "Problem: The package 'typer' is not installed.\nNext: Run 'python -m tito.doctor'.\n"
