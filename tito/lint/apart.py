"""Rules on what a test cannot do because grading runs it apart from the answers (see docs/decisions/0030)."""

import ast
from collections.abc import Iterator

from tito.lint.source import Finding, Source, line_of

HERE = "sees the test's process, not the answer's"
PASSED_ON = "makes its items as it goes and cannot be handed over: put list(...) around it"
INSTEAD = {
    "delattr": "cannot be carried to an object: set the attribute to None",
    "dir": f"{HERE}: ask hasattr for the names that matter",
    **dict.fromkeys(("eval", "exec", "globals", "locals"), f"{HERE}: name what is meant"),
    **dict.fromkeys(("gc", "inspect", "pickle", "sys", "weakref"), f"{HERE}: let a given, exported function ask"),
}
LAZY = ("enumerate", "filter", "iter", "map", "reversed", "zip")
TAKE_LAZY = (*LAZY, "all", "any", "dict", "frozenset", "list", "max", "min", "set", "sorted", "sum", "tuple")
JOINED = "join"


def no_class_in_test(source: Source) -> Iterator[Finding]:
    """The student's code could not call back into a class of the test."""
    for cell, tree in source.test_cells:
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                message = f"class {node.name} in graded cell {cell.name}: define it in a given, locked cell above"
                yield Finding(line_of(cell, node.lineno), "no-class-in-test", message)


def carried(source: Source) -> Iterator[Finding]:
    """Between test and answer go plain values, arrays, functions, and links to the answer's objects."""
    for cell, tree in source.test_cells:
        for node in ast.walk(tree):
            for at, reason in _not_carried(node):
                yield Finding(line_of(cell, at.lineno), "carried", f"'{ast.unparse(at)[:60]}' {reason}")


def _not_carried(node: ast.AST) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    match node:
        case ast.Delete(targets=targets) if any(isinstance(target, ast.Attribute) for target in targets):
            yield node, INSTEAD["delattr"]
        case ast.Yield() | ast.YieldFrom() | ast.Await():
            yield node, "makes a function whose calls cannot be carried: return a list"
        case ast.Call(func=function, args=arguments):
            name = _root(function)
            if name in INSTEAD:
                yield node, INSTEAD[name]
            if name not in TAKE_LAZY and not (isinstance(function, ast.Attribute) and function.attr == JOINED):
                yield from ((argument, PASSED_ON) for argument in arguments if _is_lazy(argument))


def _root(function: ast.expr) -> str:
    """`gc` of `gc.collect`, `dir` of `dir`; nothing of a method of an object."""
    if isinstance(function, ast.Attribute):
        function = function.value
    return function.id if isinstance(function, ast.Name) else ""


def _is_lazy(argument: ast.expr) -> bool:
    lazy = isinstance(argument, ast.Call) and isinstance(argument.func, ast.Name) and argument.func.id in LAZY
    return lazy or isinstance(argument, ast.GeneratorExp)


RULES = (no_class_in_test, carried)
