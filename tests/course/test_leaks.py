"""The leak check finds an answer however it is dressed and wherever it is pasted, and nothing else."""

import ast
import copy
import json
from pathlib import Path

import pytest
from mini import ACTIVATIONS_MODULE, TENSOR_MODULE, add_public_files, make_sources

from tito import files
from tito.errors import CourseError
from tito.release.kit import make_kit
from tito.release.leaks import Text, find_leaks
from tito.release.notebooks import release_modules
from tito.release.secrets import TEST_LENGTHS, gather_secrets, tidy
from tito.sources.build import build

MODULES = [TENSOR_MODULE, ACTIVATIONS_MODULE]
SOLUTION = "    product = np.asarray(x, dtype=np.float32) * np.float32(factor)\n    return product.astype(np.float32)"
FIRST, SECOND = SOLUTION.splitlines()
HIDDEN = """\
    hidden_rows = np.arange(6.0).reshape(2, 3)
    assert np.allclose(scale(hidden_rows, 3), [[0, 3, 6], [9, 12, 15]]), "scale of a table is wrong: check the shape"
"""
ANSWER = "Half the memory of float64 and enough digits for gradients: bandwidth is what training waits for."


@pytest.fixture(scope="module")
def gathered(tmp_path_factory):
    course = make_sources(tmp_path_factory.mktemp("secrets"))
    add_public_files(course)
    return gather_secrets(course, MODULES)


@pytest.fixture
def secrets(gathered):
    return copy.deepcopy(gathered)


def leaks_in(secrets, *parts):
    return find_leaks(secrets, [Text(Path("a"), tuple((str(i), part, True) for i, part in enumerate(parts)))])


@pytest.mark.parametrize(
    "text",
    [
        "    product = np.asarray(x,  dtype=np.float32) * np.float32(factor)   # mine\n",
        "hidden_rows = np.arange(6.0).reshape(2, 3)\n",
        f'"""\n{HIDDEN}"""\n',
        ANSWER,
        "def helper(x, factor):\n    product = (np.asarray(x, dtype=np.float32)\n        * np.float32(factor))\n"
        "    return product.astype(\n        np.float32)\n",
        "class A:\n    def relu(self):\n        return positive_part\n",
        "x = 1\nreturn np.asarray(x, dtype=np.float32) + np.float32(factor)\n",
        "return np.asarray(x, dtype=np.float32) - 2 * np.float32(factor)\n",
        f'def f():\n    """Try\n\n    >>> {FIRST.strip()}\n    """\n',
        f"# {FIRST.strip()}\n",
        f"> - `{FIRST.strip()}`\n",
    ],
    ids=[
        "a solution line",
        "a hidden test",
        "a hidden message",
        "a model answer",
        "statements in another layout",
        "a short statement of the same function",
        "a misconception",
        "an alternative",
        "an example in a docstring",
        "a comment",
        "a quotation",
    ],
)
def test_leaks_are_found(secrets, text):
    assert leaks_in(secrets, text)


def test_two_short_lines_in_a_row_are_found(secrets):
    """Neither line is long enough alone; comments and empty lines between them change nothing."""
    secrets.add("total = 0\n# now all of them\nfor x in xs:\n    total += x", {1, 2, 3, 4}, "a loop")
    for text in ("total = 0\nfor x in xs:", "for x in xs:\n\n  # each\n  total += x", "- total = 0\n- now all of them"):
        assert [leak.origin for leak in leaks_in(secrets, text)] == ["a loop"], text
    assert leaks_in(secrets, "total = 0", "for x in xs:")[0].part == "0"
    assert leaks_in(secrets, "total = 0\ntotal += x\n# now all of them") == []


def test_lines_that_only_lay_out_a_call_are_no_pair(secrets):
    """A hidden test is written on many short lines; so are the visible ones."""
    call = "check_close(\n    lambda: {},\n    expected,\n    rtol=1e-3,\n)\ncheck_close("
    secrets.add(call.format("scale(hidden_table, 3)"), set(range(1, 7)), "a hidden test", TEST_LENGTHS)
    assert leaks_in(secrets, call.format("scale(table, 2)")) == []
    (leak,) = leaks_in(secrets, "lambda: scale(hidden_table, 3),\nexpected,")
    assert leak.origin == "a hidden test"


def test_a_line_that_the_test_itself_shows_may_come_again_below_and_no_second_one(course):
    """A visible call is repeated after a hidden change; together with its neighbour it is still a secret."""
    line, change = 'assert scale([1.0], 2)[0] == 2, "scale([1.0], 2) should be 2"', "scale.calls = 1"
    path = course.teaching_source(TENSOR_MODULE)
    begin = "    ### BEGIN HIDDEN TESTS\n"
    path.write_text(path.read_text().replace(begin, f"{begin}    {change}\n    {line}\n", 1))
    build(course, TENSOR_MODULE)
    release_modules(course, [TENSOR_MODULE])
    assert line in course.released(TENSOR_MODULE).read_text().replace('\\"', '"')
    secrets = gather_secrets(course, MODULES)
    assert leaks_in(secrets, line) == []
    assert leaks_in(secrets, f"{change}\n{line}")


def test_an_idiom_is_one_line_and_never_two(secrets):
    secrets.add("a_well_known_way = of_doing(something, useful)\nand_then = 1", {1, 2}, "here")
    secrets.exempt(["a_well_known_way = of_doing(something, useful)"])
    assert leaks_in(secrets, "a_well_known_way = of_doing(something, useful)") == []
    (leak, *_) = leaks_in(secrets, "a_well_known_way = of_doing(something, useful)\nand_then = 1")
    assert leak.origin == "here"


@pytest.mark.parametrize(
    "text",
    [
        "def f(x):\n    return x\n",
        "from tinytorch.core.tensor import scale\nassert scale([2.0], 3)[0] == 6\n",
        "def test_unit_scale():\n    assert scale([1.0], 2)[0] == 2\n",
        "hidden = 1\nrng_of_the_test = np.random.default_rng(5)\n",
        "import numpy as np\nmoved = 1\nreturn_value = moved\n",
        "this is not python: ][",
        "Write\n\n    positive_part = np.maximum(x, 0)\n\nor better:\n\n    return positive_part",
    ],
)
def test_public_use_is_no_leak(secrets, text):
    assert leaks_in(secrets, text) == []


QUESTION = '# %% [markdown]\n"""\n**Question.**'
PASTED = {
    "question": lambda t: t.replace("Why float32?", f"Why float32? Think of\n\n{SOLUTION}"),
    "two cells": lambda t: t.replace(
        QUESTION, f'# %%\nif x:\n{FIRST}\n\n# %% [markdown]\n"""\nThen:\n"""\n\n# %%\nif x:\n{SECOND}\n\n{QUESTION}'
    ),
    "own docstring": lambda t: t.replace(
        '"""Return `x` times `factor` as float32."""', f'"""Return `x` times `factor`.\n\n{SOLUTION}\n    """'
    ),
    "visible test": lambda t: t.replace('"""Twice one is two."""\n', f'"""Twice one is two."""\n{HIDDEN}'),
}


@pytest.mark.parametrize("change", PASTED.values(), ids=PASTED.keys())
def test_what_the_page_itself_prints_is_no_excuse(course, change):
    path = course.teaching_source(TENSOR_MODULE)
    text = path.read_text()
    path.write_text(change(text))
    assert path.read_text() != text
    build(course, TENSOR_MODULE)
    problem = r"^01_tensor/tensor\.ipynb, cell \d+, line \d+, would give away cell '(test-)?scale' of 01_tensor"
    with pytest.raises(CourseError, match=problem):
        release_modules(course, [TENSOR_MODULE])


def test_a_module_is_judged_alike_whatever_is_released_with_it(course):
    """Module 02 gives away what module 01 asks for; module 01 is not released now."""
    path = course.teaching_source(ACTIVATIONS_MODULE)
    path.write_text(path.read_text().replace('"""Negative becomes zero."""\n', f'"""Negative is 0."""\n{HIDDEN}'))
    build(course, ACTIVATIONS_MODULE)
    problems = []
    for modules in ([ACTIVATIONS_MODULE], MODULES):
        with pytest.raises(CourseError, match="would give away cell 'test-scale' of 01_tensor") as error:
            release_modules(course, modules)
        problems.append(error.value.problem)
    assert problems[0] == problems[1]


@pytest.mark.parametrize("name", ["tests/01_tensor/test_public.py", "milestones/1957/NOTES", "milestones/1957/a.svg"])
def test_leaks_are_found_in_every_text_of_the_kit(full_course, name):
    (full_course.root / name).write_text(HIDDEN)
    with pytest.raises(CourseError, match=rf"^{name}, line 1, would give away cell 'test-scale' of 01_tensor"):
        make_kit(full_course)
    assert not full_course.kit.exists()


def test_leaks_are_found_in_the_kits_own_readme(full_course, monkeypatch):
    def write(path, text):
        files.write_atomic(path, text + SOLUTION if path.name == "README.md" else text)

    monkeypatch.setattr("tito.release.kit.write_atomic", write)
    with pytest.raises(CourseError, match=r"^README\.md, line \d+, would give away cell 'scale' of 01_tensor"):
        make_kit(full_course)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("outputs", [{"output_type": "stream", "name": "stdout", "text": [f"{FIRST}\n", f"{SECOND}\n"]}]),
        ("metadata", {"note": FIRST}),
        ("attachments", {"a.txt": {"text/plain": SOLUTION}}),
    ],
)
def test_a_leak_beside_the_source_of_a_cell(full_course, key, value):
    path = full_course.released(TENSOR_MODULE)
    notebook = json.loads(path.read_text())
    notebook["cells"][1][key] = value
    path.write_text(json.dumps(notebook))
    problem = r"^release/01_tensor/tensor\.ipynb, cell 2, beside its source, line \d+, would give away cell 'scale'"
    with pytest.raises(CourseError, match=problem):
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
    assert tidy("  # a  comment") == tidy("> - `a comment`") == tidy(">>> a comment") == "a comment"


def test_a_leak_names_its_place_and_its_origin(secrets):
    (leak,) = leaks_in(secrets, "a\nhidden_rows = np.arange(6.0).reshape(2, 3)")
    assert (leak.part, leak.line, leak.origin) == ("0", 2, "cell 'test-scale' of 01_tensor")
