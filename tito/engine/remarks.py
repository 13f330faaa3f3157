"""What a student should know of answers and other cells though nothing was wrong."""

from tito.engine.layout import Layout
from tito.sources.syntax import shared_names

MOVE_HELPERS = "put helpers into the answer cell that uses them."


def remarks(layout: Layout) -> list[str]:
    """What answers do to others, and cells of the student's own, which are not run."""
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
    own = [i for i in layout.free() if layout.cells[i].kind == "code" and layout.cells[i].source.strip()]
    helpers = sorted(_wanted(layout) & {name for i in own for name in shared_names(layout.cells[i].source).bound})
    if helpers:
        names = ", ".join(f"'{name}'" for name in helpers)
        return [f"Cells of your own are left out, and an answer uses {names} from there: {MOVE_HELPERS}"]
    if own:
        count, verb = ("One cell", "is") if len(own) == 1 else (f"{len(own)} cells", "are")
        return [f"{count} of your own {verb} left out: {MOVE_HELPERS}"]
    return []


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
