"""Gather what must not become public: solution regions, hidden tests, model answers, misconceptions and alternatives.

A secret has four forms, so that it is found whatever it is pasted into:

- line:  a line of at least 30 characters; 40 in a hidden test, which is mostly public calls.
- pair:  two lines in a row, of any length; 40 characters together in a hidden test, whose calls are laid out on many
         short lines. This is the rule that has no exception.
- steps: two statements in a row, 30 characters together (60 in a hidden test), however they are laid out.
- named: a statement of at least 12 characters, in a function of the same name.

Only single lines are exempt: those of `idioms.py`, and a line of a hidden test that its own cell shows above. A
misconception or alternative repeats the given code of the cell that it answers; those lines are public, the others are
its secret. Lines of brackets alone are passed over.
"""

import ast
import copy
import itertools
import re
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from tito.course import Course
from tito.registry import Module
from tito.release.idioms import IDIOMS
from tito.sources.cells import Cell, read_cells
from tito.sources.markers import HIDDEN_TESTS, SOLUTION, region
from tito.sources.variants import CELL, KINDS, variant_paths

ANSWER_LENGTHS = (30, 0, 30)  # characters of a line, of two lines, of two statements, from which they are a secret
TEST_LENGTHS = (40, 40, 60)
NAMED_LENGTH = 12
BLOCKS = ("body", "orelse", "finalbody", "handlers")
GENERATOR = re.compile(r"\w+ = np\.random\.default_rng\(\w*\)")  # a seeded generator is nobody's idea
DECORATION = re.compile(r"^(?:(?:>>>|\.\.\.|[>#*+-]+) )+")  # of comments, doctests, quotations and lists


@dataclass(frozen=True)
class Line:
    """One line without its layout.

    part:   what to call the part of a file in which it stands; "" for a whole file.
    number: its number in there, 1-based.
    code:   whether it can be a line of code, for it is no comment and stands in no text cell.
    """

    part: str
    number: int
    text: str
    code: bool


Statements = list[tuple[ast.stmt, str]]  # statements of one block, each with its text in Python's own layout


@dataclass
class Secrets:
    """What must not become public; each maps the secret to its origin in words."""

    lines: dict[str, str] = field(default_factory=dict)
    pairs: dict[tuple[str, str], str] = field(default_factory=dict)
    steps: dict[tuple[str, str], str] = field(default_factory=dict)
    named: dict[tuple[str, str], str] = field(default_factory=dict)

    def add(
        self,
        source: str,
        kept: set[int],
        origin: str,
        lengths: tuple[int, int, int] = ANSWER_LENGTHS,
        shown: AbstractSet[str] = frozenset(),
    ) -> None:
        """Add the lines (1-based numbers `kept`) of a source text, and their statements when it is Python.

        Args:
            lengths: from which a line, two lines and two statements are a secret.
            shown:   lines that are none by themselves.
        """
        shortest_line, shortest_pair, shortest_steps = lengths
        lines = tidy_lines(source)
        for line in lines:
            short = len(line.text) < shortest_line or line.text in shown
            if line.number in kept and not short and not GENERATOR.fullmatch(line.text):
                self.lines.setdefault(line.text, origin)
        for first, second in neighbours(lines):
            if {first.number, second.number} <= kept and len(first.text) + len(second.text) >= shortest_pair:
                self.pairs.setdefault((first.text, second.text), origin)
        spelt = _statements(shown)
        for name, statements in sequences(source):
            inside = [(node, text) for node, text in statements if node.lineno in kept]
            for _, text in inside:
                if name and len(text) >= NAMED_LENGTH and text not in spelt:
                    self.named.setdefault((name, text), origin)
            for (_, before), (_, after) in itertools.pairwise(inside):
                if len(before) + len(after) >= shortest_steps:
                    self.steps.setdefault((before, after), origin)

    def exempt(self, idioms: Iterable[str]) -> None:
        """Forget single lines and statements; two in a row stay secret."""
        for idiom in idioms:
            self.lines.pop(tidy(idiom), None)
            spelt = _statements([idiom])
            self.named = {key: origin for key, origin in self.named.items() if key[1] not in spelt}


def gather_secrets(course: Course, modules: Iterable[Module]) -> Secrets:
    """Collect what the notebooks, misconceptions and alternatives of `modules` hide, as far as they are there."""
    secrets = Secrets()
    for module in modules:
        given: dict[str, set[str]] = {}
        for cell in _cells(course, module):
            hidden = _hide(secrets, cell, f"cell {cell.name} of {module.folder}")
            given[cell.grade_id] = {line.text for line in tidy_lines(cell.source) if line.number not in hidden}
        for kind in KINDS:
            for path in variant_paths(course, module, kind):
                text = path.read_text(encoding="utf-8")
                secrets.add(text, _own_lines(text, given), f"{kind}/{path.name} of {module.folder}")
    secrets.exempt(IDIOMS)
    return secrets


def tidy(line: str) -> str:
    """Return a line without indentation, doubled blanks, trailing comment, and signs of a comment or a list."""
    text = " ".join(line.split())
    if not text.startswith("#"):
        text = re.sub(r"\s+#\s.*$", "", text)
    return DECORATION.sub("", text).strip("`")


def tidy_lines(source: str, part: str = "", code: bool = True) -> list[Line]:
    """The lines of a text that hold more than brackets, tidied."""
    numbered = enumerate(source.splitlines(), start=1)
    lines = [Line(part, number, tidy(line), code and not line.lstrip().startswith("#")) for number, line in numbered]
    return [line for line in lines if re.search(r"\w", line.text)]


def neighbours(lines: list[Line]) -> Iterator[tuple[Line, Line]]:
    """Every two lines in a row: as they are read, and once more without what is no code."""
    yield from itertools.pairwise(lines)
    if not all(line.code for line in lines):
        yield from itertools.pairwise(line for line in lines if line.code)


def _statements(lines: Iterable[str]) -> set[str]:
    """The lines that are whole statements, in Python's own layout."""
    return {text for line in lines for _, statements in sequences(line) for _, text in statements}


def sequences(source: str) -> Iterator[tuple[str, Statements]]:
    """Yield each list of statements of a Python text with the name of the function around it."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return
    yield from _walk(tree, "")


def _walk(node: ast.AST, name: str) -> Iterator[tuple[str, Statements]]:
    inner = node.name if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else name
    for block in BLOCKS:
        statements = getattr(node, block, None)
        if isinstance(statements, list):
            yield inner, [(s, _text(s)) for s in statements if not _is_docstring(s)]
    for child in ast.iter_child_nodes(node):
        yield from _walk(child, inner)


def _text(statement: ast.stmt) -> str:
    """A statement in Python's own layout; of one with a block only its head, for blocks are looked at by themselves."""
    blocks: dict[str, list[ast.stmt]] = {
        block: [] for block in BLOCKS if isinstance(getattr(statement, block, None), list)
    }
    if not blocks:
        return ast.unparse(statement)
    head = copy.copy(statement)
    vars(head).update(blocks)
    return ast.unparse(head)


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _cells(course: Course, module: Module) -> list[Cell]:
    """The module's cells: of the notebook that is released or, before it is built, of the teaching source."""
    paths = (course.built(module), course.teaching_source(module))
    return next((read_cells(path) for path in paths if path.is_file()), [])


def _hide(secrets: Secrets, cell: Cell, origin: str) -> set[int]:
    """Add what a cell hides; returns the numbers of those lines."""
    answer, test = (set(region(cell.lines, kind) or ()) for kind in (SOLUTION, HIDDEN_TESTS))
    if cell.nbgrader.get("solution") and cell.kind == "markdown":
        answer = set(range(1, len(cell.lines) + 1))
    secrets.add(cell.source, answer, origin)
    shown = {line.text for line in tidy_lines(cell.source) if line.number not in answer | test}
    secrets.add(cell.source, test, origin, TEST_LENGTHS, shown)
    return answer | test


def _own_lines(text: str, given: dict[str, set[str]]) -> set[int]:
    """The numbers of a variant's lines below its belief that do not stand in the given part of the cell they answer."""
    own, public = set(), set[str]()
    belief = ast.parse(text).body[0]  # is told to whoever holds it (`tito/lab/beliefs/`), so it is no secret
    for number, line in enumerate(text.splitlines(), start=1):
        if number <= (belief.end_lineno or 0):
            continue
        mark = CELL.match(line)
        if mark:
            public = given.get(mark[1], set())
        elif tidy(line) not in public:
            own.add(number)
    return own
