"""Random bytes and bent messages for what reads them: `python tests/grading/trusted/fuzz.py 100000`.

Half of the inputs are replies of a sandbox, half are notebooks. Whatever comes must end in a value or in a refusal of
the reader's own, within a second.
"""

import json
import random
import socket
import sys
import time

import numpy as np

from tito.engine.reading import Unreadable, parse_submission
from tito.trusted.channel import Channel, Halt
from tito.trusted.wire import HEAD

SLOWEST = 1.0  # seconds
ATOMS = [None, True, 0, -1, 2**70, 1e308, float("nan"), "", "x", "\ud800", "<f4", "object", [], {}, [[]], {"a": 1}]
TAGS = ["list", "tuple", "set", "dict", "array", "same", "object", "error", "scalar", "dtype", "type", "slice", "range"]
TAGS += ["bytes", "complex", "objects", "ellipsis", "frozenset", "function"]
REPLY = {
    "value": {"array": [1, "<f4", [2, 2], [0, 1]]},
    "edited": [],
    "changed": [],
    "warned": [["Warning", "w", "<ipython-input-1-ab>", 1]],
}
RAISED = {"raised": {"number": 3, "class": [5, "E", [[0, "ValueError", []]]], "text": "t", "name": None,
                     "places": [[0, "f", "f", 1]]}, "changed": [], "warned": []}  # fmt: skip
CELL = {"cell_type": "code", "id": "a", "metadata": {"nbgrader": {"grade_id": "scale"}}, "source": ["x = 1\n"]}
NOTEBOOK = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": {"name": "python3"}}, "cells": [CELL, CELL]}


def bent(value, rng):
    """A copy of a JSON value in which something is something else."""
    if rng.random() < 0.15:
        return {rng.choice(TAGS): rng.choice(ATOMS)} if rng.random() < 0.5 else rng.choice(ATOMS)
    if isinstance(value, dict):
        kept = {key: bent(item, rng) for key, item in value.items() if rng.random() > 0.04}
        return kept | ({rng.choice(TAGS): rng.choice(ATOMS)} if rng.random() < 0.05 else {})
    if isinstance(value, list):
        return [bent(item, rng) for item in value for _ in range(1 + (rng.random() < 0.04)) if rng.random() > 0.04]
    return value


def bent_bytes(data, rng):
    """The same for bytes: some are changed, or the end is missing."""
    data = bytearray(data)
    for _ in range(rng.choice([0, 0, 1, 3, 20])):
        if data:
            data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data[: rng.randrange(len(data) + 1)] if rng.random() < 0.1 else data)


def try_reply(rng):
    """A reply that the grader reads."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        channel = Channel(ours)
        channel.reports.texts[0] = ["x"]
        text = bent_bytes(json.dumps([bent(rng.choice([REPLY, RAISED]), rng), [16]]).encode(), rng)
        theirs.sendall(HEAD.pack(len(text), 16) + text + rng.randbytes(16))
        theirs.shutdown(socket.SHUT_WR)
        argument = np.ones(2)
        try:
            channel.ask("call", argument, [1])
        except Halt:
            return "refused"
        except Exception as error:  # noqa: BLE001  (told below, unless it is the student's)
            return "raised" if hasattr(error, "remote_text") else f"{type(error).__name__}: {error}"
    return "read"


def try_notebook(rng):
    """A file that a student hands in."""
    data = bent_bytes(json.dumps(bent(NOTEBOOK, rng)).encode(), rng) if rng.random() > 0.05 else rng.randbytes(200)
    try:
        parse_submission(data)
    except Unreadable:
        return "refused"
    return "read"


def fuzz(count, seed=0):
    """Try `count` inputs; returns how many were read, refused and raised, and the slowest time.

    Raises:
        AssertionError: an input was neither read nor refused.
    """
    rng, seen, slowest = random.Random(seed), {}, 0.0
    for number in range(count):
        start = time.perf_counter()
        end = (try_reply, try_notebook)[number % 2](rng)
        slowest = max(slowest, time.perf_counter() - start)
        assert end in ("read", "refused", "raised"), f"input {number} of seed {seed}: {end}"
        seen[end] = seen.get(end, 0) + 1
    return seen, slowest


if __name__ == "__main__":
    import warnings

    warnings.simplefilter("ignore")
    ends, slow = fuzz(int(sys.argv[1]))
    print(f"{sys.argv[1]} inputs: {ends}, the slowest took {slow * 1e3:.0f} ms")
    assert slow < SLOWEST
