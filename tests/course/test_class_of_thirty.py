"""Thirty students who hand in what students hand in: no honest point is lost, and every file is found again.

The four commands of the instructor run one after the other, as in the README. The code of the hostile four runs in
grading's own process; the others' runs in `FastRunner`.
"""

import csv
import os
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path

import nbformat
import psutil
import pytest
import typer
from inboxes import make_zip, put
from mini import GOOD, TENSOR_MODULE, FastRunner, answered, released

from tito.commands import collect, feedback, grade, report, roster
from tito.engine.reading import MAX_BYTES
from tito.engine.runner import Limits, SubprocessRunner
from tito.grading import grade as grading
from tito.grading.gradebook import open_gradebook

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="forks, and makes links"),
    pytest.mark.timeout(300),  # thirty notebooks through every command
]

FULL, HALF, NOTHING = "10 of 10, 5 waits", "4 of 10, 5 waits", "-"
EXPECTED = {  # student: status and points
    "ada": ("graded", FULL),
    "ben": ("graded", FULL),
    "bb_user": ("graded", FULL),
    "jane": ("graded", FULL),
    "jose": ("graded", "8 of 10, 5 waits"),
    "lilei": ("graded", FULL),
    "absent": ("missing", NOTHING),
    "crash": ("crashed", HALF),
    "damaged": ("missing", NOTHING),
    "date0": ("graded", FULL),
    "deleted": ("repaired", HALF),
    "empty": ("unreadable", NOTHING),
    "endless": ("timed out", HALF),
    "escape": ("graded", FULL),
    "fat": ("graded", FULL),
    "half": ("graded", "4 of 15"),
    "kit1": ("graded", FULL),
    "kit2": ("graded", HALF),
    "link": ("unreadable", NOTHING),
    "mapped": ("graded", FULL),
    "nometa": ("repaired", FULL),
    "packed": ("graded", FULL),
    "pdf": ("missing", NOTHING),
    "samedate": ("graded", FULL),
    "sec1": ("graded", FULL),
    "split": ("repaired", FULL),
    "surrogate": ("graded", FULL),
    "toofat": ("unreadable", NOTHING),
    "two": ("graded", HALF),
    "wrong": ("unreadable", NOTHING),
}
NAMES = {"ada": "Lovelace, Ada", "ben": "O'Brien, Ben", "jane": "Doe, Jane", "jose": "Roe, José", "lilei": "李, 雷"}
LEFT_OVER = {
    "damaged.zip",
    "link/tensor.ipynb",
    "mystery.ipynb",
    "pdf/tensor.pdf",
    "tensor.ipynb",
    "toofat/tensor.ipynb",
}
SHIFT = "#| export\n{}\ndef shift(x, by):\n    return (np.asarray(x) + by).astype(np.float32)\n"
HOSTILE = {
    "surrogate": "print('\\ud800')",
    "escape": "import subprocess; subprocess.Popen(['sleep', '97531'], start_new_session=True)",
    "crash": "import os; os._exit(0)",
    "endless": "import time\nwhile True: time.sleep(0.01)",
}
PENALTY = """
from nbgrader.plugins import BasePlugin


class TwoPoints(BasePlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return 2


c.AssignLatePenalties.plugin_class = TwoPoints
"""
DUE, ON_TIME, LATE = datetime(2025, 10, 10, 12), 1_759_500_000, 1_760_500_000


class Runner:
    """Runs hostile code where it can do no harm, and nothing else."""

    def __init__(self, scratch: Path, isolation: object) -> None:
        self.fast, self.real = FastRunner(scratch), SubprocessRunner(scratch)

    def run(self, notebook, stack, limits):
        text = "\n".join(cell.source for cell in notebook.cells)
        runner = self.real if any(code in text for code in HOSTILE.values()) else self.fast
        return runner.run(notebook, stack, limits)


class Inbox:
    """Where hand-ins arrive; remembers each notebook's bytes by the label that `tito collect` would give it."""

    def __init__(self, course, folder: Path) -> None:
        self.course, self.folder = course, folder
        self.handed_in: dict[str, bytes] = {}

    def notebook(self, student: str, change: Callable | None = None, **answers: str) -> bytes:
        """A solved notebook that no other equals."""
        words = {"q-float32": f"It halves the memory, says {student}."}
        made = answered(self.course, GOOD | words | answers)
        if change:
            change(made)
        return nbformat.writes(made).encode()

    def add(self, name: str, data: bytes, time: float = ON_TIME) -> None:
        put(self.folder, name, data, time)
        self.handed_in[name] = data

    def add_zip(self, name: str, inside: dict[str, bytes], date=(2025, 10, 1, 12, 0, 0)) -> None:
        os.utime(make_zip(self.folder / name, inside, date), (ON_TIME, ON_TIME))
        self.handed_in |= {f"{name}: {inner}": data for inner, data in inside.items() if inner.endswith(".ipynb")}


def managed(cell):
    return cell.metadata.get("nbgrader", {}).get("grade_id")


def without_answer(notebook):
    notebook.cells = [cell for cell in notebook.cells if managed(cell) not in ("shift", "test-shift")]


def without_metadata(notebook):
    for cell in notebook.cells:
        cell.metadata = {}


def in_two_cells(notebook):
    place = next(i for i, cell in enumerate(notebook.cells) if managed(cell) == "scale")
    note = notebook.cells[place].copy() | {"id": "split-off", "source": "# a thought"}
    notebook.cells.insert(place + 1, type(notebook)(note))


def padded(notebook):
    notebook.cells[0].metadata["padding"] = "x" * (MAX_BYTES - 20_000)


def fill(inbox: Inbox) -> None:
    """Everything arrives at once, as the platforms name it and as students send it."""
    n = inbox.notebook
    inbox.add("lovelaceada_101_9001_tensor.ipynb", n("ada", scale="pass"), ON_TIME - 60)
    inbox.add("lovelaceada_101_9002_tensor-1.ipynb", n("ada"))
    inbox.add("Ben OBrien_4711_assignsubmission_file_/tensor.ipynb", n("ben"))
    inbox.add("Homework 1_bb_user_attempt_2025-10-01-12-30-00_tensor.ipynb", n("bb_user"))
    inbox.add("Homework 1_bb_user_attempt_2025-10-01-12-30-00.txt", b"Name: B. B. User")
    inbox.add("Doe, Jane/tensor.ipynb", n("jane"))
    inbox.add("roejose_LATE_105_9004_tensor.ipynb", n("jose"), LATE)
    inbox.add("李雷_tensor.ipynb", n("lilei"))
    inbox.add("section1/sec1/tensor.ipynb", n("sec1"))
    for student, answers in (("kit1", {}), ("kit2", {"shift": "pass  # your code here"})):
        kit = {
            "tinytorch-kit/nbgrader_config.py": b"",
            "tinytorch-kit/work/01_tensor/tensor.ipynb": n(student, **answers),
        }
        inbox.add_zip(f"{student}/tinytorch-kit.zip", kit)
    inbox.add_zip("date0.zip", {"tensor.ipynb": n("date0")}, date=(1980, 1, 1, 0, 0, 0))
    inner = make_zip(inbox.folder.parent / "inner.zip", {"tensor.ipynb": n("packed")}, (2025, 10, 1, 12, 0, 0))
    inbox.add_zip("packed.zip", {"homework.zip": inner.read_bytes()})
    put(inbox.folder, "damaged.zip", (inbox.folder / "kit1" / "tinytorch-kit.zip").read_bytes()[:900])
    for student, code in HOSTILE.items():
        inbox.add(f"{student}/tensor.ipynb", n(student, shift=SHIFT.format(code)))
    changes = {"deleted": without_answer, "nometa": without_metadata, "split": in_two_cells, "fat": padded}
    for student, change in changes.items():
        inbox.add(f"{student}/tensor.ipynb", b"\xef\xbb\xbf" * (student == "fat") + n(student, change))
    inbox.add("half/tensor.ipynb", nbformat.writes(answered(inbox.course, {"scale": GOOD["scale"]})).encode())
    inbox.add("mapped/my homework final (2).ipynb", n("mapped"))
    inbox.add("two/tensor.ipynb", n("two"), ON_TIME - 60)
    inbox.add("two/tensor (1).ipynb", n("two", shift="pass  # your code here"))
    other = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print('another course')")])
    inbox.add("wrong/tensor.ipynb", nbformat.writes(other).encode())
    inbox.add("empty/tensor.ipynb", b"")
    inbox.add("toofat/tensor.ipynb", b" " * (MAX_BYTES + 1))
    inbox.add("pdf/tensor.pdf", b"%PDF-1.7")
    inbox.add("mystery.ipynb", n("nobody knows whom"))
    inbox.add("tensor.ipynb", n("nobody"))
    (inbox.folder / "link").mkdir()
    (inbox.folder / "link" / "tensor.ipynb").symlink_to(inbox.course.built(TENSOR_MODULE))


def prepare(course) -> None:
    """A class list as Canvas exports it, a due date and a late policy."""
    lines = ["Student,ID,SIS Login ID,Section", "    Points Possible,,,"]
    lines += [f'"{NAMES.get(one, f"Student, {one}")}",{100 + i},{one},A' for i, one in enumerate(EXPECTED, start=1)]
    (course.root / "class.csv").write_text("\n".join(lines), encoding="utf-8-sig")
    roster.import_file(course.root / "class.csv")
    with open_gradebook(course) as book:
        book.find_assignment(TENSOR_MODULE.folder).duedate = DUE
        book.db.commit()
    with (course.root / "nbgrader_config.py").open("a") as file:
        file.write(PENALTY)


def test_no_honest_point_is_lost(course, inbox, monkeypatch, capsys):
    monkeypatch.chdir(course.root)
    monkeypatch.setattr(grading, "TrustedRunner", Runner)
    monkeypatch.setattr(grading, "Limits", partial(Limits, cell_seconds=8))
    prepare(course)
    box = Inbox(course, inbox)
    blank = nbformat.writes(released(course)).encode()
    put(inbox, "samedate/tensor.ipynb", blank, ON_TIME)
    collect.collect(inbox)
    box.add("samedate/tensor.ipynb", box.notebook("samedate"))  # later, with the same date
    fill(box)
    (course.root / "map.csv").write_text("mapped/*,mapped,01\n")
    capsys.readouterr()

    with pytest.raises(typer.Exit) as waiting:
        collect.collect(inbox, course.root / "map.csv", "UTC")
    assert waiting.value.exit_code == 1
    listed = [line.removeprefix("not collected: ") for line in capsys.readouterr().err.splitlines()]
    assert {line.partition(": ")[0] for line in listed} == LEFT_OVER
    assert len(listed) == len(LEFT_OVER)
    kept = {path.read_bytes() for path in course.submitted.rglob("*.ipynb")}
    kept |= {path.read_bytes() for path in course.history.rglob("*.ipynb")}
    lost = {label for label, data in box.handed_in.items() if data not in kept}
    assert lost == (LEFT_OVER & set(box.handed_in)) | {"Homework 1_bb_user_attempt_2025-10-01-12-30-00.txt"}
    assert blank in kept

    grade.grade(["01"])
    report.report(["01"], course.root / "grades.csv")
    feedback.feedback(["01"])
    shown = capsys.readouterr()
    with (course.root / "grades.csv").open() as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    assert {student: (row["status"], points(row)) for student, row in rows.items()} == EXPECTED
    assert (rows["jose"]["penalty"], rows["jose"]["late_days"], rows["ada"]["penalty"]) == ("2", "4.66", "0")
    assert f"Files of the last collect that belong to nobody or could not be read: {len(LEFT_OVER)}" in shown.out
    assert "Traceback" not in shown.out + shown.err
    pages = {path.parents[1].name for path in course.feedback.rglob("*.html")}
    assert pages == {student for student, (status, _) in EXPECTED.items() if status != "missing"}

    assert [one.pid for one in psutil.process_iter(["cmdline"]) if "97531" in (one.info["cmdline"] or [])] == []
    assert not (course.state / "run").exists()


def points(row: dict[str, str]) -> str:
    """As the report's table shows them."""
    if not row["score"]:
        return "-"
    return f"{row['score']} of {row['max_score']}" + (f", {row['waits']} waits" if row["waits"] != "0" else "")
