"""The command line: what it says, its exit codes, and that it starts at once."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SAMPLE = Path(__file__).with_name("sample_source.txt")


def tito(*words: str, cwd: Path, **settings: str) -> subprocess.CompletedProcess:
    environment = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR")}
    environment |= {"PYTHONPATH": str(ROOT), "COLUMNS": "100", "TERM": "xterm-256color", **settings}
    return subprocess.run(
        [sys.executable, "-m", "tito", *words], cwd=cwd, env=environment, capture_output=True, text=True, timeout=120
    )


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A course that holds module 02 only."""
    for name in ("pyproject.toml", "nbgrader_config.py"):
        (tmp_path / name).touch()
    source = tmp_path / "modules" / "02_activations" / "activations_dev.py"
    source.parent.mkdir(parents=True)
    shutil.copyfile(SAMPLE, source)
    return tmp_path


def test_help_is_sorted_by_who_needs_it(tmp_path):
    done = tito("--help", cwd=tmp_path)
    assert done.returncode == 0
    panels = [line for line in done.stdout.splitlines() if "For " in line and "─" in line]
    assert [re.search(r"For \w+", line)[0] for line in panels] == ["For students", "For instructors", "For maintainers"]
    for command in ("build", "export", "lint", "doctor"):
        assert re.search(rf"│ {command} ", done.stdout)


def test_help_in_a_kit_is_for_students_alone(tmp_path):
    for name in ("pyproject.toml", "nbgrader_config.py"):
        (tmp_path / name).touch()
    shown = tito("--help", cwd=tmp_path).stdout
    assert "Students begin with tito start 01; when something does not work, tito doctor says why." in " ".join(
        shown.split()
    )
    assert "build" not in shown


def test_every_command_has_help(tmp_path):
    for command in ("build", "export", "lint", "doctor"):
        done = tito(command, "-h", cwd=tmp_path)
        assert done.returncode == 0
        assert f"tito {command}" in done.stdout


def test_the_command_line_starts_without_numpy_jupytext_or_nbgrader(tmp_path):
    code = "import sys, tito.cli as c; c.register_commands(); print(*sorted(m.partition('.')[0] for m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    loaded = set(done.stdout.split())
    assert "tito" in loaded
    assert loaded.isdisjoint({"numpy", "jupytext", "nbformat", "nbgrader", "tinytorch", "matplotlib", "IPython"})


def test_a_course_is_built_exported_and_checked(checkout):
    assert tito("build", "02", cwd=checkout).stdout == "built source/02_activations/activations.ipynb\n"
    assert tito("export", "--check", "activations", cwd=checkout).returncode == 1
    done = tito("export", "2", cwd=checkout / "modules")
    assert "wrote tinytorch/core/activations.py\n" in done.stdout
    assert tito("export", cwd=checkout).stdout == "tinytorch/core/activations.py already up to date\n"
    assert tito("export", "--check", "02_activations", cwd=checkout).returncode == 0


def test_drift_is_shown_as_a_diff(checkout):
    tito("export", cwd=checkout)
    target = checkout / "tinytorch" / "core" / "activations.py"
    target.write_text(target.read_text().replace("np.maximum(x.data, 0)", "[x.data]"))
    done = tito("export", "--check", "02", cwd=checkout)
    assert done.returncode == 1
    assert "-    return Tensor([x.data])\n+    return Tensor(np.maximum(x.data, 0))\n" in done.stdout
    assert "Run `tito export`" in done.stderr


@pytest.mark.parametrize(
    ("words", "problem", "step"),
    [
        (["export", "99"], "There is no module '99'.", "01_tensor"),
        (["build", "01"], "modules/01_tensor/tensor_dev.py does not exist.", "Check the name"),
        (["export", "--from", "none.ipynb"], "none.ipynb does not exist.", "Check the name"),
        (["export", "01", "02", "--from", "none.ipynb"], "--from takes the cells of one module.", "Name one module."),
        (["export", "--check", "--from", "none.ipynb"], "--check and --from do not go together.", "Leave one"),
        (["lint", "xyz"], "There is no module 'xyz'.", "Choose one of"),
        (["new"], "tito new: Missing argument 'NN'.", "tito new --help"),
        (["new", "ten", "x"], "valid integer, unable to parse string as an integer.", "tito new --help"),
        (["roster", "import"], "tito roster import: Missing argument 'file'.", "tito roster import --help"),
        (["export", "--frobnicate"], "tito export: No such option: --frobnicate.", "tito export --help"),
        (["frobnicate"], "tito: No such command 'frobnicate'.", "tito --help"),
        (["--frobnicate"], "tito: No such option: --frobnicate.", "tito --help"),
    ],
)
def test_a_mistake_is_answered_in_one_sentence_and_the_next_step(checkout, words, problem, step):
    done = tito(*words, cwd=checkout)
    assert done.returncode == 2
    assert done.stdout == ""
    first, second = done.stderr.splitlines()
    assert first.startswith("Problem: ")
    assert first.endswith(problem)
    assert second.startswith("Next: ")
    assert step in second


@pytest.mark.parametrize("words", [[], ["roster"], ["milestone"]])
def test_a_group_without_a_command_shows_its_help(checkout, words):
    done = tito(*words, cwd=checkout)
    assert done.returncode == 2
    assert "Commands" in done.stdout + done.stderr or "For students" in done.stdout + done.stderr


def test_outside_a_course_the_next_step_is_told(tmp_path):
    done = tito("export", cwd=tmp_path)
    assert done.returncode == 2
    assert "is not inside a TinyTorch course" in done.stderr
    assert "Next: " in done.stderr


def test_a_broken_package_does_not_stop_the_command_line(checkout):
    (checkout / "tinytorch" / "core").mkdir(parents=True)
    (checkout / "tinytorch" / "__init__.py").write_text("def f(:\n")
    assert tito("export", cwd=checkout).returncode == 0
    assert "lazy_names" in (checkout / "tinytorch" / "__init__.py").read_text()


def test_a_file_where_a_folder_belongs_is_a_sentence(checkout):
    (checkout / "source").write_text("in the way")
    done = tito("build", cwd=checkout)
    assert done.returncode == 2
    assert done.stderr.startswith("Problem: ")
    assert "Traceback" not in done.stderr


def test_lint_prints_file_line_rule_and_fails(checkout):
    source = checkout / "modules" / "02_activations" / "activations_dev.py"
    source.write_text(source.read_text().replace("rectify = relu", "class Sequential:\n    pass"))
    done = tito("lint", "02", cwd=checkout)
    assert done.returncode == 1
    number = source.read_text().splitlines().index("class Sequential:") + 1
    assert f"modules/02_activations/activations_dev.py:{number}: no-container: Sequential is" in done.stdout
    assert "prose <= 35 %" in done.stdout


def test_no_color_is_honoured(checkout):
    assert "\x1b[" in tito("export", "99", cwd=checkout, FORCE_COLOR="1").stderr
    assert "\x1b[3" not in tito("export", "99", cwd=checkout, FORCE_COLOR="1", NO_COLOR="1").stderr
    assert "\x1b" not in tito("export", "99", cwd=checkout).stderr


def test_the_version_is_the_packages(tmp_path):
    from tito import __version__

    assert tito("--version", cwd=tmp_path).stdout == f"tito {__version__}\n"


def test_a_roster_is_imported_and_listed_and_collect_tells_what_it_left(rostered):
    checkout = rostered.root
    (checkout / "class.csv").write_text("id,first_name,last_name\nada,Ada,Lovelace\nyan,Yan,Yu\n")
    assert tito("roster", "import", "class.csv", cwd=checkout).stdout == "1 new, 0 changed, 1 as they were\n"
    assert re.search(r"ada +Ada +Lovelace", tito("roster", "list", cwd=checkout).stdout)
    for name in ("ada_activations.ipynb", "zoe_activations.ipynb"):
        (checkout / "inbox").mkdir(exist_ok=True)
        (checkout / "inbox" / name).write_text("{}")
    done = tito("collect", "inbox", "--timezone", "Europe/Berlin", cwd=checkout)
    assert (done.returncode, done.stdout) == (1, "collected ada 02_activations\n")
    assert done.stderr.startswith("not collected: zoe_activations.ipynb: 'zoe' is nobody on the roster. Add the")
    report = tito("report", cwd=checkout)
    assert "belong to nobody or could not be read: 1\n" in report.stdout
    assert "zoe_activations.ipynb: 'zoe' is nobody on the roster" in report.stdout
    done = tito("collect", "inbox", "--timezone", "Nowhere/City", cwd=checkout)
    assert (done.returncode, "There is no time zone 'Nowhere/City'." in done.stderr) == (2, True)
