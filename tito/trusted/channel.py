"""The grader's end of the pipe: asks, and takes nothing on trust but plain values of bounded size."""

import builtins
import contextlib
import itertools
import linecache
import re
import socket
import sys
import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tito.engine.runner import Reason
from tito.trusted.handles import Handle, Method, channel_of, number_of, whole
from tito.trusted.wire import Closed, Codec, Garbled, TooLate, array_of, array_text, content, receive, send

MOST_NESTED = 30  # functions of the test within functions of the test
NO_REFERENCE = 3  # what `sys.getrefcount` says of an array that only `Channel.arrays` holds, asked in a loop
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
CELL = re.compile(r"<ipython-input-(\d{1,6})-\w+>")  # how IPython calls the file of a cell


class Halt(BaseException):
    """The box must be left: it is too late, it is gone, or it says what no box says."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.name)
        self.reason = reason


class Raised:
    """Mixed into the exceptions that come from the box: their message, and where they came up."""

    remote_text = ""
    remote_number = 0
    places: tuple[tuple[str, str, str], ...] = ()  # name, qualified name, where in the page; the innermost last

    def __str__(self) -> str:
        return self.remote_text


class Channel(Codec):
    """Questions to one box; `reason` says what it means when an alarm ends the wait for an answer."""

    def __init__(self, link: socket.socket) -> None:
        self.link = link
        self.reason = Reason.CELL_TIME
        self.arrays: dict[int, np.ndarray] = {}
        self.numbers: dict[int, int] = {}  # id of an array -> number
        self.known: dict[int, bytearray | None] = {}  # what the box has in it; None: something else than we
        self.handles: weakref.WeakValueDictionary[int, Handle] = weakref.WeakValueDictionary()
        self.functions: dict[int, Callable[..., Any]] = {}
        self.function_numbers: dict[int, int] = {}
        self.kinds: dict[tuple[int, str], type] = {}
        self.methods: set[tuple[type, str]] = set()  # of the student's classes, as far as they were asked for
        self.errors: dict[int, Any] = {}
        self.dropped: list[int] = []
        self.fresh = itertools.count(2, 2)
        self.nested = 0
        self.texts: dict[int, list[str]] = {}  # cell -> its lines
        self.counts: dict[int, int] = {}  # execution count -> cell
        self.warned: dict[str, dict[Any, Any]] = {}  # file -> what Python keeps of its warnings
        self._undo: list[Callable[[], None]] | None = None

    def ask(self, do: str, *args: Any, **options: Any) -> Any:
        """Ask the box, and return or raise what it says.

        Raises:
            Halt: there is no answer, or it is none.
        """
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
                error = self._error(reply["raised"])
            else:
                value = self._method(*args) if reply.get("method") else self.unpack(reply["value"], arrays)
                for place, text in reply.get("edited", ()):
                    if place in watched:
                        self._edit(args[place], self.unpack(text, []))
            self._take_changes(reply, arrays)
            warned = [self._warning(*facts) for facts in reply.get("warned", ())[:20]]
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

    @contextlib.contextmanager
    def checking(self) -> Iterator[None]:
        """Inside, what the box edits of our arrays and lists is seen; afterwards they are as they were."""
        if self._undo is not None:
            yield
            return
        self._undo = []
        try:
            yield
        finally:
            for undo in reversed(self._undo):
                undo()
            self._undo = None

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
            self._take_changes(reply, arrays)
        except UNREADABLE:
            raise Halt(Reason.GARBLED) from None
        self.nested += 1
        try:
            answer: dict[str, Any] = {"returned": self.pack(function(*args, **options), parts)}
        except Exception as error:  # noqa: BLE001  (it is the box's to handle, and ours again if it does not)
            parts.clear()
            number = error.remote_number if isinstance(error, Raised) else 0
            answer = {"raised": [number, type(error).__name__, str(error)[:2000]]}
        finally:
            self.nested -= 1
        self._send(answer, parts)

    # What is handed over, and what comes back

    def pack_array(self, array: np.ndarray, arrays: list[bytes]) -> Any:
        number = self.numbers.get(id(array))
        if number is None:
            number = next(self.fresh)
            self.arrays[number], self.numbers[id(array)] = array, number
        if self.known.get(number) == content(array):
            return {"same": number}
        self.known[number] = bytearray(content(array))
        return {"array": [number, *array_text(array, arrays)]}

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
                return self._error_class(body)
            case "array":
                return self._array(int(body[0]), array_of(body[1:], arrays))
            case "same":
                return self.arrays[body]
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

    def _array(self, number: int, came: np.ndarray) -> np.ndarray:
        """An array that the box sends: the same object again if it was known."""
        kept = self.arrays.get(number)
        if kept is not None and self._overwrite(number, kept, came):
            return kept
        if kept is None and number % 2:
            if number in self.dropped:
                self.dropped.remove(number)
            self.arrays[number], self.numbers[id(came)] = came, number
            self.known[number] = bytearray(content(came))
        return came

    def _overwrite(self, number: int, kept: np.ndarray, came: np.ndarray) -> bool:
        """Take new content for an array: the student's own always, ours only while a check looks at it."""
        if kept.shape != came.shape or kept.dtype != came.dtype or not kept.flags.writeable:
            return False
        if number % 2 == 0:
            self.known[number] = None
            if self._undo is None:
                return False
            before = kept.copy()
            self._undo.append(lambda: self._restore(number, kept, before))
        kept[...] = came
        self.known[number] = bytearray(content(kept))
        return True

    def _restore(self, number: int, array: np.ndarray, before: np.ndarray) -> None:
        array[...] = before
        if self.arrays.get(number) is array:
            self.known[number] = None

    def _edit(self, ours: Any, now: Any) -> None:
        """A list, dict or set of the test that the box has changed."""
        if self._undo is None or type(now) is not type(ours):
            return
        before = ours.copy()

        def fill(items: Any) -> None:
            ours.clear()
            ours.extend(items) if isinstance(ours, list) else ours.update(items)

        self._undo.append(lambda: fill(before))
        fill(now)

    def _take_changes(self, reply: dict[str, Any], arrays: list[bytes]) -> None:
        for number, *facts in reply.get("changed", ()):
            came = array_of(facts, arrays)
            if number in self.arrays:
                self._overwrite(number, self.arrays[number], came)

    def _send(self, message: dict[str, Any], parts: list[bytes]) -> None:
        """Send it with what became of the arrays that both sides hold, and with what nobody here holds any more."""
        changed = []
        for number in list(self.arrays):
            array = self.arrays[number]
            if sys.getrefcount(array) <= NO_REFERENCE and number not in _mentioned(message):
                del self.arrays[number], self.numbers[id(array)]
                self.known.pop(number, None)
                self.dropped.append(number)
            elif self.known[number] != content(array):
                self.known[number] = bytearray(content(array))
                changed.append([number, *array_text(array, parts)])
        if changed:
            message["changed"] = changed
        if self.dropped:
            message["dropped"], self.dropped[:] = self.dropped[:], []
        send(self.link, message, parts)

    def _warning(self, word: Any, text: Any, file: Any, line: Any) -> dict[str, Any]:
        """A warning of the box as ours, with its place in the page; one whose class we do not know is a plain one."""
        kind = getattr(builtins, str(word), None)
        known = isinstance(kind, type) and issubclass(kind, Warning)
        cell = CELL.match(str(file))
        lines = self.texts.get(self.counts.get(int(cell[1]), -1), []) if cell else []
        if lines:
            linecache.cache[str(file)] = (1, None, [f"{line}\n" for line in lines], str(file))
        return {
            "message": str(text)[:500],
            "category": kind if known else UserWarning,
            "filename": str(file)[:200],
            "lineno": max(0, min(int(line), 1_000_000)),
            "module": "__main__" if cell else None,
            "registry": self.warned.setdefault(str(file)[:200], {}),
        }

    def _error(self, told: dict[str, Any]) -> BaseException:
        kind = self._error_class(told["class"])
        error: Any = kind.__new__(kind)
        error.remote_text, error.remote_number = str(told["text"])[:4000], int(told["number"])
        error.args = (error.remote_text,)
        weakref.finalize(error, self.dropped.append, error.remote_number).atexit = False
        error.places = tuple(filter(None, (self.place(*place) for place in told["places"][-50:])))
        if isinstance(told["name"], str) and isinstance(error, NameError | AttributeError):
            error.name = told["name"][:200]
        return error  # type: ignore[no-any-return]

    def place(self, cell: Any, name: Any, whole: Any, line: Any) -> tuple[str, str, str] | None:
        """Where in the page something was raised, in the words of `tito.lab.failures.where`."""
        lines, called = self.texts[int(cell)], str(whole)[:200].rpartition("<locals>.")[2]
        text = lines[int(line) - 1].strip() if 0 < int(line) <= len(lines) else ""
        shown = "this cell" if called == "<module>" else called
        return (str(name)[:200], shown, f"in {shown}, line {int(line)}: {text}") if text else None

    def _error_class(self, told: Any) -> Any:
        """Our picture of an exception's class, with the same built-in parents."""
        number, name, parents = told
        if number == 0:
            kind = getattr(builtins, str(name), None)
            good = isinstance(kind, type) and (issubclass(kind, Exception) or kind is SystemExit)
            return _mirror(str(name), (kind,), 0) if good else _mirror("RuntimeError", (RuntimeError,), 0)
        if number not in self.errors:
            above = tuple(self._error_class(parent) for parent in parents[:4])
            self.errors[number] = _mirror(str(name)[:200].replace("\0", ""), above or (Exception,), number)
        return self.errors[number]


_mirrors: dict[str, type] = {}


def _mirror(name: str, parents: tuple[Any, ...], number: int) -> type:
    if number == 0 and name in _mirrors:
        return _mirrors[name]
    own = () if any(issubclass(parent, Raised) for parent in parents) else (Raised,)
    try:
        kind = type(name, (*own, *parents), {"remote_number": number})
    except TypeError:  # parents that do not go together
        kind = type(name, (Raised, RuntimeError), {"remote_number": number})
    if number == 0:
        _mirrors[name] = kind
    return kind


def _mentioned(message: Any) -> set[int]:
    """The numbers of the arrays in a message."""
    found: set[int] = set()
    todo = [message]
    while todo:
        part = todo.pop()
        if isinstance(part, list):
            todo += part
        elif isinstance(part, dict):
            if "array" in part and isinstance(part["array"], list):
                found.add(part["array"][0])
            elif "same" in part:
                found.add(part["same"])
            todo += part.values()
    return found
