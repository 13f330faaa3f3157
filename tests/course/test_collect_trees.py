"""Random inboxes: each file ends as collected or as listed with a reason; `.ci/run` collects 10,000 of them."""

import warnings
from unittest import mock

import pytest
from hand_in_trees import check_tree


@pytest.mark.parametrize("first", range(0, 300, 50))
def test_no_file_vanishes_nothing_is_written_elsewhere_and_twice_is_as_once(tmp_path, first):
    wrong = []
    with warnings.catch_warnings(), mock.patch("os.fsync"):
        warnings.simplefilter("ignore")  # zipfile's, about entries of one name
        for seed in range(first, first + 50):
            wrong += check_tree(seed, tmp_path / str(seed))
    assert wrong == []
