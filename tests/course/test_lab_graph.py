"""The picture of a graph: every operation once, inputs before results, readable without seeing it."""

import xml.etree.ElementTree as ET

import pytest

from tinytorch import Tensor, no_grad
from tinytorch.nn.functional import cross_entropy
from tito.lab.graph import MOST_BOXES, draw_graph, graph_svg, read_graph

LETTER = 7.3  # pixels of a letter in 12 pixel monospace


@pytest.fixture
def w():
    return Tensor([1.0, 2.0, 3.0], requires_grad=True)


def test_each_operation_once_and_inputs_first(w):
    shared = w * 2
    boxes = read_graph((shared * shared + w).sum(), {id(w): "w"})
    assert [box.label for box in boxes.values()] == ["w (3,)", "mul", "mul", "add", "reduce_sum"]
    for key, box in boxes.items():
        assert all(boxes[i].column < box.column and list(boxes).index(i) < list(boxes).index(key) for i in box.inputs)
    assert [box.column for box in boxes.values()] == [0, 1, 2, 3, 4]


def test_the_picture_is_an_svg_that_says_what_it_shows(w):
    x = Tensor([4.0, 5.0, 6.0])  # needs no gradient, so it is not recorded
    svg = ET.fromstring(graph_svg((w * x).sum(), w=w))
    assert svg.attrib["role"] == "img"
    assert svg.attrib["aria-label"] == "A graph: mul from w (3,), reduce_sum from mul"
    assert [text.text for text in svg.iter("text")] == ["w (3,)", "mul", "reduce_sum"]
    assert len([path for path in svg.iter("path") if "marker-end" in path.attrib]) == 2


def test_a_box_is_as_wide_as_the_longest_name(w):
    logits = Tensor([[1.0, 2.0, 3.0]], requires_grad=True)
    for result, names in [(cross_entropy(logits, [2]), {}), (w * 2, {"weights_of_the_output_layer": w}), (w * 2, {})]:
        svg = ET.fromstring(graph_svg(result, **names))
        boxes = [(float(box.attrib["x"]), float(box.attrib["width"])) for box in svg.iter("rect")]
        for (left, width), text in zip(boxes, svg.iter("text"), strict=True):
            assert float(text.attrib["x"]) == pytest.approx(left + width / 2, abs=1)
            assert len(text.text) * LETTER <= width - 8
        assert max(left + width for left, width in boxes) < float(svg.attrib["width"])


def test_a_name_cannot_write_into_the_page(w):
    assert "<script>" not in graph_svg(w * 1, **{"<script>": w})


def test_two_arrows_from_one_box_are_two(w):
    svg = ET.fromstring(graph_svg(w * w))
    assert len({path.attrib["d"] for path in svg.iter("path") if "marker-end" in path.attrib}) == 2


def test_outside_a_notebook_nothing_is_shown(w, capsys):
    draw_graph(w * 2)
    assert capsys.readouterr().out == ""


def test_what_cannot_be_drawn_is_said(w):
    with no_grad():
        free = w * 2
    with pytest.raises(ValueError, match="nothing was recorded"):
        graph_svg(free)
    y = w
    for _ in range(MOST_BOXES):
        y = y + 1
    with pytest.raises(ValueError, match="more than 60 boxes"):
        graph_svg(y)
