"""`start.py`, the first thing a student runs: it says what is wrong, keeps what is there, and can be run again."""

import ast
import importlib.util
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mini import TENSOR_MODULE

from tito.release.kit import TEMPLATE

# A pip that keeps a record, for an environment that is complete without the network.
RECORDER = "#!/bin/sh\nprintf '%s\\n' \"$*\" >> '{log}'\nexec '{python}' -c \"$CODE\"\n"


def load(path: Path):
    spec = importlib.util.spec_from_file_location("kit_start", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


template = load(TEMPLATE / "start.py")


@pytest.fixture
def script(kit):
    """start.py of an unzipped kit, loaded."""
    return load(kit.root / "start.py")


def stopped(script, capsys) -> list[str]:
    assert script.main() == 1
    return capsys.readouterr().err.strip().splitlines()[-2:]


def test_an_old_python_can_read_it():
    """No syntax that is newer than Python 3.6, so that an old Python gets the sentence."""
    ast.parse((TEMPLATE / "start.py").read_text(encoding="utf-8"), feature_version=(3, 6))


@pytest.mark.parametrize("version", [(2, 7, 18), (3, 6, 15), (3, 10, 13)])
def test_an_old_python_is_named(script, capsys, monkeypatch, version):
    monkeypatch.setattr(sys, "version_info", version)
    problem, step = stopped(script, capsys)
    found = ".".join(map(str, version))
    assert problem == f"Problem: Python {found} is too old: TinyTorch needs 3.11 or newer."
    assert "https://www.python.org/downloads/" in step


def test_outside_its_kit_it_asks_for_the_zip(tmp_path, capsys):
    path = tmp_path / "start.py"
    path.write_text((TEMPLATE / "start.py").read_text())
    assert stopped(load(path), capsys)[1] == "Next: Unzip the whole kit first."


def test_debian_without_its_venv_package(script, capsys, monkeypatch):
    monkeypatch.setattr(script.importlib.util, "find_spec", lambda name: None if name == "ensurepip" else name)
    _, step = stopped(script, capsys)
    assert step.startswith(f"Next: On Debian and Ubuntu: sudo apt install python3.{sys.version_info[1]}-venv, then run")


def test_a_nearly_full_disk_is_seen_before_anything_is_written(script, kit, capsys, monkeypatch):
    monkeypatch.setattr(script.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 2e8}))
    problem, _ = stopped(script, capsys)
    assert problem == "Problem: The disk has only 0.2 GB left."
    assert not (kit.root / ".venv").exists()


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "disk is full"),
        ("WARNING: Retrying ... NewConnectionError: [Errno -3] Temporary failure in name resolution", "be reached"),
        ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] self-signed'))", "not verify"),
        ("ERROR: Could not install: [WinError 5] Access is denied: 'jupyter.exe'", "cannot be written"),
        ("error: something else", "pip could not install the packages"),
    ],
)
def test_what_pip_says_is_explained(script, line, problem):
    said, step = script.explain(["Collecting numpy", line]).args
    assert problem in said
    assert step.endswith((script.AGAIN, "to your instructor."))


@pytest.fixture
def environment(script, kit, monkeypatch):
    """A `.venv` that is complete, whose Python writes down how it was called; returns what it was asked for."""
    log = kit.root / "called.txt"
    python = Path(script.PYTHON)
    python.parent.mkdir(parents=True)
    python.write_text(RECORDER.format(log=shlex.quote(str(log)).strip("'"), python=sys.executable))
    python.chmod(0o755)
    monkeypatch.setenv("CODE", "")
    return lambda: [line for line in log.read_text().splitlines() if line.startswith("-m")]


def test_it_installs_the_pins_then_the_kit_and_starts_the_first_module(script, kit, environment, capsys, tmp_path):
    assert script.main() == 0
    packages, itself, first = environment()
    assert packages.endswith(f"-r {kit.root / 'requirements' / 'student.txt'}")
    assert itself.endswith(f"--no-deps -e {kit.root}")
    assert first == "-m tito start 01"
    shown = capsys.readouterr().out
    assert "Keeping the environment in .venv" in shown
    assert f"cd {shlex.quote(str(kit.root))}\n    . .venv/bin/activate\n    tito lab 01" in shown


def test_it_can_be_run_again_from_anywhere_and_leaves_the_work_alone(script, kit, environment, monkeypatch, tmp_path):
    work = kit.work(TENSOR_MODULE)
    work.parent.mkdir(parents=True)
    work.write_text("mine")
    monkeypatch.chdir(tmp_path)
    assert (script.main(), script.main()) == (0, 0)
    assert work.read_text() == "mine"
    assert len(environment()) == 6


def test_pips_failure_is_a_sentence(script, environment, capsys, monkeypatch):
    monkeypatch.setenv("CODE", "import sys; sys.exit('OSError: [Errno 28] No space left on device' * ('' in sys.path))")
    monkeypatch.setattr(script, "is_complete", lambda: True)
    assert stopped(script, capsys)[0] == "Problem: The disk is full."


def test_a_broken_environment_is_made_again_and_a_stop_is_one_line(script, kit, capsys, monkeypatch):
    """What an interrupted run leaves: a `.venv` whose Python does not start."""
    asked = []
    Path(script.PYTHON).parent.mkdir(parents=True)
    Path(script.PYTHON).write_text("half")
    monkeypatch.setattr(script.subprocess, "call", lambda command, **more: asked.append(command) or len(asked) == 1)

    def interrupt(*words):
        raise KeyboardInterrupt

    monkeypatch.setattr(script, "pip_install", interrupt)
    assert script.main() == 130
    assert asked[1] == [sys.executable, "-m", "venv", "--clear", str(kit.root / ".venv")]
    assert capsys.readouterr().err == "\nStopped. Run start.py again: it goes on where it stopped.\n"


@pytest.mark.parametrize("copied", [False, True])
def test_an_environment_that_was_made_elsewhere_is_made_again(script, kit, environment, tmp_path, copied):
    """Its activate leads to the old place: nothing there, or the packages of another kit."""
    config = kit.root / ".venv" / "pyvenv.cfg"
    line = "home = /usr/bin\ncommand = /usr/bin/python3 -m venv --clear {}\n"
    config.write_text(line.format(kit.root / ".venv"))
    assert script.is_complete()
    old = tmp_path / "Old name" / ".venv"
    if copied:
        old.mkdir(parents=True)
    config.write_text(line.format(old))
    assert not script.is_complete()


@settings(max_examples=30)
@given(st.text(st.characters(codec="utf-8", exclude_characters="\0/", exclude_categories=["Cc"]), min_size=1))
def test_the_way_in_leads_back_for_any_name_of_the_folder(name):
    template.KIT = f"/home/{name}"
    command, _ = template.way_in()
    assert shlex.split(command) == ["cd", template.KIT]


def test_the_readmes_lines_are_commands_that_exist(kit):
    """Each block can be pasted: comments, prompts or columns would not run."""
    from typer.main import get_command

    from tito.cli import app, register_commands

    register_commands()
    text = (kit.root / "README.md").read_text(encoding="utf-8")
    blocks = [part.partition("\n") for part in text.split("```")[1::2]]
    assert [language for language, _, _ in blocks] == ["sh", "bat", "sh", "bat"]
    for language, _, lines in blocks:
        for line in lines.strip().splitlines():
            program, *words = line.split()
            if program == "tito":
                assert words[0] in get_command(app).commands
            elif program in ("python3", "py"):
                assert (kit.root / words[0]).is_file()
            else:
                assert line == {"sh": ". .venv/bin/activate", "bat": r".venv\Scripts\activate"}[language]
    steps = text.partition("## Your first ten minutes")[2].partition("##")[0].strip().splitlines()
    assert len(steps) == 10
    named = {words.split()[1] for words in text.split("`")[1::2] if words.startswith("tito ")}
    assert named <= set(get_command(app).commands)


@pytest.mark.skipif(os.name == "nt", reason="the block is for a POSIX shell")
def test_the_readmes_block_runs_as_it_stands(script, kit, environment, tmp_path):
    """Linux and macOS: the lines of "Set up", pasted into a shell in which python3 is this Python."""
    (Path(script.PROGRAMS) / "activate").write_text(f'PATH="{script.PROGRAMS}:$PATH"\n')
    tito = Path(script.PROGRAMS) / "tito"
    tito.write_text('#!/bin/sh\necho "tito $*"\n')
    tito.chmod(0o755)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").symlink_to(sys.executable)
    block = (kit.root / "README.md").read_text(encoding="utf-8").split("```sh\n")[1].split("```")[0]
    environ = os.environ | {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    done = subprocess.run(["sh", "-ec", block], cwd=kit.root, env=environ, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("\ntito lab 01\n")
