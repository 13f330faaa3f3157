"""Pages for students: their answers, points and messages; no hidden test, and nothing in them that runs."""

import copy
import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import nbgrader
from jinja2 import pass_context
from nbconvert.exporters import HTMLExporter
from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_markdown_cell
from nbgrader.preprocessors import GetGrades

from tito.course import Course
from tito.engine.skeleton import load_skeleton
from tito.errors import CourseError
from tito.files import write_atomic
from tito.grading.gradebook import gradebook_storage, gradebook_url, open_gradebook
from tito.grading.harmless import clean, harmless
from tito.grading.journal import Entry, read_journal, read_notebook
from tito.grading.scores import Score, read_scores
from tito.grading.storage import storage
from tito.registry import Module

COLOURS = re.compile(r"\x1b\[[0-9;]*m")
SCRIPTS = re.compile(r"<script\b.*?</script\s*>", flags=re.DOTALL | re.IGNORECASE)
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
HIDDEN_LINE = "(a line of a hidden test)"
SHORTEST_SECRET = 8  # characters; shorter lines such as "else:" tell nothing


def write_feedback(course: Course, module: Module, student: str | None = None) -> Iterator[Path]:
    """Write `feedback/STUDENT/NN_name/name.html` for everyone graded, or for one student; yields each path.

    Raises:
        CourseError: the module's notebooks are missing or have changed since grading, or a file cannot be used.
    """
    entries = [e for e in read_journal(course.state) if e.module == module.folder and student in (None, e.student)]
    if not entries:
        return
    skeleton = load_skeleton(course.released(module), course.built(module))
    scores = read_scores(course)
    full, released = (nbformat.read(place(module), as_version=4) for place in (course.built, course.released))
    for entry in entries:
        path = course.feedback_page(entry.student, module)
        if entry.shown_status.has_points:
            graded = nbformat.reads(read_notebook(course.state, entry), as_version=4)
            if [_grade_id(cell) for cell in graded.cells] != [slot.grade_id for slot in skeleton.slots]:
                cure = f"Run 'tito grade {module.number:02d}' first."
                raise CourseError(f"Module {module.folder} has changed since '{entry.student}' was graded.", cure)
            page = _page(course, module, entry, public_notebook(graded, full, released), scores)
        else:
            page = _page_without_points(module, entry)
        with storage(f"{course.feedback.name}/"):
            write_atomic(path, page)
        yield path


def _page_without_points(module: Module, entry: Entry) -> str:
    notes = "".join(f"<p>{html.escape(note)}</p>" for note in entry.shown_notes)
    head = f'<meta charset="utf-8"/><title>{module.name}</title>'
    title = f"<h4>{module.name}: {entry.shown_status}</h4>"
    return f"<!DOCTYPE html>\n<html><head>{head}</head><body>{title}{notes}</body></html>\n"


def _page(
    course: Course, module: Module, entry: Entry, notebook: NotebookNode, scores: dict[tuple[str, str], Score]
) -> str:
    names: dict[str, Any] = {"notebook": module.name, "assignment": module.folder, "student": entry.student}
    resources = {"nbgrader": names | {"db_url": gradebook_url(course)}}
    waiting = _fill_in_grades(course, module, entry, notebook, resources)
    score = scores[entry.student, module.folder]
    resources["nbgrader"] |= {"score": score.score, "max_score": score.max_score}
    lines = [f"Status: {entry.status}.", *entry.notes]
    if waiting:
        lines.append(f"{score.waits:g} more points wait for a person, who reads: {', '.join(waiting)}.")
    notebook.cells.insert(0, new_markdown_cell("\n".join(f"- {html.escape(line)}" for line in lines)))
    page, _ = _exporter().from_notebook_node(notebook, resources=resources)
    quiet = SCRIPTS.sub("", page)
    return quiet.replace("<head>", f'<head>\n<meta http-equiv="Content-Security-Policy" content="{POLICY}"/>', 1)


def _fill_in_grades(
    course: Course, module: Module, entry: Entry, notebook: NotebookNode, resources: dict[str, Any]
) -> list[str]:
    """Put points and comments into the cells; returns the cells that wait for a person."""
    with gradebook_storage(course):
        GetGrades().preprocess(notebook, resources)
    with open_gradebook(course) as gradebook:
        stored = gradebook.find_submission_notebook(module.name, module.folder, entry.student)
        waiting = {grade.name for grade in stored.grades if grade.needs_manual_grade}
    for cell in notebook.cells:
        managed = cell.metadata.get("nbgrader", {})
        if managed.get("comment"):
            managed["comment"] = html.escape(managed["comment"])
        if managed.get("grade_id") in waiting:
            managed["score"] = "waits"
    return [_grade_id(cell) for cell in notebook.cells if _grade_id(cell) in waiting]


def _grade_id(cell: NotebookNode) -> str:
    return str(cell.metadata.get("nbgrader", {}).get("grade_id", ""))


class _QuietExporter(HTMLExporter):
    """nbgrader's feedback page with all Markdown sanitised; its template does outputs only."""

    @pass_context
    def markdown2html(self, context: Any, source: str) -> str:
        return clean(super().markdown2html(context, source))


def _points(value: object) -> float | str:
    """nbgrader's template turns every score into a number; a word stays a word."""
    return value if isinstance(value, str) else float(str(value or 0))


def _rounded(value: float | str, digits: int = 0) -> float | str:
    return value if isinstance(value, str) else round(value, digits)


def _exporter() -> HTMLExporter:
    formgrader = Path(nbgrader.__file__).parent / "server_extensions" / "formgrader"
    styles = formgrader / "static" / "node_modules" / "bootstrap" / "dist" / "css"
    return _QuietExporter(  # type: ignore[no-untyped-call]
        template_name="feedback",
        extra_template_basedirs=[str(formgrader / "templates")],
        extra_template_paths=[str(styles)],
        sanitize_html=True,
        filters={"float": _points, "round": _rounded},
    )


def public_notebook(graded: NotebookNode, full: NotebookNode, released: NotebookNode) -> NotebookNode:
    """Return a graded notebook as its author may see it, and as a browser may show it.

    Test cells show the released text and, where they failed, only the message; a line of a hidden test is removed
    from every output, wherever it was printed.
    """
    notebook = copy.deepcopy(graded)
    secrets = hidden_lines(full, released)
    for cell, shown in zip(notebook.cells, released.cells, strict=True):
        if cell.cell_type != "code":
            continue
        managed = cell.metadata.get("nbgrader", {})
        if not managed.get("solution"):
            cell.source = shown.source
        for output in cell.outputs:
            if output.output_type == "error":
                keep = [f"{output.ename}: {output.evalue}"] if managed.get("grade") else output.traceback
                output.traceback = _without("\n".join(keep), secrets).split("\n")
                output.evalue = _without(output.evalue, secrets)
            elif output.output_type == "stream":
                output.text = _without(output.text, secrets)
            else:
                output.data = {mime: _clean(value, secrets) for mime, value in output.data.items()}
    return harmless(notebook)


def hidden_lines(full: NotebookNode, released: NotebookNode) -> frozenset[str]:
    """Return the lines of test cells that students do not see, without indentation."""
    shown = {line.strip() for cell in released.cells for line in cell.source.splitlines()}
    tests = [cell for cell in full.cells if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("grade")]
    every = {line.strip() for cell in tests for line in cell.source.splitlines()}
    return frozenset(line for line in every - shown if len(line) >= SHORTEST_SECRET and not line.startswith("###"))


def _clean(value: Any, secrets: frozenset[str]) -> Any:
    return _without(value, secrets) if isinstance(value, str) else value


def _without(text: str, secrets: frozenset[str]) -> str:
    """Remove colours, and replace every line that shows a line of a hidden test, quoted or not."""
    lines = COLOURS.sub("", text).split("\n")
    unquoted = (line.replace("\\'", "'").replace('\\"', '"') for line in lines)
    shown = [
        HIDDEN_LINE if any(s in plain or s in line for s in secrets) else line
        for line, plain in zip(lines, unquoted, strict=True)
    ]
    return "\n".join(shown)
