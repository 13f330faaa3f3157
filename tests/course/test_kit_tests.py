"""`pytest tests` in a kit skips what is not exported yet, with the cure, and passes; the course itself skips none."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from real import FIRST_OR_SLOW, REPOSITORY

from tito.course import Course
from tito.registry import MODULES
from tito.release.kit import LEFT_OUT
from tito.sources.export import export

TESTS = REPOSITORY.root / "tests"
# Whether the tests find what they import is seen from few examples, and without PyTorch; `make test` runs them in full.
IN_SHORT = """
import sys
from hypothesis import settings
settings.register_profile("short", max_examples=3, database=None)
settings.load_profile("short")
sys.modules["torch"] = None
"""
# With AVX-512, OpenBLAS 0.3.31 multiplies a float32 matrix of five columns beside bytes of the stack that it never set.
# They take no part in the product, but where they spell a nan, NumPy warns of it.
NO_NAN_OF_OURS = "ignore:invalid value encountered in matmul:RuntimeWarning"


@pytest.fixture
def kit(tmp_path) -> Course:
    """The real tests, and a package with module 01 only."""
    for name in ("tito", "tests/checkpoints", *(f"tests/{module.folder}" for module in MODULES)):
        shutil.copytree(REPOSITORY.root / name, tmp_path / name, ignore=LEFT_OUT)
    shutil.copytree(REPOSITORY.root / "datasets", tmp_path / "datasets")
    for name in ("tests/conftest.py", "pyproject.toml", "nbgrader_config.py"):
        shutil.copyfile(REPOSITORY.root / name, tmp_path / name)
    export(REPOSITORY, MODULES[:1], package=tmp_path / "tinytorch")
    return Course(tmp_path)


@pytest.fixture
def conftest(pytestconfig):
    return next(p for p in pytestconfig.pluginmanager.get_plugins() if getattr(p, "TESTS", None) == TESTS)


def pytest_in(root, *arguments):
    """What pytest prints there; it must find nothing wrong."""
    alone = f"--basetemp={root / '.temporary'}"  # two that clear old folders out of a shared one warn of each other
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:timeout", "-W", NO_NAN_OF_OURS, alone]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *arguments],
        cwd=root,
        env=os.environ | {"PYTHONPATH": f"{root}{os.pathsep}{REPOSITORY.root}", "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert "arning" not in done.stdout
    return done.stdout


@pytest.mark.parametrize("module", FIRST_OR_SLOW, ids=lambda module: module.folder)
def test_a_modules_tests_need_no_later_module(kit, module):
    export(REPOSITORY, MODULES[: module.number], package=kit.package)
    (kit.root / "in_short.py").write_text(IN_SHORT)
    printed = pytest_in(kit.root, "-p", "in_short", str(kit.tests(module)), str(kit.checkpoint(module)))
    assert " passed" in printed
    assert [line for line in printed.splitlines() if "in your package" in line] == []  # nothing waits


def test_files_of_later_modules_are_skipped_with_the_cure(kit):
    printed = pytest_in(kit.root, "--collect-only", "tests")
    collected = {line.partition("::")[0] for line in printed.splitlines() if "::" in line}
    assert collected == {"tests/01_tensor/test_progressive_integration.py", "tests/checkpoints/checkpoint_01_tensor.py"}
    files = [path for pattern in ("test_*.py", "checkpoint_*.py") for path in kit.root.glob(f"tests/*/{pattern}")]
    waiting = [path for path in files if "01_tensor" not in str(path.relative_to(kit.root))]
    skips = re.findall(r"^SKIPPED \[(\d+)\] \S+ (.*)$", printed, flags=re.MULTILINE)
    assert skips == [(str(len(waiting)), "module 02 is not in your package yet: tito export 02")]


def test_the_first_missing_module_is_named(kit, conftest):
    missing = [conftest.first_missing(kit, module.folder) for module in MODULES]
    assert missing == ["", *["module 02 is not in your package yet: tito export 02"] * (len(MODULES) - 1)]
    export(REPOSITORY, MODULES[:4], package=kit.package)
    missing = {module.number: conftest.first_missing(kit, module.folder)[:9] for module in MODULES}
    assert {number for number, said in missing.items() if not said} == {1, 2, 3, 4}
    assert {missing[number] for number in (5, 6, 9)} == {"module 05"}


@pytest.mark.parametrize(("number", "lacks"), [(1, "block"), (2, "softmax")])
def test_an_answer_that_is_not_written_keeps_the_tests_waiting(kit, conftest, number, lacks):
    """`tito export` puts unfinished work into the package; a name is all that its tests could tell."""
    export(REPOSITORY, MODULES[:4], package=kit.package)
    with kit.exported(MODULES[number - 1]).open("a", encoding="utf-8") as file:
        file.write(f'\n\ndef {lacks}(x):\n    """Given."""\n    raise NotImplementedError("your code here")\n')
    said = f"module {number:02d} in your package lacks {lacks}: write it, then tito export {number:02d}"
    missing = [conftest.first_missing(kit, module.folder) for module in MODULES[:4]]
    assert missing == [""] * (number - 1) + [said] * (5 - number)


def test_in_the_course_a_missing_module_is_an_error(conftest, tmp_path):
    (tmp_path / "modules").mkdir()
    assert conftest.first_missing(Course(tmp_path), "05_autograd") == ""
    assert conftest.pytest_pycollect_makemodule(Path(TESTS / "05_autograd" / "test_graph.py"), None) is None


def test_tests_of_a_file_share_a_worker_and_the_most_patient_begin(tmp_path):
    """Otherwise each worker would make what their fixtures share."""
    (tmp_path / "tests").mkdir()
    for name in ("tests/conftest.py", "pyproject.toml"):
        shutil.copyfile(REPOSITORY.root / name, tmp_path / name)
    tests = "import pytest\n{}@pytest.mark.parametrize('n', range(4))\ndef test_{}(n):\n    pass\n"
    for name, mark in (("early", ""), ("easy", ""), ("late", "pytestmark = pytest.mark.timeout(900)\n")):
        (tmp_path / "tests" / f"test_{name}.py").write_text(tests.format(mark, name))
    settings = ["-vv", "-n", "2", "--dist", "loadscope", "--no-loadscope-reorder", "-p", "timeout"]
    ran = re.findall(r"\[gw(\d)\].* PASSED tests/test_(\w+)\.py", pytest_in(tmp_path, *settings, "tests"))
    assert len(ran) == 12
    assert len(set(ran)) == 3, "each file in one worker"
    workers = [[name for one, name in ran if one == worker] for worker in "01"]
    assert "late" in (workers[0][0], workers[1][0])


def test_tests_of_no_module_always_run(kit, conftest):
    assert conftest.first_missing(kit, "course") == conftest.first_missing(kit, "test_tiny.py") == ""
