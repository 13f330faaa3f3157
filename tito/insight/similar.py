"""Pairs of submissions whose answers are alike, by the fingerprints of copydetect.

The method is winnowing (S. Schleimer, D. Wilkerson and A. Aiken, SIGMOD 2003): names do not count. What the release
notebook holds is left out, and so is what a good part of the class has, since a short answer has few right forms. Alike
is a reason to read both, and no proof of anything.
"""

import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from nbformat.notebooknode import NotebookNode

K, WINDOW = 25, 6  # copydetect's defaults: a match of 25 signs may be found, one of 30 is
COMMON, FEW = 0.2, 3  # what more than a fifth of the class and more than three students have tells nothing
ALIKE, FEWEST = 0.5, 4  # share, and number, of rare fingerprints that two have in common


@dataclass(frozen=True)
class Pair:
    """Two students of one module.

    share: how many of the rare fingerprints of the one that has fewer are found in the other, 0 to 1.
    """

    one: str
    other: str
    share: float


def pairs(notebooks: dict[str, NotebookNode], release: NotebookNode) -> list[Pair]:
    """The pairs that are alike, the closest first."""
    given = _fingerprints(release)
    prints = {student: _fingerprints(notebook) - given for student, notebook in sorted(notebooks.items())}
    often = Counter(mark for marks in prints.values() for mark in marks)
    limit = max(FEW, COMMON * len(prints))
    rare = {student: {mark for mark in marks if often[mark] <= limit} for student, marks in prints.items()}
    return sorted(_alike(rare), key=lambda pair: (-pair.share, pair.one, pair.other))


def _alike(rare: dict[str, set[int]]) -> Iterator[Pair]:
    for (one, first), (other, second) in combinations(rare.items(), 2):
        both = len(first & second)
        if both >= FEWEST and both >= ALIKE * min(len(first), len(second)):
            yield Pair(one, other, both / min(len(first), len(second)))


def _fingerprints(notebook: NotebookNode) -> set[int]:
    """The fingerprints of the code that a student writes."""
    from copydetect import CodeFingerprint

    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    answers = "\n".join(cell.source for cell in cells if cell.metadata.get("nbgrader", {}).get("solution"))
    return set(CodeFingerprint("answers.py", K, WINDOW, language="python", fp=io.StringIO(answers)).hashes)
