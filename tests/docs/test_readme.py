"""What the README says is what the project does."""

import re
from pathlib import Path

from tito.sources.readme import with_modules

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_table_of_modules_comes_from_the_registry():
    assert with_modules(README) == README, "run: tito sync"


def test_every_link_and_picture_leads_to_a_file():
    for name in ("README.md", "CONTRIBUTING.md"):
        targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", (ROOT / name).read_text(encoding="utf-8"))
        assert targets
        assert [target for target in targets if not (ROOT / target).exists()] == []


def test_every_command_named_in_the_papers_exists():
    from typer.main import get_command

    from tito.cli import app, register_commands

    register_commands()
    known = set(get_command(app).commands)
    for name in ("README.md", "CONTRIBUTING.md", "STYLE.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        named = set(re.findall(r"`(?:\.venv/bin/)?tito ([a-z]+)", text))
        assert named <= known, f"{name} names {sorted(named - known)}"


def test_the_example_runs():
    code = re.search(r"```python\n(.*?)```", README, flags=re.DOTALL)[1]
    import numpy as np

    scope = {"pixels": np.zeros((2, 64), np.float32), "labels": [0, 1]}
    exec(code, scope)
    assert abs(scope["loss"].item() - np.log(10)) < 1  # a model that knows nothing
