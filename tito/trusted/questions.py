"""Inside the box: each thing that a test can ask, as a method; `Handle` says when. Nothing here is trusted."""

import builtins
import importlib
import operator
from collections import deque
from typing import Any

import numpy as np

MOST_ITEMS = 10_000  # of a container that is handed over at once
COPIED: Any = (*map(type, ({}.keys(), {}.values(), {}.items())), dict, list, tuple, set, frozenset, deque)


class Questions:
    """Answers about a student's objects; `names` are the page's global names."""

    names: dict[str, Any]

    def error(self, told: list[Any]) -> BaseException:
        """What the test tells of an error, as one."""
        raise NotImplementedError

    def do_call(self, *args: Any, **options: Any) -> Any:
        return args[0](*args[1:], **options)

    def do_method(self, owner: Any, name: str, *args: Any, **options: Any) -> Any:
        return getattr(owner, name)(*args, **options)

    def do_get(self, owner: Any, name: str) -> Any:
        return getattr(owner, name)

    do_fetch = do_get

    def do_set(self, owner: Any, name: str, value: Any) -> None:
        setattr(owner, name, value)

    def do_store(self, owner: Any, path: list[list[Any]], key: Any, value: Any) -> None:
        for step, name in path:
            owner = getattr(owner, name) if step == "." else owner[name]
        owner[key] = value

    def do_augment(self, owner: Any, path: list[list[Any]], operation: str, value: Any) -> None:
        """`owner.a.b -= value` or `owner.a[b] -= value`, as Python does it: in place, then stored."""
        for step, name in path[:-1]:
            owner = getattr(owner, name) if step == "." else owner[name]
        step, last = path[-1]
        change = getattr(operator, operation)
        if step == ".":
            setattr(owner, last, change(getattr(owner, last), value))
        else:
            owner[last] = change(owner[last], value)

    def do_operator(self, name: str, *args: Any) -> Any:
        return getattr(operator, name)(*args)

    def do_builtin(self, name: str, *args: Any) -> Any:
        return getattr(builtins, name)(*args)

    def do_isinstance(self, value: Any, kind: Any) -> bool:
        return bool(isinstance(value, kind))

    def do_enter(self, manager: Any) -> Any:
        return type(manager).__enter__(manager)

    def do_leave(self, manager: Any, told: list[Any] | None) -> bool:
        error = None if told is None else self.error(told)
        return bool(type(manager).__exit__(manager, error and type(error), error, error and error.__traceback__))

    def do_items(self, value: Any) -> Any:
        """Everything that a finished container holds; an iterator for whatever makes its items as it goes."""
        if isinstance(value, COPIED) and len(value) <= MOST_ITEMS:
            return list(value)
        found = iter(value)
        return found if not isinstance(found, list) else list(found)

    def do_next(self, iterator: Any) -> Any:
        for item in iterator:
            return (item,)
        return None

    def do_array(self, value: Any, dtype: Any = None) -> Any:
        array = np.asarray(value, dtype=dtype)
        return array if array.dtype.kind in "biufc" else None

    def do_import(self, name: str) -> Any:
        return importlib.import_module(name)

    def do_names(self, *names: str) -> Any:
        return {name: self.names[name] for name in names if name in self.names}
