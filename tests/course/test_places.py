"""Every command in every place a person may stand: a sentence and an exit code, never a traceback."""

import errno
import io
import os
import sys
from pathlib import Path

import pytest
from lab_server import tito_lab
from mini import TENSOR_MODULE

from tito import cli, failures
from tito.commands import STUDENT
from tito.course import Course
from tito.student import jupyter
from tito.student.work import start

ARGUMENTS = {
    "check": ["01"],
    "collect": ["inbox"],
    "lab": ["01"],
    "start": ["01"],
    "milestone": ["list"],
    "new": ["99", "example"],
    "roster": ["list"],
    "gradebook": ["check"],
}
PLACES = ("kit", "course", "empty", "read-only", "root")


def all_commands() -> dict[str, str]:
    """Name -> panel."""
    from typer.main import get_command

    cli.register_commands()
    return {name: command.rich_help_panel for name, command in get_command(cli.app).commands.items()}


def tito(words, capsys, monkeypatch) -> tuple[int, str, str]:
    """Run the command line in this process; return exit code, stdout and stderr."""
    monkeypatch.setattr(sys, "argv", ["tito", *words])
    with pytest.raises(SystemExit) as end:
        cli.main()
    shown = capsys.readouterr()
    return end.value.code, shown.out, shown.err


@pytest.fixture
def place(request, tmp_path, monkeypatch):
    """A working directory of some kind; nothing that would run for minutes starts in it."""
    kind = request.param
    monkeypatch.setattr(jupyter, "open_lab", jupyter.lab_options)
    monkeypatch.setattr("tito.demo.run_demo", lambda course: None)
    if kind in ("kit", "read-only"):
        folder = request.getfixturevalue("kit").root
    elif kind == "course":
        folder = request.getfixturevalue("course").root
    else:
        folder = Path("/") if kind == "root" else tmp_path
    monkeypatch.chdir(folder)
    if kind == "read-only":
        make_read_only(folder, monkeypatch)
    return kind


def make_read_only(folder: Path, monkeypatch) -> None:
    """Refuse every write below `folder`, as a read-only disk does (who runs as root ignores permissions)."""

    def refuse(path):
        if isinstance(path, str | os.PathLike) and Path(os.fspath(path)).absolute().is_relative_to(folder):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), os.fspath(path))

    def guarded(original):
        def guard(path, *rest, **more):
            refuse(path)
            return original(path, *rest, **more)

        return guard

    def opened(path, mode="r", *rest, **more):
        if not set(mode).isdisjoint("wax+"):
            refuse(path)
        return plain_open(path, mode, *rest, **more)

    def low_opened(path, flags, *rest, **more):
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            refuse(path)
        return plain_low_open(path, flags, *rest, **more)

    plain_open, plain_low_open = io.open, os.open
    monkeypatch.setattr("builtins.open", opened)
    monkeypatch.setattr(io, "open", opened)
    monkeypatch.setattr(os, "open", low_opened)
    for name in ("mkdir", "rename", "replace", "unlink", "rmdir", "chmod"):
        monkeypatch.setattr(os, name, guarded(getattr(os, name)))


@pytest.mark.parametrize("command", sorted(all_commands()))
@pytest.mark.parametrize("place", PLACES, indirect=True)
def test_no_command_ends_in_a_traceback(place, command, capsys, monkeypatch):
    code, out, err = tito([command, *ARGUMENTS.get(command, [])], capsys, monkeypatch)
    assert "Traceback" not in out + err
    assert "bug in tito" not in err
    assert code in (0, 1, 2)
    if code == 2:
        assert err.startswith("Problem: ")
        assert err.splitlines()[-1].startswith("Next: ")
    if place in ("empty", "root") and command != "doctor":
        assert (code, "is not inside a TinyTorch course or student kit" in err) == (2, True) or command == "demo"


@pytest.mark.parametrize("command", sorted(name for name, panel in all_commands().items() if panel != STUDENT))
def test_a_kit_has_no_command_of_an_instructor(kit, command, capsys, monkeypatch):
    monkeypatch.chdir(kit.root)
    code, _, err = tito([command], capsys, monkeypatch)
    assert code == 2
    assert err.splitlines() == [
        f"Problem: This is a student's kit, and 'tito {command}' is a command for instructors.",
        "Next: See what there is with: tito --help",
    ]


def test_a_kit_shows_the_students_commands_only(kit, capsys, monkeypatch):
    monkeypatch.chdir(kit.root)
    monkeypatch.setenv("COLUMNS", "100")
    code, out, _ = tito(["--help"], capsys, monkeypatch)
    assert code == 0
    for name, panel in all_commands().items():
        assert (f"│ {name} " in out) is (panel == STUDENT)


class Broken(Exception):
    """What no one has thought of."""


@pytest.fixture
def broken(kit, monkeypatch):
    """A kit in which `tito status` meets a bug of ours."""

    def fail(course):
        raise Broken("a surprise")

    monkeypatch.chdir(kit.root)
    monkeypatch.setattr("tito.student.status.progress", fail)
    return kit


def test_a_bug_is_called_a_bug(broken, capsys, monkeypatch):
    code, _, err = tito(["status"], capsys, monkeypatch)
    log = broken.state / "bug.log"
    assert code == failures.BUG
    first, second = err.splitlines()
    assert first.startswith("Problem: This is a bug in tito, not in your work: ")
    assert first.endswith("Broken: a surprise")
    assert second == f"Next: Send {log} to your instructor."
    assert "raise Broken" in log.read_text()


def test_a_bugs_traceback_is_shown_to_who_asks_for_it(broken, capsys, monkeypatch):
    monkeypatch.setenv(failures.DEBUG, "1")
    assert "raise Broken" in tito(["status"], capsys, monkeypatch)[2]


def test_a_bug_in_a_read_only_kit_is_stored_with_the_temporary_files(broken, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(failures.tempfile, "tempdir", str(tmp_path))
    make_read_only(broken.root, monkeypatch)
    _, _, err = tito(["status"], capsys, monkeypatch)
    assert f"Send {tmp_path / 'bug.log'} to" in err
    assert "raise Broken" in (tmp_path / "bug.log").read_text()


@pytest.mark.parametrize("moment", ["tito.student.status.progress", "tito.cli.course_here"], ids=["runs", "is read"])
def test_a_stopped_command_says_one_line(moment, kit, capsys, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.chdir(kit.root)
    monkeypatch.setattr(moment, interrupt)
    assert tito(["status"], capsys, monkeypatch) == (130, "", "Stopped.\n")


@pytest.mark.parametrize("number", failures.CURES)
def test_what_the_system_refuses_names_the_file(number, tmp_path):
    error = OSError(number, os.strerror(number), "work/tensor.ipynb")
    failure = failures.explain(error, tmp_path, "nobody")
    assert failure == failures.Failure(f"work/tensor.ipynb: {os.strerror(number)}.", failures.CURES[number], 2)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_no_bug(tmp_path):
    failure = failures.explain(ModuleNotFoundError("No module named 'x'", name="rich.table"), tmp_path, "nobody")
    assert (failure.problem, failure.code) == ("The package 'rich.table' is not installed.", 2)


def test_a_missing_part_of_tito_is_a_bug(tmp_path):
    failure = failures.explain(ModuleNotFoundError("No module named 'tito.x'", name="tito.x"), tmp_path, "nobody")
    assert failure.code == failures.BUG


def test_a_folder_that_is_gone(tmp_path, capsys, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    code, _, err = tito(["status"], capsys, monkeypatch)
    assert (code, err.splitlines()[0]) == (2, "Problem: The folder you are in is gone.")


@pytest.mark.parametrize("root", [False, True])
def test_lab_opens_the_whole_kit_with_the_notebook_in_front(kit, monkeypatch, root):
    """Quietly; and in a container, where everybody is root, it opens too."""
    monkeypatch.setattr(jupyter.os, "geteuid", lambda: 0 if root else 1000, raising=False)
    always = [f"--ServerApp.root_dir={kit.root}", "--ServerApp.log_level=WARN"]
    always += ["--ServerApp.allow_root=True"] if root else []
    path, _ = start(kit, TENSOR_MODULE)
    in_front = "--LabApp.default_url=/lab/tree/work/01_tensor/"
    assert jupyter.lab_options(kit, TENSOR_MODULE) == [*always, f"{in_front}tensor.ipynb"]
    path.rename(path.with_name("my tensor.ipynb"))
    assert jupyter.lab_options(kit, TENSOR_MODULE) == [*always, f"{in_front}my%20tensor.ipynb"]
    assert jupyter.lab_options(Course(kit.root), None) == always


@pytest.mark.parametrize("wanted", [{}, {"OPENBLAS_NUM_THREADS": "2"}], ids=["by default", "as wanted"])
def test_threads_of_a_kernel(kit, monkeypatch, wanted):
    """One, as in grading and in every figure of the course, unless the student wants more."""
    monkeypatch.setattr("jupyterlab.labapp.LabApp.launch_instance", lambda _: None)
    monkeypatch.setattr(os, "environ", {"PATH": ""} | wanted)
    monkeypatch.chdir(kit.root)
    jupyter.open_lab(kit, None)
    assert os.environ["OPENBLAS_NUM_THREADS"] == wanted.get("OPENBLAS_NUM_THREADS", "1")


def test_lab_starts_in_the_kit(kit, tmp_path):
    start(kit, TENSOR_MODULE)
    with tito_lab(kit, TENSOR_MODULE, tmp_path) as server:
        assert server["root_dir"] == str(kit.root)
