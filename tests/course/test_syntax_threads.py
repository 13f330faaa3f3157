"""Submissions are normalised in threads, and CPython 3.11 builds syntax trees safely in one thread at a time only."""

import gc
import sys
import threading
from pathlib import Path

import pytest

from tito.sources.syntax import parse

PAGE = Path(__file__).parents[2] / "modules" / "05_autograd" / "autograd_dev.py"


@pytest.fixture
def busy_interpreter():
    """Threads change places while a tree is built: the collector runs often, and calls Python."""
    interval, threshold = sys.getswitchinterval(), gc.get_threshold()
    gc.callbacks.append(_work)
    sys.setswitchinterval(1e-6)
    gc.set_threshold(50)
    yield
    gc.callbacks.remove(_work)
    sys.setswitchinterval(interval)
    gc.set_threshold(*threshold)


def _work(phase, info):
    sum(range(50))


def test_threads_may_parse_at_once(busy_interpreter):
    text = PAGE.read_text(encoding="utf-8")[:40_000]
    text = text[: text.rindex("\n# %%")]
    failures = []

    def read():
        for _ in range(5):
            try:
                parse(text)
            except SystemError as error:
                failures.append(str(error))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
