"""`tito new` and `tito sync`: a module is begun, and what is derived follows."""

import ast
import shutil

import pytest
from real import REPOSITORY

from tito.course import Course
from tito.errors import CourseError
from tito.registry import MODULES, Module
from tito.sources.new import new_module, with_row
from tito.sources.sync import sync

NEXT = len(MODULES) + 1
UNCOPIED = shutil.ignore_patterns("__pycache__")


@pytest.fixture
def checkout(tmp_path):
    """What `tito new` needs of a checkout."""
    (tmp_path / "tito").mkdir()
    shutil.copyfile(REPOSITORY.root / "tito" / "registry.py", tmp_path / "tito" / "registry.py")
    return Course(tmp_path)


def test_a_new_module_has_its_row_and_its_files(checkout):
    before = (checkout.root / "tito" / "registry.py").read_text()
    written = new_module(checkout, NEXT, "walking", "way.walking")
    folder = f"{NEXT:02d}_walking"
    assert [path.relative_to(checkout.root).as_posix() for path in written] == [
        f"modules/{folder}/walking_dev.py",
        f"tests/{folder}/test_progressive_integration.py",
        f"tests/{folder}/misconceptions/one_mean_for_all.py",
        f"tests/{folder}/alternatives/other_ways.py",
        "tito/registry.py",
    ]
    assert not [path for path in written[:-1] if "$" in path.read_text().replace("$$", "")]
    scope = {"__name__": "registry"}
    exec(compile((checkout.root / "tito" / "registry.py").read_text(), "registry", "exec"), scope)
    assert len(scope["MODULES"]) == NEXT
    row = scope["MODULES"][-1]
    assert (row.folder, row.export, row.needs, row.points, row.hours) == (folder, "way.walking", (1,), 20, 3)
    assert before.splitlines() == [line for line in written[-1].read_text().splitlines() if '"walking"' not in line]


@pytest.mark.parametrize(
    ("number", "name", "export", "problem"),
    [
        (NEXT + 1, "walking", "core.walking", f"The next module has number {NEXT:02d}, not {NEXT + 1:02d}"),
        (1, "walking", "core.walking", "The next module has number"),
        (NEXT, "Walking", "core.walking", "'Walking' cannot name a file"),
        (NEXT, "class", "core.walking", "'class' cannot name a file"),
        (NEXT, "../x", "core.walking", "cannot name a file"),
        (NEXT, "walking", "core.", "'' cannot name a file"),
        (NEXT, "walking", "walking", "'walking' names no package"),
        (NEXT, "tensor", "core.walking", "belongs to another module"),
        (NEXT, "walking", "core.tensor", "belongs to another module"),
    ],
)
def test_a_module_that_cannot_be_is_refused_and_nothing_is_written(checkout, number, name, export, problem):
    with pytest.raises(CourseError, match=problem):
        new_module(checkout, number, name, export)
    assert [path.name for path in checkout.root.rglob("*")] == ["tito", "registry.py"]


def test_nothing_is_written_over(checkout):
    page = checkout.root / "modules" / f"{NEXT:02d}_walking" / "walking_dev.py"
    page.parent.mkdir(parents=True)
    page.write_text("mine")
    with pytest.raises(CourseError, match=r"walking_dev\.py is there already"):
        new_module(checkout, NEXT, "walking", "core.walking")
    assert page.read_text() == "mine"
    assert not (checkout.root / "tests").exists()


def test_a_kit_has_no_registry_of_its_own(tmp_path):
    with pytest.raises(CourseError, match=r"has no tito/registry\.py"):
        new_module(Course(tmp_path), NEXT, "walking", "core.walking")
    with pytest.raises(CourseError, match="A student kit has nothing to bring up to date"):
        sync(Course(tmp_path))


def test_a_list_that_ends_otherwise_is_left_alone():
    row = Module(NEXT, "walking", "core.walking", (1,), 20, 3, "a way")
    with pytest.raises(CourseError, match=r"Add this row: Module\(.*\"walking\", \"core.walking\""):
        with_row("MODULES = ()\n", row)


def test_sync_on_a_clean_tree_changes_nothing_that_is_committed(tmp_path):
    for name in ("modules", "tinytorch"):
        shutil.copytree(REPOSITORY.root / name, tmp_path / name, ignore=UNCOPIED)
    shutil.copyfile(REPOSITORY.root / "README.md", tmp_path / "README.md")
    course = Course(tmp_path)
    assert sync(course) == [course.built(module) for module in MODULES]
    facade = course.package / "nn" / "functional.py"
    facade.write_text("")
    readme = course.root / "README.md"
    readme.write_text(readme.read_text().replace(f"| {MODULES[0].points} |", "| 1 |"))
    course.built(MODULES[1]).unlink()
    assert sync(course) == [course.built(MODULES[1]), facade, readme]
    assert readme.read_bytes() == (REPOSITORY.root / "README.md").read_bytes()
    for path in course.package.rglob("*.py"):
        ast.parse(path.read_text())
