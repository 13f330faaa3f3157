"""Which answers in the package are still to be written: `tito export` puts unfinished work there too."""

import ast
from collections.abc import Iterator

from tito.course import Course
from tito.registry import Module
from tito.sources.cells import read_cells
from tito.sources.markers import UNWRITTEN


def unwritten_parts(course: Course, module: Module) -> list[str]:
    """Return the names of a module's functions and methods in the package that only say "your code here".

    Returns:
        Such as ["matmul", "Tensor.reshape"]; empty when the package does not have the module.
    """
    path = course.exported(module)
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    try:
        return list(_stubs(ast.parse(text), ""))
    except (SyntaxError, ValueError):  # edited by hand: whoever imports it is told
        return []


def is_blank(course: Course, module: Module) -> bool:
    """Whether no answer of a module is written in the package; one that was begun is not blank."""
    if not course.released(module).is_file():
        return False
    cells = (cell for cell in read_cells(course.released(module)) if cell.exported)
    given_out = [stub for cell in cells for stub in _stubs(ast.parse(cell.source), "")]
    return 0 < len(given_out) <= len(unwritten_parts(course, module))


def missing_part(course: Course, module: Module) -> str:
    """Say what the package lacks of a module: its folder's name, how many of its functions, or "" for nothing."""
    if not course.exported(module).is_file():
        return module.folder
    count = len(unwritten_parts(course, module))
    return f"{count} {'function' if count == 1 else 'functions'} of {module.folder}" if count else ""


def _stubs(node: ast.AST, name: str) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from _stubs(child, f"{name}.{child.name}".lstrip("."))
        elif isinstance(child, ast.Raise) and _is_stub(child):
            yield name
        else:
            yield from _stubs(child, name)


def _is_stub(raised: ast.Raise) -> bool:
    match raised.exc:
        case ast.Call(func=ast.Name(id="NotImplementedError"), args=[ast.Constant(value=value)]):
            return bool(value == UNWRITTEN)
    return False
