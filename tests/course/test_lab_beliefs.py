"""An answer that a known belief gives is answered with that belief; every other one with none."""

import json

import numpy as np
import pytest
from mini import TENSOR_MODULE
from real import REPOSITORY

from tito.lab import beliefs, check_close, check_equal
from tito.registry import MODULES
from tito.release.beliefs import up_to_date, write_beliefs

BELIEF = "A factor adds."
MISCONCEPTION = f'''"""{BELIEF}"""
# loses: test-scale

# %% scale
#| export
def scale(x, factor):
    return np.asarray(x, dtype=np.float32) + np.float32(factor)
'''


def ask(answer):
    """A test as a page has it."""

    def test_unit_scale():
        check_equal(lambda: answer([1.0], 2).shape, (1,))
        check_close(lambda: answer([1.0, 3.0], 2), [2, 6])

    test_unit_scale()


def adds(x, factor):
    return np.asarray(x) + factor


def divides(x, factor):
    return np.asarray(x) / factor


@pytest.fixture
def known(tmp_path, monkeypatch):
    """The answers of `adds` are recorded as those of the belief."""
    monkeypatch.setattr(beliefs, "_record", None)
    beliefs.start_recording()
    ask(adds)
    facts = {"beliefs": [BELIEF], "answers": {key: [0] for key in beliefs.recorded()}}
    (tmp_path / "01_tensor.json").write_text(json.dumps(facts), encoding="utf-8")
    monkeypatch.setattr(beliefs, "_record", None)
    monkeypatch.setattr(beliefs, "FOLDER", tmp_path)
    cached = beliefs._known
    cached.cache_clear()
    yield
    cached.cache_clear()


def says(answer):
    with pytest.raises(AssertionError) as failed:
        ask(answer)
    return str(failed.value)


def test_the_same_answer_is_answered_with_the_belief(known):
    assert f'belief    "{BELIEF}" gives this same answer' in says(adds)
    assert "belief" in says(lambda x, factor: np.float32(x) + np.float32(factor))  # in float32 too


@pytest.mark.parametrize("other", [divides, lambda x, factor: np.asarray(x) * factor + 1e-2, lambda x, factor: None])
def test_another_answer_is_answered_with_none(known, other):
    assert "belief" not in says(other)


def test_recording_reaches_every_check_and_raises_nothing(monkeypatch):
    monkeypatch.setattr(beliefs, "_record", None)
    beliefs.start_recording()
    ask(lambda x, factor: np.zeros((2, 3)) + 7)
    assert len(beliefs.recorded()) == 2


@pytest.mark.parametrize("answer", [None, np.zeros(0), object(), ["a", object()]])
def test_an_answer_that_says_nothing_has_no_digest(answer):
    assert beliefs.digest("f(x)", np.arange(4), answer) == ""


@pytest.mark.parametrize(
    ("answer", "common"),
    [(0, True), (1.0, True), (False, True), (np.zeros((2, 2)), True), (2, False), ([1.0, 0.0], False), ((), False)],
)
def test_an_answer_that_many_mistakes_give_is_told_as_one_of_several(known, monkeypatch, answer, common):
    monkeypatch.setattr(beliefs, "_known", lambda: {beliefs.digest("f(x)", 7, answer): f'"{BELIEF}"'})
    told = f'"{BELIEF}" may be behind it; other mistakes give this answer, too'
    assert beliefs.belief("f(x)", 7, answer) == (told if common else f'"{BELIEF}" gives this same answer')


NESTED = [["state", "param_groups"], [0, 1.5]]


@pytest.mark.parametrize(
    ("answer", "same", "other"),
    [
        (NESTED, [["state", "param_groups"], [0, np.float32(1.5)]], [["state", "param_groups"], [1, 1.5]]),
        ({"there": [[1.0, 0.1]]}, {"there": [[1, np.float32(0.1)]]}, {"here": [[1.0, 0.1]]}),
        ((["a"], [], 2), (["a"], [], np.float64(2)), (["b"], [], 2)),
        ([[1.0], [2.0, None]], [[1], [2, None]], [[1.0, 2.0], [None]]),
    ],
)
def test_a_digest_tells_what_a_list_holds_in_whatever_type(answer, same, other):
    assert beliefs.digest("f(x)", NESTED, answer) == beliefs.digest("f(x)", NESTED, same) != ""
    assert beliefs.digest("f(x)", NESTED, answer) != beliefs.digest("f(x)", NESTED, other) != ""


def test_a_digest_depends_on_the_check_and_not_on_the_last_digits():
    x = np.array([1.234567, -88.1])
    one = beliefs.digest("f(x)", [1, 2], x)
    assert one == beliefs.digest("f(x)", [1, 2], x * (1 + 1e-7))
    others = [("g(x)", [1, 2], x), ("f(x)", [1, 3], x), ("f(x)", [1, 2], x * 1.01), ("f(x)", [1, 2], x[None])]
    assert one not in {beliefs.digest(*other) for other in others}


def test_the_bank_of_a_course_becomes_digests(course):
    folder = course.tests(TENSOR_MODULE) / "misconceptions"
    folder.mkdir(parents=True)
    (folder / "adds.py").write_text(MISCONCEPTION, encoding="utf-8")
    source = course.teaching_source(TENSOR_MODULE)
    asserted = 'assert scale([1.0], 2)[0] == 2, "scale([1.0], 2) should be 2"'
    checked = "from tito.lab import check_close\n    check_close(lambda: scale([1.0, 5.0], 2), [2, 10])"
    source.write_text(source.read_text().replace(asserted, checked), encoding="utf-8")
    assert not up_to_date(course, TENSOR_MODULE)
    facts = json.loads(write_beliefs(course, TENSOR_MODULE).read_text(encoding="utf-8"))
    assert (facts["beliefs"], list(facts["answers"].values())) == ([BELIEF], [[0]])
    assert "np.float32" not in json.dumps(facts)
    assert up_to_date(course, TENSOR_MODULE)
    page = source.read_text(encoding="utf-8")
    source.write_text(page.replace("[1.0, 5.0], 2), [2, 10]", "[1.0, 6.0], 2), [2, 12]"), encoding="utf-8")
    assert not up_to_date(course, TENSOR_MODULE)
    source.write_text(page, encoding="utf-8")
    assert up_to_date(course, TENSOR_MODULE)
    (folder / "adds.py").write_text(MISCONCEPTION.replace("adds", "is added"), encoding="utf-8")
    assert not up_to_date(course, TENSOR_MODULE)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.folder)
def test_the_recorded_beliefs_belong_to_page_and_bank_as_they_are(module):
    stale = f"{module.folder} changed (page, bank or checks) since its beliefs were recorded: run `tito sync`"
    assert up_to_date(REPOSITORY, module), stale
