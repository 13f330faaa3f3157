"""Names of a page that need the submission's box: checks, stores, modules of the box."""

import ast
import textwrap
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any

import numpy as np

from tito.lab import checks
from tito.sources.syntax import parse, shared_names
from tito.trusted.channel import Channel
from tito.trusted.handles import Handle
from tito.trusted.page import AUGMENT, LOCAL, STORE, Page, remember
from tito.trusted.questions import Questions


def give_names(page: Page, channel: Channel) -> None:
    """Put into the page's names what needs this submission's box: the checks, stores, other modules."""
    names = page.names

    def guarded(check: Callable[..., None]) -> Callable[..., None]:
        def run(*args: Any, **options: Any) -> None:
            with channel.shared.checking():
                check(*(_own(arg) for arg in args), **options)

        return run

    def written_into(do: str) -> Callable[..., None]:
        def write(owner: Any, *rest: Any) -> None:
            if isinstance(owner, Handle):
                channel.ask(do, owner, *rest)
            else:
                getattr(Questions(), f"do_{do}")(owner, *rest)

        return write

    def outside(name: str, *rest: Any) -> Any:
        if name.split(".")[0] in LOCAL:
            return __import__(name, *rest)
        wanted = rest[2] if len(rest) > 2 and rest[2] else ()
        return channel.ask("import", name if wanted else name.split(".")[0])

    def check_without(function: Any, *banned: str) -> None:
        checks.check_without(written(function, names, channel.reports.texts), *banned)

    def identity(value: Any) -> int:
        return int(channel.ask("builtin", "id", value)) if isinstance(value, Handle) else id(value)

    def measured(*args: Any) -> Any:
        return channel.ask("get", channel.ask("import", "tito.lab"), "peak_bytes")(*args)

    for name in ("check_close", "check_equal", "check_raises"):
        names[name] = guarded(getattr(checks, name))
    names |= {
        "check_without": check_without,
        STORE: written_into("store"),
        AUGMENT: written_into("augment"),
        "peak_bytes": measured,
    }
    names["__builtins__"] |= {"__import__": outside, "id": identity}
    names["__builtins__"]["open"] = lambda *args: outside("builtins").open(*args)


def written(function: Any, names: dict[str, Any], texts: dict[int, list[str]]) -> Any:
    """A function of the page as text that can be read here; it is never called.

    Of what is no `def` (a lambda, a method, an object) it is the text of the cell that gives it its name.

    Raises:
        TypeError: no cell defines it.
    """
    name = next((name for name, value in names.items() if value is function), "")
    for index, lines in reversed(texts.items()):
        source = "\n".join(lines)
        try:
            tree = parse(source)
        except (SyntaxError, ValueError):
            continue
        for node in reversed(tree.body):
            if isinstance(node, ast.FunctionDef) and node.name == name:
                return _function(name, f"<answer-{index}>", source, _bare(node))
        if name in shared_names(source).bound:
            whole = f"def {name}():\n{textwrap.indent(source, '    ')}"
            return _function(name, f"<answer-{index}>", whole, ast.parse(f"def {name}(): ...").body[0])
    raise TypeError(f"no cell defines {name or 'it'}")


def _function(name: str, file: str, source: str, node: ast.stmt) -> FunctionType:
    """A function whose text is in `source`."""
    remember(file, source)
    alone = compile(ast.Module([node], []), file, "exec")
    return FunctionType(next(part for part in alone.co_consts if isinstance(part, CodeType)), {}, name)


def _bare(node: ast.FunctionDef) -> ast.FunctionDef:
    node.decorator_list, node.args.defaults, node.args.kw_defaults = [], [], [None for _ in node.args.kw_defaults]
    node.returns = None
    for part in ast.walk(node.args):
        if isinstance(part, ast.arg):
            part.annotation = None
    return node


def _own(value: Any) -> Any:
    """What is expected, as it is now: whatever the box edits later."""
    if type(value) is np.ndarray:
        return value.copy()
    if type(value) in (list, tuple):
        return type(value)(_own(item) for item in value)
    if type(value) is dict:
        return {key: _own(item) for key, item in value.items()}
    return value
