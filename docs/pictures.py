"""Make the README's pictures again: `python docs/pictures.py`, after `make demo`. One needs Chromium and Playwright."""

import io
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tito.course import Course
from tito.files import write_atomic
from tito.grading.report import grade_rows
from tito.registry import find_module

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
FIRST_EXERCISE = ROOT / "tests" / "course" / "test_first_exercise.py"


def notebook_picture() -> None:
    """The first exercise with a wrong answer in it, as the browser shows it to the test that opens JupyterLab."""
    command = [sys.executable, "-m", "pytest", "-q", str(FIRST_EXERCISE), "--picture", str(IMAGES / "notebook.png")]
    subprocess.run(command, cwd=ROOT, check=True)


def grades_picture() -> None:
    """The grade table of the demo class."""
    rows = grade_rows(Course(ROOT / "demo"), [find_module("01")])
    table = Table("student", "module", "status", "points", title="tito report")
    for row in rows:
        table.add_row(row.student, row.module, row.status, row.points)
    console = Console(record=True, width=82, file=io.StringIO())
    console.print(table)
    picture = console.export_svg(title="demo")
    picture = re.sub(r"@font-face \{.*?\}", "", picture, flags=re.DOTALL)  # they would be fetched from elsewhere
    write_atomic(IMAGES / "grades.svg", picture)


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    grades_picture()
    notebook_picture()
