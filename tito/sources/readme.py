"""The README's table of modules, written from the registry: `python -m tito.readme`."""

import re
from pathlib import Path

from tito.files import write_atomic
from tito.registry import MODULES

START, END = "<!-- modules: written by `python -m tito.readme` from tito/registry.py -->", "<!-- end of modules -->"


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


if __name__ == "__main__":
    readme = Path(__file__).parents[1] / "README.md"
    write_atomic(readme, with_modules(readme.read_text(encoding="utf-8")))
