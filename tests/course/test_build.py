"""`tito build`: a source becomes the same valid notebook every time."""

import re
import shutil
from pathlib import Path

import nbformat
import pytest

from tito.course import Course
from tito.errors import CourseError
from tito.registry import Module
from tito.sources.build import build

SAMPLE = Path(__file__).with_name("sample_source.txt")
ROW = Module(2, "activations", "core.activations", (1,), 10, 2, "a sample")


@pytest.fixture
def sample(tmp_path) -> Course:
    source = tmp_path / ROW.source
    source.parent.mkdir(parents=True)
    shutil.copyfile(SAMPLE, source)
    return Course(tmp_path)


def edit(course: Course, old: str, new: str) -> None:
    source = course.root / ROW.source
    text = source.read_text()
    assert old in text
    source.write_text(text.replace(old, new))


def test_the_notebook_is_valid_and_complete(sample):
    path = build(sample, ROW)
    assert path == sample.root / "source" / "02_activations" / "activations.ipynb"
    notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.kernelspec.name == "python3"
    assert "jupytext" not in notebook.metadata
    assert len(notebook.cells) == 10
    assert notebook.cells[0].source.startswith("# Module 02: Activations")
    assert all(cell.outputs == [] for cell in notebook.cells if cell.cell_type == "code")


def test_cells_are_identified_by_grade_id_or_by_place_and_text(sample):
    ids = [cell.id for cell in nbformat.read(build(sample, ROW), as_version=4).cells]
    assert ids[4] == "relu"
    assert re.fullmatch(r"c001-[0-9a-f]{8}", ids[0])
    edit(sample, "## ReLU", "## The ReLU")
    changed = [cell.id for cell in nbformat.read(build(sample, ROW), as_version=4).cells]
    assert [before == after for before, after in zip(ids, changed, strict=True)] == [True] * 3 + [False] + [True] * 6


def test_rebuilding_gives_the_same_bytes_and_does_not_touch_the_file(sample):
    path = build(sample, ROW)
    first, written = path.read_bytes(), path.stat().st_mtime_ns
    build(sample, ROW)
    assert path.stat().st_mtime_ns == written
    path.unlink()
    assert build(sample, ROW).read_bytes() == first


def test_a_notebook_that_was_edited_is_built_again(sample):
    path = build(sample, ROW)
    first = path.read_bytes()
    path.write_text("{}")
    assert build(sample, ROW).read_bytes() == first


def test_two_cells_of_one_name_and_impossible_names_are_refused(sample):
    edit(sample, '"grade_id": "test-relu"', '"grade_id": "relu"')
    with pytest.raises(CourseError, match="cells 5 and 6 share the grade_id 'relu'"):
        build(sample, ROW)
    edit(sample, '"grade_id": "relu"', '"grade_id": "re lu"')
    with pytest.raises(CourseError, match="'re lu' cannot be a cell id"):
        build(sample, ROW)
    assert not sample.built(ROW).exists()
