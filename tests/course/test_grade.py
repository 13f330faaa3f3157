"""A class with every kind of submission: each gets what its cells earned, with a status, and disturbs nobody."""

import csv
import json
import shutil

import nbformat
import pytest
from mini import ACTIVATIONS_MODULE, GOOD, TENSOR_MODULE, answered, hand_in, released

from tito.commands import grade as command
from tito.course import Course
from tito.engine.isolation import Isolation
from tito.engine.runner import Limits
from tito.errors import CourseError
from tito.grading.grade import grade_module, require_submissions
from tito.grading.gradebook import open_gradebook
from tito.grading.report import csv_text, grade_rows
from tito.grading.scores import Score, read_scores
from tito.release.notebooks import release_modules

NOISE = "#| export\nimport sys\ndef shift(x, by):\n    print('noise', file=sys.stderr)\n    return np.asarray(x) + by\n"


def shift(body):
    return GOOD | {"shift": f"#| export\nimport os\ndef shift(x, by):\n    {body}\n"}


ANSWERS = {
    "solved": GOOD,
    "half": {"scale": GOOD["scale"]},
    "blank": {},
    "hard-coded": GOOD | {"scale": "#| export\ndef scale(x, factor):\n    return np.array([2.0])\n"},
    "loop": shift("while True: pass"),
    "exit": shift("os._exit(0)"),
    "memory": shift("return np.ones(60 << 30, dtype='u1')"),
    "flood": shift("[print('x' * 1000) for _ in range(10**5)]; return np.asarray(x) + by"),
    "input": shift("return input('by? ')"),
    "stderr": GOOD | {"shift": NOISE},
    "syntax": GOOD | {"shift": "#| export\ndef shift(x, by)\n    return x"},
    "partial": GOOD
    | {"shift": "#| export\nimport sys\nsys.displayhook(99)\ndef shift(x, by):\n    return sys.displayhook(99)"},
}
# student: (status, points of test-scale, of test-shift, of the written answer)
EXPECTED = {
    "solved": ("graded", 4, 6, None),
    "half": ("graded", 4, 0, 0),
    "blank": ("graded", 0, 0, 0),
    "hard-coded": ("graded", 0, 6, None),
    "loop": ("timed out", 4, 0, None),
    "exit": ("crashed", 4, 0, None),
    "memory": ("graded", 4, 0, None),
    "flood": ("graded", 4, 6, None),
    "input": ("graded", 4, 0, None),
    "stderr": ("graded", 4, 0, None),
    "syntax": ("graded", 4, 0, None),
    "partial": ("graded", 4, 0, None),
    "no-metadata": ("repaired", 4, 6, None),
    "edited-test": ("repaired", 4, 0, 0),
}


@pytest.fixture(scope="module")
def graded(released_once, tmp_path_factory):
    """The whole class, graded once with two jobs."""
    root = tmp_path_factory.mktemp("class") / "course"
    shutil.copytree(released_once.root, root)
    course = Course(root)
    for student, answers in ANSWERS.items():
        hand_in(course, student, answered(course, answers))
    bare = json.loads(nbformat.writes(answered(course, GOOD)))
    for cell in bare["cells"]:
        cell["metadata"] = {}
    hand_in(course, "no-metadata", json.dumps(bare))
    edited = answered(course, {"scale": GOOD["scale"]})
    for cell in edited.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == "test-shift":
            cell.source = "pass"
            cell.metadata["nbgrader"]["points"] = 1000
    hand_in(course, "edited-test", edited)
    hand_in(course, "not-json", "{")
    big = hand_in(course, "big", "")
    with big.open("wb") as file:
        file.truncate(100 * 1000 * 1000)
    (course.submitted / "absent" / "02_activations").mkdir(parents=True)
    list(grade_module(course, TENSOR_MODULE, jobs=2, limits=Limits(cell_seconds=4)))
    return course


@pytest.fixture(scope="module")
def rows(graded):
    return {row.student: row for row in grade_rows(graded, [TENSOR_MODULE])}


@pytest.mark.parametrize("student", EXPECTED)
def test_status_and_points(student, graded, rows):
    status, *points = EXPECTED[student]
    assert rows[student].status == status
    with open_gradebook(graded) as book:
        names = ("test-scale", "test-shift", "q-float32")
        grades = [book.find_grade(name, "tensor", "01_tensor", student) for name in names]
        assert [grade.auto_score for grade in grades] == points
        assert [grade.max_score for grade in grades] == [4, 6, 5]
        assert grades[2].needs_manual_grade is (points[2] is None)


@pytest.mark.parametrize(("student", "says"), [("not-json", "not valid JSON"), ("big", "100.0 MB")])
def test_unreadable_has_a_reason_and_no_score(student, says, rows):
    assert (rows[student].status, rows[student].score, rows[student].points) == ("unreadable", None, "-")
    assert says in rows[student].notes[0]


def test_missing_is_not_zero(rows):
    assert (rows["absent"].status, rows["absent"].score) == ("missing", None)


def test_notes_reach_the_report(rows):
    assert rows["no-metadata"].notes[0].startswith("All nbgrader metadata was lost")
    assert "Test cell 'test-shift' had been edited; the original was used." in rows["edited-test"].notes
    assert rows["loop"].notes == (
        "Cell 'test-shift' was stopped: one cell may take 4 seconds; the other cells were still run.",
    )


def test_csv(graded, rows):
    lines = csv_text(grade_rows(graded, [TENSOR_MODULE])).splitlines()
    assert lines[0] == "student,module,status,score,max_score,waits,late_days,penalty,notes"
    assert "solved,01_tensor,graded,10,10,5,0,0," in lines
    assert "absent,01_tensor,missing,,,,,," in lines
    assert "blank,01_tensor,graded,0,15,0,0,0," in lines


def test_autograded_notebooks_hold_the_full_tests(graded):
    for student in EXPECTED:
        path = graded.autograded / student / "01_tensor" / "tensor.ipynb"
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        assert "hidden_rows" in path.read_text()
        assert path.stat().st_size < 1_000_000


def test_nothing_is_left_in_the_scratch_folder(graded):
    assert not (graded.state / "run").exists()


def test_later_modules_use_the_reference_of_the_earlier(course):
    relu = "#| export\ndef relu(x):\n    return np.maximum(scale(x, 1), 0)\n"
    hand_in(course, "ann", answered(course, {"scale": "broken("}))
    hand_in(course, "ann", answered(course, {"relu": relu}, ACTIVATIONS_MODULE), ACTIVATIONS_MODULE)
    (entry,) = grade_module(course, ACTIVATIONS_MODULE)
    assert entry.status == "graded"
    assert read_scores(course)["ann", "02_activations"] == Score(5, 5)


def test_a_module_cannot_import_its_own_answer(course):
    cheat = "#| export\nfrom tinytorch.core.tensor import scale\n"
    hand_in(course, "eve", answered(course, {"scale": cheat}))
    list(grade_module(course, TENSOR_MODULE))
    assert read_scores(course)["eve", "01_tensor"].score == 0


def test_same_scores_as_nbgrader(course):
    """Stock `nbgrader autograde` and `tito grade` agree on honest submissions."""
    from nbgrader.apps import NbGraderAPI

    from tito.grading.settings import nbgrader_config

    honest = ("solved", "half", "blank")
    for student in honest:
        hand_in(course, student, answered(course, ANSWERS[student]))
    api = NbGraderAPI(config=nbgrader_config(course))
    for student in honest:
        result = api.autograde("01_tensor", student, create=True)
        assert result["success"], result
    theirs = _grades(course, honest)
    shutil.rmtree(course.autograded)
    with open_gradebook(course) as book:
        for student in honest:
            book.remove_submission("01_tensor", student)
    list(grade_module(course, TENSOR_MODULE))
    assert _grades(course, honest) == theirs
    assert theirs["half", "test-scale"] == (4, 4, False)


def _grades(course, students):
    with open_gradebook(course) as book:
        submissions = [book.find_submission("01_tensor", student) for student in students]
        grades = [(s.student.id, g) for s in submissions for notebook in s.notebooks for g in notebook.grades]
        found = {(student, g.name): (g.auto_score, g.max_score, g.needs_manual_grade) for student, g in grades}
        comments = {
            (s.student.id, c.name): c.auto_comment for s in submissions for n in s.notebooks for c in n.comments
        }
        return found | comments


def test_nbgrader_exports_the_grades(graded, tmp_path):
    from nbgrader.plugins import CsvExportPlugin

    plugin = CsvExportPlugin()
    plugin.to = str(tmp_path / "grades.csv")
    with open_gradebook(graded) as book:
        plugin.export(book)
    with (tmp_path / "grades.csv").open() as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file) if row["assignment"] == "01_tensor"}
    assert (rows["solved"]["score"], rows["solved"]["max_score"]) == ("10.0", "15.0")
    assert (rows["half"]["score"], rows["half"]["max_score"]) == ("4.0", "15.0")


def test_no_submission(course):
    hand_in(course, "ann", released(course))
    with pytest.raises(CourseError, match=r"no submission of 01_tensor by 'bob'. Handed in: ann\."):
        require_submissions(course, TENSOR_MODULE, "bob")


def test_a_notebook_of_another_name_is_told(course, monkeypatch, capsys):
    path = hand_in(course, "ann", released(course))
    path.rename(path.with_name("tensor (1)\n.ipynb"))
    monkeypatch.chdir(course.root)
    with pytest.raises(CourseError, match="no submission to grade"):
        command.grade(["01"])
    told = "Not graded: the notebook is called 'tensor (1)\\n.ipynb' instead of 'tensor.ipynb'. Rename it."
    assert capsys.readouterr().err == f"01_tensor        ann                      {told}\n"
    assert [row.notes for row in grade_rows(course, [TENSOR_MODULE])] == [(told,)]
    hand_in(course, "ann", released(course))
    assert [row.notes for row in grade_rows(course, [TENSOR_MODULE])] == [()]


def test_what_a_notebook_says_of_itself_forges_no_line(course, monkeypatch, capsys):
    notebook = released(course)
    notebook.metadata.kernelspec = {
        "name": "x",
        "display_name": "x",
        "language": "R\n01_tensor  bob  graded\x1b[2J" * 99,
    }
    hand_in(course, "ann", notebook)
    monkeypatch.chdir(course.root)
    command.grade(["01"], jobs=1, isolation=Isolation.NONE)
    shown = capsys.readouterr().out
    assert len(shown.splitlines()) == 4
    assert "The notebook was set to a 'R\\n01_tensor  bob  graded\\x1b[2JR" in shown
    assert len(shown) < 600


def test_what_did_not_run_again_is_told(course, monkeypatch, capsys):
    hand_in(course, "ann", released(course))
    hand_in(course, "bob", released(course))
    monkeypatch.chdir(course.root)
    told = "of 2 have not changed since they were graded, and did not run again"
    for known in (None, 2, 1):
        if known == 1:
            hand_in(course, "bob", answered(course, GOOD))
        command.grade(["01"], jobs=1, isolation=Isolation.NONE)
        lines = capsys.readouterr().out.splitlines()
        assert [line for line in lines if "changed" in line] == ([f"{known} {told}"] if known else [])


def test_changed_since_release(course):
    hand_in(course, "ann", released(course))
    path = course.source / "01_tensor" / "tensor.ipynb"
    path.write_text(path.read_text().replace('"points": 4', '"points": 5'))
    with pytest.raises(CourseError, match="have changed since its release"):
        list(grade_module(course, TENSOR_MODULE))
    release_modules(course, [TENSOR_MODULE])
    list(grade_module(course, TENSOR_MODULE))
    assert read_scores(course)["ann", "01_tensor"].max_score == 16


@pytest.mark.parametrize("lost", ["gradebook.db", "release/01_tensor/tensor.ipynb", "source/01_tensor/tensor.ipynb"])
def test_not_released(course, lost):
    hand_in(course, "ann", released(course))
    (course.root / lost).unlink()
    with pytest.raises(CourseError, match="tito release"):
        list(grade_module(course, TENSOR_MODULE))
