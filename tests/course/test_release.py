"""Released notebooks and the kit hold no answer; the leak check finds one however it is dressed."""

import ast
import json
import zipfile

import nbformat
import pytest
from mini import ACTIVATIONS_MODULE, TENSOR_MODULE, make_sources, released

from tito.errors import CourseError
from tito.grading.gradebook import open_gradebook
from tito.release.kit import make_kit
from tito.release.leaks import find_leaks, gather_secrets, tidy
from tito.release.notebooks import release_modules

MODULES = [TENSOR_MODULE, ACTIVATIONS_MODULE]
MISCONCEPTION = '''"""A factor adds."""
# loses: test-scale

# %% scale
#| export
def scale(x, factor):
    return np.asarray(x, dtype=np.float32) + np.float32(factor)
'''


@pytest.fixture
def full_course(course):
    """With public tests, a misconception and an alternative."""
    tests = course.root / "tests" / "01_tensor"
    for folder, text in (("misconceptions", MISCONCEPTION), ("alternatives", MISCONCEPTION.replace("+", "- 2 *"))):
        (tests / folder).mkdir(parents=True)
        (tests / folder / "one.py").write_text(text)
    (tests / "test_public.py").write_text("def test_scale():\n    from tinytorch.core.tensor import scale\n")
    (course.root / "milestones" / "1957").mkdir(parents=True)
    (course.root / "milestones" / "1957" / "run.py").write_text("print('perceptron')\n")
    return course


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
        "pyproject.toml",
        "nbgrader_config.py",
        "requirements/student.txt",
        "release/01_tensor/tensor.ipynb",
        "release/02_activations/activations.ipynb",
        "tests/01_tensor/test_public.py",
        "milestones/1957/run.py",
        "tinytorch/__init__.py",
    ):
        assert name in files
    assert "tinytorch/core/tensor.py" not in files
    assert files["requirements/student.txt"].splitlines()[-1] == "-e ."
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


LEAKS = {
    "a solution line": "    product = np.asarray(x,  dtype=np.float32) * np.float32(factor)   # mine\n",
    "a hidden test": "hidden_rows = np.arange(6.0).reshape(2, 3)\n",
    "a hidden message": '"""\nassert shift(np.zeros((2, 2)), 7.0).sum() == 28, "shift forgets some entries"\n"""\n',
    "a model answer": "Half the memory of float64 and enough digits for gradients: "
    "bandwidth is what training waits for.",
    "statements in another layout": (
        "def helper(x, factor):\n    product = (np.asarray(x, dtype=np.float32)\n        * np.float32(factor))\n"
        "    return product.astype(\n        np.float32)\n"
    ),
    "a short statement of the same function": "class A:\n    def relu(self):\n        return positive_part\n",
    "a misconception": "x = 1\nreturn np.asarray(x, dtype=np.float32) + np.float32(factor)\n",
    "an alternative": "return np.asarray(x, dtype=np.float32) - 2 * np.float32(factor)\n",
}


@pytest.mark.parametrize("text", LEAKS.values(), ids=LEAKS.keys())
def test_leaks_are_found(full_course, text):
    (full_course.root / "milestones" / "1957" / "run.py").write_text(text)
    with pytest.raises(CourseError, match=r"^milestones/1957/run.py, line \d+, would give away"):
        make_kit(full_course)
    assert not full_course.kit.exists()


def test_a_leak_keeps_the_previous_kit(full_course):
    archive = make_kit(full_course)
    before = archive.read_bytes()
    (full_course.root / "milestones" / "1957" / "run.py").write_text(LEAKS["a hidden test"])
    with pytest.raises(CourseError, match="cell 'test-scale' of 01_tensor"):
        make_kit(full_course)
    assert archive.read_bytes() == before
    assert full_course.kit.is_dir()


def test_a_leak_in_an_output_of_a_notebook(full_course):
    path = full_course.release / "01_tensor" / "tensor.ipynb"
    notebook = json.loads(path.read_text())
    source = "product = np.asarray(x, dtype=np.float32) * np.float32(factor)"
    notebook["cells"][1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": source}]
    path.write_text(json.dumps(notebook))
    with pytest.raises(CourseError, match=r"^release/01_tensor/tensor\.ipynb, line \d+, would give away cell 'scale'"):
        make_kit(full_course)


@pytest.mark.parametrize(
    "text",
    [
        "def f(x):\n    return x\n",
        "from tinytorch.core.tensor import scale\nassert scale([2.0], 3)[0] == 6\n",
        "def test_unit_scale():\n    assert scale([1.0], 2)[0] == 2\n",
        "hidden = 1\nrng_of_the_test = np.random.default_rng(5)\n",
        "import numpy as np\nmoved = 1\nreturn_value = moved\n",
        "this is not python: ][",
    ],
)
def test_public_use_is_no_leak(full_course, text):
    (full_course.root / "milestones" / "1957" / "run.py").write_text(text)
    make_kit(full_course)


def test_no_statement_of_a_solution_is_in_the_kit(full_course):
    """The same question asked another way: no solution statement of any length that is not public anyway."""
    make_kit(full_course)
    secret = {"product.astype(np.float32)", "moved.astype(np.float32)", "np.maximum(scale(x, 1), np.float32(0))"}
    for path in full_course.kit.rglob("*.py"):
        unparsed = {ast.unparse(node) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.expr)}
        assert not unparsed & secret, path


def test_lines_are_compared_without_layout():
    assert tidy("   x  =  1   # why") == "x = 1"
    assert tidy("  # a  comment") == "# a comment"


def test_find_leaks_names_the_origin(full_course):
    secrets = gather_secrets(full_course, MODULES)
    (leak,) = find_leaks(secrets, [(full_course.root / "x.md", "a\nhidden_rows = np.arange(6.0).reshape(2, 3)")])
    assert (leak.line, leak.origin) == (2, "cell 'test-scale' of 01_tensor")


def test_nothing_released(tmp_path):
    with pytest.raises(CourseError, match="No module has been released yet"):
        make_kit(make_sources(tmp_path))
