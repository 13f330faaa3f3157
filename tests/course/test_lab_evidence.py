"""What a failing check says: the call as it stands in the test, and only what the wrong answer itself shows."""

import re
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from tito.lab import check_close, check_equal, check_raises, check_without
from tito.lab.calls import call_text, meanings
from tito.lab.evidence import evidence

TABLE = np.arange(1.0, 7.0).reshape(2, 3)
MASK = TABLE > [[1], [5]]  # [[False, True, True], [False, False, True]]
STATEMENTS = [
    (None, TABLE, "the answer is None: is a `return` missing?"),
    (TABLE * 2 / 3, TABLE, "every value is 2/3 times the expected one"),
    (TABLE * 1000, TABLE, "every value is 1000 times the expected one"),
    (-TABLE, TABLE, "every value has the opposite sign"),
    (TABLE + 0.5, TABLE, "every value is too large by 0.5"),
    (TABLE - 3, TABLE, "every value is too small by 3"),
    (np.full((2, 3), 4.0), TABLE, "every value is 4"),
    (np.where(TABLE > 5, np.nan, TABLE), TABLE, "1 of 6 values are nan"),
    (np.where(TABLE > 4, np.inf, TABLE), TABLE, "2 of 6 values are infinite"),
    (np.array([1.0, -2.0, 3.0]), np.array([1.0, 2.0, 3.0]), "the sizes are right, 1 of 3 signs are not"),
    (TABLE.T, TABLE, "the numbers are right, but the axes come in the order (1, 0)"),
    (np.array([[1.0, 3.0], [2.0, 9.0]]), np.array([[1.0, 2.0], [3.0, 9.0]]), "the answer is transposed"),
    (np.array([1.0, 2.0]), np.array([[1.0], [2.0]]), "the numbers are right; only axes of size 1 differ"),
    (TABLE.reshape(3, 2), TABLE, "the numbers are right and in order, in another shape"),
    (np.array([5.0, 1.0, 2.0]), np.array([1.0, 2.0, 5.0]), "the right values in another order"),
    (TABLE + np.array([[0, 7, 0], [0, -1, 0]]), TABLE, "all that differs lies at index 1 of axis 1"),
    (60000.0, 60000, "the number is right, but it is a float: divide with //, or take int(...)"),
    ("float64", "float32", "the numbers are float64, not the course's float32"),
    ([1, 2], (1, 2), "the answer is a list, not a tuple"),
    ((2, 1), (1, 2), "the right entries in another order"),
    ((1,), (1, 2), "the answer has 1 entries, not 2"),
    (["int64", "uint8"], ["float32", "uint8"], "only entry 0 differs"),
    ((2, ["a", "b"]), (2, ["a"]), "only entry 1 differs"),
    (TABLE * [[1, 2, 1], [3, 1, 1]], TABLE, ""),
    ("yes", "no", ""),
    (MASK | True, MASK, "every value is True"),
    ((MASK & False).tolist(), MASK.tolist(), "every value is False"),
    (~MASK, MASK, "True and False have changed places"),
    (MASK ^ [True, False, False], MASK, "all that differs lies at index 0 of axis 1"),
    (MASK[:, ::-1], MASK, "the right values in another order"),
    # Near to a statement that would be false:
    (MASK ^ [[True, False, True], [True, True, False]], MASK, ""),
    (TABLE * [[1.004], [1.006]], TABLE, ""),
    (TABLE * 1.0005, TABLE, ""),
    ([None, None, 2.0], np.array([3.0, 4.0, 2.0]), "the answer holds None: is a `return` missing?"),
    ([[1.0], [2.0, 3.0]], np.array([1.0, 2.0]), ""),
    ([False, False, False], [True, True, False], ""),
    ([False, True, True], [True, True, False], "the right entries in another order"),
]


@pytest.mark.parametrize(("got", "expected", "says"), STATEMENTS, ids=[s[2] or "nothing" for s in STATEMENTS])
def test_a_statement_is_what_the_values_show(got, expected, says):
    assert evidence(got, expected) == says


NUMBERS = st.floats(-100, 100, width=32).map(lambda v: round(v, 2))


@given(arrays(np.float64, array_shapes(min_dims=1, max_dims=3, max_side=4), elements=NUMBERS), st.data())
def test_no_statement_is_false(expected, data):
    """Whatever two arrays are compared, what is said of them can be checked and holds."""
    got = data.draw(arrays(np.float64, expected.shape, elements=NUMBERS))
    got = data.draw(st.sampled_from([got, expected * 3, expected + 2, -expected, got * 0 + 1, np.sort(expected, None)]))
    got = got.reshape(expected.shape)
    says = evidence(got, expected)
    near = {"rtol": 1e-2, "atol": 1e-2 * max(1.0, float(np.abs(expected).max()))}
    if factor := re.fullmatch(r"every value is (\S+) times the expected one", says):
        top, _, bottom = factor[1].partition("/")
        assert np.allclose(got, expected * float(top) / float(bottom or 1), **near)
    elif offset := re.fullmatch(r"every value is too (large|small) by (\S+)", says):
        assert np.allclose(got - expected, float(offset[2]) * (1 if offset[1] == "large" else -1), **near)
    elif says == "every value has the opposite sign":
        assert np.allclose(got, -expected, **near)
    elif "signs are not" in says:
        assert np.allclose(np.abs(got), np.abs(expected), **near)
    elif says == "the right values in another order":
        assert np.allclose(np.sort(got, None), np.sort(expected, None), **near)
    elif place := re.fullmatch(r"all that differs lies at index (\d+) of axis (\d+)", says):
        index, axis = int(place[1]), int(place[2])
        assert np.allclose(np.delete(got, index, axis), np.delete(expected, index, axis), **near)
    elif says == "the answer is transposed":
        assert np.allclose(got, expected.T, **near)
    elif same := re.fullmatch(r"every value is (\S+)", says):
        assert np.allclose(got, float(same[1]), **near)
    else:
        assert says == "" or says.startswith("the axes come in the order")


def message(check, *args, **kwargs):
    with pytest.raises(AssertionError) as failed:
        check(*args, **kwargs)
    return str(failed.value).strip().splitlines()


def test_the_call_is_the_text_of_the_test():
    a, axis = np.zeros((2, 3)), 1

    def wrong(x, axis):
        return x.sum(axis=0)

    assert message(check_close, lambda: wrong(a, axis=axis), a.sum(axis=1)) == [
        "wrong(a, axis=axis)",
        "  where     a = [[0., 0., 0.], [0., 0., 0.]], axis = 1",
        "  expected  [0, 0]  shape (2,)",
        "  got       [0, 0, 0]  shape (3,)",
        "  differs   shape (3,) instead of (2,)",
        "  next      print both values for one small input and follow the first line that differs",
    ]


def test_a_call_over_several_lines_is_one():
    text = call_text(
        lambda: max(
            "é",
            "b",
        )
    )
    assert text == "max('é', 'b')"
    assert call_text(lambda: ("é" + "b").upper()) == '("é" + "b").upper()'


def test_names_are_explained_but_a_students_object_is_not_touched():
    class Trap:
        def __repr__(self):
            raise RuntimeError("touched")

    trap, big, word = Trap(), np.ones((5, 4)), "relu"
    assert meanings(lambda n=3: (trap, big, word, n)) == "big has shape (5, 4), word = 'relu', n = 3"


def test_a_result_that_knows_its_graph_is_explained_as_the_array_that_it_is():
    class Result(np.ndarray):
        def __repr__(self):
            raise RuntimeError("touched")

    row, y = np.arange(2.0).view(Result), np.ones((2, 4)).view(Result)
    assert meanings(lambda: (row, y)) == "row = [0., 1.], y has shape (2, 4)"


def slip(x):
    return x[5]


def test_an_error_is_told_with_the_students_own_line():
    lines = message(check_close, lambda: slip(np.zeros(2)), 1.0)
    assert lines[2] == "  got       IndexError: index 5 is out of bounds for axis 0 with size 2"
    line = slip.__code__.co_firstlineno + 1
    assert lines[3] == f"  shows     raised in slip, line {line}: return x[5]"


def next_of(lines):
    (line,) = [line for line in lines if line.startswith("  next ")]
    return line.removeprefix("  next      ")


@pytest.mark.parametrize("value", [np.int64(3), np.uint8(3), np.intp(3)], ids=lambda value: value.dtype.name)
def test_a_whole_number_of_numpy_is_one(value):
    check_equal(lambda: value, 3)
    assert "  got       " + repr(value) in message(check_equal, lambda: value, 4)


@pytest.mark.parametrize(("value", "expected"), [(np.bool_(True), True), (True, 1), (3.0, 3), (np.float64(3), 3.0)])
def test_no_other_type_passes_for_another(value, expected):
    assert message(check_equal, lambda: value, expected)


@pytest.mark.parametrize(
    ("call", "step"),
    [
        (lambda: 3.0, "print both values for one small input and follow the first line that differs"),
        (lambda: None, "let every way through the function end in a `return`"),
        (lambda: None.data, "a call gave None: let every way through the function end in a `return`"),
        (lambda: len(None), "a call gave None: let every way through the function end in a `return`"),
        (lambda: sclae(1), "run the cell that defines 'sclae', to its end; if it has run, check the spelling"),  # noqa: F821
        (lambda: slip(()), "make this call in a cell of its own and look at what its variables hold there"),
        (lambda: sys.exit(), "return a value; where something is wrong, raise an error that says what"),
    ],
    ids=["a value", "None", "None.data", "len(None)", "NameError", "IndexError", "SystemExit"],
)
@pytest.mark.parametrize("check", [check_close, check_equal])
def test_the_next_step_fits_what_happened(check, call, step):
    assert next_of(message(check, call, 1.0)) == step


def test_a_call_that_ends_python_is_told_in_words():
    for code in ((), (0,), ("bye",)):
        lines = message(check_close, lambda code=code: sys.exit(*code), 1.0)
        assert lines[-3:-1] == ["  expected  [1]  shape ()", "  got       SystemExit: it called exit() or sys.exit()"]
    assert message(check_raises, ValueError, sys.exit)[2] == "  got       SystemExit: it called exit() or sys.exit()"


def test_an_error_without_a_message_has_no_colon():
    def bare():
        raise KeyError

    assert message(check_close, bare, 1.0)[2] == "  got       KeyError"


def test_an_answer_that_is_not_written_says_so_itself():
    def stub():
        raise NotImplementedError("your code here")

    for check in (check_close, check_equal):
        with pytest.raises(NotImplementedError, match="your code here"):
            check(stub, 1.0)
    with pytest.raises(NotImplementedError, match="your code here"):
        check_raises(ValueError, stub)


def test_what_should_be_refused():
    check_raises(ValueError, lambda: int("x"), mentions=["invalid"])
    assert message(check_raises, ValueError, lambda: int("1"))[1:] == [
        "  expected  ValueError",
        "  got       int, no error",
        "  next      let the call raise ValueError before it does anything else",
    ]
    lines = message(check_raises, ValueError, lambda: int("x"), mentions=["shape"])
    assert "  differs   the message lacks 'shape'" in lines
    line = slip.__code__.co_firstlineno + 1
    assert (
        message(check_raises, ValueError, lambda: slip(()))[3]
        == f"  shows     raised in slip, line {line}: return x[5]"
    )


def multiply(a, b):
    return np.sum([a @ b])


def test_what_a_todo_forbids_is_looked_for_in_the_answers_text():
    check_without(multiply, "dot", "einsum")
    for banned in ("@", "sum"):
        assert message(check_without, multiply, "dot", banned)[2] == f"  got       it uses {banned}"
