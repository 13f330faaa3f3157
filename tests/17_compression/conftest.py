"""Trained networks to prune; nothing of the package is loaded before a test asks: it may end at an earlier module."""

import copy
from pathlib import Path
from runpy import run_path

import pytest


@pytest.fixture(scope="session")
def school():
    """The digits and the networks that read them; see networks.py."""
    return run_path(str(Path(__file__).with_name("networks.py")))["School"]()


@pytest.fixture(scope="session")
def _trained(school):
    return school.trained()


@pytest.fixture
def mlp(_trained):
    """A trained MLP, a new copy for each test."""
    return copy.deepcopy(_trained["mlp"])


@pytest.fixture
def cnn(_trained):
    """A trained CNN, a new copy for each test."""
    return copy.deepcopy(_trained["cnn"])
