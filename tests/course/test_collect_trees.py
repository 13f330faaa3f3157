"""Random inboxes: each file ends as collected or as listed with a reason; `.ci/run` collects 10,000 of them."""

import pytest
from hand_in_trees import check_trees


@pytest.mark.parametrize("first", range(0, 300, 50))
def test_no_file_vanishes_nothing_is_written_elsewhere_and_twice_is_as_once(first):
    assert check_trees(range(first, first + 50)) == []
