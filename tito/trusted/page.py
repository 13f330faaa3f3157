"""What of a page the grader runs itself: the tests, and the given functions and constants that they use.

Whatever is exported, the student's or a class stays in the box; a test that names it gets a handle. So do given
functions that train or build something with the answers: what they return is the box's word, for a test to check.
"""

import ast
import builtins
import linecache
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType
from typing import Any

from nbformat.notebooknode import NotebookNode

from tito.engine.cells import is_answer, is_test
from tito.sources.cells import Cell
from tito.sources.syntax import parse, shared_names

# Modules that the grader imports itself. All others (files, folders, tinytorch) are the box's.
# fmt: off
LOCAL = {
    "abc", "bisect", "collections", "contextlib", "copy", "dataclasses", "fractions", "functools", "itertools",
    "json", "math", "matplotlib", "numpy", "operator", "random", "re", "statistics", "string", "tito", "types",
    "typing", "unicodedata", "warnings",
}
# fmt: on
IN_PLACE = {
    ast.Add: "iadd",
    ast.Sub: "isub",
    ast.Mult: "imul",
    ast.Div: "itruediv",
    ast.MatMult: "imatmul",
    ast.Pow: "ipow",
}
Steps = list[tuple[str, ast.expr]]
BESIDE = ("train_", "build_")  # how a given function begins that drives the answers: it runs beside them
CHECKER = "_check"  # how an exported function that checks something ends: it is run here, too
STORE, AUGMENT = "__store__", "__augment__"
ELSEWHERE = "<from "  # how the file of a checker of an earlier module is called: no line of it is the student's


@dataclass
class Test:
    """A test cell: its code, and every name that it or a given function that it uses asks for."""

    code: CodeType
    names: frozenset[str]


@dataclass
class Page:
    """A notebook's given parts, compiled once for all submissions.

    tests:  cell -> its test.
    names:  global names of the tests: modules, given functions, constants.
    used:   given function -> the names that it uses.
    home:   name that an imported checker uses -> the box's module that has it.
    """

    tests: dict[int, Test] = field(default_factory=dict)
    names: dict[str, Any] = field(default_factory=dict)
    used: dict[str, set[str]] = field(default_factory=dict)
    home: dict[str, str] = field(default_factory=dict)


def prepare(cells: list[NotebookNode], stack: Path, outside: Callable[..., Any]) -> Page:
    """Compile the given parts of a page; `outside(name, names)` imports a module that is the box's."""
    page = Page()
    page.names["__builtins__"] = {**vars(builtins), "__import__": outside}
    page.names["__name__"] = "__main__"
    for module in _modules_with_checkers(cells):
        source = stack.joinpath(*module.split(".")).with_suffix(".py")
        if source.is_file():
            _take_checkers(page, source.read_text(encoding="utf-8"), module)
    for index, cell in enumerate(cells):
        if cell.cell_type == "code" and not is_answer(cell) and not is_test(cell):
            _take(page, cell.source, _ours(cell), f"<given-{index}>")
    for index, cell in enumerate(cells):
        if is_test(cell):
            file = f"<test-{index}>"
            tree = _Stores().visit(ast.parse(cell.source))
            remember(file, cell.source)
            page.tests[index] = Test(compile(tree, file, "exec"), _all_names(page, _loaded(tree)))
    return page


def remember(file: str, source: str) -> None:
    """Let messages and tracebacks find the text."""
    linecache.cache[file] = (len(source), None, [line + "\n" for line in source.splitlines()], file)


def _ours(cell: NotebookNode) -> list[ast.stmt]:
    """The statements of a given cell that the grader runs, too."""
    try:
        body = parse(cell.source).body
    except (SyntaxError, ValueError):
        return []
    exported = Cell(cell.cell_type, cell.source, {}, 0).exported
    return [node for node in body if _is_ours(node, exported)]


def _is_ours(node: ast.stmt, exported: bool) -> bool:
    match node:
        case ast.Import(names=names):
            return all(alias.name.split(".")[0] in LOCAL for alias in names)
        case ast.ImportFrom(module=str(module), level=0):
            return module.split(".")[0] in LOCAL
        case ast.FunctionDef(name=name, decorator_list=decorators):
            return not decorators and not name.startswith(BESIDE) and (not exported or name.endswith(CHECKER))
        case ast.Assign() | ast.AnnAssign(value=ast.expr()):
            return not exported
    return False


def _modules_with_checkers(cells: list[NotebookNode]) -> list[str]:
    """The modules from which the page imports checking functions."""
    found = []
    for cell in cells:
        if cell.cell_type == "code" and not is_answer(cell) and CHECKER in cell.source:
            for node in ast.walk(parse(cell.source)):
                if isinstance(node, ast.ImportFrom) and str(node.module).startswith("tinytorch"):
                    found += [str(node.module) for alias in node.names if alias.name.endswith(CHECKER)]
    return found


def _take_checkers(page: Page, source: str, module: str) -> None:
    """Run the checking functions of a module here, and the plain functions of it that they use."""
    bound = shared_names(source).bound
    functions = {node.name: node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}
    todo = [name for name in functions if name.endswith(CHECKER)]
    for name in todo:
        if name not in functions or functions[name].decorator_list:
            page.home |= {name: module} if name in bound else {}
            continue
        node = functions[name]
        _take(page, source, [node], f"{ELSEWHERE}{module}>")
        todo += sorted(page.used[name] - set(todo))


def _take(page: Page, source: str, body: list[ast.stmt], file: str) -> None:
    """Run statements here; a constant that needs the box is left to it."""
    remember(file, source)
    for node in body:
        tree = _Stores().visit(ast.Module([_without_types(node)], []))
        if isinstance(node, ast.FunctionDef):
            page.used[node.name] = _loaded(tree)
        try:
            exec(compile(tree, file, "exec"), page.names)
        except (NameError, TypeError, AttributeError):
            continue


def _without_types(node: ast.stmt) -> ast.stmt:
    """A function without annotations: they would name the box's classes."""
    for part in ast.walk(node):
        if isinstance(part, ast.FunctionDef):
            part.returns = None
        elif isinstance(part, ast.arg):
            part.annotation = None
    return node


def _loaded(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}


def _all_names(page: Page, names: set[str]) -> frozenset[str]:
    """The names, and those that given functions among them use in turn."""
    found: set[str] = set()
    todo = set(names)
    while todo:
        found |= todo
        todo = set().union(*(page.used.get(name, set()) for name in todo)) - found
    return frozenset(found)


class _Stores(ast.NodeTransformer):
    """`a.b[c] = d` and `a.b -= d` as one question each: what `a.b` gives outside the box is a copy."""

    def visit_Assign(self, node: ast.Assign) -> ast.stmt:
        match node.targets:
            case [ast.Subscript(value=owner, slice=key)] if path := _path(owner):
                return _asked(node, STORE, *path, _plain(key), node.value)
        return node

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.stmt:
        if (
            isinstance(node.target, ast.Attribute | ast.Subscript)
            and type(node.op) in IN_PLACE
            and (path := _path(node.target))
        ):
            return _asked(node, AUGMENT, *path, ast.Constant(IN_PLACE[type(node.op)]), node.value)
        return node


def _asked(node: ast.stmt, name: str, root: ast.expr, steps: Steps, *rest: ast.expr) -> ast.stmt:
    places = ast.List([ast.List([ast.Constant(step), _plain(what)], ast.Load()) for step, what in steps], ast.Load())
    call = ast.Call(ast.Name(name, ast.Load()), [root, places, *rest], [])
    return ast.fix_missing_locations(ast.copy_location(ast.Expr(call), node))


def _plain(key: ast.expr) -> ast.expr:
    """`1:3` as `slice(1, 3, None)`, which may stand anywhere."""
    if isinstance(key, ast.Tuple):
        return ast.Tuple([_plain(part) for part in key.elts], ast.Load())
    if isinstance(key, ast.Slice):
        parts = (key.lower, key.upper, key.step)
        return ast.Call(ast.Name("slice", ast.Load()), [part or ast.Constant(None) for part in parts], [])
    return key


def _path(owner: ast.expr) -> tuple[ast.expr, Steps] | None:
    """`model.norm.weight` as its name and the steps from there; None without an attribute."""
    steps: Steps = []
    while isinstance(owner, ast.Attribute | ast.Subscript):
        step = (".", ast.Constant(owner.attr)) if isinstance(owner, ast.Attribute) else ("[", owner.slice)
        steps.insert(0, step)
        owner = owner.value
    return (owner, steps) if isinstance(owner, ast.Name) and any(step == "." for step, _ in steps) else None
