"""Each line of docs/from-pytorch.md does what the page says, and PyTorch agrees.

`golden/from_pytorch.json` holds PyTorch's answers, so that the comparison means something where it is not installed;
`UPDATE_GOLDEN=1 python -m pytest tests/docs/test_from_pytorch.py` writes it anew.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinytorch

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/from-pytorch.md").read_text(encoding="utf-8")
GOLDEN = Path(__file__).with_name("golden") / "from_pytorch.json"
SETUP = re.search(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)[1]
SAME = re.findall(r"^\| `([^|]+)` \|$", PAGE, flags=re.MULTILINE)
OTHER = re.findall(r"^\| `([^|]+)` \| `([^|]+)` \|$", PAGE, flags=re.MULTILINE)


def here() -> dict[str, Any]:
    """The names of the page."""
    scope: dict[str, Any] = {}
    exec(SETUP, scope)
    return scope


def there() -> dict[str, Any]:
    """The same names in PyTorch; float64 arrays become float32, labels and masks its own kind."""
    torch = pytest.importorskip("torch")
    scope: dict[str, Any] = {"torch": torch, "nn": torch.nn, "F": torch.nn.functional, "optim": torch.optim, "np": np}
    for line in SETUP.splitlines():
        if re.match(r"\w+ = ", line):
            exec(line, scope)
    for name, value in scope.items():
        if isinstance(value, np.ndarray):
            scope[name] = torch.from_numpy(value)
        elif isinstance(value, torch.Tensor):
            scope[name] = value.detach().float().requires_grad_(value.requires_grad)
    return scope


def plain(value: Any) -> Any:
    """A result as numbers and lists."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if hasattr(value, "detach"):
        value = value.detach().numpy()
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return [plain(part) for part in value]


def answer(line: str, scope: dict[str, Any]) -> dict[str, Any]:
    """The result of a line, and the gradient of its sum for x where there is one."""
    result = eval(line, scope)
    x, found = scope["x"], {"result": plain(result)}
    parts = result if isinstance(result, tuple | list) else [result]
    recorded = [part for part in parts if getattr(part, "grad_fn", None) is not None]
    if recorded and result is not x:
        sum(part.sum() for part in recorded).backward()
        found["grad"] = None if x.grad is None else plain(x.grad)
    return found


def numbers(value: Any) -> Any:
    return np.asarray(value, dtype=np.float64) if isinstance(value, list | int | float | bool) else value


def agree(got: Any, expected: Any) -> None:
    """Compare nested lists of numbers, of any shapes, and words."""
    if isinstance(expected, list) and any(isinstance(part, list | str) for part in expected):
        assert len(got) == len(expected)
        for part, other in zip(got, expected, strict=True):
            agree(part, other)
    elif isinstance(expected, str) or expected is None:
        assert got == expected
    else:
        np.testing.assert_allclose(numbers(got), numbers(expected), rtol=1e-5, atol=1e-6)


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    if os.environ.get("UPDATE_GOLDEN"):
        answers = {line: answer(line, there()) for line in SAME}
        GOLDEN.parent.mkdir(exist_ok=True)
        rows = [f"{json.dumps(line)}: {json.dumps(answers[line])}" for line in SAME]
        GOLDEN.write_text("{\n" + ",\n".join(rows) + "\n}\n", encoding="utf-8")
    return json.loads(GOLDEN.read_text(encoding="utf-8"))


def test_the_page_has_its_lines():
    assert len(SAME) > 122
    assert len(OTHER) > 40
    assert len({*SAME}) == len(SAME)


@pytest.mark.parametrize("line", SAME)
def test_a_line_is_the_same_here(line, golden):
    got = answer(line, here())
    assert got.keys() == golden[line].keys()
    for what in got:
        agree(got[what], golden[line][what])


@pytest.mark.parametrize("line", SAME)
def test_pytorch_still_says_so(line, golden):
    answers = answer(line, there())
    for what, value in answers.items():
        agree(value, golden[line][what])


@pytest.mark.parametrize(("theirs", "ours"), OTHER)
def test_a_line_that_raises_names_the_one_that_runs(theirs, ours, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((AttributeError, TypeError, ValueError, RuntimeError)) as error:
        exec(theirs, here())
    message = str(error.value)
    assert names(message, ours), message
    exec(ours, here())


def names(message: str, ours: str) -> bool:
    """Whether a message holds a word of the line to write, or says that none is needed."""
    words = {word for word in re.findall(r"[A-Za-z_]\w*", ours) if len(word) > 2} - {"torch", "with"}
    return (
        any(word in message for word in words)
        or re.search(r"leave|one device|add the losses up|@|::-1|a class whose forward", message) is not None
    )


def test_the_facade_lists_no_name_twice():
    from tito.registry import INSTEAD, MODULES

    for facade, table in INSTEAD.items():
        offered = {name for module in MODULES for name in module.facades.get(facade, ())}
        assert offered.isdisjoint(table), facade
    with pytest.raises(AttributeError, match="did you mean ReLU"):
        _ = tinytorch.nn.Relu
