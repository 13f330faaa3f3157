"""Find answers in public files.

An answer is a line of a solution region, a hidden test, a model answer, a misconception or an alternative solution.
Three rules decide whether a public file gives one away; what the released notebooks print anyway is no secret.

1. Text: a secret line of at least 30 characters (blanks joined, comment cut off) stands in a public file.
2. Sequence: two secret statements that follow each other, 30 characters together, follow each other in public code too.
3. Name: a public function contains a secret statement of at least 12 characters of the function with the same name.

For hidden tests, which are mostly public calls, 1 asks for 40 characters and 2 for 60, and making a seeded generator is
no secret. So `return x` alone is nobody's secret, and a public test may use the same calls as a hidden one, but no
public file may take the same steps as a solution.
"""

import ast
import itertools
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tito.course import Course
from tito.registry import Module
from tito.sources.cells import read_cells
from tito.sources.markers import HIDDEN_TESTS, SOLUTION, region
from tito.sources.variants import KINDS, variant_paths

ANSWER_LENGTHS = (30, 30)  # characters of a line, and of two statements, from which they are a secret
TEST_LENGTHS = (40, 60)
NAMED_LENGTH = 12
GENERATOR = re.compile(r"\w+ = np\.random\.default_rng\(\w*\)")
TEXT_SUFFIXES = {".py", ".ipynb", ".md", ".txt", ".toml", ".cfg", ".json", ".yml", ".yaml", ".html", ".csv", ""}


@dataclass(frozen=True)
class Leak:
    """One secret in a public file: where it is, where it comes from, and the text."""

    path: Path
    line: int
    origin: str
    text: str


@dataclass
class Secrets:
    """What must not become public; each maps the secret to its origin in words."""

    lines: dict[str, str] = field(default_factory=dict)
    pairs: dict[str, str] = field(default_factory=dict)
    named: dict[tuple[str, str], str] = field(default_factory=dict)

    def forget(self, public: "Secrets") -> None:
        """Drop what is public already."""
        self.lines = {text: origin for text, origin in self.lines.items() if text not in public.lines}
        self.pairs = {text: origin for text, origin in self.pairs.items() if text not in public.pairs}
        self.named = {key: origin for key, origin in self.named.items() if key not in public.named}

    def add(self, source: str, kept: set[int], origin: str, lengths: tuple[int, int] = ANSWER_LENGTHS) -> None:
        """Add the lines (1-based numbers `kept`) of a source text, and their statements when it is Python."""
        line_length, pair_length = lengths
        for number, line in enumerate(source.splitlines(), start=1):
            text = tidy(line)
            if number in kept and len(text) >= line_length and not GENERATOR.fullmatch(text):
                self.lines.setdefault(text, origin)
        for name, statements in _sequences(source):
            inside = [(node, text) for node, text in statements if node.lineno in kept]
            for _, text in inside:
                if name and len(text) >= NAMED_LENGTH:
                    self.named.setdefault((name, text), origin)
            for (_, first), (_, second) in itertools.pairwise(inside):
                if len(first) + len(second) >= pair_length:
                    self.pairs.setdefault(f"{first}\n{second}", origin)


def tidy(line: str) -> str:
    """Return a line without indentation, doubled blanks and trailing comment."""
    text = " ".join(line.split())
    return text if text.startswith("#") else re.sub(r"\s+#\s.*$", "", text)


def gather_secrets(course: Course, modules: Iterable[Module]) -> Secrets:
    """Collect what the sources, misconceptions and alternatives of the modules hide."""
    secrets, public = Secrets(), Secrets()
    for module in modules:
        for cell in read_cells(course.built(module)):
            answer, test = (set(region(cell.lines, kind) or ()) for kind in (SOLUTION, HIDDEN_TESTS))
            origin = f"cell {cell.name} of {module.folder}"
            every = _all_lines(cell.source)
            if cell.nbgrader.get("solution") and cell.kind == "markdown":
                answer = every
            secrets.add(cell.source, answer, origin)
            secrets.add(cell.source, test, origin, TEST_LENGTHS)
            public.add(cell.source, every - answer - test, origin)
        for kind in KINDS:
            for path in variant_paths(course, module, kind):
                text = path.read_text(encoding="utf-8")
                secrets.add(text, _all_lines(text), f"{kind}/{path.name} of {module.folder}")
    secrets.forget(public)
    return secrets


def _all_lines(source: str) -> set[int]:
    return set(range(1, len(source.splitlines()) + 1))


def _sequences(source: str) -> Iterator[tuple[str, list[tuple[ast.stmt, str]]]]:
    """Yield each list of statements of a Python text with the name of the function around it."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return
    yield from _walk(tree, "")


def _walk(node: ast.AST, name: str) -> Iterator[tuple[str, list[tuple[ast.stmt, str]]]]:
    inner = node.name if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else name
    for block in ("body", "orelse", "finalbody"):
        statements = getattr(node, block, None)
        if isinstance(statements, list):
            yield inner, [(s, ast.unparse(s)) for s in statements if not _is_docstring(s)]
    for child in ast.iter_child_nodes(node):
        yield from _walk(child, inner)


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def read_texts(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield every text file below a folder; a notebook as one text per cell, outputs included."""
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.suffix not in TEXT_SUFFIXES:
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        if path.suffix != ".ipynb":
            yield path, text
            continue
        for cell in json.loads(text)["cells"]:
            yield path, "".join(cell["source"])
            yield path, "\n".join(_strings(cell.get("outputs", [])))


def _strings(value: object) -> Iterator[str]:
    """Every text inside a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _strings(inner)


def find_leaks(secrets: Secrets, texts: Iterable[tuple[Path, str]]) -> list[Leak]:
    """Return the secrets that stand in public texts; a line number counts within the file, or the notebook's cell."""
    leaks = []
    for path, text in texts:
        for number, line in enumerate(text.splitlines(), start=1):
            secret = tidy(line)
            if secret in secrets.lines:
                leaks.append(Leak(path, number, secrets.lines[secret], secret))
        for name, statements in _sequences(text):
            leaks += _statement_leaks(secrets, path, name, statements)
    return leaks


def _statement_leaks(secrets: Secrets, path: Path, name: str, statements: list[tuple[ast.stmt, str]]) -> list[Leak]:
    leaks = []
    for node, text in statements:
        if (name, text) in secrets.named:
            leaks.append(Leak(path, node.lineno, secrets.named[name, text], text.splitlines()[0]))
    for (node, first), (_, second) in itertools.pairwise(statements):
        pair = f"{first}\n{second}"
        if pair in secrets.pairs:
            leaks.append(Leak(path, node.lineno, secrets.pairs[pair], first.splitlines()[0]))
    return leaks
