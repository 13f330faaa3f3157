"""What the grader and the box say to each other: JSON and raw arrays in bounded frames, never a pickle.

Both sides load this file, so it imports nothing of tito. A frame is the length of a JSON text, the length of what
follows it, that text, and the bytes of its arrays one after the other: one system call to send it, two to take it.
"""

import json
import socket
import struct
import time
from typing import Any

import numpy as np

MOST_TEXT = 8 << 20  # bytes of a frame's JSON
MOST_BYTES = 64 << 20  # of all its arrays
DEEPEST = 12  # lists in lists; what lies deeper is a handle
HEAD = struct.Struct(">II")
ONCE = 1 << 20  # bytes that are asked for at a time
PLAIN = frozenset({type(None), bool, int, str, float})
CONTAINERS: dict[type, str] = {list: "list", tuple: "tuple", set: "set", frozenset: "frozenset"}
NAMED: dict[str, Any] = {name: getattr(np, name) for name in ("float16", "float32", "float64", "complex64", "bool_")}
NAMED |= {name: getattr(np, name) for name in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "intp")}
NAMED |= {kind.__name__: kind for kind in (bool, int, float, complex, str, bytes, list, tuple, dict, set, object)}
NAMES = {id(kind): name for name, kind in reversed(NAMED.items())}
_text = json.JSONEncoder(check_circular=False, separators=(",", ":")).encode  # `pack` makes no circles


class Garbled(Exception):
    """The other side says something that is no message."""


class TooLate(Exception):
    """No answer in time."""


class Closed(Exception):
    """The other side is gone."""


def send(link: socket.socket, message: Any, arrays: list[bytes], end: float | None = None) -> None:
    """Send a message; `end` is the time at which waiting for the other side's reading stops."""
    sizes = [len(part) for part in arrays]
    text, size = _text([message, sizes]).encode(), sum(sizes)
    if len(text) > MOST_TEXT or size > MOST_BYTES:
        raise ValueError("the value is too large to be handed over")
    try:
        _wait_until(link, end)
        link.sendall(b"".join((HEAD.pack(len(text), size), text, *arrays)))
    except TimeoutError:
        raise TooLate from None
    except OSError:
        raise Closed from None


def receive(link: socket.socket, end: float | None = None) -> tuple[Any, list[bytes]]:
    """Take the next message.

    Raises:
        Garbled, TooLate, Closed.
    """
    length, size = HEAD.unpack(_exactly(link, HEAD.size, end))
    if length > MOST_TEXT or size > MOST_BYTES:
        raise Garbled
    data = _exactly(link, length + size, end)
    try:
        message, sizes = json.loads(data[:length].decode())
        if not all(type(n) is int and n >= 0 for n in sizes) or sum(sizes) != size:
            raise Garbled
    except (ValueError, TypeError, RecursionError):
        raise Garbled from None
    arrays = []
    for n in sizes:
        arrays.append(data[length : length + n])
        length += n
    return message, arrays


def _exactly(link: socket.socket, size: int, end: float | None) -> bytes:
    parts = []
    while size:
        try:
            _wait_until(link, end)
            part = link.recv(min(size, ONCE))
        except TimeoutError:
            raise TooLate from None
        except OSError:
            raise Closed from None
        if not part:
            raise Closed
        parts.append(part)
        size -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _wait_until(link: socket.socket, end: float | None) -> None:
    if end is not None:
        link.settimeout(max(1e-3, end - time.monotonic()))


class Codec:
    """Values as JSON: plain ones are copied, everything else goes through `pack_object` and `unpack_object`."""

    def pack(self, value: Any, arrays: list[bytes], depth: int = 0) -> Any:
        """Return `value` for a frame; the bytes of its arrays are added to `arrays`."""
        kind: Any = type(value)
        if kind in PLAIN:
            return value
        if depth < DEEPEST and kind in CONTAINERS:
            return {CONTAINERS[kind]: [self.pack(item, arrays, depth + 1) for item in value]}
        if depth < DEEPEST and kind is dict:
            return {"dict": [[self.pack(part, arrays, depth + 1) for part in pair] for pair in value.items()]}
        if isinstance(value, np.ndarray) and value.dtype.kind in "biufcU":
            return self.pack_array(value, arrays)
        if isinstance(value, np.generic) and value.dtype.kind in "biufcU":
            arrays.append(value.tobytes())
            return {"scalar": value.dtype.str}
        if kind is bytes:
            return {"bytes": value.hex()}
        if kind is complex:
            return {"complex": [value.real, value.imag]}
        if kind in (slice, range) and depth < DEEPEST:
            parts = (value.start, value.stop, value.step)
            return {kind.__name__: [self.pack(part, arrays, depth + 1) for part in parts]}
        if value is Ellipsis:
            return {"ellipsis": 0}
        if isinstance(value, np.dtype) and value.kind in "biufcU":
            return {"dtype": value.str}
        if id(value) in NAMES:
            return {"type": NAMES[id(value)]}
        if isinstance(value, np.ndarray) and depth < DEEPEST and value.dtype.kind == "O":
            return {
                "objects": [list(value.shape), [self.pack(v, arrays, depth + 1) for v in value.reshape(-1).tolist()]]
            }
        return self.pack_object(value, arrays)

    def unpack(self, text: Any, arrays: list[bytes], depth: int = 0) -> Any:
        """Return the value that `pack` made `text` of; takes from `arrays` what belongs to it.

        Raises:
            Garbled: it made nothing of the kind.
        """
        if type(text) in PLAIN:
            return text
        if depth > DEEPEST + 4 or type(text) is not dict or len(text) != 1:
            raise Garbled
        ((tag, body),) = text.items()
        try:
            return self._unpack(tag, body, arrays, depth + 1)
        except (ValueError, TypeError, IndexError, KeyError, OverflowError, MemoryError):
            raise Garbled from None

    def _unpack(self, tag: str, body: Any, arrays: list[bytes], depth: int) -> Any:
        match tag:
            case "list" | "tuple" | "set" | "frozenset":
                items = [self.unpack(item, arrays, depth) for item in body]
                return {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}[tag](items)
            case "dict":
                return {self.unpack(key, arrays, depth): self.unpack(item, arrays, depth) for key, item in body}
            case "scalar":
                return np.frombuffer(arrays.pop(0), _dtype(body))[0]
            case "bytes":
                return bytes.fromhex(body)
            case "complex":
                return complex(float(body[0]), float(body[1]))
            case "slice":
                return slice(*(self.unpack(part, arrays, depth) for part in body))
            case "range":
                return range(*map(int, body))
            case "ellipsis":
                return ...
            case "dtype":
                return _dtype(body)
            case "type":
                return NAMED[body]
            case "objects":
                filled = np.empty(len(body[1]), dtype=object)
                for place, item in enumerate(body[1]):
                    filled[place] = self.unpack(item, arrays, depth)
                return filled.reshape([int(n) for n in body[0]])
        return self.unpack_object(tag, body, arrays)

    def pack_array(self, array: np.ndarray, arrays: list[bytes]) -> Any:
        """Return an array for a frame."""
        raise NotImplementedError

    def pack_object(self, value: Any, arrays: list[bytes]) -> Any:
        """Return for a frame what is not copied."""
        raise NotImplementedError

    def unpack_object(self, tag: str, body: Any, arrays: list[bytes]) -> Any:
        """Return what is not copied."""
        raise NotImplementedError


def array_text(array: np.ndarray, arrays: list[bytes]) -> list[Any]:
    """Type, shape and order of the axes in memory, if not the plain one; the bytes in that order go to `arrays`."""
    if array.flags.c_contiguous:
        arrays.append(array.tobytes())
        return [array.dtype.str, array.shape, None]
    order = sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis]))
    arrays.append(array.transpose(order).tobytes())
    return [array.dtype.str, array.shape, order]


def array_of(facts: list[Any], arrays: list[bytes]) -> np.ndarray:
    """The array of `array_text`."""
    kind, shape, order = facts
    sizes = [int(n) for n in shape]
    flat = np.frombuffer(arrays.pop(0), _dtype(kind))
    if order is None:
        return flat.reshape(sizes).copy()
    if sorted(order) != list(range(len(sizes))):
        raise ValueError("no order of axes")
    return flat.reshape([sizes[axis] for axis in order]).copy().transpose(np.argsort(order))


def content(array: np.ndarray) -> Any:
    """The bytes of an array, to be kept as a `bytearray` or compared with one; not copied where they lie in a row."""
    return array.data if array.flags.c_contiguous else array.tobytes("A")


def _dtype(text: Any) -> np.dtype:
    kind = np.dtype(str(text)[:12])
    if kind.kind not in "biufcU" or kind.itemsize > 1 << 16:
        raise ValueError("no type of numbers")
    return kind
