"""Lay a student's answers onto the pristine notebook, and say in words what had to be put right."""

from dataclasses import dataclass, replace

from nbformat.notebooknode import NotebookNode

from tito.engine.reading import Submission, Unreadable, format_repairs
from tito.engine.skeleton import Skeleton, Slot, defined_names
from tito.sources.cells import Cell
from tito.sources.package_file import STRAY_DIRECTIVE
from tito.sources.syntax import shared_names

MOVE_HELPERS = "put helpers into the answer cell that uses them."


@dataclass(frozen=True)
class Normalised:
    """A pristine notebook with the student's answers in it.

    notebook: ready to run; every given and test cell is the instructor's.
    repairs:  what differed from the released notebook and was put right, one sentence each.
    remarks:  what the student should know though nothing was wrong.
    """

    notebook: NotebookNode
    repairs: tuple[str, ...]
    remarks: tuple[str, ...]

    @property
    def cells(self) -> list[Cell]:
        """The notebook's cells, as `tito.sources` takes them."""
        return [
            Cell(node.cell_type, node.source, dict(node.metadata), number, id=node.get("id", ""))
            for number, node in enumerate(self.notebook.cells, start=1)
        ]


def normalise(submission: Submission, skeleton: Skeleton) -> Normalised:
    """Take only the text of the answer cells from a submission.

    A cell is recognised by its `grade_id`, then by its cell id, then by the function or class it defines, and a written
    answer by its place after its question.

    Returns:
        The pristine notebook with these texts in place, and the repairs in words.

    Raises:
        Unreadable: no answer cell of the module is in it.
    """
    layout = _Layout(submission, skeleton)
    layout.match_by_metadata()
    layout.match_by_name()
    layout.match_by_place()
    layout.match_own()
    if not any(slot.answer for slot in skeleton.slots if slot.index in layout.found):
        raise Unreadable("none of the module's answer cells is in it; perhaps it is another module's notebook")
    notebook, marks = skeleton.notebook(), []
    for slot in skeleton.slots:
        if slot.answer and slot.index in layout.found:
            source, changed = with_directives(layout.found[slot.index].source, slot.shown, slot.kind)
            notebook.cells[slot.index].source = source
            marks += [f"The '#|' lines of cell {slot.label} had been changed; they were put back."] if changed else []
    repairs = [*submission.repairs, *layout.repairs(), *format_repairs(submission)]
    return Normalised(notebook, tuple(repairs), (*marks, *layout.remarks()))


def with_directives(source: str, shown: str, kind: str) -> tuple[str, bool]:
    """Give an answer the `#|` lines of the released cell, which decide what is exported.

    Returns:
        The text, and whether it had others.
    """
    have, want = Cell(kind, source, {}, 0), Cell(kind, shown, {}, 0)
    strays = [number for number, line in enumerate(have.lines) if kind == "code" and STRAY_DIRECTIVE.match(line)]
    if have.directives == want.directives and strays == list(range(len(want.directives))):
        return source, False
    rest = [line for number, line in enumerate(have.lines) if number not in strays]
    return "\n".join([*want.lines[: len(want.directives)], *rest]), True


def same_text(one: str, other: str) -> bool:
    """Whether two texts differ only in trailing blanks and empty lines at the ends."""
    return _tidy(one) == _tidy(other)


def _tidy(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


class _Layout:
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

    def _free(self) -> list[int]:
        return [i for i, cell in enumerate(self.cells) if i not in self.taken and cell.grade_id not in self.known]

    def match_by_metadata(self) -> None:
        """Use `grade_id`, then the cell id; of several copies the last edited one counts, and the parts of a split."""
        for slot in self.slots:
            named = [i for i, cell in enumerate(self.cells) if slot.grade_id and cell.grade_id == slot.grade_id]
            if named:
                edited = [i for i in named if not same_text(self.cells[i].source, slot.shown)]
                self._take(slot, (edited or named)[-1])
                self.taken.update(named)
                if len(named) > 1 and not self._join(slot, named):
                    self.twice[slot.index] = len(named)
        for slot in self.slots:
            if slot.index not in self.found:
                same_id = [i for i in self._free() if slot.id and self.cells[i].id == slot.id]
                if same_id:
                    self._take(slot, same_id[-1], "its cell id")
        for slot in self.slots:
            if slot.index not in self.found and not slot.answer:
                same = [i for i in self._free() if same_text(self.cells[i].source, slot.shown)]
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

    def match_own(self) -> None:
        """Where an answer cell does not define what it is asked for, take the student's own cell that does."""
        for slot in self.slots:
            if not slot.answer or not slot.names or slot.index not in self.found:
                continue
            answer = self.found[slot.index]
            blank = slot.unwritten(answer.source)
            missing = slot.names if blank else slot.names - defined_names(answer.source)
            own = [i for i in self._free() if missing & shared_names(self.cells[i].source).bound]
            if missing and own:
                parts = [self.cells[own[-1]].source] if blank else [answer.source, self.cells[own[-1]].source]
                self.found[slot.index] = replace(answer, source="\n\n".join(parts))
                self.taken.add(own[-1])
                name = sorted(missing)[0]
                self.notes.append(f"'{name}' stood in a cell of your own and was put into answer cell {slot.label}.")

    def match_by_name(self) -> None:
        """Recognise code answers by what they define; the last definition counts, as it does when cells run."""
        for slot in self.slots:
            if slot.answer and slot.names and slot.index not in self.found:
                overlap = {i: len(slot.names & defined_names(self.cells[i].source)) for i in self._free()}
                best = max(overlap.values(), default=0)
                if best:
                    name = sorted(slot.names)[0]
                    self._take(
                        slot, max(i for i, n in overlap.items() if n == best), f"the name '{name}' that it defines"
                    )

    def match_by_place(self) -> None:
        """Recognise written answers by the cell before them, their question."""
        for slot in self.slots:
            if slot.answer and slot.kind == "markdown" and slot.index and slot.index not in self.found:
                following = self.places.get(slot.index - 1, -2) + 1
                if following in self._free():
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
        if not slot.answer and slot.kind == "code" and not same_text(cell.source, slot.shown):
            notes.append(f"{slot.sort} cell {slot.label} had been edited; the original was used.")
        if slot.points is not None and slot.index not in self.found_late and cell.nbgrader.get("points") != slot.points:
            notes.append(f"The points of cell {slot.label} had been changed; the original {slot.points:g} were used.")
        return notes

    def remarks(self) -> list[str]:
        """What answers do to others, and cells of the student's own, which are not run."""
        return [*self._overwritten(), *self._left_out()]

    def _overwritten(self) -> list[str]:
        """Answers that take a given cell's name for something else: whatever uses it later fails elsewhere."""
        given: set[str] = set()
        notes = []
        for slot in self.slots:
            if not slot.answer and slot.kind == "code":
                given |= shared_names(slot.shown).bound
            elif slot.kind == "code" and slot.index in self.found:
                names = shared_names(self.found[slot.index].source)
                for name in sorted((names.bound - names.imported - slot.names) & given):
                    told = f"Answer cell {slot.label} gives '{name}' another meaning, also for the cells below it"
                    notes.append(f"{told}: choose another name.")
        return notes

    def _left_out(self) -> list[str]:
        own = [i for i in self._free() if self.cells[i].kind == "code" and self.cells[i].source.strip()]
        helpers = sorted(self._wanted() & {name for i in own for name in shared_names(self.cells[i].source).bound})
        if helpers:
            names = ", ".join(f"'{name}'" for name in helpers)
            return [f"Cells of your own are left out, and an answer uses {names} from there: {MOVE_HELPERS}"]
        if own:
            count, verb = ("One cell", "is") if len(own) == 1 else (f"{len(own)} cells", "are")
            return [f"{count} of your own {verb} left out: {MOVE_HELPERS}"]
        return []

    def _wanted(self) -> set[str]:
        """The names that answers use and neither an answer nor a given cell defines."""
        used: set[str] = set()
        bound: set[str] = set()
        for slot in self.slots:
            if slot.kind == "code":
                text = self.found[slot.index].source if slot.answer and slot.index in self.found else slot.shown
                names = shared_names(text)
                bound |= names.bound
                used |= names.used if slot.answer else set()
        return used - bound
