"""How much of a source is what: guides for authors, not rules."""

from dataclasses import dataclass

from tito.lint.source import Source

EXPORTED_AT_LEAST, PROSE_AT_MOST, TESTS_AT_MOST = 25, 35, 20  # percent of the lines that are not blank


@dataclass(frozen=True)
class Shares:
    """Lines of a source that are not blank, and the percentages of them that are exported code, prose and tests."""

    lines: int
    exported: float
    prose: float
    tests: float


def shares(source: Source) -> Shares:
    """Count a source's lines by what they are for."""
    count = {"exported": 0, "prose": 0, "tests": 0, "other": 0}
    for cell in source.cells:
        if cell.kind == "markdown":
            kind = "prose"
        elif cell.exported:
            kind = "exported"
        elif cell.nbgrader.get("grade") or "def test_" in cell.source:
            kind = "tests"
        else:
            kind = "other"
        count[kind] += sum(bool(line.strip()) for line in cell.lines)
    total = sum(count.values())
    percent = {kind: 100 * lines / max(total, 1) for kind, lines in count.items()}
    return Shares(total, percent["exported"], percent["prose"], percent["tests"])
