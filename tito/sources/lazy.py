"""Names that are loaded when they are first asked for, so that a missing or broken part stops nobody else."""

import importlib
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any

PARTS: dict[str, tuple[str, str]] = {}

PACKAGE = Path(__file__).parent
BROKEN = (  # what a module in the making raises
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    NameError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)


class NotBuiltYet:
    """The last of Python's import finders: says which module of the course builds a part that is not there."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> None:
        """Find nothing, and explain it when `name` is a part of the course.

        Raises:
            ModuleNotFoundError: the part is not exported yet.
        """
        number, title = PARTS.get(name.removeprefix("tinytorch."), ("", ""))
        if number and name.startswith("tinytorch."):
            cure = f"finish that module, then run `tito export {number}`"
            raise ModuleNotFoundError(f"{name} is built in module {number} ({title}): {cure}.", name=name)


def lazy_names(
    facade: str,
    homes: Mapping[str, Sequence[str]],
    facades: Sequence[str] = (),
    instead: Mapping[str, str] | None = None,
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Make a facade's `__getattr__`, `__dir__` and `__all__` (PEP 562).

    Args:
        facade: the facade's own module name.
        homes: part -> the names that the facade takes from it.
        facades: facades one level below, loaded as attributes too.
        instead: names of PyTorch's that the facade does not have -> what to write.

    Returns:
        The three objects; `__all__` lists what is exported so far.
    """
    home_of = {name: home for home, names in homes.items() for name in names}
    ready = [name for name, home in home_of.items() if _file(home).is_file()]

    def get(name: str) -> Any:
        if name in facades:
            return importlib.import_module(f"{facade}.{name}")
        module = sys.modules[facade]
        if name not in home_of:
            cure = _cure(name, instead or {}, [*home_of, *facades])
            raise AttributeError(f"module '{facade}' has no attribute '{name}'{cure}", name=name, obj=module)
        value = _load(home_of[name], name)
        setattr(module, name, value)  # the next look-up does not come here
        return value

    def names() -> list[str]:
        return sorted({*(name for name in vars(sys.modules[facade]) if name.startswith("__")), *ready, *facades})

    return get, names, ready


def start(home: str, function: str) -> None:
    """Call `function` of the part `home` where both are there; a part that does not load gives a warning."""
    if not _file(home).is_file():
        return
    try:
        module = importlib.import_module(f"tinytorch.{home}")
        if hasattr(module, function):
            getattr(module, function)()
    except BROKEN as error:
        cure = f"put it right, then run `tito export {PARTS[home][0]}`"
        warnings.warn(f"tinytorch.{home} does not load ({type(error).__name__}: {error}): {cure}.", stacklevel=2)


def _load(home: str, name: str) -> Any:
    module: ModuleType = importlib.import_module(f"tinytorch.{home}")
    if not hasattr(module, name):
        number, title = PARTS[home]
        raise ImportError(f"tinytorch.{home} defines no {name}: it belongs to module {number} ({title}).", name=home)
    return getattr(module, name)


def _cure(name: str, instead: Mapping[str, str], known: Sequence[str]) -> str:
    """The end of a message about a missing name: what to write in its place, or which name is near."""
    if name in instead:
        return f": {instead[name]}."
    names = {word.lower(): word for word in known}
    near = get_close_matches(name.lower(), names, n=1, cutoff=0.7)
    return f": did you mean {names[near[0]]}?" if near else "."


def _file(home: str) -> Path:
    return PACKAGE.joinpath(*home.split(".")).with_suffix(".py")


sys.meta_path.append(NotBuiltYet)
