"""Feedback, reports and Formgrader show nothing alive of what students wrote, and feedback no hidden test.

The bank is `payloads.py`. `--slow` opens all pages in Chromium: those that we write, and for comparison Formgrader's of
the same notebooks as they were handed in.
"""

import shutil
from functools import partial

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inboxes import put
from lab_server import formgrader
from mini import GOOD, TENSOR_MODULE, answered, hand_in, sandboxed
from payloads import IMG, NAMES, payloads, submission, submissions

from tito.course import Course
from tito.grading.collect import collect
from tito.grading.feedback import write_feedback
from tito.grading.grade import grade_module
from tito.grading.gradebook import open_gradebook
from tito.grading.harmless import harmless_markdown
from tito.grading.journal import read_journal, read_notebook
from tito.insight.beliefs import Belief
from tito.insight.items import Item
from tito.insight.similar import Pair
from tito.insight.views import View, page

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
browser = pytest.importorskip("browser")  # of tests/course; it needs playwright
showing = pytest.importorskip("showing")  # beside this file; it needs playwright
needs_chromium = pytest.mark.skipif(
    browser.CHROMIUM is None, reason="there is no Chromium here: apt-get install chromium"
)
SUBMISSIONS = submissions()
FEWEST, FEWEST_ON_STOCK = 45, 30
HIDDEN = ["hidden_rows", "np.zeros((2, 2)), 7.0", "reshape(2, 3)"]


@pytest.fixture(scope="module")
def listener():
    listener = showing.Listener()
    yield listener
    listener.close()


@pytest.fixture(scope="module")
def graded(released_once, listener, tmp_path_factory):
    """A course in which every payload has been handed in and graded, each by a student of its name."""
    root = tmp_path_factory.mktemp("showing") / "course"
    shutil.copytree(released_once.root, root)
    course = Course(root)
    hand_in(course, "honest", answered(course, GOOD))
    for student, names in SUBMISSIONS.items():
        hand_in(course, student, submission(names, GOOD, partial(answered, course), listener.address))
    hand_in(course, "refused", f'{{"refused": "{IMG.replace(chr(34), chr(39))}"}}')
    list(grade_module(course, TENSOR_MODULE, jobs=2))
    assert len(list(write_feedback(course, TENSOR_MODULE))) == len(SUBMISSIONS) + 2
    return course


@pytest.fixture(scope="module")
def look():
    with showing.opened_browser() as look:
        yield look


@pytest.fixture(scope="module")
def grader(graded, tmp_path_factory):
    """A function that gives the address of Formgrader's page of a student's notebook."""
    with formgrader(graded, tmp_path_factory.mktemp("home")) as server:

        def address(student):
            with open_gradebook(graded) as book:
                found = book.find_submission_notebook("tensor", TENSOR_MODULE.folder, student)
                return f"{server['url']}formgrader/submissions/{found.id}/"

        yield address


def students(course):
    return sorted(path.parent.parent.name for path in course.submitted.glob("*/*/*.ipynb"))


def test_the_bank_is_large():
    assert len(payloads()) >= FEWEST


@settings(deadline=None)
@given(st.lists(st.sampled_from(["`", "```", "~~~", "\n", "$$", "> ", "<b ", IMG, "    ", "\t", "\r", "x"])))
def test_what_is_shown_as_typed_is_shown_so_for_good(parts):
    once = harmless_markdown("".join(parts))
    assert harmless_markdown(once) == once


@sandboxed
@needs_chromium
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_feedback_shows_nothing_alive_and_no_hidden_test(graded, look, listener):
    found = {}
    for student in students(graded):
        path = graded.feedback_page(student, TENSOR_MODULE)
        seen = look(path.as_uri())
        found[student] = seen.alive({graded.feedback.as_uri()}) + [text for text in HIDDEN if text in seen.source]
    assert {student: alive for student, alive in found.items() if alive} == {}
    assert listener.calls == set()


@pytest.mark.parametrize("name", NAMES)
def test_names_of_hand_ins_name_no_folder(course, name):
    inbox = course.root.with_name("inbox")
    put(inbox, f"{name}/tensor.ipynb")
    assert [entry.label for entry in collect(course, inbox).listed] == [f"{name}/tensor.ipynb"]
    assert students(course) == []


@needs_chromium
@pytest.mark.slow
def test_insight_shows_nothing_alive(look, listener, tmp_path):
    odd = IMG.replace("CALL", f"{listener.address}/insight")
    items, beliefs = [Item(odd, 1, 0, 0.5, 0, None)], [Belief(odd, (odd,), (odd,))]
    file = tmp_path / "insight.html"
    file.write_text(page([View(odd, 2, items, beliefs, [Pair(odd, odd, 1.0)])]))
    seen = look(file.as_uri())
    assert seen.text.count("onerror") == 6
    assert seen.alive({file.as_uri()}) == []
    assert listener.calls == set()


@sandboxed
@needs_chromium
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_formgrader_shows_nothing_alive(graded, look, grader, listener):
    honest = look(grader("honest"))
    own = {*honest.requests, grader("honest").partition("submissions/")[0]}
    assert honest.alive(own) == []
    found = {student: look(grader(student)).alive(own) for student in SUBMISSIONS}
    assert {student: alive for student, alive in found.items() if alive} == {}
    assert listener.calls == set()


@sandboxed
@needs_chromium
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_many_are_alive_in_the_notebooks_as_they_were_handed_in(graded, look, grader, listener):
    """The bank is not made of straw: run with `-rA`, the test says which Formgrader then shows alive."""
    listener.calls.clear()
    ran = {entry.student: entry for entry in read_journal(graded.state)}
    for student in SUBMISSIONS:
        path = graded.graded(student, TENSOR_MODULE)
        ours = path.read_text()
        path.write_text(as_handed_in(graded, ran[student]))
        look(grader(student))
        path.write_text(ours)
    alive = sorted(listener.calls & payloads().keys())
    listener.calls.clear()
    print(f"{len(alive)} of {len(payloads())} are alive: {' '.join(alive)}")
    print(f"the others: {' '.join(sorted(payloads().keys() - set(alive)))}")
    assert len(alive) >= FEWEST_ON_STOCK


def as_handed_in(course, entry):
    """A submission with what its cells put out: nothing is laid onto a pristine notebook, nothing is cleaned."""
    notebook = nbformat.reads(course.submission(entry.student, TENSOR_MODULE).read_text(), as_version=4)
    outputs = {cell.id: cell.get("outputs") for cell in nbformat.reads(read_notebook(course.state, entry), 4).cells}
    for cell in notebook.cells:
        if cell.cell_type == "code" and not cell.outputs:
            cell.outputs = outputs.get(cell.id) or []
    return nbformat.writes(notebook)
