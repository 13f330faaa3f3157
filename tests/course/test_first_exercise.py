"""The first exercise of the course, in JupyterLab and a real browser: what a student sees when it fails and passes.

`pytest tests/course/test_first_exercise.py --picture FILE` also keeps what the browser shows of the wrong answer; the
README's picture is made so.
"""

import shutil
from pathlib import Path

import pytest
from lab_server import tito_lab
from real import read

from tito.course import Course
from tito.registry import find_module
from tito.release.kit import make_kit
from tito.sources.variants import read_variant
from tito.student.work import start

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
browser = pytest.importorskip("browser")  # beside this file; it needs playwright
pytestmark = [
    pytest.mark.skipif(browser.CHROMIUM is None, reason="there is no Chromium here: apt-get install chromium"),
    pytest.mark.timeout(400),
]

TENSOR = find_module("01")
ANSWER, TEST = "class Block:", "def test_unit_block("
FAILED = """\
failed: memory[np.shares_memory(Block(ones)._data, ones)]
  where     ones = [1., 1., 1.]
  expected  'its own'
  got       'shared'
  belief    "np.asarray makes an array that belongs to the block." gives this same answer
  next      print both values for one small input and follow the first line that differs"""


@pytest.fixture(scope="module")
def kit(real_course, tmp_path_factory):
    """A student's kit with the notebook of module 01 begun."""
    assert real_course[TENSOR].release.is_file()
    make_kit(real_course.course)
    root = tmp_path_factory.mktemp("student") / "tinytorch-kit"
    shutil.copytree(real_course.course.kit, root)
    start(Course(root), TENSOR)
    return Course(root)


@pytest.fixture(scope="module")
def notebook(kit, tmp_path_factory):
    """The student's notebook, open in a browser as large as a laptop's screen."""
    with (
        tito_lab(kit, TENSOR, tmp_path_factory.mktemp("home")) as server,
        sync_api.sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=browser.CHROMIUM, args=browser.FLAGS) as chromium,
    ):
        page = chromium.new_page(viewport=browser.LAPTOP)
        path = kit.work(TENSOR).relative_to(kit.root).as_posix()
        yield browser.Notebook(page, f"{server['url']}lab/tree/{path}?token={server['token']}")


@pytest.fixture
def picture(request, tmp_path):
    """Where the screenshot of the wrong answer goes."""
    return Path(request.config.getoption("--picture", default=None) or tmp_path / "wrong.png")


def answer_of(kind, real_course):
    """An answer to the first exercise: a known wrong one, or the right one."""
    if kind == "wrong":
        path = real_course.course.tests(TENSOR) / "misconceptions" / "block_shares_its_numbers.py"
        return read_variant(path).answers["block"]
    return real_course[TENSOR].solution["block"]


def test_the_first_exercise(notebook, real_course, picture, tmp_path):
    page = notebook.page
    for instructors in ("Create Assignment", "Nbgrader", "Formgrader", "Assignment List"):
        assert page.get_by_text(instructors).count() == 0
    notebook.run_above(TEST)
    assert notebook.run(TEST) == "not written yet: Block.__init__"

    notebook.write(ANSWER, answer_of("wrong", real_course))
    assert notebook.run(ANSWER) == ""
    assert notebook.run(TEST) == FAILED
    notebook.show_below(TEST)
    page.screenshot(path=picture)

    notebook.write(ANSWER, answer_of("right", real_course))
    notebook.run(ANSWER)
    points = points_of(real_course, "test-block")
    passed = f"test_unit_block passed: {points} points, if its hidden cases pass too when it is graded."
    assert notebook.run(TEST) == passed
    page.screenshot(path=tmp_path / "right.png")

    answer = notebook.validate()
    page.screenshot(path=tmp_path / "validate.png")
    assert "def test_unit_block()" not in answer
    assert "not written yet: row_strides" in answer
    assert "Traceback" not in answer


def points_of(real_course, grade_id):
    """What a test cell is worth."""
    cells = read(real_course[TENSOR].release).cells
    return next(cell.metadata["nbgrader"]["points"] for cell in cells if cell.id == grade_id)
