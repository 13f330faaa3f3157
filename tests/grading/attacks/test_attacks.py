"""Every scripted attack earns nothing and leaves nothing behind; many of them succeed on stock nbgrader."""

import hashlib
import os
import socket
import threading
import time
from types import SimpleNamespace

import nbformat
import psutil
import pytest
from bank import CODE, FILES, ON_STOCK, answer
from mini import GOOD, TENSOR_MODULE, answered, hand_in, sandboxed
from nbgrader.apps import NbGraderAPI

from tito.engine.runner import Limits
from tito.grading.grade import grade_module
from tito.grading.gradebook import open_gradebook
from tito.grading.settings import nbgrader_config

FEWEST, FEWEST_ON_STOCK = 60, 20
QUICK = Limits(cell_seconds=3, total_seconds=12, memory_bytes=2 << 30, file_bytes=16 << 20, restarts=2)
ALIVE = ("98765", "touch")  # words on the command lines of what attacks start


@pytest.fixture
def scene(course, tmp_path, monkeypatch):
    """A course with a listener beside it, a folder for proofs, and a secret in the environment."""
    monkeypatch.setenv("TITO_ATTACK_SECRET", "hush")
    proof = tmp_path / "proof"
    proof.mkdir(mode=0o777)
    os.chmod(tmp_path, 0o755)
    os.chmod(proof, 0o777)
    listener = socket.create_server(("127.0.0.1", 0))
    calls = []
    threading.Thread(target=_listen, args=(listener, calls), daemon=True).start()
    facts = {"PROOF": str(proof), "COURSE": str(course.root), "PORT": str(listener.getsockname()[1])}
    yield SimpleNamespace(course=course, proof=proof, calls=calls, facts=facts)
    listener.close()
    for one in _alive():
        psutil.Process(one).kill()


def _listen(listener, calls):
    while True:
        try:
            calls.append(listener.accept()[1])
        except OSError:
            return


def _alive():
    """The processes that attacks have started and that still run."""
    found = []
    for one in psutil.process_iter(["cmdline", "status"]):
        words = " ".join(one.info["cmdline"] or ())
        if "sleep" in words and any(word in words for word in ALIVE):
            found.append(one.pid)
    return found


def _hand_in_attack(scene, name):
    notebook = answered(scene.course, {"scale": answer(name, scene.facts)})
    hand_in(scene.course, name, FILES[name](notebook) if name in FILES else notebook)


def _points(course, student):
    """What the gradebook has of tests; None without a submission."""
    with open_gradebook(course) as book:
        (notebook,) = book.find_submission(TENSOR_MODULE.folder, student).notebooks
        return sum((grade.manual_score or grade.auto_score or 0) for grade in notebook.grades)


def _digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _untouched(course):
    """What no attack may change: settings, submissions, sources."""
    files = [course.root / "nbgrader_config.py", *course.submitted.rglob("*.ipynb"), *course.source.rglob("*.ipynb")]
    return {path: _digest(path) for path in files}


@sandboxed
def test_attacks_earn_nothing_and_leave_nothing(scene):
    names = [*CODE, *FILES]
    assert len(names) >= FEWEST
    for name in names:
        _hand_in_attack(scene, name)
    for honest in ("aa-honest", "zz-honest"):
        hand_in(scene.course, honest, answered(scene.course, GOOD))
    before = _untouched(scene.course)
    entries = list(grade_module(scene.course, TENSOR_MODULE, jobs=2, limits=QUICK))
    time.sleep(3)  # for what is said to happen later
    assert len(entries) == len(names) + 2
    assert {name: points for name in names if (points := _points(scene.course, name))} == {}
    assert [_points(scene.course, honest) for honest in ("aa-honest", "zz-honest")] == [10, 10]
    assert [name for name in names if "LEAK" in _leaks(scene.course, name)] == []
    assert (sorted(path.name for path in scene.proof.iterdir()), scene.calls, _alive()) == ([], [], [])
    assert _untouched(scene.course) == before


def _leaks(course, student):
    """What streams of the graded notebook say."""
    path = course.graded(student, TENSOR_MODULE)
    cells = nbformat.read(path, as_version=4).cells if path.is_file() else []
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    return "".join(output.text for output in outputs if output.output_type == "stream")


@sandboxed
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
def test_many_of_them_succeed_on_stock_nbgrader(scene):
    """The bank is not made of straw: run with `-rA`, the test says which succeed."""
    succeeded = [name for name in ON_STOCK if _succeeds_on_stock(scene, name)]
    print(f"{len(succeeded)} of {len(ON_STOCK)} succeed on stock nbgrader: {' '.join(succeeded)}")
    assert len(succeeded) >= FEWEST_ON_STOCK


def _succeeds_on_stock(scene, name):
    course = scene.course
    hand_in(course, "victim", answered(course, GOOD))
    _hand_in_attack(scene, name)
    before, calls = _untouched(course), len(scene.calls)
    book = _marks(course)
    NbGraderAPI(config=nbgrader_config(course)).autograde(TENSOR_MODULE.folder, name, create=True)
    time.sleep(4 if name == "late-writer" else 0)
    effects = [
        _earned(course, name) > 0,
        any(scene.proof.iterdir()),
        len(scene.calls) > calls,
        bool(_alive()),
        _untouched(course) != before,
        _marks(course) != book,
        "LEAK" in _leaks(course, name),
    ]
    for path in scene.proof.iterdir():
        path.unlink()
    for one in _alive():
        psutil.Process(one).kill()
    return any(effects)


def _marks(course):
    """The points of everyone but the attackers."""
    with open_gradebook(course) as book:
        return [(g.auto_score, g.manual_score) for s in book.assignment_submissions(TENSOR_MODULE.folder)
                if s.student.id == "victim" for n in s.notebooks for g in n.grades]  # fmt: skip


def _earned(course, student):
    with open_gradebook(course) as book:
        submissions = book.assignment_submissions(TENSOR_MODULE.folder)
        grades = [g for s in submissions if s.student.id == student for n in s.notebooks for g in n.grades]
        return sum(g.auto_score or 0 for g in grades)
