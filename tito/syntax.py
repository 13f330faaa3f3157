"""What `export` and `lint` ask of a cell's Python code, answered from its syntax tree and never by running it."""

import ast
import warnings


def compile_plain(text: str, name: str) -> ast.Module:
    """Parse and compile `text` without running it or warning about it.

    Raises:
        SyntaxError: it is not Python; also when it is nested too deeply or holds characters that no file can.
    """
    try:
        with warnings.catch_warnings(action="ignore"):
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
        elif isinstance(node, ast.Assign):
            names += [name for target in node.targets for name in _stored_names(target)]
        elif isinstance(node, ast.AnnAssign) and node.value:
            names += _stored_names(node.target)
        elif isinstance(node, ast.If) and not is_main_guard(node):
            names += public_names(node.body) + public_names(node.orelse)
        elif isinstance(node, ast.Try):
            names += public_names(node.body)
            names += [name for handler in node.handlers for name in public_names(handler.body)]
    return [name for name in dict.fromkeys(names) if not name.startswith("_")]


def imported_modules(tree: ast.AST) -> list[tuple[str, int]]:
    """Return (dotted module name, line) of every import in `tree`, `from a import b` as "a"."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append(("." * node.level + (node.module or ""), node.lineno))
    return found


def _stored_names(target: ast.expr) -> list[str]:
    return [node.id for node in ast.walk(target) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
