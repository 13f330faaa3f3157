"""What `tito check` says: first things first, by the student's own line, and true to what an export would do."""

import nbformat
import pytest
import typer
from mini import ACTIVATIONS_MODULE, GOOD, TENSOR_MODULE, answered
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from tito.commands import student
from tito.engine.runner import Limits
from tito.errors import CourseError
from tito.student.check import check, read_result
from tito.student.export import export_work
from tito.student.status import progress
from tito.student.work import read_work, start


@pytest.fixture
def kit(course, monkeypatch):
    """The course serves as a kit: it holds released notebooks and no package yet."""
    monkeypatch.chdir(course.root)
    return course


def write(kit, answers):
    path, _ = start(kit, TENSOR_MODULE)
    path.write_text(nbformat.writes(answered(kit, answers)))
    return path


def checked(kit, runner, **answers):
    write(kit, GOOD | {name: f"#| export\n{text}\n" for name, text in answers.items()})
    return check(kit, read_work(kit, TENSOR_MODULE), runner)


def executed(*cells):
    """A notebook of (grade_id, flags, (error's name, its text) or None), as it is after a run."""
    nodes = []
    for count, (name, flags, error) in enumerate(cells, start=1):
        text = f"Cell In[{count}], line 1\n----> 1 run()"
        outputs = [new_output("error", ename=error[0], evalue=error[1], traceback=[text])] if error else []
        managed = {"grade_id": name, "grade": "grade" in flags, "solution": "solution" in flags}
        nodes.append(
            new_code_cell(
                "run()", outputs=outputs, execution_count=count, metadata={"nbgrader": managed} if name else {}
            )
        )
    return nbformat.from_dict({"cells": [new_markdown_cell("Title"), *nodes]})


IMPORT_FAILS = ("ImportError", "cannot import name 'mul'")
NAME_FAILS = ("NameError", "name 'mul' is not defined")


def test_a_broken_given_cell_comes_first_and_alone(capsys):
    follow = [(f"test-{i}", "grade", NAME_FAILS) for i in range(7)]
    notebook = executed(("imports", "", IMPORT_FAILS), ("rule", "solution", NAME_FAILS), *follow)
    result = read_result(notebook)
    assert result.given.told == "ImportError in given cell 'imports', line 1: cannot import name 'mul'"
    assert result.given.text == "run()"
    assert not result.ok
    student._show(result)
    assert capsys.readouterr().out.splitlines() == [
        "error   ImportError in given cell 'imports', line 1: cannot import name 'mul'",
        "        run()",
        "The rest follows from it. It uses an answer above it, or modules before this one: export those again.",
    ]


@pytest.mark.parametrize(
    ("before", "given"),
    [
        (("rule", "solution", NAME_FAILS), ("engine", "", NAME_FAILS)),  # the answer before it is to blame
        (("", "", NAME_FAILS), ("engine", "", None)),  # a measurement, which nothing relies on
        (("rule", "solution", None), ("engine", "", ("NotImplementedError", "not written yet: rule"))),
    ],
)
def test_an_error_that_an_answer_causes_is_not_blamed_on_a_given_cell(before, given):
    result = read_result(executed(before, given, ("test-rule", "grade", NAME_FAILS)))
    assert result.given is None
    assert [test.state for test in result.tests] == ["failed"]


def test_an_unwritten_answer_is_one_line_and_no_failure(capsys):
    stub = ("NotImplementedError", "not written yet: matmul\nand more")
    result = read_result(executed(("matmul", "solution", None), ("a", "grade", stub), ("b", "grade", NAME_FAILS)))
    assert [test.state for test in result.tests] == ["not written", "failed"]
    student._show(result)
    assert capsys.readouterr().out.splitlines() == [
        "to do   a: not written yet: matmul",
        "failed  b",
        "        NameError: name 'mul' is not defined",
        "Public tests passed: 0 of 2; not written yet: 1.",
    ]


ERRORS = {
    "def scale(x, factor)\n    return x": (
        "SyntaxError in answer cell 'scale', line 2: expected ':'",
        "def scale(x, factor)",
    ),
    "def scale(x, factor):\n    return x\n\nscale(1)": (
        "TypeError in answer cell 'scale', line 5: scale() missing 1 required positional argument: 'factor'",
        "scale(1)",
    ),
    "def scale(x, factor):\n    return x / 0\n\nscale(1, 1)": (
        "ZeroDivisionError in answer cell 'scale', line 3: division by zero",
        "return x / 0",
    ),
    "def scale(x, factor): return x * factor\n%time scale(1, 1)": (
        "SyntaxError in answer cell 'scale', line 3: '%time scale(1, 1)' is a notebook command, not Python",
        "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("text", ERRORS)
def test_an_answers_own_error_names_the_students_line(kit, runner, text):
    result = checked(kit, runner, scale=text)
    assert [(error.told, error.text) for error in result.answers] == [ERRORS[text]]
    assert not result.ok


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "def scale(x, factor):\n    while True:\n        pass",
            ["failed  test-scale", "        This cell was stopped: one cell may take 1 seconds."],
        ),
        (
            "import sys\ndef scale(x, factor):\n    sys.exit()",
            ["failed  test-scale", "        SystemExit: it called exit() or sys.exit(); take that out"],
        ),
        (
            "def scale(x, factor): return np.float32(factor) * np.asarray(x, np.float32)\nraise SystemExit(3)",
            ["error   SystemExit in answer cell 'scale': it called exit() or sys.exit(); take that out"],
        ),
    ],
    ids=["an endless loop", "exit in an answer", "exit while the cell runs"],
)
def test_what_ends_a_cell_is_said_once_and_in_words(kit, text, shown, capsys):
    write(kit, GOOD | {"scale": f"#| export\n{text}\n"})
    student._show(check(kit, read_work(kit, TENSOR_MODULE), limits=Limits(cell_seconds=1)))
    lines = capsys.readouterr().out.splitlines()
    assert lines[: len(shown)] == shown
    assert not any("stopped" in line or "SystemExit" in line for line in lines[len(shown) :])


def test_all_tests_pass_but_an_answer_cannot_be_exported(kit, runner):
    result = checked(
        kit,
        runner,
        scale="def scale(x, factor): return np.float32(factor) * np.asarray(x, np.float32)\nscale(1)",
    )
    assert (result.passed, len(result.tests)) == (2, 2)
    assert not result.ok


def test_an_earlier_module_comes_first(kit):
    with pytest.raises(CourseError) as error:
        student.check("02")
    assert error.value.problem == "Module 02 uses 01, which your package does not have yet."
    assert error.value.cure == "tito export 01"
    with pytest.raises(CourseError, match=r"Module 05 uses 01, 02, 03 and 04, which your package does not have yet\."):
        student.check("05")


def test_a_blank_earlier_module_comes_first_and_one_that_was_begun_does_not(kit, capsys):
    student.start("01")
    student.start("02")
    export_work(kit, [read_work(kit, TENSOR_MODULE)])
    with pytest.raises(CourseError) as error:
        student.check("02")
    assert error.value.problem == "Module 02 uses 01, which is blank in your package."
    assert error.value.cure == "Write its answers, then: tito export 01"
    kit.work(TENSOR_MODULE).write_text(nbformat.writes(answered(kit, {"scale": GOOD["scale"]})))
    export_work(kit, [read_work(kit, TENSOR_MODULE)])
    with pytest.raises(typer.Exit):
        student.check("02")
    assert "Public tests passed: 0 of 1" in capsys.readouterr().out


def test_start_warns_of_an_earlier_module_and_starts(kit, capsys):
    student.start("02")
    said = capsys.readouterr()
    assert "Your notebook: work/02_activations/activations.ipynb" in said.out
    assert said.err == "Before it:     Module 02 uses 01, which your package does not have yet. tito export 01\n"
    assert kit.work(ACTIVATIONS_MODULE).is_file()


def test_a_result_that_cannot_be_kept_is_shown_first(kit, capsys):
    write(kit, GOOD)
    kit.state.mkdir(exist_ok=True)
    (kit.state / "checks").write_text("a file where the folder belongs")
    student.check("01")
    said = capsys.readouterr()
    assert said.out.startswith("passed  test-scale\npassed  test-shift\n")
    assert said.err.endswith("The result could not be kept for 'tito status': File exists.\n")
    assert progress(kit)[0].tests == "-"
