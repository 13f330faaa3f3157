"""What a milestone says when a module is missing, wrong, broken or endless; in a kit, through the command."""

import re

import pytest
import typer

from tito.commands import milestone as command
from tito.errors import CourseError
from tito.registry import find_module
from tito.student.claims import run_seeds
from tito.student.milestone_run import run_milestone
from tito.student.milestones import find_milestone, find_milestones, read_milestone, require_modules

STUB = 'raise NotImplementedError("your code here")'


def append(kit, name, text):
    """Let a module of the package end in some more lines."""
    with kit.exported(find_module(name)).open("a", encoding="utf-8") as file:
        file.write(f"\n\n{text}\n")


class TestAStudentsRun:
    def test_one_seed(self, kit, capsys):
        command.run("1969")
        told = capsys.readouterr().out
        assert f"with the code in {kit.package}" in told
        assert told.rstrip().endswith(str(kit.pictures / "xor.png"))
        assert (kit.pictures / "xor.png").is_file()
        assert "{" not in told

    def test_several_seeds_and_the_readme(self, kit, capsys):
        command.run("xor", seeds="3-4", readme=True)
        told = capsys.readouterr().out
        assert re.findall(r"^seed (\d): 50.0 %, 100.0 %, 75.0 %; about \d+ s left$", told, re.MULTILINE) == ["3", "4"]
        readme = (kit.milestones / "02_1969_xor" / "README.md").read_text(encoding="utf-8")
        row = (
            "| two layers | 100.0 % | 100.0 % to 100.0 % | 100.0 % (seed 3) | 100.0 % (seed 3) | least ≥ 100.0 %: met |"
        )
        assert row in told
        assert row in readme
        assert not kit.pictures.exists()

    def test_a_readme_without_a_place_is_refused_before_the_training(self, kit, capsys):
        (kit.milestones / "02_1969_xor" / "README.md").write_text("# 1969\n")
        with pytest.raises(CourseError, match="no place for results"):
            command.run("xor", readme=True)
        assert capsys.readouterr().out == ""

    def test_the_list_says_what_is_missing(self, kit, capsys):
        kit.exported(find_module("spatial")).unlink()
        kit.exported(find_module("losses")).unlink()
        command.list_milestones()
        states = [line.strip() for line in capsys.readouterr().out.splitlines()[1::2]]
        assert states == ["ready"] + [
            f"still needs {names}"
            for names in (*["04_losses"] * 2, "04_losses, 09_spatial", *["04_losses"] * 2, "04_losses, 09_spatial")
        ]

    def test_answers_that_are_not_written_are_no_part_of_the_package(self, kit, capsys):
        append(kit, "losses", f"def one():\n    {STUB}\n\n\nclass Two:\n    def three(self):\n        {STUB}")
        append(kit, "layers", f"def four():\n    {STUB}")
        command.list_milestones()
        states = [line.strip() for line in capsys.readouterr().out.splitlines()[1::2]]
        assert states[1] == "still needs 1 function of 03_layers, 2 functions of 04_losses"

    def test_an_answer_that_is_not_written_is_told_where_it_is_needed(self, kit):
        append(kit, "optimizers", f"def step(self):\n    {STUB}\n\n\nAdam.step = step")
        words = (
            r"stopped in module 06_optimizers \(.*, line \d+\): this answer is not written yet\. Run 'tito check 06'"
        )
        with pytest.raises(CourseError, match=words):
            command.run("xor")

    def test_without_matplotlib_there_is_a_sentence_and_no_picture(self, kit, monkeypatch):
        monkeypatch.setattr("tito.student.claims.find_spec", lambda name: None)
        said = []
        run_seeds(kit, find_milestone(kit, "1957"), [0], kit.pictures / "perceptron.png", said.append)
        assert "matplotlib is not installed" in said[0]
        assert not kit.pictures.exists()


class TestFailures:
    def test_a_year_with_two_milestones_asks_which(self, kit):
        with pytest.raises(CourseError, match=r"'2017' means two.* 05_2017_transformer, 06_2017_language"):
            find_milestone(kit, "2017")
        assert find_milestone(kit, "5").folder == find_milestone(kit, "Transformer").folder == "05_2017_transformer"

    def test_a_missing_module_is_named(self, kit):
        kit.exported(find_module("losses")).unlink()
        require_modules(kit, find_milestone(kit, "perceptron"))
        with pytest.raises(CourseError, match=r"02_1969_xor needs 04_losses, .*Finish module 04.*tito export 04"):
            command.run("xor")

    def test_code_that_learns_nothing_misses_its_goal(self, kit, capsys):
        append(kit, "optimizers", "Adam.step = lambda self: None")
        with pytest.raises(typer.Exit) as ended:
            command.run("xor")
        told = capsys.readouterr().out
        assert ended.value.exit_code == 1
        assert "this run falls short of it" in told
        assert "Missed: two layers: least ≥ 100.0 %.\nNext: run 'tito check'" in told

    def test_an_error_is_told_with_its_module_and_line(self, kit):
        append(kit, "optimizers", "def step(self):\n    raise ValueError('no [b] sign')\n\nAdam.step = step")
        line = (
            kit.exported(find_module("optimizers")).read_text(encoding="utf-8").splitlines().index("def step(self):")
            + 2
        )
        words = (
            rf"stopped in module 06_optimizers \(tinytorch/core/optimizers.py, line {line}\): ValueError: no \[b\] sign"
        )
        with pytest.raises(CourseError, match=words + r"\. Run 'tito check 06'.*'tito export 06'"):
            command.run("xor")

    def test_a_module_that_no_longer_fits_an_earlier_one(self, kit):
        append(kit, "losses", "def binary_cross_entropy_with_logits(logits, target):\n    return 0")
        with pytest.raises(CourseError, match=r"stopped in module 05_autograd \(.*\): [AT]\w+Error: .*tito check 05"):
            command.run("xor")

    def test_a_module_that_cannot_be_imported(self, kit):
        append(kit, "losses", "def broken(:")
        with pytest.raises(CourseError, match=r"stopped in module 04_losses.*tito check 04"):
            command.run("xor")

    def test_an_endless_loop_is_stopped_where_it_stands(self, kit):
        append(kit, "optimizers", "def step(self):\n    while True:\n        pass\n\nAdam.step = step")
        words = (
            r"stopped in module 06_optimizers \(.*line \d+\): it printed nothing for 10 seconds; a loop may have no end"
        )
        with pytest.raises(CourseError, match=words):
            run_milestone(kit, find_milestone(kit, "xor"), seed=0, silence=10)

    def test_a_loop_that_swallows_interrupts_is_stopped_too(self, kit):
        append(kit, "tensor", "import signal\n\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True:\n    pass")
        with pytest.raises(CourseError, match=r"01_1957_perceptron stopped.*: it printed nothing for 3 seconds"):
            run_milestone(kit, find_milestone(kit, "1957"), seed=0, silence=3)

    def test_code_that_leaves_python(self, kit):
        append(kit, "losses", "import os\n\nos._exit(0)")
        with pytest.raises(CourseError, match="exit code 0 and no result"):
            command.run("xor")

    def test_an_error_elsewhere_is_told_with_its_line(self, kit):
        script = kit.milestones / "02_1969_xor" / "xor.py"
        script.write_text(script.read_text(encoding="utf-8").replace("STEPS, RATE = 1000", "STEPS, RATE = 1 / 0"))
        with pytest.raises(
            CourseError, match=r"stopped at line \d+: ZeroDivisionError.*Look at milestones/02_1969_xor"
        ):
            command.run("xor")


class TestWords:
    def test_an_unknown_milestone_lists_the_known_ones(self, kit):
        with pytest.raises(CourseError, match="01_1957_perceptron, 02_1969_xor"):
            command.run("2012")

    @pytest.mark.parametrize(("text", "seeds"), [("7", [7]), ("0", [0]), ("100-103", [100, 101, 102, 103])])
    def test_seeds(self, text, seeds):
        assert list(command.parse_seeds(text)) == seeds

    @pytest.mark.parametrize("text", ["", "-1", "5-", "9-0", "1-2-3", "one", "1.5"])
    def test_no_seeds(self, text):
        with pytest.raises(CourseError, match="is no seed"):
            command.parse_seeds(text)

    @pytest.mark.parametrize("text", ['"""1986."""', "NEEDS = (1,", "NEEDS = (1,)\nGOALS = goals()"])
    def test_a_damaged_script(self, text, tmp_path):
        path = tmp_path / "mlp.py"
        path.write_text(text)
        with pytest.raises(CourseError, match=r"mlp.py cannot be read: it needs a NEEDS and a GOALS"):
            read_milestone(path)


def test_the_scripts_and_their_tools_need_nothing_of_the_students_to_be_listed(kit, capsys):
    kit.exported(find_module("tensor")).write_text("def broken(:")
    command.list_milestones()
    assert capsys.readouterr().out.count("ready") == len(find_milestones(kit))
