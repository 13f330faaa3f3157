"""Mutants of an answer: its solution with one small change each, made by the operators of cosmic-ray.

Source: J. Offutt and others, "An experimental determination of sufficient mutant operators", TOSEM 5, 1996, for the
choice of operators; https://cosmic-ray.readthedocs.io for their definitions.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from tito.errors import CourseError
from tito.sources.markers import SOLUTION, region

ARITHMETIC = ("Add", "Sub", "Mul", "Div", "FloorDiv", "Mod", "Pow")  # on floats, bits and shifts just raise
ORDER = ("Eq", "NotEq", "Lt", "LtE", "Gt", "GtE")
IDENTITY = ("Is", "IsNot")
OTHERS = (
    "AddNot", "NumberReplacer", "ReplaceAndWithOr", "ReplaceBreakWithContinue", "ReplaceContinueWithBreak",
    "ReplaceFalseWithTrue", "ReplaceOrWithAnd", "ReplaceTrueWithFalse", "ReplaceUnaryOperator_Delete_Invert",
    "ReplaceUnaryOperator_Delete_Not", "ReplaceUnaryOperator_Delete_USub", "ReplaceUnaryOperator_USub_UAdd",
    "ZeroIterationForLoop",
)  # fmt: skip
OUR_OWN = ("strict=True", "strict=False")  # of zip: a check on our own code, not a part of the answer


@dataclass(frozen=True)
class Mutant:
    """One changed answer.

    line:   number of the changed line in the cell, 1-based.
    before: that line as the answer has it, without needless blanks.
    after:  the same line as the mutant has it.
    source: the whole cell with the change.
    """

    line: int
    before: str
    after: str
    source: str


@cache
def mutants(cell: str) -> tuple[Mutant, ...]:
    """Every mutant of the solution in the text of a cell, each text once, from its first line to its last."""
    inside = region(cell.splitlines(), SOLUTION) or []
    found = {mutant.source: mutant for operator in _operators() for mutant in _changes(cell, operator)}
    kept = [one for one in found.values() if one.line in inside and one.before.replace(*OUR_OWN) != one.after]
    return tuple(sorted(kept, key=lambda one: (one.line, one.after)))


@cache
def _operators() -> list[Any]:
    try:
        from cosmic_ray.plugins import get_operator
    except ModuleNotFoundError as missing:
        if missing.name != "cosmic_ray":
            raise
        cure = "Run 'pip install -r requirements/mutation.txt'."
        raise CourseError("cosmic-ray is not installed.", cure) from None
    pairs = [
        f"Replace{kind}Operator_{one}_{other}"
        for kind, names in (("Binary", ARITHMETIC), ("Comparison", ORDER), ("Comparison", IDENTITY))
        for one in names
        for other in names
        if one != other
    ]
    return [get_operator(f"core/{name}")() for name in (*pairs, *OTHERS)]


def _changes(cell: str, operator: Any) -> Iterator[Mutant]:
    """The mutants that one operator makes."""
    from cosmic_ray.mutating import mutate_code

    lines, occurrence = cell.splitlines(), 0
    while (changed := mutate_code(cell, operator, occurrence)) is not None:
        occurrence += 1
        pairs = zip(lines, changed.splitlines(), strict=False)
        number = next((i for i, (old, new) in enumerate(pairs) if old != new), None)
        if number is not None:
            before, after = (" ".join(text[number].split()) for text in (lines, changed.splitlines()))
            yield Mutant(number + 1, before, after, changed)
