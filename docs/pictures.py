"""Make the README's pictures again: `python docs/pictures.py`, after `make demo`. Needs Chromium for the first one."""

import io
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from rich.console import Console
from rich.table import Table

from tito.course import Course
from tito.files import write_atomic
from tito.grading.report import grade_rows
from tito.registry import find_module
from tito.sources.variants import read_variant

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
SHOWN = ("Broadcasting: what shape", "def broadcast_shape(", "def test_unit_broadcast_shape(")


def notebook_picture() -> None:
    """Module 01, one exercise with a wrong answer in it, and what its test says."""
    wrong = read_variant(ROOT / "tests/01_tensor/misconceptions/broadcast_left.py")
    page = nbformat.read(ROOT / "release/01_tensor/tensor.ipynb", as_version=4)
    for cell in page.cells:
        cell.source = wrong.answers.get(cell.id, cell.source)
    NotebookClient(page, allow_errors=True, timeout=120).execute()
    page.cells = [cell for cell in page.cells if any(words in cell.source for words in SHOWN)]
    for cell in page.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                output.traceback = output.traceback[-1:]  # the message; the lines above it repeat the test
    html, _ = HTMLExporter(template_name="lab", embed_images=True).from_notebook_node(page)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "page.html"
        file.write_text(html, encoding="utf-8")
        chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        command += ["--window-size=1000,845", "--disable-background-networking", f"--user-data-dir={folder}/profile"]
        subprocess.run([*command, f"--screenshot={IMAGES / 'notebook.png'}", file.as_uri()], check=True)


def grades_picture() -> None:
    """The grade table of the demo class."""
    rows = grade_rows(Course(ROOT / "demo"), [find_module("01")])
    table = Table("student", "module", "status", "points", "of", "written answer", title="tito report")
    for row in rows:
        score, full = ("-" if value is None else f"{value:g}" for value in (row.score, row.max_score))
        waits = "waits for a person" if row.needs_manual else ""
        table.add_row(row.student, row.module, row.status, score, full, waits)
    console = Console(record=True, width=82, file=io.StringIO())
    console.print(table)
    picture = console.export_svg(title="demo")
    picture = re.sub(r"@font-face \{.*?\}", "", picture, flags=re.DOTALL)  # they would be fetched from elsewhere
    write_atomic(IMAGES / "grades.svg", picture)


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    grades_picture()
    notebook_picture()
