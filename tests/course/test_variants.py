"""Reading misconceptions and alternatives."""

import pytest

from tito.course import Course
from tito.errors import CourseError
from tito.registry import find_module
from tito.sources.variants import alternatives, misconceptions, read_variant

TEXT = '''"""The size is the count."""
# loses: test-mean, test-module-tensor

# %% mean
#| export
def mean(x):
    return x.sum() / x.size

# %% median
median = mean  # %% is no marker here
'''
MODULE = find_module("01")


@pytest.fixture
def put(tmp_path):
    def put(text, kind="misconceptions", name="size.py"):
        path = tmp_path / "tests" / MODULE.folder / kind / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return put


def test_read(put):
    variant = read_variant(put(TEXT))
    assert (variant.name, variant.belief) == ("size", "The size is the count.")
    assert variant.loses == {"test-mean", "test-module-tensor"}
    assert variant.answers == {
        "mean": "#| export\ndef mean(x):\n    return x.sum() / x.size",
        "median": "median = mean  # %% is no marker here",
    }


def test_by_name_and_none(put, tmp_path):
    put(TEXT, name="b.py")
    put(TEXT, name="a.py")
    assert [variant.name for variant in misconceptions(Course(tmp_path), MODULE)] == ["a", "b"]
    assert alternatives(Course(tmp_path), MODULE) == []


def test_an_alternative_loses_nothing(put, tmp_path):
    put('"""Another way."""\n\n# %% mean\nmean = np.mean\n', kind="alternatives")
    (variant,) = alternatives(Course(tmp_path), MODULE)
    assert variant.loses == frozenset()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("def f(:", "line 1, is not Python"),
        (TEXT.split("\n", 1)[1], "does not state a belief"),
        ('"""Nothing."""\n', "changes no cell, or one twice"),
        (TEXT.replace("# %% median", "# %% mean"), "changes no cell, or one twice"),
        (TEXT.replace("# %% median", "# %%"), "changes no cell, or one twice"),
        (TEXT.replace("# loses:", "# costs:"), "does not say what it loses"),
    ],
)
def test_not_as_described(put, tmp_path, text, problem):
    put(text)
    with pytest.raises(CourseError, match=problem):
        misconceptions(Course(tmp_path), MODULE)
