"""A small run of each kind in `make test`; `python -m tests.random_programs` runs 20,000 fresh cases of each."""

import importlib

import pytest

pytest.importorskip("torch")


@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("kind", ["graphs", "layers", "optimizers", "loaders"])
def test_fifty_cases_agree_with_pytorch(kind, part):
    run = importlib.import_module(f"tests.random_programs.{kind}").run
    for seed in range(50 * part, 50 * part + 50):
        run(seed)
