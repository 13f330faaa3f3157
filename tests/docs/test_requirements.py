"""docs/requirements.md has every row, and each row names what there is: tests that run, files, steps of the CI."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/requirements.md").read_text(encoding="utf-8")
ROWS = {letter + str(n) for letter, most in zip("ABCDE", (8, 12, 8, 12, 4), strict=True) for n in range(1, most + 1)}
FOUND = re.findall(r"^\| ([A-Z]\d+) \| (.+?) \| (.*?) \| (.*) \|$", PAGE, flags=re.MULTILINE)
NEVER = ("skip", "xfail")

# Classes and methods that the audit of module 05 names.
AUTOGRAD = {
    "TestPriorStackStillWorking": "tensor_operations_stable activations_stable layers_stable",
    "TestModule05AutogradCore": "enable_autograd simple_backward simple_backward_pass multi_step_backward "
    "requires_grad_tracking",
    "TestAutogradTensorIntegration": "arithmetic_gradients matmul_gradients broadcasting_gradients "
    "broadcasting_backward",
    "TestAutogradActivationIntegration": "relu_gradients sigmoid_gradients activation_chain_gradients",
    "TestAutogradLayerIntegration": "dense_layer_gradients multi_layer_gradients "
    "shared_parameter_gradient_accumulation",
    "TestAutogradLossIntegration": "mse_loss_gradients mse_loss_gradient crossentropy_loss_gradients",
    "TestProgressiveStackIntegration": "end_to_end_training_step gradient_accumulation neural_network_backward",
    "TestAutogradBugPrevention": "inplace_operations inplace_operations_break_graph memory_leaks zero_grad_works "
    "zero_grad_prevents_accumulation",
}
NAMED = [
    f"05_autograd/test_progressive_integration.py::{name}::test_{test}"
    for name, tests in AUTOGRAD.items()
    for test in tests.split()
]


def references(cell: str) -> list[str]:
    """The names in a row's last column, each with its file: `::name` and `: words` go on in the file before."""
    names: list[str] = []
    for name in re.findall(r"`([^`]+)`", cell):
        file = re.split(r"::|: ", names[-1])[0] if name.startswith(":") else ""
        names.append(file + name)
    return names


def problem(reference: str) -> str:
    """What is wrong with one name; "" when it is there and runs."""
    file, _, test = reference.partition("::")
    if test:
        return _problem_of_test(file, test.split("::"))
    file, _, words = reference.partition(": ")
    if words:
        lines = (ROOT / file).read_text(encoding="utf-8").splitlines() if (ROOT / file).is_file() else []
        return "" if any(words in line.partition("#")[0] for line in lines) else f"{file} has no {words}"
    return "" if (ROOT / "tests" / file).exists() or (ROOT / file).exists() else f"there is no {file}"


def _problem_of_test(file: str, names: list[str]) -> str:
    if not (ROOT / "tests" / file).is_file():
        return f"there is no tests/{file}"
    node = tree(file)
    if _never_runs(node):
        return f"{file} is skipped"
    for name in names:
        node = next((part for part in node.body if getattr(part, "name", None) == name), None)
        if node is None or not name.lower().startswith("test"):
            return f"{file} has no test {name}"
        if _never_runs(node):
            return f"{name} is skipped"
    return ""


@cache
def tree(file: str) -> ast.Module:
    return ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))


def _never_runs(node: ast.AST) -> bool:
    """Whether a file, class or function is skipped or may fail, whatever the machine."""
    marks = [ast.unparse(mark) for mark in getattr(node, "decorator_list", [])]
    for part in getattr(node, "body", []):
        if isinstance(part, ast.Assign) and ast.unparse(part.targets[0]) == "pytestmark":
            marks += re.split(r"(?=pytest\.mark)", ast.unparse(part.value))
        elif isinstance(part, ast.Expr) and isinstance(part.value, ast.Call):
            marks.append(ast.unparse(part.value).replace("pytest.skip(", "pytest.mark.skip("))
    return any(
        re.match(rf"\W*pytest\.mark\.({'|'.join(NEVER)})\b|\W*pytest\.mark\.skipif\(True", mark) for mark in marks
    )


def test_every_requirement_has_one_row_and_is_met():
    assert [row[0] for row in FOUND] == sorted(ROWS, key=lambda row: (row[0], int(row[1:])))
    assert [row for row, _, met, cell in FOUND if met != "✓" or not references(cell)] == []


@pytest.mark.parametrize(("row", "cell"), [(row, cell) for row, _, _, cell in FOUND], ids=[row[0] for row in FOUND])
def test_what_a_row_names_is_there(row, cell):
    assert [found for found in map(problem, references(cell)) if found] == []


def test_the_audits_tests_of_autograd_are_there():
    assert [found for found in map(problem, NAMED) if found] == []


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("docs/test_requirements.py::TestNothing", "has no test TestNothing"),
        ("docs/test_requirements.py::problem", "has no test problem"),
        ("docs/test_nothing.py::test_x", "there is no tests/docs/test_nothing.py"),
        ("docs/test_nothing.py", "there is no docs/test_nothing.py"),
        (".ci/run: make nothing", ".ci/run has no make nothing"),
        (".ci/run: Everything that must hold", "has no Everything"),
        (".ci/runs: make test", ".ci/runs has no make test"),
    ],
)
def test_a_wrong_name_is_noticed(reference, found):
    assert found in problem(reference)


@pytest.mark.parametrize(
    ("text", "skipped"),
    [
        ("@pytest.mark.skip\ndef test_x(): ...", True),
        ("@pytest.mark.xfail(reason='later')\nclass TestX: ...", True),
        ("@pytest.mark.skipif(True, reason='')\ndef test_x(): ...", True),
        ("def test_x():\n    pytest.skip('later')", True),
        ("class TestX:\n    pytestmark = [pytest.mark.slow, pytest.mark.skip]", True),
        ("@pytest.mark.skipif(os.name != 'posix', reason='')\ndef test_x(): ...", False),
        ("@pytest.mark.slow\n@pytest.mark.timeout(9)\ndef test_x():\n    assert 1 + 1 == 2", False),
        ("def test_x():\n    if os.name != 'posix':\n        pytest.skip('links')", False),
    ],
)
def test_a_test_that_never_runs_is_noticed(text, skipped):
    assert _never_runs(ast.parse(text).body[0]) is skipped
