"""What the grader and the box say to each other: JSON and raw arrays in bounded frames, never a pickle.

Both sides load this file, so it imports nothing of tito. A frame is the length of a JSON text, that text, and the bytes
of its arrays one after the other.
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
LENGTH = struct.Struct(">I")
CONTAINERS: dict[type, str] = {list: "list", tuple: "tuple", set: "set", frozenset: "frozenset"}
NAMED: dict[str, Any] = {name: getattr(np, name) for name in ("float16", "float32", "float64", "complex64", "bool_")}
NAMED |= {name: getattr(np, name) for name in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "intp")}
NAMED |= {kind.__name__: kind for kind in (bool, int, float, complex, str, bytes, list, tuple, dict, set, object)}


class Garbled(Exception):
    """The other side says something that is no message."""


class TooLate(Exception):
    """No answer in time."""


class Closed(Exception):
    """The other side is gone."""


def send(link: socket.socket, message: Any, arrays: list[bytes], end: float | None = None) -> None:
    """Send a message; `end` is the time at which waiting for the other side's reading stops."""
    text = json.dumps([message, [len(part) for part in arrays]]).encode()
    if len(text) > MOST_TEXT or sum(map(len, arrays)) > MOST_BYTES:
        raise ValueError("the value is too large to be handed over")
    try:
        for part in (LENGTH.pack(len(text)) + text, *arrays):
            _wait_until(link, end)
            link.sendall(part)
    except TimeoutError:
        raise TooLate from None
    except OSError:
        raise Closed from None


def receive(link: socket.socket, end: float | None = None) -> tuple[Any, list[bytes]]:
    """Take the next message.

    Raises:
        Garbled, TooLate, Closed.
    """
    size = LENGTH.unpack(_exactly(link, LENGTH.size, end))[0]
    if size > MOST_TEXT:
        raise Garbled
    try:
        message, sizes = json.loads(_exactly(link, size, end))
        if not all(type(n) is int and n >= 0 for n in sizes) or sum(sizes) > MOST_BYTES:
            raise Garbled
    except (ValueError, TypeError, RecursionError):
        raise Garbled from None
    return message, [_exactly(link, n, end) for n in sizes]


def _exactly(link: socket.socket, size: int, end: float | None) -> bytes:
    data = bytearray()
    while len(data) < size:
        try:
            _wait_until(link, end)
            part = link.recv(min(size - len(data), 1 << 20))
        except TimeoutError:
            raise TooLate from None
        except OSError:
            raise Closed from None
        if not part:
            raise Closed
        data += part
    return bytes(data)


def _wait_until(link: socket.socket, end: float | None) -> None:
    if end is not None:
        link.settimeout(max(1e-3, end - time.monotonic()))


class Codec:
    """Values as JSON: plain ones are copied, everything else goes through `pack_object` and `unpack_object`."""

    def pack(self, value: Any, arrays: list[bytes], depth: int = 0) -> Any:
        """Return `value` for a frame; the bytes of its arrays are added to `arrays`."""
        kind: Any = type(value)
        if value is None or kind in (bool, int, str, float):
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
        if isinstance(value, type) and value in NAMED.values():
            return {"type": next(name for name, named in NAMED.items() if named is value)}
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
        if text is None or type(text) in (bool, int, str, float):
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
    """Type, shape and order of the axes in memory; the bytes in that order are added to `arrays`."""
    order = sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis]))
    arrays.append(array.transpose(order).tobytes())
    return [array.dtype.str, list(array.shape), order]


def array_of(facts: list[Any], arrays: list[bytes]) -> np.ndarray:
    """The array of `array_text`."""
    kind, shape, order = facts
    sizes = [int(n) for n in shape]
    if sorted(order) != list(range(len(sizes))):
        raise ValueError("no order of axes")
    flat = np.frombuffer(arrays.pop(0), _dtype(kind))
    turned = flat.reshape([sizes[axis] for axis in order]).copy()
    return turned.transpose(np.argsort(order)) if order else turned


def _dtype(text: Any) -> np.dtype:
    kind = np.dtype(str(text)[:12])
    if kind.kind not in "biufcU" or kind.itemsize > 1 << 16:
        raise ValueError("no type of numbers")
    return kind
