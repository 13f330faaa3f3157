"""Rules on what is exported and imported."""

import ast
import re
import sys
from collections.abc import Iterator

from tito.lint.source import Finding, Source, line_of
from tito.registry import MODULES
from tito.sources.package_file import misplaced_directives
from tito.sources.syntax import assigned_names, compile_plain, imported_names, is_magic

DIRECTIVES = ("default_exp", "export")
ALLOWED = {
    "numpy",
    "scipy",
    "numba",
    "tinytorch",
    *sys.stdlib_module_names,
}  # scipy and numba where a module teaches them
CONTAINERS = {"Sequential"}  # it runs what it holds; a list or dict of layers leaves that to forward


def directives(source: Source) -> Iterator[Finding]:
    """`#| export` stands at the top of its cell; `#| default_exp` is there once and names the registry's target."""
    for wrong in misplaced_directives(source.cells, source.module):
        line = line_of(wrong.cell, wrong.line) if wrong.cell else 1
        yield Finding(line, "directives", f"{wrong.problem} {wrong.cure}")
    for cell in source.cells:
        for number, (word, _) in enumerate(cell.directives, start=1):
            if word not in DIRECTIVES:
                message = f"'#| {word}' means nothing here: use {' or '.join(DIRECTIVES)}"
                yield Finding(line_of(cell, number), "directives", message)


def plain_python(source: Source) -> Iterator[Finding]:
    """Export cells are Python as it is: no syntax error, no `%magic`, no `!shell`, no `get_ipython`."""
    for cell in source.cells:
        if cell.kind != "code":
            continue
        try:
            compile_plain(cell.source, cell.name)
        except SyntaxError as error:
            line = min(error.lineno or 1, len(cell.lines))
            magic = is_magic(cell.lines[line - 1])
            if cell.exported or not magic:
                what = "a notebook command" if magic else error.msg
                yield Finding(line_of(cell, line), "plain-python", f"cell {cell.name} is not Python: {what}")
    for cell, tree in source.code_cells:
        for node in ast.walk(tree):
            if cell.exported and isinstance(node, ast.Name) and node.id == "get_ipython":
                message = f"cell {cell.name} is exported and must not use get_ipython"
                yield Finding(line_of(cell, node.lineno), "plain-python", message)


def no_explicit_all(source: Source) -> Iterator[Finding]:
    """`__all__` is written by the export."""
    for cell, tree in source.code_cells:
        for node in tree.body:
            if cell.exported and "__all__" in assigned_names(node):
                yield Finding(line_of(cell, node.lineno), "no-explicit-all", "leave __all__ out: the export writes it")


def no_container(source: Source) -> Iterator[Finding]:
    """Models are explicit classes: no `Sequential`, no class that is given layers and loops over them."""
    for cell, tree in source.code_cells:
        for node in ast.walk(tree):
            name = getattr(node, "id", getattr(node, "attr", ""))
            if isinstance(node, ast.ClassDef) and (node.name in CONTAINERS or _runs_its_arguments(node)):
                name = node.name
            elif name not in CONTAINERS:
                continue
            message = f"{name} is a composition container: write the model as a class whose forward shows each step"
            yield Finding(line_of(cell, getattr(node, "lineno", 1)), "no-container", message)


def imports_match_needs(source: Source) -> Iterator[Finding]:
    """What is imported from `tinytorch` belongs to the modules in the registry's `needs`, and to each of them."""
    used: set[int] = set()
    for cell, tree in source.code_cells:
        for number, line in _imported_numbers(tree):
            used.add(number)
            if number not in source.module.needs:
                later = "a later module" if number >= source.module.number else "not in its needs"
                message = f"imports from module {number:02d}, {later}: the registry says {source.module.needs}"
                yield Finding(line_of(cell, line), "imports-match-needs", message)
    for number in sorted(set(source.module.needs) - used):
        message = f"the registry says that it needs module {number:02d}, but nothing is imported from there"
        yield Finding(1, "imports-match-needs", message, warning=True)


def imports_allowed(source: Source) -> Iterator[Finding]:
    """Exported code imports NumPy, the standard library and `tinytorch` only."""
    for cell, tree in source.code_cells:
        for name, line in imported_names(tree):
            if cell.exported and name.split(".")[0] not in ALLOWED:
                message = f"exported code must not import {name}: move it to a cell of this page only"
                yield Finding(line_of(cell, line), "imports-allowed", message)


def title_matches(source: Source) -> Iterator[Finding]:
    """The title cell says the number, target, hours and points that the registry says."""
    module = source.module
    title = source.cells[0].source if source.cells and source.cells[0].kind == "markdown" else ""
    wanted = {
        f"# Module {module.number:02d}: ": rf"^# Module {module.number:02d}: \w",
        f"**Exports** `tinytorch.{module.export}`": rf"\*\*Exports\*\* `tinytorch\.{re.escape(module.export)}`",
        f"**About** {module.hours:g} hours": rf"\*\*About\*\* {re.escape(f'{module.hours:g}')} hours?",
        f"**Points** {module.points}": rf"\*\*Points\*\* {module.points}\b",
        "**Needs**": r"\*\*Needs\*\*",
    }
    for words, pattern in wanted.items():
        if not re.search(pattern, title, re.MULTILINE):
            yield Finding(
                source.cells[0].line if source.cells else 1, "title-matches", f"the title cell lacks '{words}'"
            )


def _runs_its_arguments(node: ast.ClassDef) -> bool:
    """Whether a class takes `*layers` and its `forward` or `__call__` loops over an attribute of its own."""
    methods = {part.name: part for part in node.body if isinstance(part, ast.FunctionDef)}
    made = methods.get("__init__")
    if made is None or made.args.vararg is None:
        return False
    runs = [part for name in ("forward", "__call__") if name in methods for part in ast.walk(methods[name])]
    return any(isinstance(part, ast.For) and ast.unparse(part.iter).startswith("self.") for part in runs)


def _imported_numbers(tree: ast.Module) -> list[tuple[int, int]]:
    """(number of a module whose exports are imported, line), by its own file or by a facade."""
    homes = {f"tinytorch.{module.export}": module.number for module in MODULES}
    for module in MODULES:
        for facade, names in module.facades.items():
            homes |= {".".join(filter(None, ("tinytorch", facade, name))): module.number for name in names}
    found = [(homes.get(name) or homes.get(name.rpartition(".")[0]), line) for name, line in imported_names(tree)]
    return list(dict.fromkeys((number, line) for number, line in found if number))


RULES = (directives, plain_python, no_explicit_all, no_container, imports_match_needs, imports_allowed, title_matches)
