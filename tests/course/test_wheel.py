"""A wheel of this repository holds the tools, no answer, and a command that works outside a checkout."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from email.parser import HeaderParser

import pytest
from mini import REPOSITORY

from tito import __version__
from tito.registry import MODULES
from tito.release.leaks import check_public
from tito.release.secrets import gather_secrets
from tito.sources.facade import facade_files

INGREDIENTS = ("pyproject.toml", "README.md", "LICENSE", "requirements", "tito", "tinytorch", "modules")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, unpacked; built as pip builds it, without the network."""
    checkout, built, unpacked = (tmp_path_factory.mktemp(name) for name in ("checkout", "built", "unpacked"))
    for name in INGREDIENTS:
        source = REPOSITORY / name
        copy = shutil.copytree if source.is_dir() else shutil.copyfile
        copy(source, checkout / name)
    code = f"from setuptools import build_meta; build_meta.build_wheel({str(built)!r})"
    subprocess.run([sys.executable, "-c", code], cwd=checkout, check=True, capture_output=True, timeout=120)
    (archive,) = built.glob("*.whl")
    with zipfile.ZipFile(archive) as file:
        file.extractall(unpacked)
    return unpacked


def run(wheel, *words, cwd):
    """Run Python with the wheel and the packages, and without the editable installation of this checkout."""
    path = os.pathsep.join([str(wheel), sysconfig.get_path("purelib")])
    return subprocess.run(
        [sys.executable, "-S", *words],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": path, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_no_answer_is_in_it(wheel, real_course):
    for module in MODULES:
        assert not (wheel / module.target).exists()
        assert real_course[module].source.is_file()
    check_public(gather_secrets(real_course.course, MODULES), wheel)
    assert {path.name for path in wheel.iterdir()} == {"tito", "tinytorch", f"tinytorch_course-{__version__}.dist-info"}


def test_it_requires_what_the_lists_name(wheel):
    (metadata,) = wheel.glob("*.dist-info/METADATA")
    found = HeaderParser().parsestr(metadata.read_text(encoding="utf-8")).get_all("Requires-Dist")
    lists = {"": "student"} | {f'; extra == "{name}"': name for name in ("course", "scale", "sparse", "test")}
    wanted = {
        (line.partition("#")[0].strip() + suffix).replace(" ", "")
        for suffix, name in lists.items()
        for line in (REPOSITORY / "requirements" / f"{name}.in").read_text(encoding="utf-8").splitlines()
        if line.partition("#")[0].strip()
    }
    assert {line.replace(" ", "") for line in found} == wanted


def test_its_command_works_outside_a_checkout(wheel, tmp_path):
    done = run(wheel, "-m", "tito", "--help", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "start" in done.stdout
    done = run(wheel, "-m", "tito", "status", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "is not inside a TinyTorch course or student kit" in done.stderr


def test_its_tinytorch_is_derived_from_the_registry_alone(wheel):
    """The students' package comes with their kit; here it is a name without content."""
    derived = facade_files(MODULES)
    for path in (wheel / "tinytorch").rglob("*"):
        assert path.read_text(encoding="utf-8") == derived[path.relative_to(wheel / "tinytorch").as_posix()]
