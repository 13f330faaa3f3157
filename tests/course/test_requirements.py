"""The pins: short lists name what is used, one pinned set serves every Python that is promised."""

import importlib.metadata
import re
import subprocess
import sys
import tomllib

import pytest
from mini import REPOSITORY
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

FOLDER = REPOSITORY / "requirements"
MADE_FROM = {
    "student": ("student",),
    "course": ("student", "course", "test"),
    "oracle": ("oracle",),
    "scale": ("scale",),
    "mutation": ("mutation",),
}
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))


def read(name: str) -> list[Requirement]:
    """The requirements of a file, without its comments."""
    lines = (line.partition("#")[0].strip() for line in (FOLDER / name).read_text(encoding="utf-8").splitlines())
    return [Requirement(line) for line in lines if line]


def names(requirements: list[Requirement]) -> set[str]:
    return {canonicalize_name(requirement.name) for requirement in requirements}


def wanted(name: str) -> list[Requirement]:
    return [requirement for part in MADE_FROM[name] for requirement in read(f"{part}.in")]


@pytest.mark.parametrize("name", MADE_FROM)
def test_every_name_of_the_lists_is_pinned_once(name):
    pins = {canonicalize_name(pin.name): pin for pin in read(f"{name}.txt")}
    assert len(pins) == len(read(f"{name}.txt")), "one version must serve every Python"
    for requirement in wanted(name):
        (pinned,) = pins[canonicalize_name(requirement.name)].specifier
        assert pinned.operator == "=="
        assert Version(pinned.version) in requirement.specifier


def test_a_notebook_is_read_without_loading_a_parser_of_web_addresses():
    """Newer versions of jsonschema build one whenever anything of Jupyter starts: 2.4 s."""
    loaded = "import sys, nbformat; print(sorted({'jsonschema', 'lark'} & sys.modules.keys()))"
    found = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert found.stdout == "['jsonschema']\n"


@pytest.mark.parametrize("name", ["student", "course"])
def test_every_pin_is_needed_by_something_in_the_lists(name):
    """Followed through the metadata of what is installed here; markers of other systems count as true."""
    needed, waiting = set(), [(canonicalize_name(r.name), frozenset(r.extras)) for r in wanted(name)]
    while waiting:
        package = waiting.pop()
        if package not in needed:
            needed.add(package)
            waiting += required_by(*package)
    assert names(read(f"{name}.txt")) - {package for package, _ in needed} == set()


def required_by(package: str, extras: frozenset[str]) -> list[tuple[str, frozenset[str]]]:
    """What an installed package may require; nothing when it is not installed here, as another system's."""
    try:
        found = [Requirement(line) for line in importlib.metadata.requires(package) or []]
    except importlib.metadata.PackageNotFoundError:
        return []
    asked = [(r, set(re.findall(r"extra == [\"']([\w-]+)", str(r.marker)))) for r in found]
    return [(canonicalize_name(r.name), frozenset(r.extras)) for r, only in asked if not only or only & extras]


def test_what_the_course_pins_is_what_students_have():
    course = {str(pin) for pin in read("course.txt")}
    assert {str(pin) for pin in read("student.txt")} - course == set()


def test_every_promised_python_gets_a_set():
    """A marker may leave a package out on some Python, never all of what the lists name."""
    promised = SpecifierSet(PROJECT["project"]["requires-python"])
    for version in ("3.11.0", "3.11.2", "3.12.0", "3.13.0", "3.14.0"):
        assert version in promised
        environment = default_environment() | {
            "python_full_version": version,
            "python_version": version.rpartition(".")[0],
        }
        here = {pin.name for pin in read("student.txt") if not pin.marker or pin.marker.evaluate(environment)}
        assert names(wanted("student")) <= here


@pytest.mark.parametrize("path", sorted(FOLDER.iterdir()), ids=lambda path: path.name)
def test_no_file_names_a_place(path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"://|^\s*-|@ |\.(com|org|net|io)\b", text, flags=re.MULTILINE)


def test_the_project_reads_its_dependencies_from_the_lists():
    dynamic = PROJECT["tool"]["setuptools"]["dynamic"]
    assert dynamic["dependencies"] == {"file": "requirements/student.in"}
    assert dynamic["optional-dependencies"] == {
        extra: {"file": f"requirements/{extra}.in"} for extra in ("course", "scale", "sparse", "test")
    }
    assert {"dependencies", "optional-dependencies"} <= set(PROJECT["project"]["dynamic"])
