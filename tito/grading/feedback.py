"""Pages for students: their answers, points and messages; no hidden test, and nothing in them that runs."""

import copy
import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bleach
import nbformat
import nbgrader
from jinja2 import pass_context
from nbconvert.exporters import HTMLExporter
from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_markdown_cell
from nbgrader.preprocessors import GetGrades

from tito.course import Course
from tito.files import write_atomic
from tito.grading.gradebook import gradebook_url
from tito.grading.journal import Entry, read_journal
from tito.registry import Module

COLOURS = re.compile(r"\x1b\[[0-9;]*m")
SCRIPTS = re.compile(r"<script\b.*?</script\s*>", flags=re.DOTALL | re.IGNORECASE)
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
TAGS = {
    *bleach.ALLOWED_TAGS, *("br", "dd", "del", "details", "div", "dl", "dt", "h1", "h2", "h3", "h4", "h5", "h6", "hr"),
    *("img", "p", "pre", "s", "span", "sub", "summary", "sup", "table", "tbody", "td", "th", "thead", "tr"),
}  # fmt: skip
ATTRIBUTES = {
    **bleach.ALLOWED_ATTRIBUTES,
    "a": lambda _, name, value: name == "href" and value[:4] == "http",
    "img": ["src", "alt", "title"],
    "*": ["class", "id"],
}
HIDDEN_LINE = "(a line of a hidden test)"
SHORTEST_SECRET = 8  # characters; shorter lines such as "else:" tell nothing


def write_feedback(course: Course, module: Module, student: str | None = None) -> Iterator[Path]:
    """Write `feedback/STUDENT/NN_name/name.html` for everyone graded, or for one student; yields each path."""
    entries = [entry for entry in read_journal(course.state) if entry.module == module.folder]
    if not entries:
        return
    released = nbformat.read(course.released(module), as_version=4)
    full = nbformat.read(course.built(module), as_version=4)
    for entry in entries:
        if student not in (None, entry.student):
            continue
        path = course.feedback_page(entry.student, module)
        write_atomic(path, _page(course, module, entry, full, released))
        yield path


def _page(course: Course, module: Module, entry: Entry, full: NotebookNode, released: NotebookNode) -> str:
    if not entry.notebook:
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in entry.notes)
        head = f'<meta charset="utf-8"/><title>{module.name}</title>'
        return (
            f"<!DOCTYPE html>\n<html><head>{head}</head><body><h4>{module.name}: not graded</h4>{notes}</body></html>\n"
        )
    notebook = public_notebook(nbformat.reads(entry.notebook, as_version=4), full, released)
    lines = [f"Status: {entry.status}.", *entry.notes]
    names = {"notebook": module.name, "assignment": module.folder, "student": entry.student}
    resources = {"nbgrader": names | {"db_url": gradebook_url(course)}}
    GetGrades().preprocess(notebook, resources)
    for cell in notebook.cells:
        managed = cell.metadata.get("nbgrader", {})
        if managed.get("comment"):
            managed["comment"] = html.escape(managed["comment"])
    notebook.cells.insert(0, new_markdown_cell("\n".join(f"- {html.escape(line)}" for line in lines)))
    page, _ = _exporter().from_notebook_node(notebook, resources=resources)
    quiet = SCRIPTS.sub("", page)
    return quiet.replace("<head>", f'<head>\n<meta http-equiv="Content-Security-Policy" content="{POLICY}"/>', 1)


class _QuietExporter(HTMLExporter):
    """nbgrader's feedback page with everything that a student wrote sanitised; its template does outputs only."""

    @pass_context
    def markdown2html(self, context: Any, source: str) -> str:
        rendered = super().markdown2html(context, source)
        return str(bleach.clean(rendered, tags=TAGS, attributes=ATTRIBUTES, protocols=["http", "https", "data"]))


def _exporter() -> HTMLExporter:
    formgrader = Path(nbgrader.__file__).parent / "server_extensions" / "formgrader"
    styles = formgrader / "static" / "node_modules" / "bootstrap" / "dist" / "css"
    return _QuietExporter(  # type: ignore[no-untyped-call]
        template_name="feedback",
        extra_template_basedirs=[str(formgrader / "templates")],
        extra_template_paths=[str(styles)],
        sanitize_html=True,
    )


def public_notebook(graded: NotebookNode, full: NotebookNode, released: NotebookNode) -> NotebookNode:
    """Return a graded notebook as its author may see it.

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
    return notebook


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
