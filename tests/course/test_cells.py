"""Reading sources and notebooks into cells."""

import json
import shutil
from pathlib import Path

import pytest

from tito.errors import CourseError
from tito.sources.cells import read_cells

SAMPLE = Path(__file__).with_name("sample_source.txt")


@pytest.fixture
def source(tmp_path) -> Path:
    return Path(shutil.copyfile(SAMPLE, tmp_path / "sample_dev.py"))


def notebook(tmp_path: Path, *cells: dict) -> Path:
    path = tmp_path / "student.ipynb"
    path.write_text(json.dumps({"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return path


def test_a_source_becomes_numbered_cells_with_their_lines(source):
    cells = read_cells(source)
    lines = source.read_text().splitlines()
    assert [cell.number for cell in cells] == list(range(1, 11))
    assert [cell.kind for cell in cells[:5]] == ["markdown", "code", "code", "markdown", "code"]
    for cell in cells:
        assert cell.source.splitlines()[0] == lines[cell.line - 1]


def test_metadata_is_nbgraders_and_free_of_jupytexts_own(source):
    cells = {cell.grade_id: cell for cell in read_cells(source)}
    assert cells["relu"].nbgrader["solution"] is True
    assert set(cells["relu"].metadata) == {"nbgrader"}
    assert all("lines_to_next_cell" not in cell.metadata for cell in cells.values())
    assert all("cell_marker" not in cell.metadata for cell in cells.values())


def test_directives_are_the_first_lines_of_a_code_cell(source):
    cells = read_cells(source)
    assert cells[1].directives == [("default_exp", "core.activations"), ("export", "")]
    assert [cell.number for cell in cells if cell.exported] == [2, 5, 7]


def test_a_cell_is_called_by_its_grade_id_or_its_number(source):
    cells = read_cells(source)
    assert cells[4].name == "'relu'"
    assert cells[2].name == "3"
    assert cells[4].where(3) == f"cell 'relu', line 3 (line {cells[4].line + 2} of the file)"


def test_a_notebook_is_read_with_sources_as_text_or_lines_and_any_line_ends(tmp_path):
    path = notebook(
        tmp_path,
        {"cell_type": "code", "source": ["#| export\r\n", "x = 1"], "metadata": {}},
        {"cell_type": "markdown", "source": "text"},
    )
    cells = read_cells(path)
    assert [(cell.kind, cell.source, cell.line) for cell in cells] == [
        ("code", "#| export\nx = 1", 0),
        ("markdown", "text", 0),
    ]
    assert cells[0].exported
    assert cells[0].where(2) == "cell 1, line 2"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.ipynb", b"{ not json", "not valid JSON"),
        ("a.ipynb", b"[" * 100_000, "not valid JSON"),
        ("a.ipynb", b"[1, 2]", "no notebook cells"),
        ("a.ipynb", b'{"worksheets": []}', "nbformat 4"),
        ("a.ipynb", b'{"cells": [{"cell_type": "code", "source": 7}]}', "no notebook cells"),
        ("a.ipynb", b"\xff\xfe\x00", "not UTF-8"),
        ("a.txt", b"x = 1", "neither a notebook nor"),
        ("a_dev.py", b'# %%\nx = """\n# %%\n"""\n', "2 lines that start with '# %%', but 1 cells"),
        ("a_dev.py", b"x = 1\n\n# %%\ny = 2\n", "1 lines that start with '# %%', but 2 cells"),
    ],
)
def test_what_is_no_source_is_named_with_the_reason(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CourseError) as error:
        read_cells(tmp_path / name)
    assert name in error.value.problem
    assert words in error.value.problem
    assert error.value.cure


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(CourseError, match="does not exist"):
        read_cells(tmp_path / "none.ipynb")
    with pytest.raises(CourseError, match="is a folder"):
        read_cells(tmp_path)
