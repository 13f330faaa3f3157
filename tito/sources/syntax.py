"""What `export` and `lint` ask of a cell's Python code, answered from its syntax tree and never by running it."""

import ast
import symtable
import threading
import warnings
from dataclasses import dataclass
from functools import lru_cache

_ONE_AT_A_TIME = threading.Lock()


def parse(text: str, name: str = "<cell>") -> ast.Module:
    """`ast.parse`, safe in threads: up to CPython 3.11 two at once end in a SystemError (gh-106905).

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: it is not Python, or nested too deeply.
    """
    with _ONE_AT_A_TIME:
        return ast.parse(text, name)


def compile_plain(text: str, name: str) -> ast.Module:
    """Parse and compile `text` without running it or warning about it.

    Raises:
        SyntaxError: it is not Python; also when it is nested too deeply or holds characters that no file can.
    """
    try:
        with _ONE_AT_A_TIME, warnings.catch_warnings(action="ignore"):  # neither is safe in threads
            tree = ast.parse(text, name)
            compile(text, name, "exec", dont_inherit=True)
    except (ValueError, RecursionError, MemoryError) as error:
        raise SyntaxError(str(error) or "too deeply nested", (name, 1, 0, "")) from None
    return tree


def is_magic(line: str) -> bool:
    """Whether a line that is no Python is a notebook's `%magic`, `!shell` or `?help`."""
    code = line.strip()
    assigned = code.split("=", 1)[1].strip() if "=" in code else ""
    return code.startswith(("%", "!", "?")) or code.endswith("?") or assigned.startswith(("%", "!"))


def is_main_guard(node: ast.stmt) -> bool:
    """Whether `node` is `if __name__ == "__main__":`."""
    guards = ("__name__ == '__main__'", "'__main__' == __name__")
    return isinstance(node, ast.If) and ast.unparse(node.test) in guards


def public_names(body: list[ast.stmt]) -> list[str]:
    """Return the public classes, functions and variables that top-level statements define, in order; no imports."""
    names: list[str] = []
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names.append(node.name)
        elif isinstance(node, ast.If) and not is_main_guard(node):
            names += public_names(node.body) + public_names(node.orelse)
        elif isinstance(node, ast.Try):
            names += public_names(node.body)
            names += [name for handler in node.handlers for name in public_names(handler.body)]
        else:
            names += assigned_names(node)
    return [name for name in dict.fromkeys(names) if not name.startswith("_")]


def imported_names(tree: ast.AST) -> list[tuple[str, int]]:
    """Return (dotted name, line) of everything that is imported in `tree`; `from a import b` gives "a.b"."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            parent = ""
            if isinstance(node, ast.ImportFrom):
                parent = "." * node.level + (f"{node.module}." if node.module else "")
            found += [(parent + alias.name, node.lineno) for alias in node.names]
    return found


def assigned_names(node: ast.stmt) -> list[str]:
    """Return the plain names that an assignment sets; an empty list for any other statement."""
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AugAssign) or (isinstance(node, ast.AnnAssign) and node.value):
        targets = [node.target]
    found = [part for target in targets for part in ast.walk(target)]
    return [part.id for part in found if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)]


@dataclass(frozen=True)
class Names:
    """What a cell does with the names that all cells share.

    bound: those it defines, imports or assigns at top level.
    used:  those it reads, in its functions and classes too.
    imported: those among `bound` that it imports.
    """

    bound: frozenset[str]
    used: frozenset[str]
    imported: frozenset[str] = frozenset()


@lru_cache(maxsize=500)  # the given cells of a page come again with every submission
def shared_names(text: str) -> Names:
    """Return the top-level names that a text binds and uses; nothing when it is not Python."""
    try:
        with warnings.catch_warnings(action="ignore"):
            top = symtable.symtable(text, "cell", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Names(frozenset(), frozenset())
    bound = {s.get_name() for s in top.get_symbols() if s.is_assigned() or s.is_imported()}
    imported = {s.get_name() for s in top.get_symbols() if s.is_imported()}
    tables, used = [top], set()
    while tables:
        table = tables.pop()
        tables += table.get_children()
        used |= {s.get_name() for s in table.get_symbols() if s.is_referenced() and (table is top or s.is_global())}
    return Names(frozenset(bound), frozenset(used), frozenset(imported))
