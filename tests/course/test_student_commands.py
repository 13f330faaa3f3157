"""A student's day in the unzipped kit, and an instructor's day in the course, through the command line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from mini import GOOD, TENSOR_MODULE, answered, hand_in

from tito.commands import collect, feedback, grade, release, report, student
from tito.errors import CourseError
from tito.student.check import MESSAGE_LINES, check, read_result
from tito.student.results import keep_result
from tito.student.status import progress
from tito.student.work import read_work, start

ROOT = Path(__file__).parents[2]


def tito(*words, cwd, code=0, path=None):
    """Run the command, check its exit code, and return (stdout, stderr)."""
    settings = {"PYTHONPATH": os.pathsep.join([str(path or cwd), str(ROOT)]), "COLUMNS": "100", "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "tito", *words],
        cwd=cwd,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout, done.stderr


def answer(kit, answers):
    """What a student types into the notebook in work/."""
    path, _ = start(kit, TENSOR_MODULE)
    path.write_text(nbformat.writes(answered(kit, answers)))
    return path


def checked(kit, module=TENSOR_MODULE):
    return check(kit, read_work(kit, module))


def test_a_day_in_the_kit(kit):
    shown, _ = tito("start", "01", cwd=kit.root)
    assert "tito lab 01" in shown
    shown, _ = tito("check", "01", cwd=kit.root, code=1)
    assert "failed  test-scale\n        NotImplementedError: your code here" in shown
    assert "Public tests passed: 0 of 2." in shown
    answer(kit, {"scale": GOOD["scale"], "shift": "#| export\ndef shift(x, by):\n    return np.asarray(x)\n"})
    shown, _ = tito("check", "tensor", cwd=kit.root, code=1)
    assert "passed  test-scale\nfailed  test-shift\n        shift([1.0], 1) should be 2\n" in shown
    assert "hidden" not in shown
    answer(kit, GOOD)
    shown, _ = tito("check", "1", cwd=kit.root)
    assert "Public tests passed: 2 of 2; hidden tests of these 2 cells remain for grading." in shown
    assert "1 written answer" in shown
    tito("export", "01", cwd=kit.root)
    shown, _ = tito("status", cwd=kit.root)
    assert [line.split() for line in shown.splitlines()[1:]] == [
        ["01_tensor", "started", "3", "of", "3", "2", "of", "2", "yes"],
        ["02_activations", "not", "started", "-", "-", "no"],
    ]


def test_the_next_module_uses_the_students_own_package(kit):
    answer(kit, GOOD | {"scale": "#| export\ndef scale(x, factor):\n    return np.float32([-7.0])\n"})
    tito("export", "01", cwd=kit.root)
    tito("start", "02", cwd=kit.root)
    path = kit.root / "work/02_activations/activations.ipynb"
    text = path.read_text()
    stub = 'raise NotImplementedError(\\"your code here\\")'
    assert stub in text
    path.write_text(text.replace(stub, "assert scale(x, 1)[0] == -7, 'own package'; return np.float32([0.0])"))
    tito("check", "02", cwd=kit.root)


def test_start_never_overwrites(kit):
    path = answer(kit, GOOD)
    before = path.read_bytes()
    shown, _ = tito("start", "01", cwd=kit.root)
    assert "as you left it" in shown
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("command", "words", "says"),
    [
        (student.check, ["01"], "You have not started 01_tensor yet"),
        (student.check, ["99"], "There is no module '99'"),
        (student.start, ["05"], "The notebook of 05_autograd is not here"),
        (grade.grade, [], "There is no submission to grade"),
        (report.report, [], "Nobody has handed in anything yet"),
        (feedback.feedback, [], "Nothing has been graded yet"),
        (release.release, [], "No notebook has been built yet"),
        (collect.collect, [Path("nowhere")], "nowhere is neither a folder nor a zip"),
    ],
)
def test_mistakes_are_one_sentence_and_the_next_step(kit, monkeypatch, command, words, says):
    monkeypatch.chdir(kit.root)
    with pytest.raises(CourseError, match=says) as mistake:
        command(*words)
    assert mistake.value.cure


def test_a_mistake_ends_with_exit_code_2(kit):
    shown, problem = tito("check", "01", cwd=kit.root, code=2)
    assert (shown, problem.splitlines()[1]) == ("", "Next: Run 'tito start 01' first.")


def test_an_unreadable_notebook_of_ones_own(kit):
    path = answer(kit, GOOD)
    path.write_text("{")
    with pytest.raises(CourseError, match=r"work/01_tensor/tensor.ipynb cannot be read: .*not valid JSON"):
        checked(kit)
    assert progress(kit)[0].state == "unreadable"


def test_status_forgets_a_check_when_the_notebook_changes(kit):
    answer(kit, GOOD)
    keep_result(kit, read_work(kit, TENSOR_MODULE), checked(kit))
    assert progress(kit)[0].tests == "2 of 2"
    answer(kit, {"scale": GOOD["scale"]})
    assert (progress(kit)[0].tests, progress(kit)[0].answered) == ("stale", "1 of 3")


def test_check_repairs_as_grading_does(kit):
    path = answer(kit, GOOD)
    notebook = json.loads(path.read_text())
    for cell in notebook["cells"]:
        cell["metadata"] = {}
    path.write_text(json.dumps(notebook))
    result = checked(kit)
    assert result.ok
    assert result.notes[0].startswith("All nbgrader metadata was lost")


def test_messages_are_short(kit):
    answer(
        kit,
        GOOD
        | {"shift": "#| export\ndef shift(x, by):\n    raise ValueError('\\n'.join('abcdefghijklmnopqrstuvwxyz'))\n"},
    )
    failed = checked(kit).tests[1]
    assert failed.message.splitlines()[0] == "ValueError: a"
    assert len(failed.message.splitlines()) == MESSAGE_LINES


def test_an_error_in_the_answer_itself_is_shown(kit):
    answer(kit, GOOD | {"shift": "#| export\ndef shift(x, by)\n    return x\n"})
    result = checked(kit)
    assert [(error.told, error.text) for error in result.answers] == [
        ("SyntaxError in answer cell 'shift', line 2: expected ':'", "def shift(x, by)")
    ]
    assert [test.state for test in result.tests] == ["passed", "failed"]


def test_a_warning_fails_as_in_grading():
    outputs = [{"output_type": "stream", "name": "stderr", "text": "RuntimeWarning: overflow\n"}]
    cell = {"cell_type": "code", "metadata": {"nbgrader": {"grade": True, "grade_id": "t"}}, "outputs": outputs}
    result = read_result(nbformat.from_dict({"cells": [cell]}))
    assert not result.ok
    assert "RuntimeWarning: overflow" in result.tests[0].message


def test_an_instructors_day(course, tmp_path):
    for name, answers in (("ann", GOOD), ("bob", {}), ("cat", GOOD)):
        path = tmp_path / "inbox" / name / "tensor.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(nbformat.writes(answered(course, answers)) if name != "cat" else "{")
    shown, _ = tito("release", "01", cwd=course.root, path=ROOT)
    assert "released release/01_tensor/tensor.ipynb" in shown
    shown, _ = tito("collect", "../inbox", cwd=course.root, path=ROOT)
    assert shown.splitlines() == [f"collected {name} 01_tensor" for name in ("ann", "bob", "cat")]
    shown, _ = tito("grade", cwd=course.root, path=ROOT)
    assert [line.split()[-1] for line in shown.splitlines() if line.startswith("01")] == [
        "graded",
        "graded",
        "unreadable",
    ]
    shown, _ = tito("feedback", "01", cwd=course.root, path=ROOT)
    assert "wrote 3 pages" in shown
    shown, _ = tito("report", "--csv", "grades.csv", cwd=course.root, path=ROOT)
    assert [" ".join(line.split()[2:]) for line in shown.splitlines()[1:4]] == [
        "graded 10 of 10, 5 waits",
        "graded 0 of 15",
        "unreadable -",
    ]
    assert (course.root / "grades.csv").read_text().startswith("student,module,status,score")


def test_an_unknown_student(course, monkeypatch):
    hand_in(course, "ann", answered(course, GOOD))
    monkeypatch.chdir(course.root)
    with pytest.raises(CourseError, match=r"no submission of 01_tensor by 'zoe'\. Handed in: ann\."):
        grade.grade(["01"], student="zoe")
