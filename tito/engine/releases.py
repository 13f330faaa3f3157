"""Whether a cell is as an earlier release had it: nbgrader's checksum beside it is over its text and its points."""

from nbformat.notebooknode import from_dict

from tito.engine.skeleton import Slot
from tito.sources.cells import Cell


def is_earlier(cell: Cell, slot: Slot) -> bool:
    """Whether a cell differs from its slot because the instructor released the module anew, not by its student's hand.

    Who forges a checksum is spared a note and gains no point: what is used is never the student's.
    """
    return _is_sum_of(cell, cell.source) or (slot.answer and _is_sum_of(cell, slot.shown))


def _is_sum_of(cell: Cell, source: str) -> bool:
    from nbgrader.utils import compute_checksum  # only for cells that differ: it takes a while to load

    node = from_dict({"cell_type": cell.kind, "source": source, "metadata": {"nbgrader": cell.nbgrader}})
    try:
        return bool(cell.nbgrader.get("checksum") == compute_checksum(node))
    except (KeyError, TypeError, ValueError, AttributeError):  # metadata that no release has
        return False
