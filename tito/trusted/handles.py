"""What a test outside holds instead of a student's object: every use of it is a question to the box."""

import weakref
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

if TYPE_CHECKING:
    from tito.trusted.channel import Channel

ASKED = ("__wrapped__", "__name__", "__qualname__", "__doc__", "__dict__", "__module__")


class Untrusted(TypeError):
    """A test asks a student's object for a verdict."""


class Handle:
    """A student's object; `channel_of` and `number_of` say which.

    It can be called, looked into and computed with; never compared, nor asked for its truth.
    """

    __slots__ = ("__weakref__", "_channel", "_number")
    __array_ufunc__ = None  # so `array * handle` is the handle's affair

    def __init__(self, channel: "Channel", number: int) -> None:
        object.__setattr__(self, "_channel", channel)
        object.__setattr__(self, "_number", number)

    def __del__(self) -> None:
        channel_of(self).dropped.append(number_of(self))

    def __call__(self, *args: Any, **options: Any) -> Any:
        return channel_of(self).ask("call", self, *args, **options)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in ASKED:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        channel = channel_of(self)
        if (type(self), name) not in channel.methods:
            return channel.ask("get", self, name)
        channel.settle()
        return Method(channel, self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        channel_of(self).ask("set", self, name, value)

    def __getitem__(self, key: Any) -> Any:
        return channel_of(self).ask("operator", "getitem", self, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        channel_of(self).ask("operator", "setitem", self, key, value)

    def __delitem__(self, key: Any) -> None:
        channel_of(self).ask("operator", "delitem", self, key)

    def __contains__(self, item: Any) -> bool:
        return bool(channel_of(self).ask("operator", "contains", self, item))

    def __len__(self) -> int:
        return int(channel_of(self).ask("builtin", "len", self))

    def __iter__(self) -> Iterator[Any]:
        channel = channel_of(self)
        items = channel.ask("items", self)
        if not isinstance(items, Handle):
            yield from items
            return
        while (item := channel.ask("next", items)) is not None:
            yield item[0]

    def __next__(self) -> Any:
        item = channel_of(self).ask("next", self)
        if item is None:
            raise StopIteration
        return item[0]

    def __enter__(self) -> Any:
        return channel_of(self).ask("enter", self)

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        number = getattr(error, "remote_number", 0)
        told = None if error is None else [number, type(error).__name__, str(error)[:2000]]
        return bool(channel_of(self).ask("leave", self, told))

    def __instancecheck__(self, value: Any) -> bool:
        return bool(channel_of(self).ask("isinstance", value, self))

    def __copy__(self) -> Any:
        return _copied(self, "copy")

    def __deepcopy__(self, _: Any) -> Any:
        return _copied(self, "deepcopy")

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        array = channel_of(self).ask("array", self, dtype)
        if isinstance(array, np.ndarray):
            return array
        alone = np.empty((), dtype=object)
        alone[()] = self
        return alone

    def __repr__(self) -> str:
        return str(channel_of(self).ask("builtin", "repr", self))

    def __str__(self) -> str:
        return str(channel_of(self).ask("builtin", "str", self))

    def __format__(self, form: str) -> str:
        return str(channel_of(self).ask("builtin", "format", self, form))

    def __float__(self) -> float:
        return float(channel_of(self).ask("builtin", "float", self))

    def __int__(self) -> int:
        return int(channel_of(self).ask("builtin", "int", self))

    def __index__(self) -> int:
        return int(channel_of(self).ask("operator", "index", self))

    def __hash__(self) -> int:
        return hash(number_of(self))

    def __bool__(self) -> NoReturn:
        raise Untrusted("the truth of a student's object is no verdict: compare plain values")

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Handle):  # keys of a dict that came from the box
            return self is other
        raise Untrusted("a comparison by a student's object is no verdict: compare plain values")


class Method(Handle):
    """A method of a handle's class. To call it is one question; it becomes an object of its own only if need be."""

    __slots__ = ("_name", "_owner", "_whole")

    def __init__(self, channel: "Channel", owner: Handle, name: str) -> None:
        super().__init__(channel, 0)
        for slot, value in (("_owner", owner), ("_name", name), ("_whole", None)):
            object.__setattr__(self, slot, value)
        channel.named = weakref.ref(self)

    def __del__(self) -> None:
        """There is nothing in the box to let go of."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        channel = channel_of(self)
        if channel.named is None or channel.named() is not self:  # there were other questions in between
            return whole(self)(*args, **options)
        owner, name, channel.named = (
            object.__getattribute__(self, "_owner"),
            object.__getattribute__(self, "_name"),
            None,
        )
        return channel.ask("method", owner, name, *args, **options)


Method.__name__ = "method"  # as messages name its type


def whole(method: Method) -> Handle:
    """The handle of the method itself."""
    found = object.__getattribute__(method, "_whole")
    if found is None:
        owner, name = object.__getattribute__(method, "_owner"), object.__getattribute__(method, "_name")
        found = channel_of(method).ask("fetch", owner, name)
        object.__setattr__(method, "_whole", found)
    return found  # type: ignore[no-any-return]


def channel_of(handle: Handle) -> "Channel":
    """The link to the box in which the object lives."""
    return object.__getattribute__(handle, "_channel")  # type: ignore[no-any-return]


def number_of(handle: Handle) -> int:
    """The object's number there."""
    return object.__getattribute__(handle, "_number")  # type: ignore[no-any-return]


def _copied(handle: Handle, way: str) -> Any:
    channel = channel_of(handle)
    return channel.ask("get", channel.ask("import", "copy"), way)(handle)


def _forward(name: str) -> Any:
    def operate(self: Handle, *others: Any) -> Any:
        return channel_of(self).ask("operator", name, self, *others)

    return operate


def _backward(name: str) -> Any:
    def operate(self: Handle, other: Any) -> Any:
        return channel_of(self).ask("operator", name, other, self)

    return operate


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and_", "or_", "xor"):
    setattr(Handle, f"__{_name.strip('_')}__", _forward(_name))
    setattr(Handle, f"__r{_name.strip('_')}__", _backward(_name))
    if _name not in ("and_", "or_", "xor"):
        setattr(Handle, f"__i{_name}__", _forward(f"i{_name}"))
for _name in ("neg", "pos", "abs", "invert", "lt", "le", "gt", "ge"):
    setattr(Handle, f"__{_name}__", _forward(_name))
