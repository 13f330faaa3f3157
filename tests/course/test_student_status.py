"""`tito status` and renamed notebooks: true to the files, whatever has been done to them."""

import errno
import shutil
from dataclasses import replace

import nbformat
import pytest
from mini import ACTIVATIONS_MODULE, GOOD, TENSOR_MODULE, answered

from tito.commands import student
from tito.console import out
from tito.errors import CourseError
from tito.registry import MODULES
from tito.student.check import Checked
from tito.student.results import keep_result
from tito.student.status import progress
from tito.student.work import find_work, read_work, start

TWO = "'tensor.ipynb' is read; beside it lies, and is not read: 'tensor-Copy1.ipynb'."


@pytest.fixture
def kit(course, monkeypatch):
    """The course serves as a kit: it holds released notebooks and no package yet."""
    monkeypatch.chdir(course.root)
    return course


def write(kit, answers, module=TENSOR_MODULE):
    path, _ = start(kit, module)
    path.write_text(nbformat.writes(answered(kit, answers, module)))
    return path


def keep(kit, module=TENSOR_MODULE):
    """Pretend that a check has just passed."""
    keep_result(kit, read_work(kit, module), Checked(None, (), (), 0, ()))


def export_by_hand(kit, text="x = 1\n"):
    kit.exported(TENSOR_MODULE).parent.mkdir(parents=True, exist_ok=True)
    kit.exported(TENSOR_MODULE).write_text(text)


def row(kit, module=TENSOR_MODULE):
    return next(row for row in progress(kit) if row.module == module)


def test_a_result_counts_for_this_notebook_this_package_and_this_release(kit):
    write(kit, {}, ACTIVATIONS_MODULE)
    assert row(kit, ACTIVATIONS_MODULE).tests == "-"
    changes = [
        lambda: write(kit, {"relu": "#| export\ndef relu(x): return x\n"}, ACTIVATIONS_MODULE),
        lambda: export_by_hand(kit, "x = 1\n"),
        lambda: export_by_hand(kit, "x = 2\n"),
        lambda: kit.released(ACTIVATIONS_MODULE).write_text(
            kit.released(ACTIVATIONS_MODULE).read_text().replace("Negative becomes zero", "Negative becomes 0")
        ),
    ]
    for change in changes:
        keep(kit, ACTIVATIONS_MODULE)
        assert row(kit, ACTIVATIONS_MODULE).tests == "0 of 0"
        change()
        assert row(kit, ACTIVATIONS_MODULE).tests == "stale"


def test_a_result_stays_when_a_later_module_changes(kit):
    write(kit, GOOD)
    keep(kit)
    kit.exported(ACTIVATIONS_MODULE).parent.mkdir(parents=True)
    kit.exported(ACTIVATIONS_MODULE).write_text("x = 1\n")
    assert row(kit).tests == "0 of 0"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"passed": 1}', '{"passed": 1, "tests": 2, "key": 3}'])
def test_a_damaged_result_is_no_result(kit, text):
    write(kit, GOOD)
    keep(kit)
    (kit.state / "checks" / "01_tensor.json").write_text(text)
    assert row(kit).tests == ("stale" if "key" in text else "-")


@pytest.mark.parametrize("name", ["tensor-Copy1.ipynb", "my tensor.ipynb"])
def test_a_renamed_notebook_is_found(kit, name, capsys):
    path = write(kit, GOOD)
    path.rename(path.with_name(name))
    assert (row(kit).state, row(kit).answered) == ("started", "3 of 3")
    assert row(kit).note == f"Your notebook is '{name}' here; hand it in as 'tensor.ipynb'."
    assert read_work(kit, TENSOR_MODULE).notes == (row(kit).note,)
    student.start("01")
    assert f"You have started already: work/01_tensor/{name} is as you left it." in capsys.readouterr().out
    student.status()
    assert f"note    01_tensor: Your notebook is '{name}' here" in capsys.readouterr().out


def test_of_several_notebooks_the_released_name_wins(kit):
    path = write(kit, GOOD)
    for name in ("tensor-Copy1.ipynb", ".hidden.ipynb"):
        path.with_name(name).write_text("{")
    assert find_work(kit, TENSOR_MODULE) == (path, [TWO])
    assert row(kit).note == TWO


def test_the_table_fits_a_narrow_terminal(kit, capsys, monkeypatch):
    """60 columns, and the longest word in each of them."""
    monkeypatch.setattr(out(), "width", 60)
    rows = [replace(row(kit), module=module, state="not started", exported="incomplete") for module in MODULES]
    monkeypatch.setattr("tito.student.status.progress", lambda course: rows)
    student.status()
    shown = capsys.readouterr().out
    assert all(module.folder in shown for module in MODULES)


def test_a_notebook_without_the_right_to_read_it_is_not_thrown_away(kit, monkeypatch):
    def refuse(*arguments):
        raise PermissionError(errno.EACCES, "Permission denied")

    write(kit, GOOD)
    monkeypatch.setattr("tito.engine.reading.os.open", refuse)
    monkeypatch.setattr("tito.student.work.os.access", lambda path, mode: False)  # root may read everything
    with pytest.raises(CourseError) as error:
        read_work(kit, TENSOR_MODULE)
    assert error.value.cure == "Give yourself the right to read it, then try again."


def test_a_kit_without_its_notebooks_asks_for_the_zip(kit, capsys):
    shutil.rmtree(kit.release)
    for asked in (student.status, lambda: student.start("01")):
        with pytest.raises(CourseError) as error:
            asked()
        assert error.value.cure == "Instructors make the notebooks with: tito build, then tito release."
    shutil.rmtree(kit.modules)
    for asked in (student.status, lambda: student.start("01")):
        with pytest.raises(CourseError) as error:
            asked()
        assert error.value.cure == "Unzip the kit again, and copy its folder 'release' to here."


def test_several_renamed_notebooks_are_listed(kit):
    path = write(kit, GOOD)
    path.with_name("old.ipynb").write_text("{")
    path.rename(path.with_name("new.ipynb"))
    with pytest.raises(CourseError) as error:
        read_work(kit, TENSOR_MODULE)
    assert error.value.problem == (
        "work/01_tensor has several notebooks and none is called 'tensor.ipynb': 'new.ipynb', 'old.ipynb'."
    )
    assert error.value.cure == "Rename the one that counts to 'tensor.ipynb'."
    assert (row(kit).state, row(kit).note) == ("unreadable", str(error.value))


def damage_release(kit):
    kit.released(TENSOR_MODULE).write_text("{")


def damage_release_cells(kit):
    kit.released(TENSOR_MODULE).write_text('{"cells": 7, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}')


def damage_notebook(kit):
    kit.work(TENSOR_MODULE).write_text("{")


def folder_for_notebook(kit):
    kit.work(TENSOR_MODULE).unlink()
    kit.work(TENSOR_MODULE).mkdir()


@pytest.mark.parametrize("damage", [damage_release, damage_release_cells, damage_notebook, folder_for_notebook])
def test_a_broken_notebook_costs_its_own_row_only(kit, damage):
    write(kit, GOOD)
    write(kit, {}, ACTIVATIONS_MODULE)
    damage(kit)
    broken, fine = progress(kit)
    assert (broken.state, broken.answered, broken.tests) == ("unreadable", "-", "-")
    assert broken.note
    assert (fine.state, fine.answered) == ("started", "0 of 1")
