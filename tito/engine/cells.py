"""What a cell of a notebook is for."""

from nbformat.notebooknode import NotebookNode


def is_answer(cell: NotebookNode) -> bool:
    """Whether the student writes here."""
    return bool(cell.metadata.get("nbgrader", {}).get("solution"))


def is_test(cell: NotebookNode) -> bool:
    """Whether the cell is a test that earns points."""
    managed = cell.metadata.get("nbgrader", {})
    return bool(cell.cell_type == "code" and managed.get("grade") and not managed.get("solution"))
