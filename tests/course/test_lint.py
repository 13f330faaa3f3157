"""`tito lint`: a good source has no finding; a source that breaks one rule has exactly that finding."""

from pathlib import Path

import pytest

from tito.course import Course
from tito.lint import RULES
from tito.lint.running import import_is_quiet
from tito.lint.shares import shares
from tito.lint.source import Finding, read_source
from tito.registry import Module

SAMPLE = Path(__file__).with_name("sample_source.txt")
ROW = Module(2, "activations", "core.activations", (1,), 10, 2, "a sample")
STATIC = [rule for rule in RULES if rule is not import_is_quiet]
TENSOR = "class Tensor:\n    def __init__(self, data): self.data = data\n"

PAGE = "import json  # this page only"
NUMPY = "import numpy as np\n"
RELU = '"grade_id": "relu", "locked": false'
TEST_RELU = '"grade_id": "test-relu", "locked": true'
GIVEN = (
    '# %% nbgrader={{"grade": false, "grade_id": "{}", "locked": true, "schema_version": 3, '
    '"solution": false, "task": false}}'
)
TEST_BODY = "    np.testing.assert_array_equal(relu(Tensor([-1.0, 2.0])).data, [0, 2])\n"
SOLUTION = "    return Tensor(np.maximum(x.data, 0))\n"
GUARDED = 'if __name__ == "__main__":\n    test_unit_relu()\n'
HIDDEN = "    np.testing.assert_array_equal(relu(Tensor([-7.0, 0.0, 3.0])).data, [0, 0, 3])\n"

NOT_CARRIED = {
    "relu(Tensor(x for x in [1.0]))": "put list(...) around it",
    "relu(Tensor([1.0]), *[], map(abs, [1]))": "put list(...) around it",
    "del relu(Tensor([1.0])).data": "set the attribute to None",
    "delattr(ReLU, 'forward')": "set the attribute to None",
    "weakref.ref(ReLU())": "a given, exported function",
    "globals()": "name what is meant",
    "dir(ReLU)": "hasattr",
    "f = lambda: (yield 1)": "return a list",
}
CARRIED = [
    "relu(Tensor(list(map(abs, [1]))))",
    "assert sum(x for x in [1]) == 1",
    "assert ', '.join(name for name in 'ab') == 'a, b'",
    "relu(Tensor([1.0])).data.copy()",
    "assert hasattr(ReLU(), 'forward')",
    "copy.deepcopy(ReLU())",
    "for x, y in zip([1], [2]): pass",
]

BREAKS = [
    ("metadata-complete", f'{RELU}, "schema_version": 3', f'{RELU}, "schema_version": 2', "schema_version is 2"),
    ("metadata-complete", '"solution": false, "task": false', '"solution": false', "lacks task"),
    ("metadata-complete", RELU, f'{RELU}, "cell_type": "code"', "has cell_type"),
    ("metadata-complete", f'"grade": false, {RELU}', f'"grade": false, "points": 3, {RELU}', "has points"),
    ("metadata-complete", f'"grade": false, {RELU}', f'"grade": 0, {RELU}', "grade is not true or false"),
    ("grade-id", '"q-kink"', '"cell-0123456789abcdef"', "says nothing"),
    ("grade-id", '"q-kink"', '"where is it?"', "letters, digits"),
    ("grade-id", '"q-kink"', f'"{"k" * 65}"', "at most 64"),
    ("grade-id", '"q-kink"', '"relu"', "already that of cell 5"),
    ("locked", TEST_RELU, TEST_RELU.replace("true", "false"), "must be locked"),
    ("locked", RELU, RELU.replace("false", "true"), "must not be locked"),
    ("given-locked", GIVEN.format("relu-class"), "# %%", "cell 7 is exported"),
    ("given-locked", f"{PAGE}\n", "import json\nLIMIT = 3\n\n# %%\nprint = LIMIT\n", "defines LIMIT for later cells"),
    ("points-sum", '"points": 5', '"points": 6', "give 12 points, the registry says 10"),
    ("solution-region", "    ### END SOLUTION\n", "", "not in pairs"),
    ("solution-region", SOLUTION, "\n", "no code between"),
    ("solution-region", f"    ### BEGIN SOLUTION\n{SOLUTION}    ### END SOLUTION\n", SOLUTION, "no code between"),
    ("solution-length", SOLUTION, "    y = x.data\n" * 16 + SOLUTION, "17 lines, more than 15"),
    ("scaffolding", "    TODO: compute relu.\n", "", "lacks TODO"),
    ("scaffolding", "    HINT: `np.maximum`\n", "", "lacks HINT"),
    ("markers-in-place", f"{PAGE}\n", "### BEGIN SOLUTION\n### END SOLUTION\n", "not say 'solution'"),
    ("markers-in-place", "## ReLU\n", "## ReLU\n### BEGIN HIDDEN TESTS\n", "does not say 'grade'"),
    ("nothing-hidden", "# %%\nimport json", '# %% jupyter={"source_hidden": true}\nimport json', "hides it"),
    ("nothing-hidden", "# %%\nimport json", '# %% tags=["hide-input"]\nimport json', "hides it"),
    ("nothing-hidden", "## ReLU\n", "## ReLU\n<!-- np.maximum -->\n", "HTML comment"),
    ("question-apart", "At 0.\n", "**Question.** Where?\nAt 0.\n", "holds its question"),
    ("question-apart", '# %% [markdown]\n"""\n**Question.**', '# %%\n"""\n**Question.**', "does not follow"),
    ("unit-test-name", "test_unit_relu", "test_relu", "must be called test_unit_relu"),
    ("unit-test-name", "test_module", "test_unit_all", "there is no test_module"),
    ("unit-test-name", "def test_unit_relu():", "def check_relu():", "defines no test_unit_"),
    ("unit-test-called", GUARDED, "", "right under test_unit_relu"),
    ("unit-test-called", GUARDED, GUARDED.replace("test_unit_relu()", "print(test_unit_relu())"), "right under"),
    ("unguarded", f"{PAGE}\n", "import json\n\nprint(json)\n", "print(json) runs on import"),
    ("hidden-tests", HIDDEN, "", "no hidden tests"),
    ("hidden-tests", "    ### END HIDDEN TESTS\n", "", "not in pairs"),
    ("no-class-in-test", TEST_BODY, f"    class Helper:\n        pass\n{TEST_BODY}", "class Helper"),
    *(("carried", TEST_BODY, f"{TEST_BODY}    {line}\n", words) for line, words in NOT_CARRIED.items()),
    ("no-trust", TEST_BODY, f"{TEST_BODY}    assert isinstance(relu(Tensor([1.0])), Tensor)\n", "isinstance()"),
    ("no-trust", TEST_BODY, f"{TEST_BODY}    assert bool(relu(Tensor([1.0])))\n", "bool()"),
    ("no-trust", "relu(Tensor([-7.0, 0.0, 3.0])).data, [0, 0, 3])", "[], [])\n    assert ReLU() == 1", "== trusts"),
    ("bare-name", TEST_BODY, f"{TEST_BODY}    y = relu(Tensor([1.0]))\n    check_close(lambda: y, 1)\n", "lambda: y"),
    ("bare-name", TEST_BODY, f"{TEST_BODY}    check_equal(lambda: right > 0.85, True)\n", "lambda: right > 0.85"),
    ("directives", "#| default_exp core.activations\n", "", "no '#| default_exp' line"),
    ("directives", "#| default_exp core.activations", "#| default_exp core.tensor", "default_exp is 'core.tensor'"),
    ("directives", "#| export\nclass ReLU", "x = 1\n#| export\nclass ReLU", "not at the top"),
    ("directives", "#| export\nclass ReLU", "#| exprot\nclass ReLU", "'#| exprot' means nothing"),
    ("plain-python", "#| export\nclass ReLU:", "#| export\n%load_ext x\nclass ReLU:", "a notebook command"),
    ("plain-python", PAGE, "import json as", "not Python: invalid syntax"),
    ("plain-python", "rectify = relu", "rectify = get_ipython", "must not use get_ipython"),
    ("no-explicit-all", "rectify = relu", '__all__ = ["relu"]', "leave __all__ out"),
    ("no-container", "rectify = relu", "class Sequential:\n    pass", "Sequential is a composition container"),
    ("no-container", PAGE, "import json\n\nx = json.nn.Sequential", "Sequential"),
    (
        "no-container",
        "rectify = relu",
        "class Chain:\n    def __init__(self, *layers): self.layers = layers\n\n"
        "    def forward(self, x):\n        for layer in self.layers:\n            x = layer(x)\n        return x",
        "Chain is a composition container",
    ),
    ("imports-match-needs", PAGE, "import tinytorch.core.layers", "module 03, a later"),
    ("imports-match-needs", PAGE, "from tinytorch.nn import Linear", "module 03, a later"),
    ("imports-match-needs", PAGE, "from tinytorch.core import layers", "module 03, a later"),
    ("imports-match-needs", "from tinytorch.core.tensor import Tensor", "", "nothing is imported"),
    ("imports-allowed", NUMPY, f"{NUMPY}import matplotlib.pyplot\n", "must not import matplotlib"),
    ("imports-allowed", NUMPY, f"{NUMPY}from . import losses\n", "must not import .losses"),
    ("first-exercise", "## ReLU\n", "## ReLU\n" + "A line.\n" * 120, "comes after 134 lines, more than 120"),
    ("given-length", PAGE, "import json\n" + "x = 1\n" * 60, "has 61 lines, more than 60"),
    ("line-length", PAGE, f"import json  # {'-' * 86}", "101 characters, more than 100"),
    ("test-length", TEST_BODY, TEST_BODY + "    x = 1\n" * 13, "test_unit_relu shows 16 lines, more than 15"),
    ("title-matches", "# Module 02: Activations", "# Activations", "# Module 02: "),
    ("title-matches", "**Points** 10", "**Points** 100", "**Points** 10"),
    ("title-matches", "**About** 2 hours", "**About** 3 hours", "**About** 2 hours"),
]  # fmt: skip


def course_with(folder: Path, text: str) -> Course:
    source = folder / ROW.source
    source.parent.mkdir(parents=True)
    source.write_text(text)
    return Course(folder)


def findings(course: Course) -> list[Finding]:
    source = read_source(course, ROW)
    return [finding for rule in STATIC for finding in rule(source)]


def test_the_sample_keeps_every_rule(tmp_path):
    assert findings(course_with(tmp_path, SAMPLE.read_text())) == []


@pytest.mark.parametrize(("rule", "old", "new", "words"), BREAKS)
def test_a_broken_rule_is_the_only_finding(tmp_path, rule, old, new, words):
    text = SAMPLE.read_text()
    assert old in text
    broken = text.replace(old, new)
    found = findings(course_with(tmp_path, broken))
    assert {finding.rule for finding in found} == {rule}
    assert any(words in finding.message for finding in found)
    assert all(1 <= finding.line <= len(broken.splitlines()) for finding in found)


@pytest.mark.parametrize("line", CARRIED)
def test_what_a_test_may_do_apart_from_the_answers(line, tmp_path):
    text = SAMPLE.read_text().replace(TEST_BODY, f"{TEST_BODY}    {line}\n")
    assert findings(course_with(tmp_path, text)) == []


def test_every_rule_is_broken_by_a_test():
    names = {rule.__name__.replace("_", "-") for rule in STATIC}
    assert names == {rule for rule, *_ in BREAKS}


FOLDED = (
    'jupyter={"source_hidden": true} '
    'nbgrader={"grade": false, "grade_id": "more", "locked": %s, "schema_version": 3, %s}'
)


@pytest.mark.parametrize(
    ("locked", "kind", "rules"),
    [
        ("true", '"solution": false, "task": false', set()),
        ("false", '"solution": false, "task": false', {"nothing-hidden"}),
        ("false", '"solution": true, "task": false', {"nothing-hidden"}),
    ],
)
def test_only_a_locked_given_cell_may_be_folded(tmp_path, locked, kind, rules):
    text = SAMPLE.read_text().replace("# %%\nimport json", f"# %% {FOLDED % (locked, kind)}\nimport json")
    assert text != SAMPLE.read_text()
    assert {f.rule for f in findings(course_with(tmp_path, text))} & {"nothing-hidden"} == rules


def test_a_finding_points_at_its_line(tmp_path):
    text = SAMPLE.read_text().replace("rectify = relu", "class Sequential:\n    pass")
    finding = findings(course_with(tmp_path, text))[0]
    assert text.splitlines()[finding.line - 1] == "class Sequential:"


def test_a_folded_cell_may_be_long(tmp_path):
    text = SAMPLE.read_text().replace(f"# %%\n{PAGE}", '# %% jupyter={"source_hidden": true}\n' + "x = 1\n" * 61)
    assert "given-length" not in {finding.rule for finding in findings(course_with(tmp_path, text))}


def test_only_length_and_unused_needs_are_warnings(tmp_path):
    text = SAMPLE.read_text().replace(SOLUTION, "    y = x.data\n" * 16 + SOLUTION)
    assert [finding.warning for finding in findings(course_with(tmp_path, text))] == [True]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("import json", ""),
        ("print('hello')", "importing it prints: hello"),
        ("import warnings; warnings.warn('careful')", "careful"),
        ("1 / 0", "importing it fails: ZeroDivisionError"),
    ],
)
def test_importing_a_source_is_quiet(tmp_path, line, words):
    course = course_with(tmp_path, SAMPLE.read_text().replace("import json  # this page only", line))
    (tmp_path / "tinytorch" / "core").mkdir(parents=True)
    (tmp_path / "tinytorch" / "core" / "tensor.py").write_text(TENSOR)
    found = list(import_is_quiet(read_source(course, ROW)))
    assert len(found) == (1 if words else 0)
    assert all(words in finding.message for finding in found)


def test_shares_add_up(tmp_path):
    found = shares(read_source(course_with(tmp_path, SAMPLE.read_text()), ROW))
    lines = sum(bool(line.strip()) for cell in read_source(Course(tmp_path), ROW).cells for line in cell.lines)
    assert found.lines == lines
    assert 0 < found.prose < 100
    assert 0 < found.tests < 100
    assert (found.written, found.open, found.exported) == (1, 10, 10)


def test_a_folded_cell_does_not_stand_open(tmp_path):
    marker = '# %% nbgrader={"grade": false, "grade_id": "relu-class"'
    text = SAMPLE.read_text().replace(marker, marker.replace("# %%", '# %% jupyter={"source_hidden": true}'))
    found = shares(read_source(course_with(tmp_path, text), ROW))
    assert (found.written, found.open, found.exported) == (1, 7, 10)
    assert found.share == pytest.approx(100 / 7)
