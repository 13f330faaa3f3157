"""How strict the tests of a module are: the killed mutants of all that are not equivalent."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tito.course import Course
from tito.errors import CourseError
from tito.files import write_atomic
from tito.mutation.equivalents import Equivalent, Key, read_equivalents, stale
from tito.mutation.measure import Outcome, answers, keys, solved, trial
from tito.mutation.mutants import ARITHMETIC, IDENTITY, ORDER, OTHERS
from tito.registry import Module
from tito.release.beliefs import CHECKS, LAB

LEAST_CELL, LEAST_MODULE = 0.95, 0.99
GENERATED = "by `tito mutate`; do not edit"


@dataclass(frozen=True)
class Score:
    """What became of the mutants of one answer, or of several.

    name:       the answer's grade_id, or the module's folder.
    killed:     how many the test noticed.
    equivalent: how many compute the same, as a person has found.
    survivors:  the others, in words: with each of them the test passes a wrong answer.
    """

    name: str
    killed: int
    equivalent: int
    survivors: tuple[str, ...]

    @property
    def share(self) -> float:
        """Killed of all that could be; 1 where there was nothing to kill."""
        wrong = self.killed + len(self.survivors)
        return self.killed / wrong if wrong else 1.0


def measure(course: Course, module: Module) -> Iterator[Score]:
    """The score of each answer of a module, one after the other.

    Raises:
        CourseError: an answer does not pass its own test; a reviewed equivalent belongs to no mutant, which is said
            before anything runs, or its test notices it, which is said at the end.
    """
    equivalents = read_equivalents(course, module)
    _refuse(course, module, "are mutants no more", stale(equivalents, keys(solved(course, module))))
    known, killed = {one.key for one in equivalents}, set[Key]()
    with trial(course, module) as run:
        for place, test in answers(run.notebook).items():
            outcomes = list(run.outcomes(place, test))
            killed |= {one.key for one in outcomes if one.killed}
            yield _score(run.notebook.cells[place].id, outcomes, known)
    _refuse(course, module, "are noticed by the tests", [one for one in equivalents if one.key in killed])


def _refuse(course: Course, module: Module, why: str, wrong: list[Equivalent]) -> None:
    if wrong:
        entries = "; ".join(f"{one.cell}: {one.after}" for one in wrong)
        raise CourseError(
            f"These equivalents of {module.folder} {why}: {entries}.",
            f"Remove them from {course.shown(course.tests(module) / 'equivalents.toml')}.",
        )


def _score(name: str, outcomes: list[Outcome], known: set[Key]) -> Score:
    killed = sum(one.killed for one in outcomes)
    left = [one for one in outcomes if not one.killed]
    survivors = tuple(
        f"{one.cell}, line {one.mutant.line}: {one.mutant.before}  ->  {one.mutant.after}"
        for one in left
        if one.key not in known
    )
    return Score(name, killed, len(left) - len(survivors), survivors)


def together(name: str, scores: Iterable[Score]) -> Score:
    """One score for several answers."""
    scores = list(scores)
    survivors = tuple(words for one in scores for words in one.survivors)
    return Score(name, sum(one.killed for one in scores), sum(one.equivalent for one in scores), survivors)


def weak(scores: list[Score]) -> list[str]:
    """What falls below the limits, in words."""
    whole = together("all answers", scores)
    found = [f"{one.name} {one.share:.1%}" for one in scores if one.share < LEAST_CELL]
    return found + ([f"{whole.name} {whole.share:.1%}"] if whole.share < LEAST_MODULE else [])


def fingerprint(course: Course, module: Module) -> str:
    """A hash of all that a score depends on: the code of the page, the equivalents, the operators and the checks."""
    code = [cell.source for cell in solved(course, module).cells if cell.cell_type == "code"]
    equal = sorted(one.key for one in read_equivalents(course, module))
    checks = [(LAB / name).read_text(encoding="utf-8") for name in CHECKS]
    facts = [code, equal, ARITHMETIC, ORDER, IDENTITY, OTHERS, checks]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def up_to_date(course: Course, module: Module) -> bool:
    """Whether the recorded score belongs to the page as it is."""
    path = course.mutation(module)
    return path.is_file() and json.loads(path.read_text(encoding="utf-8"))["of"] == fingerprint(course, module)


def record(course: Course, module: Module, scores: list[Score]) -> None:
    """Write a module's scores beside its tests."""
    cells = [
        {"name": one.name, "killed": one.killed, "equivalent": one.equivalent, "survivors": list(one.survivors)}
        for one in scores
    ]
    facts = {"generated": GENERATED, "of": fingerprint(course, module), "answers": cells}
    write_atomic(course.mutation(module), json.dumps(facts, indent=1, ensure_ascii=False) + "\n")


def read_record(course: Course, module: Module) -> list[Score]:
    """The recorded scores of a module.

    Raises:
        CourseError: there are none.
    """
    path = course.mutation(module)
    if not path.is_file():
        raise CourseError(f"{course.shown(path)} is missing.", f"Run 'tito mutate {module.number:02d}'.")
    cells = json.loads(path.read_text(encoding="utf-8"))["answers"]
    return [Score(cell["name"], cell["killed"], cell["equivalent"], tuple(cell["survivors"])) for cell in cells]
