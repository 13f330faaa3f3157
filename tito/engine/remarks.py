"""What a student should know of answers and other cells though nothing was wrong."""

from tito.engine.layout import Layout
from tito.sources.syntax import shared_names

MOVE_HELPERS = "put helpers into the answer cell that uses them."


def remarks(layout: Layout) -> list[str]:
    """What answers do to others, and what they need of text that is not run."""
    return [*_earlier(layout), *_overwritten(layout), *_left_out(layout), *_written_elsewhere(layout)]


def _earlier(layout: Layout) -> list[str]:
    return ["The notebook is of an earlier release; the tests of the present one were used."] if layout.earlier else []


def _overwritten(layout: Layout) -> list[str]:
    """Answers that take a given cell's name for something else: whatever uses it later fails elsewhere."""
    given: set[str] = set()
    notes = []
    for slot in layout.slots:
        if not slot.answer and slot.kind == "code":
            given |= shared_names(slot.shown).bound
        elif slot.kind == "code" and slot.index in layout.found:
            names = shared_names(layout.found[slot.index].source)
            for name in sorted((names.bound - names.imported - slot.names) & given):
                told = f"Answer cell {slot.label} gives '{name}' another meaning, also for the cells below it"
                notes.append(f"{told}: choose another name.")
    return notes


def _left_out(layout: Layout) -> list[str]:
    """What an answer uses of cells that are the student's own, or of a given cell that was edited."""
    not_run = [layout.cells[i] for i in layout.free() if layout.cells[i].kind == "code"]
    for slot in layout.slots:
        if slot.kind == "code" and not slot.answer and slot.index in layout.found:
            not_run.append(layout.found[slot.index])
    helpers = _wanted(layout) & {name for cell in not_run for name in shared_names(cell.source).bound}
    if not helpers:
        return []
    names = ", ".join(f"'{name}'" for name in sorted(helpers))
    told = f"Your own cells and edits of given cells are left out, and an answer uses {names} from there"
    return [f"{told}: {MOVE_HELPERS}"]


def _written_elsewhere(layout: Layout) -> list[str]:
    """Text cells of the student's own where a written answer is missing."""
    own = [i for i in layout.free() if layout.cells[i].kind == "markdown" and layout.cells[i].source.strip()]
    answers = [slot for slot in layout.slots if slot.answer and slot.kind == "markdown" and slot.index in layout.found]
    blank = [slot.label for slot in answers if slot.unwritten(layout.found[slot.index].source)]
    if own and blank:
        told = f"Written answer {', '.join(blank)} is blank, and a text cell of your own is left out"
        return [f"{told}: write into the answer's cell."]
    return []


def _wanted(layout: Layout) -> set[str]:
    """The names that answers use and neither an answer nor a given cell defines."""
    used: set[str] = set()
    bound: set[str] = set()
    for slot in layout.slots:
        if slot.kind == "code":
            text = layout.found[slot.index].source if slot.answer and slot.index in layout.found else slot.shown
            names = shared_names(text)
            bound |= names.bound
            used |= names.used if slot.answer else set()
    return used - bound
