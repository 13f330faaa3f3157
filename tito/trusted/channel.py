"""The grader's end of the pipe: asks, and takes nothing on trust but plain values of bounded size."""

import itertools
import socket
import warnings
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from tito.engine.runner import Reason
from tito.trusted.handles import Handle, Method, channel_of, number_of, whole
from tito.trusted.reports import Raised, Reports
from tito.trusted.shared import Shared
from tito.trusted.wire import Closed, Codec, Garbled, TooLate, array_of, receive, send

MOST_NESTED = 30  # functions of the test within functions of the test
MUTABLE = (list, dict, set)
# What reading a message that makes no sense raises.
UNREADABLE = (
    Garbled,
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
)


class Halt(BaseException):
    """The box must be left: it is too late, it is gone, or it says what no box says."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.name)
        self.reason = reason


class Channel(Codec):
    """Questions to one box; `reason` says what it means when an alarm ends the wait for an answer."""

    def __init__(self, link: socket.socket) -> None:
        self.link = link
        self.reason = Reason.CELL_TIME
        self.handles: weakref.WeakValueDictionary[int, Handle] = weakref.WeakValueDictionary()
        self.functions: dict[int, Callable[..., Any]] = {}
        self.function_numbers: dict[int, int] = {}
        self.kinds: dict[tuple[int, str], type] = {}
        self.methods: set[tuple[type, str]] = set()  # of the student's classes, as far as they were asked for
        self.named: weakref.ref[Method] | None = None  # a method for which the box was not asked yet
        self.dropped: list[int] = []
        self.fresh = itertools.count(2, 2)
        self.nested = 0
        self.shared, self.reports = Shared(self.fresh, self.dropped), Reports(self.dropped.append)

    def settle(self) -> None:
        """Ask for a method that was named and is held to be called later: its object may have another one then."""
        method = self.named() if self.named else None
        self.named = None
        if method is not None:
            whole(method)

    def ask(self, do: str, *args: Any, **options: Any) -> Any:
        """Ask the box, and return or raise what it says.

        Raises:
            Halt: there is no answer, or it is none.
        """
        self.settle()
        parts: list[bytes] = []
        question: dict[str, Any] = {"do": do, "args": [self.pack(arg, parts) for arg in args]}
        if options:
            question["options"] = {name: self.pack(value, parts) for name, value in options.items()}
        watched = [n for n, arg in enumerate(args) if type(arg) in MUTABLE and do in ("call", "method")]
        if watched:
            question["watch"] = watched
        reply, arrays = self._exchange(question, parts)
        error = value = None
        try:
            if "raised" in reply:
                error = self.reports.error(reply["raised"])
            else:
                value = self._method(*args) if reply.get("method") else self.unpack(reply["value"], arrays)
                for place, text in reply.get("edited", ()):
                    if place in watched:
                        self.shared.edit(args[place], self.unpack(text, []))
            self.shared.take_changes(reply, arrays)
            warned = [self.reports.warning(*facts) for facts in reply.get("warned", ())[:20]]
        except UNREADABLE:
            raise Halt(Reason.GARBLED) from None
        for facts in warned:
            warnings.warn_explicit(**facts)
        if error is not None:
            try:
                raise error
            finally:
                del error  # else it would hold itself through this frame, and what it holds in the box
        return value

    def cell(self, message: dict[str, Any]) -> dict[str, Any]:
        """Let the box run a cell that is no test."""
        reply, _ = self._exchange({"do": "cell", **message}, [])
        return reply

    def _exchange(self, question: dict[str, Any], parts: list[bytes]) -> tuple[dict[str, Any], list[bytes]]:
        try:
            self._send(question, parts)
            while True:
                reply, arrays = receive(self.link)
                if not isinstance(reply, dict):
                    raise Garbled
                if "call" not in reply:
                    return reply, arrays
                self._call_back(reply, arrays)
        except TooLate:
            raise Halt(self.reason) from None
        except Closed:
            raise Halt(Reason.ENDED) from None
        except Garbled:
            raise Halt(Reason.GARBLED) from None

    def _call_back(self, reply: dict[str, Any], arrays: list[bytes]) -> None:
        """Run a function of the test for the box."""
        parts: list[bytes] = []
        if self.nested >= MOST_NESTED:
            raise Garbled
        try:
            function = self.functions[reply["call"]]
            args = [self.unpack(arg, arrays) for arg in reply["args"]]
            options = {str(name): self.unpack(value, arrays) for name, value in reply["options"].items()}
            self.shared.take_changes(reply, arrays)
        except UNREADABLE:
            raise Halt(Reason.GARBLED) from None
        self.nested += 1
        try:
            value = function(*args, **options)
            self.settle()
            answer: dict[str, Any] = {"returned": self.pack(value, parts)}
        except Exception as error:  # noqa: BLE001  (it is the box's to handle, and ours again if it does not)
            parts.clear()
            number = error.remote_number if isinstance(error, Raised) else 0
            answer = {"raised": [number, type(error).__name__, str(error)[:2000]]}
        finally:
            self.nested -= 1
        self._send(answer, parts)

    def _send(self, message: dict[str, Any], parts: list[bytes]) -> None:
        """Send it with what became of the arrays that both sides hold, and with what nobody here holds any more."""
        if changed := self.shared.changes(message, parts):
            message["changed"] = changed
        if self.dropped:
            message["dropped"], self.dropped[:] = self.dropped[:], []
        send(self.link, message, parts)

    def pack_array(self, array: np.ndarray, arrays: list[bytes]) -> Any:
        return self.shared.pack(array, arrays)

    def pack_object(self, value: Any, arrays: list[bytes]) -> Any:
        if isinstance(value, Method):
            value = whole(value)
        if isinstance(value, Handle):
            if channel_of(value) is not self:
                raise TypeError("an object of another box")
            return {"object": number_of(value)}
        if isinstance(value, type) and issubclass(value, Raised):
            return {"object": value.remote_number}
        if isinstance(value, type) and vars(value).get("__module__") == "builtins":
            return {"object": number_of(self.ask("get", self.ask("import", "builtins"), value.__name__))}
        if callable(value):
            number = self.function_numbers.get(id(value))
            if number is None:
                number = next(self.fresh)
                self.functions[number], self.function_numbers[id(value)] = value, number
            return {"function": [number, str(getattr(value, "__name__", "function"))]}
        raise TypeError(f"a test cannot hand over a {type(value).__name__}")

    def unpack_object(self, tag: str, body: Any, arrays: list[bytes]) -> Any:
        match tag:
            case "object":
                return self._handle(int(body[0]), str(body[1])[:200], int(body[2]))
            case "error":
                return self.reports.error_class(body)
            case "array":
                return self.shared.take(int(body[0]), array_of(body[1:], arrays))
            case "same":
                return self.shared.arrays[body]
        raise Garbled

    def _handle(self, number: int, name: str, kind_number: int) -> Any:
        if number in self.functions:
            return self.functions[number]
        handle = self.handles.get(number)
        if handle is None:
            if number in self.dropped:  # the box has not been told yet, and means the same object
                self.dropped.remove(number)
            kind = self.kinds.get((kind_number, name))
            if kind is None:
                kind = type(name.replace("\0", ""), (Handle,), {"__slots__": ()})
                self.kinds[kind_number, name] = kind
            handle = self.handles[number] = kind(self, number)
        return handle

    def _method(self, owner: Handle, name: str) -> Method:
        """What the box calls a method: the next time nobody asks."""
        self.methods.add((type(owner), name))
        return Method(self, owner, name)
