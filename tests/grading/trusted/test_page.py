"""What the grader runs of a page itself, and what is rewritten in it."""

from types import SimpleNamespace

import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tito.trusted.names import give_names
from tito.trusted.page import prepare
from tito.trusted.scorer import import_elsewhere

MANAGED = {"nbgrader": {"grade": True, "solution": False, "grade_id": "test", "locked": True}}


@pytest.mark.parametrize(
    "line",
    [
        "layer.weight[1:3] = 7",
        "layer.weight[..., ::2] = [5, 6]",
        "layer.weight[1:3] += 2",
        "layer.weight *= 3",
        "layer.parts[0].weight[0] -= 1",
        "layer.parts[0].weight -= 1",
        "layer.parts[0] = 2",
        "layer.weight %= 2",
    ],
)
def test_a_write_into_an_attribute_does_what_python_does(line, tmp_path):
    def make():
        return SimpleNamespace(weight=np.arange(4), parts=[SimpleNamespace(weight=np.arange(3))])

    page = prepare(new_notebook(cells=[new_code_cell(line, metadata=MANAGED)]).cells, tmp_path, import_elsewhere)
    give_names(page, channel=None)
    ours, plain = make(), make()
    exec(page.tests[0].code, page.names | {"layer": ours})
    exec(line, {"layer": plain})
    assert repr(ours) == repr(plain) != repr(make())


@pytest.mark.parametrize(("name", "ours"), [("share_right", True), ("train_digits", False), ("build_chain", False)])
def test_given_functions_that_drive_the_answers_stay_in_the_box(name, ours, tmp_path):
    given = new_code_cell(f"def {name}(model):\n    return model")
    page = prepare(new_notebook(cells=[given]).cells, tmp_path, import_elsewhere)
    assert (name in page.names) is ours
