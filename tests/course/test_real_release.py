"""What students receive of the real course holds no answer; no two lines of an answer could be pasted unseen;
and it works before any is written."""

import itertools
import shutil

import nbformat
import pytest
from real import read

from tito.course import Course
from tito.registry import MODULES
from tito.release.idioms import IDIOMS
from tito.release.kit import make_kit
from tito.release.leaks import find_leaks, read_texts
from tito.release.secrets import TEST_LENGTHS, gather_secrets, tidy, tidy_lines
from tito.sources.cells import read_cells
from tito.sources.markers import HIDDEN_TESTS, SOLUTION, region
from tito.student.export import export_work, exported_state
from tito.student.work import read_work, start

every_module = pytest.mark.parametrize("module", MODULES, ids=lambda module: module.folder)
pytestmark = pytest.mark.timeout(300)  # the first test releases every module


@pytest.fixture(scope="module")
def secrets(real_course):
    for module in MODULES:
        assert real_course[module].release.is_file()
    return gather_secrets(real_course.course, MODULES)


def test_releases_and_kit_give_nothing_away(real_course, secrets):
    assert make_kit(real_course.course).is_file()


def test_every_exempt_idiom_is_in_use(real_course, secrets, monkeypatch):
    """It would be called a leak otherwise."""
    monkeypatch.setattr("tito.release.secrets.IDIOMS", {})
    strict = gather_secrets(real_course.course, MODULES)
    found = {leak.text for leak in find_leaks(strict, read_texts(real_course.course.kit))}
    assert found & {tidy(idiom) for idiom in IDIOMS} == {tidy(idiom) for idiom in IDIOMS}


def two_in_a_row(module, course):
    """Every two lines in a row, of a solution or long enough of a hidden test."""
    for cell in read_cells(course.built(module)):
        for kind in (SOLUTION, HIDDEN_TESTS):
            shortest = TEST_LENGTHS[1] if kind == HIDDEN_TESTS else 0
            lines = [line for line in tidy_lines(cell.source) if line.number in region(cell.lines, kind)]
            for first, second in itertools.pairwise(lines):
                near = second.number - first.number <= 2  # the same region, at most one empty line apart
                if near and len(first.text + second.text) >= shortest:
                    yield "\n".join(cell.lines[first.number - 1 : second.number])


@every_module
def test_any_two_lines_of_an_answer_are_found_in_a_question(module, real_course, secrets, tmp_path):
    notebook = read(real_course[module].release)
    given = len(notebook.cells)
    pasted = list(two_in_a_row(module, real_course.course))
    notebook.cells += [
        nbformat.v4.new_markdown_cell(f"Why is that so?\n\n{lines}\n\nWrite two sentences.") for lines in pasted
    ]
    nbformat.write(notebook, tmp_path / "pasted.ipynb")
    found = {leak.part for leak in find_leaks(secrets, read_texts(tmp_path))}
    assert len(pasted) > 20
    assert found == {f"cell {given + number}" for number in range(1, len(pasted) + 1)}


def test_blank_notebooks_make_a_package_that_can_be_imported(real_course, tmp_path):
    kit = Course(tmp_path)
    for module in MODULES:
        kit.released(module).parent.mkdir(parents=True)
        shutil.copyfile(real_course[module].release, kit.released(module))
        start(kit, module)
    works = [read_work(kit, module) for module in MODULES]
    export_work(kit, works)
    assert [work.unwritten for work in works] == [[slot.grade_id for slot in work.answers] for work in works]
    assert {exported_state(kit, work.module, work) for work in works} == {"incomplete"}
