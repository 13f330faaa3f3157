"""The README's table of modules, written from the registry by `tito sync`."""

import re

from tito.registry import MODULES

START, END = "<!-- modules: written by `tito sync` from tito/registry.py -->", "<!-- end of modules -->"


def with_modules(text: str) -> str:
    """Return the README's text with its table of modules renewed.

    Example:
        >>> "| 01 |" in with_modules(f"{START}{END}")
        True
    """
    rows = ["| | module | what it gives | points | hours |", "|---|---|---|--:|--:|"]
    rows += [f"| {m.number:02d} | [{m.name}]({m.source}) | {m.gives} | {m.points} | {m.hours:g} |" for m in MODULES]
    block = "\n".join([START, "", *rows, "", END])
    return re.sub(re.escape(START) + ".*?" + re.escape(END), lambda _: block, text, flags=re.DOTALL)
