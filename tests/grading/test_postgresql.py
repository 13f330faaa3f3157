"""The gradebook on a PostgreSQL server, named by nbgrader's `db_url`: everything is as with `gradebook.db`."""

import shutil
import tempfile
from pathlib import Path

import pytest
from mini import ACTIVATIONS_MODULE, GOOD, TENSOR_MODULE, FastRunner, answered, hand_in, make_sources
from postgresql import PROGRAMS, server

from tito.errors import CourseError
from tito.grading import grade
from tito.grading.feedback import write_feedback
from tito.grading.grade import grade_module
from tito.grading.gradebook import open_gradebook
from tito.grading.report import csv_text, grade_rows
from tito.grading.roster import Imported, Student, import_roster
from tito.release.notebooks import release_modules

pytest.importorskip("psycopg", reason="the driver is not installed: pip install -r requirements/scale.txt")
pytestmark = pytest.mark.skipif(not PROGRAMS, reason="there is no PostgreSQL server: apt-get install postgresql")

MODULES = [TENSOR_MODULE, ACTIVATIONS_MODULE]
ANSWERS = {"ann": GOOD, "ben": {"scale": GOOD["scale"]}, "cleo": {}}


@pytest.fixture(scope="module")
def url():
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # a socket's path has to be short, and others must reach it
    folder.chmod(0o755)
    with server(folder / "server") as address:
        yield address
    shutil.rmtree(folder)


@pytest.fixture
def served(url, tmp_path, monkeypatch):
    """A course with its gradebook on the server, released there."""
    monkeypatch.setattr(grade, "SubprocessRunner", FastRunner)
    course = make_sources(tmp_path / "served")
    settings = course.root / "nbgrader_config.py"
    settings.write_text(settings.read_text() + f"c.CourseDirectory.db_url = {url!r}\n")
    release_modules(course, MODULES)
    return course


def whole_term(course):
    """Hand in, grade, mark by hand, hand in again, grade again; return what the report and the pages say."""
    assert import_roster(course, [Student("zoe", "Zoe")]) == Imported(1, 0, 0)
    for student, answers in ANSWERS.items():
        hand_in(course, student, answered(course, answers))
    list(grade_module(course, TENSOR_MODULE))
    with open_gradebook(course) as book:
        grade = book.find_grade("q-float32", "tensor", "01_tensor", "ann")
        grade.manual_score, grade.needs_manual_grade = 4, False
        book.db.commit()
    hand_in(course, "cleo", answered(course, GOOD))
    hand_in(course, "ann", answered(course, {**GOOD, "shift": "#| export\nshift = 5"}))
    list(grade_module(course, TENSOR_MODULE))
    pages = [path.read_text() for path in write_feedback(course, TENSOR_MODULE)]
    return csv_text(grade_rows(course, MODULES)), pages


def test_the_same_as_in_a_file(served, course):
    said, pages = whole_term(served)
    assert not served.gradebook.exists()
    assert (said, pages) == whole_term(course)
    assert "ann,01_tensor,graded,14,15,0,0,0," in said.splitlines()
    assert "zoe,01_tensor,missing,,,,,," in said.splitlines()


def test_a_server_that_is_not_there(course):
    settings = course.root / "nbgrader_config.py"
    settings.write_text(settings.read_text() + "c.CourseDirectory.db_url = 'postgresql+psycopg://x@/x?host=/none'\n")
    with pytest.raises(CourseError, match=r"The gradebook's database cannot be used \(.*\)\. Start its server, or put"):
        grade_rows(course, MODULES)
