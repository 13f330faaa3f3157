"""A graded notebook as a browser may show it: nothing of a student's in it runs, loads, or poses as the page's own.

Formgrader shows what stands in a notebook as it stands there, so this is what is written to `autograded/`. What was
handed in and the journal keep every byte.
"""

import copy
import re
from functools import cache
from typing import Any

import nh3
from bs4 import BeautifulSoup
from nbconvert.exporters import HTMLExporter
from nbformat.notebooknode import NotebookNode
from pygments.token import STANDARD_TYPES

HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
TAGS = {
    *("a", "abbr", "b", "blockquote", "br", "code", "dd", "del", "details", "div", "dl", "dt", "em", *HEADINGS, "hr"),
    *("i", "img", "li", "ol", "p", "pre", "s", "span", "strong", "sub", "summary", "sup"),
    *("table", "tbody", "td", "th", "thead", "tr", "ul"),
}
ATTRIBUTES = {
    "*": {"style"},
    "a": {"href", "title"},
    "abbr": {"title"},
    "img": {"src", "alt", "title"},
    "ol": {"start"},
    **{heading: {"id"} for heading in HEADINGS},
}
CLASSES = {  # what nbconvert writes, and pandas; Formgrader finds its buttons by theirs
    "a": {"anchor-link"},
    "div": {"highlight"},
    "span": {name for name in STANDARD_TYPES.values() if name},
    "table": {"dataframe"},
}
STYLES = {
    *("background", "background-color", "border", "border-radius", "color", "font-family", "font-weight"),
    *("line-height", "margin-right", "padding", "text-align", "vertical-align", "white-space"),
}
STYLE = re.compile(r"[-\w\s:;#.,%]*")  # without brackets: no address
PICTURE = re.compile(r"data:image/(png|jpeg|gif|svg\+xml);base64,[\w+/=\s]*", re.IGNORECASE)
LINK = re.compile(r"https?://|#", re.IGNORECASE)
VALUES = {("a", "href"): LINK.match, ("img", "src"): PICTURE.fullmatch}
SVG = re.compile(r"\s*<svg\b(?![^>]*\bxmlns=)")
SHOWN = ("image/svg+xml", "image/png", "image/jpeg", "text/latex", "text/plain")  # escaped by nbconvert, or a picture
LONGEST = 20_000  # characters of an answer that is rendered: the time it takes may grow with their square
AS_TYPED = "*This answer is shown as it was typed: it holds more than text, formulas, tables and pictures of its own.*"


def harmless(notebook: NotebookNode) -> NotebookNode:
    """Return a copy whose outputs and written answers are safe to show; the other cells are the instructor's."""
    safe = copy.deepcopy(notebook)
    for cell in safe.cells:
        if cell.cell_type == "markdown" and cell.metadata.get("nbgrader", {}).get("solution"):
            cell.source = harmless_markdown(cell.source)
        for output in cell.get("outputs", ()):
            if "data" in output:
                output.data, output.metadata = NotebookNode(_harmless_data(output.data)), NotebookNode()
    return safe


def harmless_markdown(source: str) -> str:
    """Return Markdown as it is where its page is safe to show, else as a block of code."""
    if _is_harmless(source):
        return source
    longest = max(map(len, re.findall("`+", source)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{AS_TYPED}\n\n{fence}\n{source}\n{fence}"


def clean(html: str) -> str:
    """Return HTML without what could run, be loaded, or be taken for a part of the page around it."""
    return _cleaner().clean(html)


def _is_harmless(source: str) -> bool:
    """Whether cleaning the page of a Markdown text takes nothing away."""
    if len(source) > LONGEST:
        return False
    try:
        page = f"<div>{_exporter().markdown2html({}, source)}\n</div>"
        return bool(BeautifulSoup(page, "html.parser") == BeautifulSoup(clean(page), "html.parser"))
    except Exception:  # noqa: BLE001  (what cannot be rendered here cannot be rendered by Formgrader)
        return False


def _harmless_data(data: dict[str, Any]) -> dict[str, Any]:
    """Of the forms in which a value is shown those that are safe."""
    kept = {mime: data[mime] for mime in SHOWN if isinstance(data.get(mime), str)}
    html = data.get("text/html")
    if isinstance(html, str):
        if SVG.match(html):
            return kept | {"image/svg+xml": html.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)}
        if cleaned := clean(html).strip():
            kept["text/html"] = cleaned
    if isinstance(markdown := data.get("text/markdown"), str):
        kept["text/markdown"] = harmless_markdown(markdown)
    return kept or {"text/plain": f"(an output of kind {', '.join(data)}, which is not shown)"}


@cache
def _exporter() -> HTMLExporter:
    return HTMLExporter()


@cache
def _cleaner() -> nh3.Cleaner:
    return nh3.Cleaner(
        tags=TAGS,
        attributes=ATTRIBUTES,
        attribute_filter=_only_safe,
        link_rel=None,
        url_schemes={"http", "https", "data"},
        allowed_classes=CLASSES,
        filter_style_properties=STYLES,
    )


def _only_safe(tag: str, attribute: str, value: str) -> str | None:
    fits = STYLE.fullmatch if attribute == "style" else VALUES.get((tag, attribute))
    return value if fits is None or fits(value) else None
