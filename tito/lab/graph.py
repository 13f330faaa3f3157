"""A picture of the graph behind a result: operations from left to right, as an SVG without any other program."""

from dataclasses import dataclass, field
from html import escape
from typing import Any

from tito.lab.shell import current_shell

LEAST_WIDTH, HEIGHT, GAP_X, GAP_Y, MARGIN = 92, 30, 44, 16, 8  # pixels
LETTER = 7.3  # pixels of a letter in this monospace, at most
SPREAD = 14  # pixels between two arrows that end in one box
MOST_BOXES = 60  # more than these nobody reads


@dataclass
class Box:
    """One operation, or one Tensor that was made by none.

    label:  what stands in it.
    inputs: keys of the boxes that it was computed from.
    made:   whether an operation made it; the others are drawn with round corners.
    column: 0 at the left, where the Tensors are that everything begins with.
    """

    label: str
    inputs: list[int] = field(default_factory=list)
    made: bool = True
    column: int = 0


def draw_graph(result: Any, **names: Any) -> None:
    """Show how a Tensor was computed: `draw_graph(loss, w=w, x=x)`; outside a notebook nothing happens.

    Args:
        result: a Tensor that was recorded.
        names: what to call the Tensors that the graph begins with.

    Raises:
        ValueError: nothing was recorded for it, or the graph has more boxes than anybody reads.
    """
    picture = graph_svg(result, **names)
    if current_shell() is not None:
        from IPython.display import HTML, display

        display(HTML(picture))


def graph_svg(result: Any, **names: Any) -> str:
    """Return the picture that `draw_graph` shows, an SVG element with a text for readers who cannot see it.

    Raises:
        ValueError: as `draw_graph`.
    """
    boxes = read_graph(result, {id(tensor): name for name, tensor in names.items()})
    rows: dict[int, int] = {}
    places = {}
    wide = max(LEAST_WIDTH, round(LETTER * max(len(box.label) for box in boxes.values())) + 2 * MARGIN)
    for key, box in boxes.items():
        row = rows.get(box.column, 0)
        rows[box.column] = row + 1
        places[key] = (MARGIN + box.column * (wide + GAP_X), MARGIN + row * (HEIGHT + GAP_Y))
    width = max(x for x, _ in places.values()) + wide + MARGIN
    height = max(y for _, y in places.values()) + HEIGHT + MARGIN
    steps = [
        f"{box.label} from {' and '.join(boxes[i].label for i in box.inputs)}" for box in boxes.values() if box.inputs
    ]
    alt = escape("A graph: " + ", ".join(steps), quote=True)
    lines = [
        _arrow(places[source], places[key], wide, int((place - (len(box.inputs) - 1) / 2) * SPREAD))
        for key, box in boxes.items()
        for place, source in enumerate(box.inputs)
    ]
    lines += [_box(places[key], wide, box) for key, box in boxes.items()]
    marker = (
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 L8 4 L0 8 z"/></marker></defs>'
    )
    style = 'font-family="monospace" font-size="12" style="background:white"'
    return "\n".join(
        [f'<svg role="img" aria-label="{alt}" width="{width}" height="{height}" {style}>', marker, *lines, "</svg>"]
    )


def read_graph(result: Any, names: dict[int, str]) -> dict[int, Box]:
    """Return the boxes of a result's graph by key, inputs before what is computed from them."""
    root = result._grad_fn
    if root is None:
        raise ValueError("nothing was recorded: no input has requires_grad=True, or it was computed under no_grad().")
    boxes: dict[int, Box] = {}
    waiting = [(root, False)]
    while waiting:  # depth first, without recursion: a chain may be long
        node, ready = waiting.pop()
        edges = getattr(node, "edges", ()) or ()
        targets = [edge[0] for edge in edges]
        if ready:
            made = hasattr(node, "edges")
            label = node.name if made else f"{names.get(id(node), 'Tensor')} {node.shape}"
            column = 1 + max((boxes[id(target)].column for target in targets), default=-1)
            boxes[id(node)] = Box(label, [id(target) for target in targets], made, column)
            if len(boxes) > MOST_BOXES:
                raise ValueError(f"the graph has more than {MOST_BOXES} boxes: draw one of a smaller input.")
        elif id(node) not in boxes:
            waiting.append((node, True))
            waiting += [(target, False) for target in reversed(targets) if id(target) not in boxes]
    return boxes


def _box(place: tuple[int, int], wide: int, box: Box) -> str:
    x, y = place
    corner = 2 if box.made else HEIGHT // 2
    fill = "#dce9f7" if box.made else "#fdf3d8"
    rect = f'<rect x="{x}" y="{y}" width="{wide}" height="{HEIGHT}" rx="{corner}" fill="{fill}" stroke="black"/>'
    text = f'<text x="{x + wide // 2}" y="{y + HEIGHT // 2 + 4}" text-anchor="middle">{escape(box.label)}</text>'
    return rect + text


def _arrow(start: tuple[int, int], end: tuple[int, int], wide: int, shift: int) -> str:
    """An arrow that ends `shift` pixels below the middle, so that two from one box (x * x) are two."""
    x1, y1, x2, y2 = start[0] + wide, start[1] + HEIGHT // 2, end[0], end[1] + HEIGHT // 2 + shift
    bend = (x1 + x2) // 2
    path = f"M{x1} {y1} C{bend} {y1} {bend} {y2} {x2} {y2}"
    return f'<path d="{path}" fill="none" stroke="black" marker-end="url(#tip)"/>'
