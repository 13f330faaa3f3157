"""Which cell of a submission is which cell of the pristine notebook, whatever became of names, places and metadata."""

from collections import defaultdict
from dataclasses import replace
from functools import cached_property

from tito.engine.reading import Submission
from tito.engine.releases import is_earlier
from tito.engine.skeleton import Skeleton, Slot, defined_names, with_directives
from tito.sources.cells import Cell
from tito.sources.package_file import STRAY_DIRECTIVE
from tito.sources.syntax import parse, shared_names


def same_text(one: str, other: str) -> bool:
    """Whether two texts differ only in trailing blanks and empty lines at the ends."""
    return one == other or _tidy(one) == _tidy(other)


def _tidy(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


class Layout:
    """Which submitted cell belongs to which slot."""

    def __init__(self, submission: Submission, skeleton: Skeleton) -> None:
        self.cells = submission.cells
        self.slots = skeleton.slots
        self.found: dict[int, Cell] = {}  # slot index -> submitted cell
        self.places: dict[int, int] = {}  # slot index -> position in the submission
        self.taken: set[int] = set()
        self.found_late: dict[int, str] = {}  # slot index -> how it was recognised without its grade_id
        self.twice: dict[int, int] = {}  # slot index -> how often it was there
        self.notes: list[str] = []  # what was joined
        self.known = {slot.grade_id for slot in self.slots if slot.grade_id}

    def _take(self, slot: Slot, position: int, how: str = "") -> None:
        self.found[slot.index], self.places[slot.index] = self.cells[position], position
        self.taken.add(position)
        if how:
            self.found_late[slot.index] = how

    def free(self) -> list[int]:
        """The positions of cells that are none of the module's and taken for none."""
        return [i for i, cell in enumerate(self.cells) if i not in self.taken and cell.grade_id not in self.known]

    def match_by_metadata(self) -> None:
        """Use `grade_id`, then the cell id; of several copies the last edited one counts, and the parts of a split."""
        positions: defaultdict[str, list[int]] = defaultdict(list)
        for position, cell in enumerate(self.cells):
            positions[cell.grade_id].append(position)
        for slot in self.slots:
            if named := positions[slot.grade_id] if slot.grade_id else []:
                edited = [i for i in named if not same_text(self.cells[i].source, slot.shown)]
                self._take(slot, (edited or named)[-1])
                self.taken.update(named)
                if len(named) > 1 and not self._join(slot, named):
                    self.twice[slot.index] = len(named)
        for slot in self.slots:
            if slot.index not in self.found:
                same_id = [i for i in self.free() if slot.id and self.cells[i].id == slot.id]
                if same_id:
                    self._take(slot, same_id[-1], "its cell id")
        for slot in self.slots:
            if slot.index not in self.found and not slot.answer:
                same = [i for i in self.free() if same_text(self.cells[i].source, slot.shown)]
                if same:
                    self._take(slot, same[0], "its text")

    def _join(self, slot: Slot, named: list[int]) -> bool:
        """Put the parts of a split answer together again: one of them defines what is asked for, the others do not."""
        parts = [self.cells[i] for i in named]
        whole = "\n".join(part.source for part in parts)
        split = slot.answer and sum(not slot.names.isdisjoint(defined_names(part.source)) for part in parts) == 1
        if not split or not slot.names <= shared_names(whole).bound:
            return False
        self.found[slot.index], self.places[slot.index] = replace(parts[0], source=whole), named[0]
        self.notes.append(f"Cell {slot.label} was split into {len(parts)} cells; they were put together.")
        return True

    def match_by_name(self) -> None:
        """Recognise code answers by what they define; the last definition counts, as it does when cells run."""
        for slot in self._code_answers():
            if slot.index not in self.found:
                place = self._defining(slot.names)
                if place is not None:
                    self._take(slot, place, f"the name '{min(slot.names)}' that it defines")

    def match_own(self) -> None:
        """Where an answer cell does not define what it is asked for, take the student's own cell that does."""
        for slot in self._code_answers():
            if slot.index not in self.found:
                continue
            answer = self.found[slot.index]
            blank = slot.unwritten(answer.source)
            missing = slot.names if blank else slot.names - defined_names(answer.source)
            place = self._defining(missing)
            if place is not None:
                own = self.cells[place].source
                self.found[slot.index] = replace(answer, source=own if blank else f"{answer.source}\n\n{own}")
                self.taken.add(place)
                name = min(missing)
                self.notes.append(f"'{name}' stood in a cell of your own and was put into answer cell {slot.label}.")

    def match_merged(self) -> None:
        """Where an answer is deleted or blank, take it out of the other answer's cell that it was merged into."""
        for slot in self._code_answers():
            if slot.index in self.found and not slot.unwritten(self.found[slot.index].source):
                continue
            for other in self._code_answers():
                cell = self.found.get(other.index)
                if cell and other is not slot and slot.names <= defined_names(cell.source) - other.names:
                    self._move(slot, other, cell)
                    break

    def _move(self, slot: Slot, other: Slot, cell: Cell) -> None:
        what = f"The answer of cell {slot.label}"
        try:
            moved, rest = _without(cell.source, slot.names)
        except (SyntaxError, ValueError):
            self.found.setdefault(slot.index, replace(cell, source=slot.shown))
            told = f"{what} stands in answer cell {other.label}, which is no Python yet: put that right first."
            self.notes.append(told)
            return
        self.found[slot.index] = replace(cell, source=with_directives(moved, slot.shown, slot.kind)[0])
        self.found[other.index] = replace(cell, source=rest)
        told = f"{what} stood in answer cell {other.label} and was moved back; keep each answer in its own cell."
        self.notes.append(told)

    def _code_answers(self) -> list[Slot]:
        return [slot for slot in self.slots if slot.answer and slot.names]

    def _defining(self, names: frozenset[str]) -> int | None:
        """The free cell that defines the most of some names, the last of several; None when none does."""
        shares = {i: len(names & defined_names(self.cells[i].source)) for i in self.free()}
        return max((i for i, share in shares.items() if share and share == max(shares.values())), default=None)

    def match_by_place(self) -> None:
        """Recognise written answers by the cell before them, their question."""
        for slot in self.slots:
            if slot.answer and slot.kind == "markdown" and slot.index and slot.index not in self.found:
                following = self.places.get(slot.index - 1, -2) + 1
                if following in self.free():
                    self._take(slot, following, "its place after the question")

    def repairs(self) -> list[str]:
        """Everything that was put right, one sentence each, in the order of the notebook."""
        notes = list(self.notes)
        self.bare = not any(cell.grade_id in self.known for cell in self.cells)
        if self.bare:
            notes.append("All nbgrader metadata was lost; answers were recognised by cell id, name or place.")
        deleted = [s for s in self.slots if s.kind == "code" and not s.answer and s.index not in self.found]
        if len(deleted) == 1:
            notes.append(f"{deleted[0].sort} cell {deleted[0].label} was deleted; the original was used.")
        elif deleted:
            labels = ", ".join(slot.label for slot in deleted)
            notes.append(f"{len(deleted)} given and test cells were deleted: {labels}; the originals were used.")
        for slot in self.slots:
            notes += self._slot_repairs(slot)
        order = [self.places[slot.index] for slot in self.slots if slot.index in self.places]
        if order != sorted(order):
            notes.append("Cells had been moved; they were run in the original order.")
        return notes

    def _slot_repairs(self, slot: Slot) -> list[str]:
        if slot.index not in self.found:
            return [f"Answer cell {slot.label} was not found; it counts as not answered."] if slot.answer else []
        cell, notes = self.found[slot.index], []
        if slot.answer and slot.index in self.found_late and not self.bare:
            notes.append(
                f"Cell {slot.label} had lost its metadata; it was recognised by {self.found_late[slot.index]}."
            )
        if slot.index in self.twice:
            which = "the last edited one was used" if slot.answer else "the original was used"
            notes.append(f"Cell {slot.label} was there {self.twice[slot.index]} times; {which}.")
        if cell.kind != slot.kind:
            notes.append(f"Cell {slot.label} had been turned into {cell.kind}; it was used as {slot.kind}.")
        if slot.index in self.earlier:
            return notes
        if not slot.answer and slot.kind == "code" and not same_text(cell.source, slot.shown):
            notes.append(f"{slot.sort} cell {slot.label} had been edited; the original was used.")
        if slot.index not in self.found_late and self._other_points(slot):
            notes.append(f"The points of cell {slot.label} had been changed; the original {slot.points:g} were used.")
        return notes

    def _other_points(self, slot: Slot) -> bool:
        return slot.points is not None and self.found[slot.index].nbgrader.get("points") != slot.points

    @cached_property
    def earlier(self) -> set[int]:
        """The slots whose cells are as an earlier release had them."""
        found = [slot for slot in self.slots if slot.index in self.found]
        other = [
            slot
            for slot in found
            if self._other_points(slot)
            or (not slot.answer and slot.kind == "code" and not same_text(self.found[slot.index].source, slot.shown))
        ]
        return {slot.index for slot in other if is_earlier(self.found[slot.index], slot)}


def _without(source: str, names: frozenset[str]) -> tuple[str, str]:
    """Split a cell's text into the definitions of `names`, with the directives above them, and the rest.

    Raises:
        SyntaxError, ValueError: it is not Python.
    """
    lines = source.splitlines()
    moved: set[int] = set()
    for node in parse(source).body:
        first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", []))]) - 1
        if defined_names("\n".join(lines[first : node.end_lineno])) & names:
            while first and STRAY_DIRECTIVE.match(lines[first - 1]):
                first -= 1
            moved.update(range(first, node.end_lineno or 0))
    parts = ([line for i, line in enumerate(lines) if (i in moved) is inside] for inside in (True, False))
    taken, rest = ("\n".join(part).strip("\n") for part in parts)
    return taken, rest
