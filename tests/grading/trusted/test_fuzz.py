"""What the grader decodes is decoded or refused, whatever it is; `.ci/run` tries more of it than `make test`."""

import warnings

from fuzz import SLOWEST, fuzz


def test_ten_thousand_bent_inputs_are_read_or_refused():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy warns of some numbers on its way to refusing them
        ends, slowest = fuzz(10_000)
    assert ends["refused"] > 1000 < ends["read"]
    assert slowest < SLOWEST
