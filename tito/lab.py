"""What a module page needs besides the framework: checks that explain themselves, timings, figures.

Nothing here is exported into `tinytorch`; the notebooks import it for tests and measurements only.
"""

import io
import statistics
import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

NEXT_STEP = "print both values for one small input and follow the first line that differs"


def _brief(values: np.ndarray) -> str:
    """At most six values on one line."""
    flat = values.reshape(-1)
    shown = ", ".join(f"{v:.6g}" if isinstance(v, float | np.floating) else str(v) for v in flat[:6].tolist())
    return f"[{shown}{', ...' if flat.size > 6 else ''}]  shape {values.shape}"


def _message(call: str, expected: str, got: str, differs: str, likely: str, next_step: str) -> str:
    lines = [call, f"  expected  {expected}", f"  got       {got}"]
    lines += [f"  differs   {differs}"] if differs else []
    lines += [f"  likely    {likely}"] if likely else []
    return "\n".join(["", *lines, f"  next      {next_step}"])


def _answer(got: Any, call: str, expected: str, likely: str, next_step: str) -> Any:
    """The value under test; a function without arguments is called, and an error in it is the finding."""
    if not callable(got):
        return got
    try:
        return got()
    except NotImplementedError:
        raise  # an answer that is still to be written says so itself
    except Exception as raised:
        answer = f"{type(raised).__name__}: {raised}"
        raise AssertionError(_message(call, expected, answer[:200], "", likely, next_step)) from raised


def check_close(
    got: ArrayLike | Callable[[], ArrayLike],
    expected: ArrayLike,
    *,
    call: str,
    likely: str = "",
    next_step: str = NEXT_STEP,
    rtol: float = 1e-4,
    atol: float = 1e-5,
) -> None:
    """Compare numbers, and explain a difference in at most twelve lines.

    Args:
        got: what the code under test returned: a number, a list or an array (a Tensor's `.data`); or a function
            without arguments that makes the call, where an error is likely: it is then explained like a wrong value.
        expected: the right values; its shape must match exactly.
        call: the call as a student would type it.
        likely: the most likely cause of a difference.
        next_step: what to try first.
        rtol, atol: a value passes when |got - expected| <= atol + rtol * |expected|.

    Raises:
        AssertionError: shape or values differ, or `got` is not numeric.

    Example:
        >>> check_close([1.0, 2.0], [1.0, 2.0], call="f(x)")
    """
    want = np.asarray(expected)
    got = _answer(got, call, _brief(want), likely, next_step)
    if isinstance(got, memoryview):
        raise AssertionError(
            _message(call, _brief(want), "an array's buffer", "", "the function returned an array", "return a Tensor")
        )
    have = np.asarray(got)
    if have.dtype.kind not in "biufc":
        raise AssertionError(_message(call, _brief(want), f"{type(got).__name__}: {got!r:.60}", "", likely, next_step))
    if have.shape != want.shape:
        differs = f"shape {have.shape} instead of {want.shape}"
        raise AssertionError(_message(call, _brief(want), _brief(have), differs, likely, next_step))
    wrong = ~np.isclose(have, want, rtol=rtol, atol=atol, equal_nan=True)
    if wrong.any():
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        where = f"first at index {index}: " if want.ndim else ""
        differs = f"{where}expected {want[index]:.6g}, got {have[index]:.6g} ({int(wrong.sum())} of {want.size} differ)"
        raise AssertionError(_message(call, _brief(want), _brief(have), differs, likely, next_step))


def check_equal(got: Any, expected: Any, *, call: str, likely: str = "", next_step: str = NEXT_STEP) -> None:
    """Compare plain values (shapes, names, dtypes, counts) exactly.

    Raises:
        AssertionError: type or value differs.

    Example:
        >>> check_equal((2, 3), (2, 3), call="x.shape")
    """
    got = _answer(got, call, repr(expected), likely, next_step)
    if type(got) is not type(expected) or got != expected:
        raise AssertionError(_message(call, repr(expected), f"{got!r:.200}", "", likely, next_step))


def check_raises(
    error: type[Exception],
    function: Callable[..., Any],
    *args: Any,
    call: str,
    mentions: Sequence[str] = (),
    likely: str = "",
    **kwargs: Any,
) -> None:
    """Check that `function(*args, **kwargs)` raises `error` with a message that holds every word of `mentions`.

    Raises:
        AssertionError: nothing was raised, another exception was, or the message lacks a word.

    Example:
        >>> check_raises(ValueError, int, "x", call='int("x")', mentions=["invalid"])
    """
    expected = f"{error.__name__}" + (f" that mentions {', '.join(map(repr, mentions))}" if mentions else "")
    try:
        result = function(*args, **kwargs)
    except error as raised:
        missing = [word for word in mentions if word not in str(raised)]
        if missing:
            got = f"{type(raised).__name__}: {raised}"
            differs = f"the message lacks {', '.join(map(repr, missing))}"
            raise AssertionError(_message(call, expected, got[:200], differs, likely, NEXT_STEP)) from None
    except Exception as raised:  # noqa: BLE001 - any other error is itself the finding, and fails the check
        got = f"{type(raised).__name__}: {raised}"
        raise AssertionError(_message(call, expected, got[:200], "", likely, NEXT_STEP)) from None
    else:
        raise AssertionError(_message(call, expected, f"{type(result).__name__}, no error", "", likely, NEXT_STEP))


@dataclass(frozen=True)
class Timing:
    """Wall time of one call in milliseconds: median, fastest and slowest of the samples."""

    median_ms: float
    low_ms: float
    high_ms: float


def bench(function: Callable[..., Any], *args: Any, samples: int = 20, **kwargs: Any) -> Timing:
    """Time `function(*args, **kwargs)`; short calls are repeated so that a sample lasts at least 0.2 ms.

    Returns:
        Median, fastest and slowest sample in milliseconds per call.

    Example:
        >>> bench(sum, [1, 2, 3]).median_ms < 1
        True
    """
    start = time.perf_counter()
    function(*args, **kwargs)  # warm caches, and learn how long one call takes
    repeat = max(1, int(2e-4 / max(time.perf_counter() - start, 1e-7)))
    taken = []
    for _ in range(samples):
        start = time.perf_counter()
        for _ in range(repeat):
            function(*args, **kwargs)
        taken.append((time.perf_counter() - start) / repeat * 1e3)
    return Timing(statistics.median(taken), min(taken), max(taken))


def peak_bytes(function: Callable[..., Any], *args: Any, **kwargs: Any) -> int:
    """Return how many bytes `function(*args, **kwargs)` held at its highest point, on top of what was there before.

    NumPy reports its buffers to `tracemalloc`, so arrays are counted to the byte.

    Example:
        >>> peak_bytes(np.zeros, 1000) >= 8000
        True
    """
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        function(*args, **kwargs)
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def load_digits() -> tuple[np.ndarray, np.ndarray]:
    """Read the handwritten digits that ship with the course (see datasets/digits/README.md).

    Returns:
        Pixels as a float32 array of shape (1797, 64) in [0, 1], labels as an integer array of shape (1797,).

    Example:
        >>> pixels, labels = load_digits()
        >>> pixels.shape, labels[:3].tolist()
        ((1797, 64), [0, 1, 2])
    """
    table = np.loadtxt(Path(__file__).parents[1] / "datasets/digits/digits.csv", delimiter=",", dtype=np.int64)
    return (table[:, :64] / 16).astype(np.float32), table[:, 64]


def show(figure: Any, alt: str) -> None:
    """Show a matplotlib figure in the notebook with `alt` as its text for readers who cannot see it.

    Outside a notebook the figure is only closed, so a module runs as a script without a screen.

    Example:
        >>> import matplotlib.figure
        >>> show(matplotlib.figure.Figure(), alt="an empty figure")
    """
    import matplotlib.pyplot as plt
    from IPython import get_ipython
    from IPython.display import HTML, display

    if get_ipython() is not None:
        import base64

        image = io.BytesIO()
        figure.savefig(image, format="png", dpi=110, bbox_inches="tight")
        data = base64.b64encode(image.getvalue()).decode()
        escaped = alt.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
        display(HTML(f'<img alt="{escaped}" src="data:image/png;base64,{data}"/>'))
    plt.close(figure)
