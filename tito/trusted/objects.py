"""Inside the box: the student's objects, and what the tests outside ask of them. Nothing here is trusted."""

import builtins
import itertools
import re
import traceback
import warnings
from types import MethodType
from typing import Any

import numpy as np
from questions import Questions  # type: ignore[import-not-found]  # beside this file
from wire import (  # type: ignore[import-not-found]  # beside this file
    Codec,
    Garbled,
    array_of,
    array_text,
    content,
    receive,
    send,
)

CELL = re.compile(r"<ipython-input-(\d+)-")  # how IPython calls the file of a cell

COPIES = Codec()  # packs neither arrays nor objects


def _is_method(value: Any, owner: Any, name: str) -> bool:
    """Whether an attribute is a method that every object of its owner's class has."""
    return type(value) is MethodType and value.__self__ is owner and getattr(type(owner), name, None) is value.__func__


class Callback:
    """A function of the test: it runs outside when it is called here."""

    def __init__(self, server: "Server", number: int, name: str) -> None:
        self._server, self._number, self.__name__ = server, number, name

    def __call__(self, *args: Any, **options: Any) -> Any:
        return self._server.call_back(self._number, args, options)


class Server(Questions, Codec):  # type: ignore[misc]
    """Answers the questions that come through `link`; `names` are the page's global names."""

    def __init__(self, link: Any, names: dict[str, Any]) -> None:
        self.link, self.names = link, names
        self.objects: dict[int, Any] = {}
        self.numbers: dict[int, int] = {}
        self.arrays: dict[int, np.ndarray] = {}
        self.array_numbers: dict[int, int] = {}
        self.sent: dict[int, bytearray] = {}
        self.fresh = itertools.count(1, 2)  # the grader's own numbers are even
        self.touched: set[int] = set()
        self.kinds: dict[int, tuple[int, type]] = {}  # id of a class -> its number, and what keeps it alive
        self.cells: dict[int, int] = {}  # execution count -> cell

    def answer(self, question: dict[str, Any], arrays: list[bytes]) -> None:
        """Do what is asked, and send what came of it."""
        caught: list[warnings.WarningMessage] = []
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                reply, parts = self._done(question, arrays)
        except BaseException as error:  # noqa: BLE001  (whatever it is, the test wants to know)
            reply, parts = {"raised": self._told(error)}, []
        if changed := self._changed(parts):
            reply["changed"] = changed
        if caught:
            told = [[w.category.__name__, str(w.message)[:500], w.filename[:200], w.lineno] for w in caught[:20]]
            reply["warned"] = told
        try:
            send(self.link, reply, parts)
        except ValueError as error:  # too large
            send(self.link, {"raised": self._told(error)}, [])

    def _done(self, question: dict[str, Any], arrays: list[bytes]) -> tuple[dict[str, Any], list[bytes]]:
        self.touched = set()
        args = [self.unpack(part, arrays) for part in question.get("args", ())]
        options = {name: self.unpack(part, arrays) for name, part in question.get("options", {}).items()}
        self._follow(question, arrays)
        watched = question.get("watch", ())
        before = [self._plain(args[place]) for place in watched]
        value = getattr(self, "do_" + question["do"])(*args, **options)
        parts: list[bytes] = []
        if question["do"] == "get" and _is_method(value, *args):
            return {"method": True}, parts
        reply: dict[str, Any] = {"value": self.pack(value, parts)}
        if watched:
            now = [self._plain(args[place]) for place in watched]
            facts = zip(watched, now, before, strict=True)
            reply["edited"] = [[place, text] for place, text, old in facts if text is not None and text != old]
        return reply, parts

    def call_back(self, number: int, args: Any, options: dict[str, Any]) -> Any:
        """Run a function of the test outside, and answer its questions until it is done."""
        parts: list[bytes] = []
        text = {"call": number, "args": [self.pack(arg, parts) for arg in args]}
        text["options"] = {name: self.pack(value, parts) for name, value in options.items()}
        send(self.link, text | {"changed": self._changed(parts)}, parts)
        while True:
            message, arrays = receive(self.link)
            if "returned" in message:
                value = self.unpack(message["returned"], arrays)
                self._follow(message, arrays)
                return value
            if "raised" in message:
                error = self.error(message["raised"])
                self._follow(message, arrays)
                raise error
            self.answer(message, arrays)

    def error(self, told: list[Any]) -> BaseException:
        number, name, text = told
        if number in self.objects:
            return self.objects[number]  # type: ignore[no-any-return]
        kind = getattr(builtins, str(name), RuntimeError)
        return kind(text) if isinstance(kind, type) and issubclass(kind, Exception) else RuntimeError(text)

    def pack_array(self, array: np.ndarray, arrays: list[bytes]) -> Any:
        number = self.array_numbers.get(id(array))
        if number is None:
            number = next(self.fresh)
            self.arrays[number], self.array_numbers[id(array)] = array, number
        if self.sent.get(number) == content(array):
            return {"same": number}
        self.sent[number] = bytearray(content(array))
        return {"array": [number, *array_text(array, arrays)]}

    def pack_object(self, value: Any, arrays: list[bytes]) -> Any:
        number = self.numbers.get(id(value))
        if number is None:
            number = next(self.fresh)
            self.objects[number], self.numbers[id(value)] = value, number
        if isinstance(value, type) and issubclass(value, BaseException):
            return {"error": self._class(value)}
        kind = type(value)
        return {"object": [number, self._name(kind), self.kinds.setdefault(id(kind), (len(self.kinds), kind))[0]]}

    def unpack_object(self, tag: str, body: Any, arrays: list[bytes]) -> Any:
        match tag:
            case "object":
                return self.objects[body]
            case "function":
                return self._callback(*body)
            case "array":
                return self._array(body[0], array_of(body[1:], arrays))
            case "same":
                self.touched.add(body)
                return self.arrays[body]
        raise Garbled

    def _callback(self, number: int, name: str) -> Any:
        if number not in self.objects:
            self.objects[number] = Callback(self, number, name)
            self.numbers[id(self.objects[number])] = number
        return self.objects[number]

    def _array(self, number: int, came: np.ndarray) -> np.ndarray:
        """The array of that number with this content; it stays the same object."""
        kept = self.arrays.get(number)
        self.touched.add(number)
        if kept is None or kept.shape != came.shape or kept.dtype != came.dtype or not kept.flags.writeable:
            self.arrays[number] = kept = came
            self.array_numbers[id(came)] = number
        else:
            kept[...] = came
        self.sent[number] = bytearray(content(kept))
        return kept

    def _follow(self, message: dict[str, Any], arrays: list[bytes]) -> None:
        """Take over what changed outside, and forget what nobody there holds any more."""
        for number, *facts in message.get("changed", ()):
            self._array(number, array_of(facts, arrays))
        for number in message.get("dropped", ()):
            if number in self.arrays:
                self.sent.pop(number, None)
                array = self.arrays.pop(number)
                if self.array_numbers.get(id(array)) == number:
                    del self.array_numbers[id(array)]
            elif number in self.objects:
                self.numbers.pop(id(self.objects.pop(number)), None)

    def _changed(self, parts: list[bytes]) -> list[Any]:
        """The arrays that both sides hold and that are different now: the student's own, and the arguments."""
        changed = []
        for number, array in self.arrays.items():
            if (number % 2 or number in self.touched) and self.sent.get(number) != content(array):
                self.sent[number] = bytearray(content(array))
                changed.append([number, *array_text(array, parts)])
        return changed

    def _plain(self, value: Any) -> Any:
        """A list, dict or set as it is now; None when something in it is not copied."""
        try:
            return COPIES.pack(value, [])
        except NotImplementedError:
            return None

    def _class(self, kind: type) -> list[Any]:
        """An exception's class: number, name, and its parents; a built-in one has no number."""
        if getattr(builtins, kind.__name__, None) is kind:
            return [0, kind.__name__, []]
        number = self.numbers.get(id(kind))
        if number is None:
            number = next(self.fresh)
            self.objects[number], self.numbers[id(kind)] = kind, number
        return [number, self._name(kind), [self._class(b) for b in kind.__bases__ if issubclass(b, BaseException)]]

    def _told(self, error: BaseException) -> dict[str, Any]:
        try:
            text = str(error)
        except BaseException:  # noqa: BLE001  (a student's `__str__` may raise anything)
            text = "(its message cannot be shown)"
        number = next(self.fresh)
        self.objects[number], self.numbers[id(error)] = error, number
        places = []
        for frame, line in traceback.walk_tb(error.__traceback__):
            code, found = frame.f_code, CELL.match(frame.f_code.co_filename)
            if found and int(found[1]) in self.cells:
                places.append([self.cells[int(found[1])], code.co_name, code.co_qualname, line])
        name = getattr(error, "name", None)
        return {
            "number": number,
            "class": self._class(type(error)),
            "text": text[:4000],
            "name": name if isinstance(name, str) else None,
            "places": places[-50:],
        }

    def _name(self, kind: type) -> str:
        return str(type.__dict__["__name__"].__get__(kind))[:200]
