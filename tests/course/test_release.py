"""Released notebooks and the kit hold no answer, and take the place of the old ones only when all is good."""

import itertools
import os
import zipfile
from pathlib import Path

import nbformat
import pytest
from mini import ACTIVATIONS_MODULE, TENSOR_MODULE, make_sources, released

from tito import files
from tito.course import Course
from tito.errors import CourseError
from tito.grading.gradebook import open_gradebook
from tito.release.kit import make_kit
from tito.release.notebooks import release_modules
from tito.release.publish import publish
from tito.sources.build import build

MODULES = [TENSOR_MODULE, ACTIVATIONS_MODULE]


def texts(folder):
    return {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*") if p.is_file()}


def test_released_notebook(released_once):
    notebook = released(released_once)
    text = nbformat.writes(notebook)
    nbformat.validate(notebook)
    for hidden in ("product =", "np.float32(factor)", "hidden_rows", "BEGIN", "Half the memory", "shift forgets"):
        assert hidden not in text
    assert text.count("your code here") == 2
    assert "YOUR ANSWER HERE" in text
    assert "def test_unit_scale" in text


def test_the_gradebook_knows_the_cells(released_once):
    with open_gradebook(released_once) as book:
        cells = {cell.name: cell.max_score for cell in book.find_notebook("tensor", "01_tensor").grade_cells}
    assert cells == {"test-scale": 4, "test-shift": 6, "q-float32": 5}


def test_release_twice_is_the_same(course):
    path = course.release / "01_tensor" / "tensor.ipynb"
    before = path.read_bytes()
    release_modules(course, MODULES)
    assert path.read_bytes() == before


def test_not_built(tmp_path):
    course = make_sources(tmp_path)
    (course.source / "01_tensor" / "tensor.ipynb").unlink()
    with pytest.raises(CourseError, match=r"has not been built.*tito build 01"):
        release_modules(course, [TENSOR_MODULE])


def test_nbgraders_refusal_is_one_sentence(course):
    path = course.source / "01_tensor" / "tensor.ipynb"
    path.write_text(path.read_text().replace("### END SOLUTION", "### THE END", 1))
    with pytest.raises(CourseError, match=r"nbgrader could not release 01_tensor: .*solution.*tito lint 01") as error:
        release_modules(course, [TENSOR_MODULE])
    assert "\n" not in str(error.value)


def test_the_kit_has_what_a_student_needs_and_no_answer(full_course):
    archive = make_kit(full_course)
    kit = full_course.kit
    files = texts(kit)
    for name in (
        "README.md",
        "start.py",
        "pyproject.toml",
        "nbgrader_config.py",
        "requirements/student.txt",
        "release/01_tensor/tensor.ipynb",
        "release/02_activations/activations.ipynb",
        "tests/01_tensor/test_public.py",
        "tests/checkpoints/checkpoint_01_tensor.py",
        "milestones/1957/run.py",
        "tinytorch/__init__.py",
    ):
        assert name in files
    assert "tinytorch/core/tensor.py" not in files
    assert not [
        name for name in files if "misconceptions" in name or "alternatives" in name or name.startswith("modules")
    ]
    with zipfile.ZipFile(archive) as file:
        assert {n.removeprefix("tinytorch-kit/") for n in file.namelist()} == set(files)
    everything = "\n".join(files.values())
    for answer in ("np.float32(factor)", "hidden_rows", "Half the memory", "positive_part", "A factor adds"):
        assert answer not in everything


def test_the_same_kit_is_the_same_zip(full_course):
    first = make_kit(full_course).read_bytes()
    (full_course.root / "milestones" / "1957" / "run.py").touch()
    assert make_kit(full_course).read_bytes() == first


def public(course):
    """Everything that others see: notebook, kit folder and zip, each with its bytes."""
    notebooks = {module.folder: course.released(module).read_bytes() for module in MODULES}
    return {**notebooks, "kit": texts(course.kit), "zip": course.kit.with_suffix(".zip").read_bytes()}


def points(course):
    with open_gradebook(course) as book:
        return {cell.name: cell.max_score for cell in book.find_notebook("tensor", "01_tensor").grade_cells}


def edit(course, module, old, new):
    """Change a teaching source and build it."""
    path = course.teaching_source(module)
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    build(course, module)


@pytest.fixture
def published(full_course):
    """A course with a kit, whose sources and milestone have changed since."""
    publish(full_course, MODULES)
    edit(full_course, TENSOR_MODULE, '"points": 4', '"points": 8')
    edit(full_course, ACTIVATIONS_MODULE, "else 0.", "otherwise 0.")
    (full_course.root / "milestones" / "1957" / "run.py").write_text("print('the perceptron')\n")
    return full_course


def test_a_release_renews_everything(published):
    before = public(published)
    publish(published, MODULES)
    after = public(published)
    assert [name for name in before if before[name] == after[name]] == []
    assert points(published)["test-scale"] == 8
    assert not list(published.state.glob("release*"))


def test_a_release_of_one_module_keeps_the_others_in_the_kit(published):
    before = public(published)
    publish(published, [TENSOR_MODULE])
    after = public(published)
    assert after["02_activations"] == before["02_activations"]
    assert after["01_tensor"] != before["01_tensor"]
    for module in MODULES:
        assert Course(published.kit).released(module).read_bytes() == after[module.folder]


def give_away(course):
    (course.root / "milestones" / "1957" / "run.py").write_text("hidden_rows = np.arange(6.0).reshape(2, 3)\n")


def lose_a_file(course):
    (course.root / "requirements" / "student.txt").unlink()


def break_markers(course):
    path = course.built(ACTIVATIONS_MODULE)
    path.write_text(path.read_text().replace("### END SOLUTION", "### THE END"))


def change_graded_cells(course):
    with open_gradebook(course) as book:
        book.add_student("ada")
        book.add_submission("02_activations", "ada")
    edit(course, ACTIVATIONS_MODULE, '"test-relu"', '"test-relu-again"')


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # of nbgrader itself
@pytest.mark.parametrize("spoil", [give_away, lose_a_file, break_markers, change_graded_cells])
def test_an_error_leaves_everything_as_it_was(published, spoil):
    before, scores = public(published), points(published)
    spoil(published)
    with pytest.raises(CourseError):
        publish(published, MODULES)
    assert public(published) == before
    assert points(published) == scores
    assert not list(published.state.glob("release*"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a kill is tried in a forked process")
def test_a_kill_leaves_every_part_old_or_new(published, monkeypatch):
    """The process ends before its first public step, its second, and so on, until one comes through."""
    old, states = public(published), []
    for step in range(1, 10):
        child = os.fork()
        if child == 0:
            kill_before(step, published, monkeypatch)
            publish(published, MODULES)
            os._exit(0)
        killed = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        states.append(public(published))
        if not killed:
            break
    new = states[-1]
    renewed = [sum(state[name] == new[name] for name in new) for state in states]
    assert renewed == [0, 1, 2, 3, 4]
    assert all(state[name] in (old[name], new[name]) for state in states for name in new)


def kill_before(step, course, monkeypatch):
    """End this process before its public rename number `step`."""
    renames = itertools.count(1)

    def killing(rename):
        def renamed(source, target):
            if course.state not in Path(target).parents and next(renames) == step:
                os._exit(9)
            return rename(source, target)

        return renamed

    for owner, name in ((os, "replace"), (os, "rename"), (files, "_exchange")):
        monkeypatch.setattr(owner, name, killing(getattr(owner, name)))


def test_nothing_released(tmp_path):
    with pytest.raises(CourseError, match="No module has been released yet"):
        make_kit(make_sources(tmp_path))
