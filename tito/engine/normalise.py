"""Lay a student's answers onto the pristine notebook, and say in words what had to be put right."""

from dataclasses import dataclass, replace

from nbformat.notebooknode import NotebookNode

from tito.engine.reading import Submission, Unreadable
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
    if not any(slot.answer for slot in skeleton.slots if slot.index in layout.found):
        raise Unreadable("none of the module's answer cells is in it; perhaps it is another module's notebook")
    notebook, marks = skeleton.notebook(), []
    for slot in skeleton.slots:
        if slot.answer and slot.index in layout.found:
            source, changed = with_directives(layout.found[slot.index].source, slot.shown, slot.kind)
            notebook.cells[slot.index].source = source
            marks += [f"The '#|' lines of cell {slot.label} had been changed; they were put back."] if changed else []
    repairs = [*submission.repairs, *layout.repairs(), *_format_repairs(submission)]
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


def _format_repairs(submission: Submission) -> list[str]:
    repairs = []
    if not submission.language.lower().startswith("python"):
        repairs.append(f"The notebook was set to a '{submission.language}' kernel; it was run with Python.")
    if any(_skipped(cell) for cell in submission.cells):
        repairs.append("A cell was tagged 'skip-execution'; the tag was ignored.")
    versions = sorted({_version(cell) for cell in submission.cells if cell.grade_id} - {"3"})
    if versions:
        repairs.append(f"The nbgrader metadata had schema version {', '.join(versions)[:60]}; the original was used.")
    return repairs


def _skipped(cell: Cell) -> bool:
    tags = cell.metadata.get("tags")
    return isinstance(tags, list) and "skip-execution" in tags


def _version(cell: Cell) -> str:
    """The schema version of the metadata; what a student's file has in its place need not even be printable."""
    version = cell.nbgrader.get("schema_version")
    return str(version) if isinstance(version, int) else "none"


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
        self.joined: dict[int, int] = {}  # slot index -> of how many parts
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
                if slot.answer and len(parts := self._parts(edited, slot)) > 1:
                    whole = "\n".join(self.cells[i].source for i in parts)
                    self.found[slot.index] = replace(self.cells[parts[-1]], source=whole)
                    self.joined[slot.index] = len(parts)
                elif len(named) > 1:
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

    def _parts(self, copies: list[int], slot: Slot) -> list[int]:
        """The copies of a code cell that are parts of one answer: JupyterLab copies the metadata when a cell is split.

        Copies that define the same name are versions instead, and the last one counts.
        """
        parts: list[int] = []
        known: frozenset[str] = frozenset()
        for position in reversed(copies if slot.kind == "code" else []):
            names = defined_names(self.cells[position].source)
            if known.isdisjoint(names):
                parts.insert(0, position)
                known |= names
        return parts if slot.names <= known else []

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
        notes = []
        if not any(cell.grade_id in self.known for cell in self.cells):
            notes.append("All nbgrader metadata was lost; answers were recognised by cell id, name or place.")
        deleted = [s.label for s in self.slots if s.kind == "code" and not s.answer and s.index not in self.found]
        if len(deleted) == 1:
            notes.append(f"Given cell {deleted[0]} was deleted; the original was used.")
        elif deleted:
            notes.append(f"{len(deleted)} given cells were deleted: {', '.join(deleted)}; the originals were used.")
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
        if slot.answer and slot.index in self.found_late:
            notes.append(
                f"Cell {slot.label} had lost its metadata; it was recognised by {self.found_late[slot.index]}."
            )
        if slot.index in self.twice:
            which = "the last edited one was used" if slot.answer else "the original was used"
            notes.append(f"Cell {slot.label} was there {self.twice[slot.index]} times; {which}.")
        if slot.index in self.joined:
            notes.append(f"Cell {slot.label} was split into {self.joined[slot.index]} cells; they were put together.")
        if cell.kind != slot.kind:
            notes.append(f"Cell {slot.label} had been turned into {cell.kind}; it was used as {slot.kind}.")
        if not slot.answer and slot.kind == "code" and not same_text(cell.source, slot.shown):
            notes.append(
                f"{'Test' if slot.points else 'Given'} cell {slot.label} had been edited; the original was used."
            )
        if slot.points is not None and slot.index not in self.found_late and cell.nbgrader.get("points") != slot.points:
            notes.append(f"The points of cell {slot.label} had been changed; the original {slot.points:g} were used.")
        return notes

    def remarks(self) -> list[str]:
        """Cells of the student's own, which are not run."""
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
