"""The registry is the only place that knows the module list; everything else agrees with it."""

import ast
import re
from pathlib import Path

import pytest

from tito.course import Course
from tito.errors import CourseError
from tito.registry import MODULES, Module, find_module

ROOT = Path(__file__).parents[2]


def folders(parent: str) -> set[str]:
    return {path.name for path in (ROOT / parent).iterdir() if re.match(r"\d\d_", path.name)}


def test_numbers_count_from_1_and_names_are_unique():
    assert [module.number for module in MODULES] == list(range(1, len(MODULES) + 1))
    assert len({module.name for module in MODULES}) == len(MODULES)
    assert len({module.export for module in MODULES}) == len(MODULES)


def test_needs_are_earlier_modules_in_order():
    for module in MODULES:
        assert list(module.needs) == sorted(set(module.needs))
        assert all(0 < number < module.number for number in module.needs)


def test_points_and_hours_are_positive():
    assert all(module.points > 0 and module.hours > 0 and module.gives for module in MODULES)


def test_a_facade_takes_a_name_from_one_module_only():
    taken = [(facade, name) for module in MODULES for facade, names in module.facades.items() for name in names]
    assert sorted(taken) == sorted(set(taken))


def test_every_module_has_its_source_and_nothing_else_stands_in_modules():
    assert folders("modules") == {module.folder for module in MODULES}
    assert [module.source for module in MODULES if not (ROOT / module.source).is_file()] == []


def test_every_module_has_its_tests_and_no_other_test_folder_has_a_number():
    assert folders("tests") == {module.folder for module in MODULES}


def test_every_module_has_its_checkpoint_and_nothing_else_is_one():
    found = sorted((ROOT / "tests" / "checkpoints").glob("*.py"))
    assert found == [Course(ROOT).checkpoint(module) for module in MODULES]


def uses(path: Path, module: Module) -> bool:
    """Whether a test file imports from the module; what 05 gives has no name of its own but `backward()`."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    offered = {name for names in module.facades.values() for name in names}
    offered |= {"backward"} if module.number == 5 else set()
    imports = [
        node for node in nodes if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tinytorch")
    ]
    named = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    named |= {alias.name for node in imports for alias in node.names}
    places = {node.module for node in imports} | {f"{node.module}.{a.name}" for node in imports for a in node.names}
    return f"tinytorch.{module.export}" in places or not offered.isdisjoint(named)


def test_no_test_file_tests_another_modules_work():
    files = [(path, module) for module in MODULES for path in Course(ROOT).tests(module).glob("test_*.py")]
    files += [(Course(ROOT).checkpoint(module), module) for module in MODULES]
    assert [path.relative_to(ROOT).as_posix() for path, module in files if not uses(path, module)] == []


def test_every_module_is_exported():
    assert [module.target for module in MODULES if not (ROOT / module.target).is_file()] == []


def test_every_facade_name_is_defined_by_its_module():
    for module in MODULES:
        listed = re.search(r"__all__ = \[(.*?)\]", (ROOT / module.target).read_text(encoding="utf-8"), re.DOTALL)
        defined = set(re.findall(r'"(\w+)"', listed[1]))
        assert {name for names in module.facades.values() for name in names} <= defined


def test_every_module_has_its_marker(pytestconfig):
    marked = {line.partition(":")[0] for line in pytestconfig.getini("markers")}
    assert {module.marker for module in MODULES} <= marked


def test_tests_carry_the_marker_of_their_folder(pytestconfig):
    from types import SimpleNamespace

    conftest = next(p for p in pytestconfig.pluginmanager.get_plugins() if getattr(p, "TESTS", None) == ROOT / "tests")
    marks = {}
    paths = [
        *(ROOT / "tests" / name for name in ("01_tensor/test_a.py", "checkpoints/checkpoint_02_activations.py")),
        ROOT / "tests" / "course" / "test_b.py",
        ROOT / "elsewhere.py",
    ]
    items = [
        SimpleNamespace(
            path=path,
            nodeid=str(path),
            add_marker=lambda mark, path=path: marks.update({path.name: mark} if isinstance(mark, str) else {}),
            get_closest_marker=lambda name: None,
        )
        for path in paths
    ]
    conftest.pytest_collection_modifyitems(pytestconfig, items)
    assert marks == {"test_a.py": "m01", "checkpoint_02_activations.py": "m02"}


@pytest.mark.parametrize("text", ["1", "01", 1, "tensor", "01_tensor", " Tensor "])
def test_a_module_is_found_by_what_people_write(text):
    assert find_module(text) is MODULES[0]


@pytest.mark.parametrize("text", ["99", "", "tens", "0", "01_layers"])
def test_an_unknown_module_is_answered_with_the_list(text):
    with pytest.raises(CourseError) as error:
        find_module(text)
    assert f"There is no module '{text}'." in error.value.problem
    assert "01_tensor" in error.value.cure
