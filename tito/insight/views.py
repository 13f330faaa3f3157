"""Insight as a page and as tables."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
import nbformat

from tito.course import Course
from tito.grading.journal import read_journal, read_notebook
from tito.grading.report import safe
from tito.insight.beliefs import Belief, beliefs
from tito.insight.items import Item, items
from tito.insight.similar import Pair, pairs
from tito.registry import Module

TEMPLATE = Path(__file__).with_name("page.html")


@dataclass(frozen=True)
class View:
    """What one module's class did."""

    module: str
    students: int
    items: list[Item]
    beliefs: list[Belief]
    pairs: list[Pair]


def view(course: Course, module: Module) -> View | None:
    """What the class did in a module; None when nothing of it is graded.

    Raises:
        CourseError: the journal or the gradebook cannot be used.
    """
    entries = [one for one in read_journal(course.state) if one.module == module.folder and one.shown_status.has_points]
    if not entries:
        return None
    notebooks = {one.student: nbformat.reads(read_notebook(course.state, one), as_version=4) for one in entries}
    release = nbformat.read(course.released(module), as_version=4)
    per_item = items(course, module, release)
    return View(module.folder, len(entries), per_item, beliefs(module, notebooks), pairs(notebooks, release))


def page(views: Sequence[View]) -> str:
    """All of it as one HTML page without a script."""
    template = jinja2.Environment(autoescape=True, trim_blocks=True).from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(views=views)


def tables(views: Sequence[View]) -> dict[str, str]:
    """File name -> CSV, one row for each item, belief and pair; numbers that are not defined are empty."""
    rows: dict[str, list[Sequence[object]]] = {
        "items.csv": [
            ("module", "item", "graded", "waiting", "share", "nothing", "discrimination"),
            *(
                (one.module, i.name, i.graded, i.waiting, _number(i.share), i.none, _number(i.discrimination))
                for one in views
                for i in one.items
            ),
        ],
        "misconceptions.csv": [
            ("module", "belief", "students", "cells"),
            *((one.module, b.text, len(b.students), " ".join(b.cells)) for one in views for b in one.beliefs),
        ],
        "similar.csv": [
            ("module", "student", "other", "share"),
            *(
                (one.module, safe(pair.one), safe(pair.other), _number(pair.share))
                for one in views
                for pair in one.pairs
            ),
        ],
    }
    return {name: _csv(table) for name, table in rows.items()}


def _number(value: float | None) -> str:
    return "" if value is None or value != value else f"{value:.3f}"


def _csv(rows: Sequence[Sequence[object]]) -> str:
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows(rows)
    return file.getvalue()
