"""Rules on tests."""

import ast
from collections.abc import Iterator
from itertools import pairwise

from tito.lint.source import Finding, Source, line_of
from tito.sources.markers import HIDDEN_TESTS, region
from tito.sources.syntax import is_main_guard, public_names

TELLING = (ast.Call, ast.Attribute, ast.Subscript, ast.BinOp)  # what makes an expression more than names


def unit_test_name(source: Source) -> Iterator[Finding]:
    """A graded code cell defines tests, named `test_unit_*` or `test_module`; there is one `test_module`."""
    names = [node.name for _, tree in source.code_cells for node in _tests(tree)]
    for cell, tree in source.test_cells:
        if not cell.nbgrader.get("solution") and not _tests(tree):
            yield Finding(
                line_of(cell), "unit-test-name", f"graded cell {cell.name} defines no test_unit_* or test_module"
            )
    for cell, tree in source.code_cells:
        for node in _tests(tree):
            if not node.name.startswith("test_unit_") and node.name != "test_module":
                message = f"{node.name} must be called test_unit_{node.name.removeprefix('test_')}"
                yield Finding(line_of(cell, node.lineno), "unit-test-name", message)
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield Finding(1, "unit-test-name", f"{name} is defined twice")
    if "test_module" not in names:
        yield Finding(1, "unit-test-name", "there is no test_module")


def unit_test_called(source: Source) -> Iterator[Finding]:
    """A test runs right under itself, and only in a script or notebook."""
    for cell, tree in source.code_cells:
        for node, below in pairwise([*tree.body, None]):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and not _calls(below, node.name):
                message = f"put 'if __name__ == \"__main__\": {node.name}()' right under {node.name}"
                yield Finding(line_of(cell, node.lineno), "unit-test-called", message)


def unguarded(source: Source) -> Iterator[Finding]:
    """A call that only does something (a test, a plot, a print) stands under the `__main__` guard."""
    for cell, tree in source.code_cells:
        for node in tree.body:
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and not cell.exported:
                message = f"{ast.unparse(node)[:60]} runs on import: put it under 'if __name__ == \"__main__\":'"
                yield Finding(line_of(cell, node.lineno), "unguarded", message)


def hidden_tests(source: Source) -> Iterator[Finding]:
    """A graded test also tries inputs that the student does not see."""
    for cell, _ in source.test_cells:
        inside = region(cell.lines, HIDDEN_TESTS)
        if inside is None:
            message = f"the HIDDEN TESTS markers of cell {cell.name} are not in pairs"
            yield Finding(line_of(cell), "hidden-tests", message)
        elif not any(cell.lines[line - 1].strip() for line in inside) and not cell.nbgrader.get("solution"):
            yield Finding(line_of(cell), "hidden-tests", f"graded cell {cell.name} has no hidden tests")


def no_trust(source: Source) -> Iterator[Finding]:
    """A test compares values; it does not ask a student's object for its type, truth or equality."""
    classes = {
        name
        for cell, tree in source.code_cells
        if cell.exported
        for name in public_names(tree.body)
        if name[0].isupper()
    }
    for cell, tree in source.test_cells:
        for node in ast.walk(tree):
            asked = _trusting(node, classes)
            if asked:
                message = f"{asked} trusts the student's object: compare .data, shapes or plain values"
                yield Finding(line_of(cell, getattr(node, "lineno", 1)), "no-trust", message)


def bare_name(source: Source) -> Iterator[Finding]:
    """A message shows the text of a check's lambda: a call, or what of an object is looked at, not a name alone."""
    for cell, tree in source.test_cells:
        for call in ast.walk(tree):
            if not isinstance(call, ast.Call) or not ast.unparse(call.func).startswith("check_"):
                continue
            for asked in call.args:
                if isinstance(asked, ast.Lambda) and not any(isinstance(n, TELLING) for n in ast.walk(asked.body)):
                    message = f"'{ast.unparse(asked)}' tells a student nothing: write the call into the lambda"
                    yield Finding(line_of(cell, asked.lineno), "bare-name", message)


def _trusting(node: ast.AST, classes: set[str]) -> str:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("isinstance", "bool"):
        return f"{node.func.id}()"
    if isinstance(node, ast.Compare) and any(isinstance(sign, ast.Eq | ast.NotEq) for sign in node.ops):
        sides = [node.left, *node.comparators]
        if any(isinstance(s, ast.Call) and isinstance(s.func, ast.Name) and s.func.id in classes for s in sides):
            return "=="
    return ""


def _tests(tree: ast.Module) -> list[ast.FunctionDef]:
    return [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]


def _calls(node: ast.stmt | None, name: str) -> bool:
    """Whether `node` is a `__main__` guard whose first statement is `name()`."""
    if node is None or not isinstance(node, ast.If) or not is_main_guard(node):
        return False
    return ast.unparse(node.body[0]) == f"{name}()"


RULES = (unit_test_name, unit_test_called, unguarded, hidden_tests, no_trust, bare_name)
