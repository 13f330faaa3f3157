"""The milestones reach their numbers, and say what is missing when a module is."""

import importlib.util
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from tito.course import Course
from tito.errors import CourseError
from tito.student.milestones import find_milestone, find_milestones, last_error, require_modules, run_milestone

COURSE = Course(Path(__file__).parents[2])
SEEDS = range(5)


def load(word: str):
    """Import a milestone's script."""
    path = find_milestone(COURSE, word).path
    spec = importlib.util.spec_from_file_location(path.stem, path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


class TestNumbers:
    @pytest.mark.parametrize("seed", SEEDS)
    def test_1957_perceptron(self, seed):
        result = load("1957").run(seed)
        assert result["synthetic"] == 1.0
        assert result["digits"] >= 0.99

    @pytest.mark.parametrize("seed", SEEDS)
    def test_1969_xor(self, seed):
        result = load("1969").run(seed)
        assert result["OneLayer"] <= 0.75
        assert result["TwoLayers"] == 1.0

    @pytest.mark.parametrize("seed", SEEDS)
    def test_1986_mlp(self, seed):
        result = load("1986").run(seed)
        assert result["test accuracy"] >= 0.97
        assert 9_000 <= result["parameters"] <= 11_000

    def test_1998_cnn(self):
        results = [load("1998").run(seed) for seed in SEEDS]
        shares = [result["test accuracy"] for result in results]
        assert min(shares) >= 0.98
        assert np.mean(shares) >= 0.986
        assert results[0]["parameters"] < load("1986").run(0)["parameters"]


class TestScripts:
    @pytest.mark.parametrize("milestone", find_milestones(COURSE), ids=lambda m: m.folder)
    def test_short_and_explicit(self, milestone):
        text = milestone.path.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 200
        assert "Sequential" not in text
        assert set(re.findall(r"^(?:from|import) (\w+)", text, flags=re.MULTILINE)) <= {
            "argparse", "numpy", "pathlib", "time", "tinytorch",
        }  # fmt: skip

    def test_a_seed_repeats_the_run(self):
        script = load("1986")
        first, second = (script.run(3) for _ in range(2))
        assert first["last loss"] == second["last loss"]

    def test_the_figures_are_drawn(self, tmp_path):
        pytest.importorskip("matplotlib").use("agg")
        for word in ("1957", "1969", "1986"):
            load(word).draw(0, tmp_path)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["mlp.png", "perceptron.png", "xor.png"]

    @pytest.mark.parametrize("data", ["mnist", "cifar10"])
    def test_the_cnn_takes_larger_images(self, data, monkeypatch):
        from tinytorch.data import ImageDataset

        shape = {"mnist": (96, 1, 28, 28), "cifar10": (96, 3, 32, 32)}[data]
        rng = np.random.default_rng(0)
        images = ImageDataset(rng.integers(0, 256, size=shape, dtype=np.uint8), rng.integers(0, 10, size=96))
        script = load("1998")
        monkeypatch.setattr(script, {"mnist": "MNIST", "cifar10": "CIFAR10"}[data], lambda root, train: images)
        _, result = script.fit(0, data, epochs=1)
        assert np.isfinite(result["last loss"])


class TestCommand:
    def test_a_missing_module_is_named(self, tmp_path):
        course = Course(tmp_path)
        shutil.copytree(COURSE.root / "milestones", tmp_path / "milestones")
        package = shutil.copytree(COURSE.package, tmp_path / "tinytorch")
        (package / "core" / "losses.py").unlink()
        require_modules(course, find_milestone(course, "perceptron"))
        with pytest.raises(CourseError, match=r"needs module 04_losses.*tito export 04"):
            require_modules(course, find_milestone(course, "xor"))

    def test_a_failing_module_is_named(self, tmp_path):
        course = Course(tmp_path)
        shutil.copytree(COURSE.root / "milestones", tmp_path / "milestones")
        package = shutil.copytree(COURSE.package, tmp_path / "tinytorch")
        losses = package / "core" / "losses.py"
        text = losses.read_text(encoding="utf-8")
        losses.write_text(text.replace("def check_target(", "def forgotten("), encoding="utf-8")
        with pytest.raises(CourseError, match=r"02_1969_xor stopped: NameError.*in module 04_losses"):
            run_milestone(course, find_milestone(course, "xor"), seed=0, figures=None)

    def test_an_unknown_milestone_lists_the_known_ones(self):
        with pytest.raises(CourseError, match="01_1957_perceptron, 02_1969_xor"):
            find_milestone(COURSE, "2012")

    def test_an_error_elsewhere_keeps_its_last_line(self):
        assert last_error(COURSE, "Traceback\nValueError: no") == "ValueError: no"
