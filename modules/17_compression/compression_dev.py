# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
r"""
# Module 17: Compression

It takes many numbers to *find* a good function, and far fewer to write it down. Today you write a trained network down shorter, in four ways: without its smallest weights, without whole filters, as thin
matrices, and as a small network that learned from the large one; and each time you measure what became smaller, what became faster, and what did not.

**Needs** `Tensor` (01), activations (02), layers (03), losses (04), autograd (05), convolutions (09), and, for this page, optimizers (06); its layers tell the profiler (14) what they cost | **Exports** `tinytorch.optimization.compression` | **About** 6 hours | **Points** 85

The two folded cells below import what this page needs.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| default_exp optimization.compression
#| export
import copy
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any, NamedTuple

import numpy as np

from tinytorch.core.autograd import Context, Function, no_grad
from tinytorch.core.layers import Linear, Module, Parameter, linear, members, state_arrays
from tinytorch.core.losses import cross_entropy, log_softmax
from tinytorch.core.spatial import BatchNorm2d, Conv2d
from tinytorch.core.tensor import ShapeError, Tensor, as_array
from tinytorch.profiling.profiler import flops_of

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "page-imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
import matplotlib.pyplot as plt  # this page only: tests, plots and measurements are not exported

from tinytorch.core.activations import relu
from tinytorch.core.autograd import gradient_check
from tinytorch.core.optimizers import SGD, AdamW
from tinytorch.core.spatial import Flatten
from tinytorch.core.tensor import keep_freed_memory, manual_seed
from tinytorch.profiling.profiler import Profiler
from tito.lab import bench, check_close, check_equal, check_raises, compare, load_digits, show

# %% [markdown]
r"""
## How much of a network does nothing?

A network of 64 pixels, 64 hidden units and 10 digits has learned from 1,400 images. Below, its first weights as a picture, and again with four out of five set to zero: those nearest to zero. Guess
how many of 397 new digits it still reads.
"""

# %% nbgrader={"grade": false, "grade_id": "given-digits", "locked": true, "schema_version": 3, "solution": false, "task": false}
PIXELS, LABELS = load_digits()  # (1797, 64), (1797,)


class DigitsMLP(Module):
    """64 pixels, some hidden units, 10 digits."""

    def __init__(self, hidden):
        self.hidden = Linear(64, hidden)
        self.output = Linear(hidden, 10)

    def forward(self, x):
        return self.output(relu(self.hidden(x)))  # (B, 64) -> (B, hidden) -> (B, 10)


def train_digits(model, epochs, loss_of=None, lr=0.005, samples=1400):
    """Train on the first images in batches of 50; `loss_of(images, labels)` is a Tensor."""
    loss_of = loss_of or (lambda images, labels: cross_entropy(model(images), labels))
    optimizer, rng = AdamW(model.parameters(), lr=lr), np.random.default_rng(0)
    model.train()
    for _ in range(epochs):
        for batch in rng.permutation(samples).reshape(-1, 50):
            optimizer.zero_grad()
            loss_of(Tensor(PIXELS[batch]), LABELS[batch]).backward()
            optimizer.step()
    return model.eval()


def right(model):
    """The share of the last 397 digits that a model reads rightly."""
    with no_grad():
        return float((model(Tensor(PIXELS[1400:])).argmax(axis=1) == LABELS[1400:]).mean())


# %%
def analyze_first_look():
    """A trained layer, and what is left of it."""
    manual_seed(0)
    model = train_digits(DigitsMLP(64), epochs=10)
    fig, axes = plt.subplots(1, 2, figsize=(8, 3.6))
    for ax, share in zip(axes, (0.0, 0.8), strict=True):
        for layer in (model.hidden, model.output):
            small = np.abs(layer.weight.data) < np.quantile(np.abs(layer.weight.data), share)
            layer.weight.data[...] = np.where(small, 0, layer.weight.data)
        ax.imshow(model.hidden.weight.data, cmap="PuOr", vmin=-0.5, vmax=0.5)
        ax.set(xlabel="pixel", title=f"{share:.0%} removed: {right(model):.1%} right")
    axes[0].set_ylabel("hidden unit")
    show(fig, alt="Two pictures of 64 x 64 weights: all of them, and a fifth, the rest white")


if __name__ == "__main__":
    analyze_first_look()

# %% [markdown]
r"""
The figure was made by the simplest rule there is: a weight that is nearly zero moves nothing much, so make it exactly zero. It is called **magnitude pruning** (Han et al., *Learning both weights and connections
for efficient neural networks*, 2015), and what it decides is a **mask**: True for what stays.

```
weight       0.5  -0.1   0.3  -0.9   0.1         sparsity 0.4: two of five go
size         0.5   0.1   0.3   0.9   0.1
mask          T     F     T     T     F
```

**Sparsity** is the share of zeros. Take it literally: exactly `round(sparsity * count)` weights go. A rule such as "smaller than the threshold" gets that wrong when weights are equal: what does it do to five weights of 0.1?
"""


# %% nbgrader={"grade": false, "grade_id": "magnitude-mask", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def magnitude_mask(weight: np.ndarray, sparsity: float) -> np.ndarray:
    """Say which weights stay when the smallest are removed.

    Args:
        weight: any shape; it is not changed.
        sparsity: share of the weights that go, in [0, 1].

    Returns:
        Booleans of the shape of weight, with exactly round(sparsity * size) times False: at the
        smallest magnitudes; of equal ones the first (in reading order) go first.

    TODO: the mask.
    APPROACH: 1. how many go  2. the places of the smallest magnitudes, as one flat row
        3. True everywhere, but False there  4. the shape of the weight
    EXAMPLE:
        >>> magnitude_mask(np.float32([0.5, -0.1, 0.3, -0.9, 0.1]), 0.4)
        array([ True, False,  True,  True, False])

    HINT: `np.argsort(row, kind="stable")` gives the places from the smallest to the largest, and
        leaves equals in their order.
    """
    ### BEGIN SOLUTION
    gone = round(sparsity * weight.size)
    order = np.argsort(np.abs(weight).reshape(-1), kind="stable")
    mask = np.ones(weight.size, bool)
    mask[order[:gone]] = False
    return mask.reshape(weight.shape)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-magnitude-mask", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_magnitude_mask():
    """The drawing, nothing and everything, five equals, and the weight as it was."""
    w = np.float32([0.5, -0.1, 0.3, -0.9, 0.1])
    check_equal(lambda: magnitude_mask(w, 0.4).tolist(), [True, False, True, True, False])
    check_equal(lambda: magnitude_mask(w, 0.0).tolist(), [True] * 5)
    check_equal(lambda: magnitude_mask(w, 1.0).tolist(), [False] * 5)
    equal = np.full(5, 0.1, np.float32)
    check_equal(lambda: magnitude_mask(equal, 0.6).tolist(), [False] * 3 + [True] * 2)
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(0)
    table = rng.normal(size=(6, 7)).astype(np.float32)
    before, sizes = table.copy(), np.sort(np.abs(table), axis=None)
    check_equal(lambda: magnitude_mask(table, 0.7).tolist(), (abs(table) >= sizes[29]).tolist())
    check_equal(lambda: magnitude_mask(table.T, 0.7).tolist(), (abs(table.T) >= sizes[29]).tolist())
    check_equal(lambda: int(magnitude_mask(np.float32([[3, -2], [2, -1]]), 0.3).sum()), 3)
    check_close(lambda: [magnitude_mask(table, 0.5), table][1], before)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_magnitude_mask()

# %% [markdown]
r"""
What counts as a weight? Biases and the numbers of a norm are few, and each moves a whole row: nobody prunes them. So from here on *weights* are Parameters with at least two axes. The cell finds them, each once, with the module that holds it and
its name there: those two say where its mask will live. `weights_of` hands out their numbers (a sparse layer, later on this page, hands out the matrix that it stands for).
"""

# %% nbgrader={"grade": false, "grade_id": "given-weights", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Weight(NamedTuple):
    """A Parameter with at least two axes, and where it stands."""

    path: str
    owner: Module
    name: str
    parameter: Parameter


def check_module(model: Any) -> None:
    """Refuse what has no layers to look into, such as an array or an activation."""
    if not isinstance(model, Module):
        raise TypeError(f"compression takes a Module, not a {type(model).__name__}.")


def find_weights(model: Module) -> list[Weight]:
    """Every weight of a model; one that several layers share comes once, at its first place.

    Raises:
        TypeError: `model` is no Module.

    Example:
        >>> [weight.path for weight in find_weights(Linear(3, 2))]
        ['weight']
    """
    check_module(model)
    found: dict[int, Weight] = {}
    for path, owner in model.named_modules():
        for name, part in members(owner):
            if isinstance(part, Parameter) and part.ndim >= 2:
                where = f"{path}.{name}" if path else name
                found.setdefault(id(part), Weight(where, owner, name, part))
    return list(found.values())


def weights_of(model: Module) -> Iterator[np.ndarray]:
    """The numbers of every weight, each once, and the matrix of every layer with a to_dense()."""
    yield from (weight.parameter.data for weight in find_weights(model))
    for _, part in model.named_modules():
        if hasattr(type(part), "to_dense"):
            yield part.to_dense()


# %% nbgrader={"grade": false, "grade_id": "measure-sparsity", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def measure_sparsity(model: Module) -> float:
    """Return which share of a model's weights is exactly zero.

    Args:
        model: any Module; its biases do not count.

    Returns:
        A float in [0, 1]; 0.0 for a model without weights.

    TODO: zeros over count, both over all weights together.
    APPROACH: 1. add up over weights_of(model)  2. mind the model without weights
        3. divide
    EXAMPLE:
        >>> layer = Linear(2, 2)
        >>> layer.weight.data[...] = [[1, 0], [0, 0]]
        >>> measure_sparsity(layer)
        0.75

    HINT: np.count_nonzero(array) counts the others.
    """
    ### BEGIN SOLUTION
    count = nonzero = 0
    for array in weights_of(model):
        count += array.size
        nonzero += int(np.count_nonzero(array))
    return 1 - nonzero / count if count else 0.0
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-measure-sparsity", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_measure_sparsity():
    """One layer, two of different sizes, biases that do not count, and no weights at all."""
    model = DigitsMLP(3)  # weights (3, 64) and (10, 3)
    check_close(lambda: measure_sparsity(model), 0.0)
    model.hidden.weight.data[:2] = 0
    check_close(lambda: measure_sparsity(model), 128 / 222)
    model.hidden.bias.data[...] = 0
    check_close(lambda: measure_sparsity(model), 128 / 222)
    check_close(lambda: measure_sparsity(Flatten()), 0.0)
    ### BEGIN HIDDEN TESTS
    model.output.weight.data[:, 1] = -0.0
    check_close(lambda: measure_sparsity(model), 138 / 222)
    twice = Module()
    twice.first, twice.second = Linear(4, 5), Linear(4, 5)
    twice.second.weight = twice.first.weight
    twice.third = Linear(5, 2)
    twice.third.weight.data[...] = 0
    check_close(lambda: measure_sparsity(twice), 10 / 30)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_measure_sparsity()

# %% [markdown]
r"""
## A zero that stays zero

Writing zeros is the easy half. Ten steps of training later they are gone: every weight has a gradient, also one that is zero, and what Adam and momentum remember from *before* moves it even without one. So the mask must live as long as the weight does, and
everyone who moves weights must look at it. Three places know of it:

- `parameter.mask`: module 03 gave every Parameter this attribute (None until now), and copies it with the parameter. After each move, `step()` of module 06 multiplies the weight by it. No optimizer, yours of next year included, can forget it.
- `module.weight_mask`: a buffer of the module that holds the parameter, so that `state_dict()` saves the mask and `load_state_dict` brings it back. Both are *one array*, not two equal ones: why must they be?
- the weight itself, zero now.

And a weight may be pruned more than once. What an earlier mask removed is not to come back.
"""


# %% nbgrader={"grade": false, "grade_id": "set-mask", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def set_mask(owner: Module, name: str, mask: np.ndarray) -> None:
    """Prune a parameter for good: where the mask is False, it is 0 now and after every step.

    Args:
        owner: the module that holds it.
        name: of the parameter there, such as "weight"; the mask's buffer is name + "_mask".
        mask: booleans of the parameter's shape; False where nothing shall be left.

    TODO: the three places of the text.
    APPROACH: 1. no mask yet: owner.register_buffer(...) a copy, and let parameter.mask be
        the very array that the owner now has
        2. a mask already: narrow that array, in place  3. zeros into the weight, in place
    EXAMPLE:
        >>> layer = Linear(3, 1, bias=False)
        >>> set_mask(layer, "weight", np.array([[True, False, True]]))
        >>> layer.weight.data[0, 1], layer.weight.mask is layer.weight_mask
        (np.float32(0.0), True)

    HINT: `dict(members(owner))[name]` is the parameter; `a &= b` narrows a in place;
        getattr(owner, f"{name}_mask") is what register_buffer stored.
    """
    ### BEGIN SOLUTION
    parameter = dict(members(owner))[name]
    if parameter.mask is None:
        owner.register_buffer(f"{name}_mask", mask)
        parameter.mask = getattr(owner, f"{name}_mask")
    else:
        parameter.mask &= mask
    parameter.data[...] = np.where(parameter.mask, parameter.data, 0)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-set-mask", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_unit_set_mask():
    """Zeros now, after steps with a momentum from before, after a second mask, and in the state."""
    layer = Linear(3, 1, bias=False)
    x, heavy = Tensor(np.ones((4, 3))), SGD(layer.parameters(), lr=0.1, momentum=0.9)
    layer(x).sum().backward()
    heavy.step()
    set_mask(layer, "weight", np.array([[True, False, True]]))
    check_equal(lambda: (layer.weight.data != 0).tolist(), [[True, False, True]])
    heavy.step()
    check_equal(lambda: (layer.weight.data != 0).tolist(), [[True, False, True]])
    set_mask(layer, "weight", np.array([[False, True, True]]))
    check_equal(lambda: layer.state_dict()["weight_mask"].tolist(), [[False, False, True]])
    check_equal(lambda: layer.weight.mask is layer.weight_mask, True)
    ### BEGIN HIDDEN TESTS
    heavy.step()
    check_equal(lambda: (layer.weight.data != 0).tolist(), [[False, False, True]])
    twin = copy.deepcopy(layer)
    check_equal(lambda: twin.weight.mask is twin.weight_mask, True)
    check_equal(lambda: twin.weight.mask is layer.weight.mask, False)
    fresh, given = Linear(3, 1, bias=False), np.array([[True, True, True]])
    set_mask(fresh, "weight", given)
    fresh.load_state_dict(layer.state_dict())
    check_equal(lambda: fresh.weight.mask.tolist(), [[False, False, True]])
    check_equal(lambda: given.tolist(), [[True, True, True]])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_set_mask()

# %% [markdown]
r"""
## One threshold for all

How many weights does each layer lose? If every layer loses the same share, a small first layer, where each weight looks at the image, bleeds as much as a large one that has plenty. Put all weights into *one* row instead, remove the smallest of
that, and each layer keeps what it needs:

```
first    0.9  0.8  0.7  0.6      half of each layer:   0.9 0.8  -   -    0.4 0.3  -   -
second   0.4  0.3  0.2  0.1      half of all:          0.9 0.8 0.7 0.6    -   -   -   -
```

The right-hand end of the last line is the danger: what does a network with an empty layer know of its input?
"""


# %% nbgrader={"grade": false, "grade_id": "global-masks", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def global_masks(arrays: Sequence[np.ndarray], sparsity: float) -> list[np.ndarray]:
    """Remove the smallest of all weights together.

    Args:
        arrays: weights of any shapes, at least one array.
        sparsity: share of all of them that goes.

    Returns:
        A mask for each array, of its shape.

    TODO: one row, one mask, and the mask cut up again.
    APPROACH: 1. every array as a flat row, joined  2. magnitude_mask  3. split  4. reshape
    EXAMPLE:
        >>> masks = global_masks([np.float32([[0.9, 0.6]]), np.float32([0.4, 0.1])], 0.5)
        >>> [mask.tolist() for mask in masks]
        [[[True, True]], [False, False]]

    HINT: np.split(row, ends) cuts before each of the `ends`; np.cumsum(sizes)[:-1] are they.
    """
    ### BEGIN SOLUTION
    row = np.concatenate([array.reshape(-1) for array in arrays])
    ends = np.cumsum([array.size for array in arrays])[:-1]
    parts = np.split(magnitude_mask(row, sparsity), ends)
    return [part.reshape(array.shape) for part, array in zip(parts, arrays, strict=True)]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-global-masks", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_global_masks():
    """The drawing, a share that is rounded, three arrays, one alone. Hidden: other shapes."""
    first, second = np.float32([0.9, 0.8, 0.7, 0.6]), np.float32([[0.4, 0.3], [0.2, 0.1]])

    def kept(arrays, sparsity):
        return [int(mask.sum()) for mask in global_masks(arrays, sparsity)]

    check_equal(lambda: kept([first, second], 0.5), [4, 0])
    check_equal(lambda: kept([second, first], 0.75), [0, 2])
    check_equal(lambda: [m.shape for m in global_masks([first, second], 0.3)], [(4,), (2, 2)])
    check_equal(lambda: kept([first, second], 0.3), [4, 2])
    check_equal(lambda: kept([second, first, second], 0.5), [1, 4, 1])
    check_equal(lambda: kept([first], 0.25), [3])
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(1)
    arrays = [rng.normal(size=s).astype(np.float32) * k for s, k in (((3, 4), 1), ((5, 2, 2), 9))]
    arrays.append(np.asfortranarray(rng.normal(size=(4, 6)).astype(np.float32)))
    edge = np.sort(np.concatenate([abs(a).ravel() for a in arrays]))[28]
    for place in range(3):
        wanted = (abs(arrays[place]) >= edge).tolist()
        check_equal(lambda place=place: global_masks(arrays, 0.5)[place].tolist(), wanted)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_global_masks()

# %% [markdown]
r"""
The folded cell puts the parts together: `magnitude_prune(model, sparsity)` refuses what makes no sense before anything changes, then masks every weight, by one threshold or with `per_layer=True` layer by layer.
`exclude` names what is left alone. `forget_masks` drops the masks and leaves the zeros, for a network that will not be trained any more.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "given-magnitude-prune", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def check_share(name: str, value: Any) -> float:
    """Return a share as a float.

    Raises:
        TypeError: it is no number.
        ValueError: it is outside [0, 1], or not a number at all (nan).
    """
    if isinstance(value, bool) or not isinstance(value, int | float | np.floating | np.integer):
        raise TypeError(f"{name} is a share from 0 to 1, not {value!r:.60}.")
    if not 0 <= value <= 1:
        raise ValueError(f"{name} is a share from 0 to 1, not {value}.")
    return float(value)


def check_matrix(weight: np.ndarray, rank_ratio: float) -> None:
    """Refuse what has no singular values: no array, other shapes, numbers that are not finite."""
    check_share("rank_ratio", rank_ratio)
    if not isinstance(weight, np.ndarray):
        raise TypeError(f"low_rank_approximate: the weight is an array, not a "
                        f"{type(weight).__name__}: of a Tensor, pass its .data.")
    if weight.ndim != 2 or not weight.size:
        raise ShapeError(f"low_rank_approximate: a matrix (out, in), not shape {weight.shape}.")
    if not np.isfinite(weight).all():
        raise ValueError("low_rank_approximate: the weight holds numbers that are not finite.")


def prunable(model: Module, exclude: Sequence[str] = ()) -> list[Weight]:
    """The weights to prune: all of them, without those at or below the paths in `exclude`.

    Raises:
        TypeError: `model` is no Module, or `exclude` no list.
        ValueError: no weights; a path that does not exist; numbers that are not finite; a weight
            that a graph is still waiting for. Nothing has changed then.
    """
    found = find_weights(model)
    if isinstance(exclude, str) or not isinstance(exclude, Collection):
        raise TypeError(f"exclude is a list of paths such as ['output'], not {exclude!r:.60}.")
    chosen = found
    for path in exclude:
        inside = [w for w in found if w.path == path or w.path.startswith(f"{path}.")]
        if not inside:
            known = ", ".join(weight.path for weight in found)
            raise ValueError(f"exclude: there is no weight at {path!r}; there are {known}.")
        chosen = [weight for weight in chosen if weight not in inside]
    if not chosen:
        raise ValueError(f"{type(model).__name__} has no weights to prune: weights are Parameters "
                         "with at least two axes.")
    for weight in chosen:
        if not np.isfinite(weight.parameter.data).all():
            raise ValueError(f"{weight.path} holds numbers that are not finite, and they have no "
                             "magnitude: has the training run away?")
        if not weight.parameter.data.flags.writeable:
            raise ValueError(f"{weight.path} is saved for a backward() that is still to come: call "
                             "backward() first, or drop the graph (del the loss).")
    return chosen


def magnitude_prune(model: Module, sparsity: float, per_layer: bool = False,
                    exclude: Sequence[str] = ()) -> Module:
    """Set the smallest weights to zero, in place, and keep them there; see set_mask.

    A mask holds weights, not gradients: those of removed weights still count in clip_grad_norm_ and
    in what an optimizer remembers.

    Args:
        model: its Parameters with at least two axes are pruned.
        sparsity: share of those that is zero afterwards (more, if it was more before): of all, not
            of those that are left, so that 0.5 twice is 0.5.
        per_layer: the same share of each weight, instead of one threshold for all.
        exclude: paths to leave alone, such as ["output"].

    Returns:
        The model itself.

    Raises:
        TypeError, ValueError: see check_share and prunable; nothing has changed then.

    Example:
        >>> layer = magnitude_prune(Linear(10, 10), 0.7)
        >>> round(measure_sparsity(layer), 2)
        0.7

    Source: Han et al., Learning both weights and connections for efficient neural networks, 2015.
    """
    share, chosen = check_share("sparsity", sparsity), prunable(model, exclude)
    arrays = [weight.parameter.data for weight in chosen]
    groups = [[array] for array in arrays] if per_layer else [arrays]
    masks = [mask for group in groups for mask in global_masks(group, share)]
    for weight, mask in zip(chosen, masks, strict=True):
        set_mask(weight.owner, weight.name, mask)
    return model


def forget_masks(model: Module) -> Module:
    """Drop every mask and leave the zeros: from now on training moves them again."""
    check_module(model)
    for _, part in model.named_modules():
        for name, parameter in list(members(part)):
            buffer = f"{name}_mask"
            if isinstance(parameter, Parameter) and parameter.mask is not None:
                parameter.mask = None
            if buffer in part._buffers:
                part._buffers = tuple(other for other in part._buffers if other != buffer)
                delattr(part, buffer)
    return model


# %% [markdown]
r"""
What the mask is worth: two copies of one network lose 90 % of their weights, one with a mask, one without, and both train on. Where is each after ten steps, and after three epochs? Write down four numbers.
"""


# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "analyze-comeback", "locked": true, "schema_version": 3, "solution": false, "task": false}
def analyze_comeback():
    """Sparsity and accuracy after pruning and fine-tuning, with a mask and without; by sparsity."""
    manual_seed(0)
    trained = train_digits(DigitsMLP(64), epochs=10)
    with_mask = magnitude_prune(copy.deepcopy(trained), 0.9)
    ways = {"with a mask": with_mask, "without": forget_masks(copy.deepcopy(with_mask))}
    for name, model in ways.items():
        print(f"{name}: {measure_sparsity(model):.0%} zero, {right(model):.1%} right")
        for epochs, samples, when in ((1, 500, "10 steps"), (3, 1400, "3 epochs")):
            train_digits(model, epochs, lr=0.002, samples=samples)
            print(f"  {when} later: {measure_sparsity(model):.0%}, {right(model):.1%}")
    shares, curves = [0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98], {"at once": [], "after 3 epochs": []}
    for share in shares:
        model = magnitude_prune(copy.deepcopy(trained), share)
        curves["at once"].append(100 * right(model))
        curves["after 3 epochs"].append(100 * right(train_digits(model, 3, lr=0.002)))
    fig, axes = plt.subplots(figsize=(5, 3))
    for (name, values), marker in zip(curves.items(), "os", strict=True):
        axes.plot(shares, values, f"{marker}-", label=name)
    axes.set(xlabel="sparsity", ylabel="% of new digits right", ylim=(0, 100))
    axes.legend()
    show(fig, alt="Accuracy by sparsity: it falls early when pruned, late when fine-tuned after it")


if __name__ == "__main__":
    analyze_comeback()

# %% [markdown]
r"""
The network never needed most of its weights *at once*, but it needs to be told so gently: what a few epochs repair is the difference between the two curves. And a mask has a price: who may use all weights again repairs more, and is dense again. Large networks behave alike: half goes without any training
(Frantar and Alistarh, *SparseGPT*, 2023, for models of 175 billion weights), eight of nine with it (Han et al., 2015, for AlexNet).
"""

# %% [markdown]
r"""
## Whole rows, and arrays that shrink

Nothing so far is smaller. Zeros take four bytes each, `x @ W.T` multiplies by them, and the masks came on top. The cure that works on any machine: remove *whole units*, so that what is left is a dense matrix again,
with fewer rows (**structured pruning**; for filters Li et al., *Pruning filters for efficient ConvNets*, 2017). Row $o$ of a weight (out, ...) makes output $o$; its length $\lVert W_o \rVert_2$ says how loud that output can be.
"""


# %% nbgrader={"grade": false, "grade_id": "strongest-rows", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def strongest_rows(weight: np.ndarray, prune_ratio: float) -> np.ndarray:
    """Say which rows of a weight stay when the shortest are removed.

    Args:
        weight: shape (out, ...): (out, in) of a Linear, (out, in, kh, kw) of a Conv2d.
        prune_ratio: share of the rows that go, round(prune_ratio * out) of them.

    Returns:
        Their numbers, rising, as an integer array; of rows of equal length the first go first.

    TODO: the longest rows, in their old order.
    APPROACH: 1. each row flat  2. its length  3. drop the shortest  4. sort what stays
    EXAMPLE:
        >>> strongest_rows(np.float32([[3, 4], [1, 0], [0, 6], [2, 2]]), 0.5)
        array([0, 2])

    HINT: `weight.reshape(len(weight), -1)` makes rows of anything;
        np.linalg.norm(rows, axis=1) measures them.
    """
    ### BEGIN SOLUTION
    lengths = np.linalg.norm(weight.reshape(len(weight), -1), axis=1)  # (out,)
    order = np.argsort(lengths, kind="stable")
    return np.sort(order[round(prune_ratio * len(weight)) :])
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-strongest-rows", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_strongest_rows():
    """The example, signs, nothing removed, equals, and filters."""
    w = np.float32([[3, 4], [1, 0], [0, 6], [2, 2]])
    check_equal(lambda: strongest_rows(w, 0.5).tolist(), [0, 2])
    check_equal(lambda: strongest_rows(-w, 0.25).tolist(), [0, 2, 3])
    check_equal(lambda: strongest_rows(w, 0.0).tolist(), [0, 1, 2, 3])
    check_equal(lambda: strongest_rows(np.ones((4, 3)), 0.5).tolist(), [2, 3])
    ### BEGIN HIDDEN TESTS
    one = np.float32([[3, 3, 3], [0, 0, 5.1], [5.5, 0, 0]])
    check_equal(lambda: strongest_rows(one, 1 / 3).tolist(), [0, 2])
    filters = np.random.default_rng(2).normal(size=(6, 3, 2, 2))
    filters[[1, 4]] *= 0.01
    check_equal(lambda: strongest_rows(filters, 1 / 3).tolist(), [0, 2, 3, 5])
    check_equal(lambda: strongest_rows(w, 0.99).tolist(), [])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_strongest_rows()

# %% [markdown]
r"""
A filter that is gone writes no channel, and somebody was going to read it. Whoever reads the outputs must lose the matching *inputs*: a batch norm its four numbers for the channel, the next convolution one slice of every kernel, and a linear
layer after a `Flatten`? Module 09's order is (channel, row, column), so there a channel is a *run* of columns, as long as an image has pixels:

```
3 channels of 2 x 2 pixels, flattened      channel 0        channel 1        channel 2
columns of the linear layer               0  1  2  3       4  5  6  7       8  9 10 11
channels 0 and 2 stay                     0  1  2  3                        8  9 10 11
```
"""


# %% nbgrader={"grade": false, "grade_id": "inputs-that-stay", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def inputs_that_stay(kept: np.ndarray, written: int, read: int) -> np.ndarray:
    """Say which inputs a reader keeps when the layer before it keeps some outputs.

    Args:
        kept: numbers of the outputs that stay, rising.
        written: how many outputs the layer had.
        read: how many inputs the reader has: `written`, or a multiple of it after a Flatten.

    Returns:
        Numbers of the reader's inputs, rising.

    Raises:
        ShapeError: read is no multiple of written; names both.

    TODO: the run of inputs for each output that stays.
    APPROACH: 1. refuse what is no multiple  2. how long is a run
        3. where each kept run begins, plus every place in it  4. flat
    EXAMPLE:
        >>> inputs_that_stay(np.array([0, 2]), written=3, read=12)
        array([ 0,  1,  2,  3,  8,  9, 10, 11])

    HINT: a column (n, 1) plus a row (run,) is a table (n, run).
    """
    ### BEGIN SOLUTION
    if read % written:
        raise ShapeError(f"{read} inputs are no multiple of the {written} outputs before them.")
    run = read // written
    return (kept[:, None] * run + np.arange(run)).reshape(-1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-inputs-that-stay", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_inputs_that_stay():
    """The drawing, one input for each output, and a reader of something else."""
    kept = np.array([0, 2])
    check_equal(lambda: inputs_that_stay(kept, 3, 12).tolist(), [0, 1, 2, 3, 8, 9, 10, 11])
    check_equal(lambda: inputs_that_stay(kept, 3, 3).tolist(), [0, 2])
    check_raises(ShapeError, lambda: inputs_that_stay(kept, 3, 10), mentions=["10", "3"])
    ### BEGIN HIDDEN TESTS
    kept = np.array([1, 2, 4])
    check_equal(lambda: inputs_that_stay(kept, 5, 10).tolist(), [2, 3, 4, 5, 8, 9])
    places = np.arange(36)
    check_equal(lambda: places[inputs_that_stay(np.arange(4), 4, 36)].tolist(), list(range(36)))
    check_equal(lambda: inputs_that_stay(np.array([3]), 4, 36).tolist(), list(range(27, 36)))
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_inputs_that_stay()

# %% [markdown]
r"""
Who reads whom stands in `forward`, which you wrote, and nowhere else; so you say it. `structured_prune` has two forms, folded below:

- `structured_prune(model, 0.5)` *masks*: the weakest rows of every layer become zero, with their biases, and stay so. Nothing shrinks, any model will do.
- `structured_prune(model, 0.5, readers={"conv1": ["norm1", "conv2"], "conv2": ["output"]})` *removes*: only the layers named lose outputs, their readers lose inputs, and the arrays are smaller afterwards.
  The optimizer remembers the old shapes, so make a new one.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "given-structured-prune", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
OUTPUTS = ("out_features", "out_channels")  # what a layer calls its sizes
INPUTS = ("in_features", "in_channels", "num_features")


def resize(layer: Module, names: Sequence[str], size: int) -> None:
    """Write a new size under the name that this layer has for it."""
    for name in names:
        if name in vars(layer):
            setattr(layer, name, size)


def cut(owner: Module, name: str, kept: np.ndarray, axis: int = 0) -> None:
    """Keep some places along an axis of a Parameter (and its mask) or buffer; None stays None."""
    value = getattr(owner, name)
    if isinstance(value, np.ndarray):
        setattr(owner, name, value.take(kept, axis))
    if not isinstance(value, Parameter):
        return
    by_columns = value.ndim > 1 and value.data.flags.f_contiguous
    smaller = value.data.take(kept, axis)
    value.data = np.asfortranarray(smaller) if by_columns else smaller
    value.grad = None
    if value.mask is not None:
        owner.register_buffer(f"{name}_mask", value.mask.take(kept, axis))
        value.mask = getattr(owner, f"{name}_mask")


def mask_rows(weight: Weight, prune_ratio: float) -> None:
    """Mask the weakest rows of a weight, and the numbers of its bias that belong to them."""
    array = weight.parameter.data
    stays = np.zeros(len(array), bool)
    stays[strongest_rows(array, prune_ratio)] = True
    column = stays.reshape(-1, *[1] * (array.ndim - 1))
    set_mask(weight.owner, weight.name, np.broadcast_to(column, array.shape))
    bias = vars(weight.owner).get(bias_name(weight))
    if isinstance(bias, Parameter) and bias.shape == stays.shape:
        set_mask(weight.owner, bias_name(weight), stays)


def bias_name(weight: Weight) -> str:
    """What the bias beside a weight is called: "in_proj_weight" -> "in_proj_bias"."""
    return weight.name.replace("weight", "bias")


def module_at(model: Module, path: Any, why: str) -> Module:
    """The module at a path; ValueError says which there are."""
    modules = dict(model.named_modules())
    if path not in modules:
        raise ValueError(f"{why}: there is no module {path!r}; there are {', '.join(modules)[2:]}.")
    return modules[path]


def check_chain(model: Module, path: str, readers: Any, prune_ratio: float) -> tuple:
    """Look at one entry of `readers`: the layer, its readers, the outputs and inputs that stay.

    Raises:
        TypeError, ValueError, ShapeError: it is no Linear or Conv2d, nobody reads it, nothing
            would be left, a reader cannot lose inputs, or a weight is tied.
    """
    layer = module_at(model, path, "readers")
    names = [readers] if isinstance(readers, str) else list(readers)
    parts = [module_at(model, name, f"readers of {path}") for name in names]
    for part in (layer, *parts):
        if not isinstance(part, Linear | Conv2d | BatchNorm2d):
            raise TypeError(f"readers: {type(part).__name__} has no inputs to remove: only Linear, "
                            "Conv2d and BatchNorm2d have.")
        if getattr(part, "groups", 1) != 1:
            raise ValueError("readers: a Conv2d with groups cannot lose single channels.")
        if part.weight is not None and homes(model, part.weight) > 1:
            raise ValueError("readers: a weight that two modules share cannot shrink for one of "
                             "them: mask it instead (leave readers out).")
    if isinstance(layer, BatchNorm2d) or all(isinstance(part, BatchNorm2d) for part in parts):
        raise ValueError(f"readers of {path}: name the Linear or Conv2d that reads its outputs.")
    written, kept = len(layer.weight.data), strongest_rows(layer.weight.data, prune_ratio)
    if not len(kept):
        raise ValueError(f"prune_ratio {prune_ratio} would leave {path} none of its outputs.")
    inputs = [inputs_that_stay(kept, written, size_of(part)) for part in parts]
    return layer, parts, kept, inputs


def check_circles(readers: dict[str, str | Sequence[str]]) -> None:
    """Refuse a layer that reads, over whatever others, what it has written itself."""
    try:
        TopologicalSorter(
            {path: [names] if isinstance(names, str) else names for path, names in readers.items()}
        ).prepare()
    except CycleError as error:
        circle = " -> ".join(reversed(error.args[1]))
        raise ValueError(f"readers: {circle} is a circle: say of each layer which later ones read "
                         "it.") from None


def homes(model: Module, parameter: Parameter) -> int:
    """In how many places of a model a Parameter stands."""
    parts = (part for _, owner in model.named_modules() for _, part in members(owner))
    return sum(part is parameter for part in parts)


def size_of(reader: Module) -> int:
    """How many inputs a layer reads."""
    return reader.num_features if isinstance(reader, BatchNorm2d) else reader.weight.shape[1]


def shrink(layer: Module, parts: list[Module], kept: np.ndarray, inputs: list[np.ndarray]) -> None:
    """Keep some outputs of a layer, and of each reader the inputs that belong to them."""
    for name in ("weight", "bias"):
        cut(layer, name, kept)
    resize(layer, OUTPUTS, len(kept))
    for part, stay in zip(parts, inputs, strict=True):
        if isinstance(part, BatchNorm2d):
            for name in ("weight", "bias", "running_mean", "running_var"):
                cut(part, name, stay)
        else:
            cut(part, "weight", stay, axis=1)
        resize(part, INPUTS, len(stay))


def structured_prune(model: Module, prune_ratio: float,
                     readers: dict[str, str | Sequence[str]] | None = None,
                     exclude: Sequence[str] = ()) -> Module:
    """Mask the weakest rows of every layer, or remove the weakest outputs of some, in place.

    Args:
        model: a Module.
        prune_ratio: share of the rows (units, filters) of each layer that go.
        readers: None to mask; or for each layer that is to shrink the paths of what reads it:
            BatchNorm2d, and then Linear or Conv2d. Removing changes shapes: make a new optimizer.
        exclude: paths that are not masked; the layer that answers is one to name.

    Returns:
        The model itself.

    Raises:
        TypeError, ValueError, ShapeError: see check_share, prunable, check_circles and check_chain;
            nothing has changed then.

    Example:
        >>> layer = structured_prune(Linear(10, 10), 0.3)
        >>> int((layer.weight.data == 0).all(axis=1).sum())
        3

    Source: Li et al., Pruning filters for efficient ConvNets, 2017 (there with the L1 norm).
    """
    share, chosen = check_share("prune_ratio", prune_ratio), prunable(model, exclude)
    if readers is None:
        for weight in chosen:
            if bias_name(weight) in vars(weight.owner):  # an embedding has no outputs of its own
                mask_rows(weight, share)
        return model
    if not isinstance(readers, dict):
        raise TypeError("readers is a dict of layers and their readers, such as "
                        f"{{'conv1': ['norm1', 'conv2']}}, not {readers!r:.60}.")
    check_circles(readers)
    chains = [check_chain(model, path, parts, share) for path, parts in readers.items()]
    named = [id(part) for _, parts, _, _ in chains for part in parts]
    if len(set(named)) < len(named):
        raise ValueError("readers: a layer that reads two others cannot lose inputs of one.")
    for chain in chains:
        shrink(*chain)
    return model

# %% [markdown]
r"""
Why whole rows, when single weights leave the answers better alone? Because memory is read in lines of 64 bytes, 16 numbers at a time, and a processor multiplies as many in one go. The cell reads the same number of weights from a large matrix in
three ways, and multiplies by half of a matrix in two. Guess the factor between the first and the last line of each.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "analyze-cache-efficiency", "locked": true, "schema_version": 3, "solution": false, "task": false}
def analyze_cache_efficiency():
    """The same numbers as whole rows, as scattered rows, and as scattered single numbers."""
    rng = np.random.default_rng(0)
    table = rng.normal(size=(4096, 1024)).astype(np.float32)  # 16 MB: more than most caches
    rows, every = np.sort(rng.permutation(4096)[:1024]), table.reshape(-1)
    single = np.sort(rng.permutation(table.size)[: 1024 * 1024])
    ways = {
        "the first rows, one block": lambda: table[:1024].copy(),
        "scattered whole rows": lambda: table.take(rows, axis=0, mode="clip"),
        "scattered single numbers": lambda: every.take(single, mode="clip"),
    }
    print("reading 1,048,576 numbers")
    for name, timing in compare(ways, samples=7).items():
        print(f"  {name:28}{timing.low_ms:7.2f} ms, {4 * 2**20 / timing.low_ms / 1e6:6.2f} GB/s")
    x, layer = table[:64], Linear(1024, 1024)
    weight = layer.weight.data.copy(order="F")
    half = structured_prune(layer, 0.5).weight.data
    kept = np.asfortranarray(half[half.any(axis=1)])
    ways = {
        "all of them": lambda: x @ weight.T, "half of the rows are zeros": lambda: x @ half.T,
        "half of the rows are gone": lambda: x @ kept.T,
    }  # fmt: skip
    print("multiplying 64 inputs by 1024 x 1024 weights")
    for name, timing in compare(ways, samples=15).items():
        print(f"  {name:28}{timing.low_ms:7.2f} ms")


if __name__ == "__main__":
    analyze_cache_efficiency()

# %% [markdown]
r"""
What a scattered read loses is the rest of the line that it fetched. Hence the compromises in hardware: NVIDIA's A100 takes exactly two zeros in every group of four, and only then multiplies twice as fast (Mishra et al., *Accelerating sparse deep neural networks*, 2021).
"""

# %% [markdown]
r"""
## Only what is there

Masked weights lie anywhere, and a processor multiplies by 0 as slowly as by 7. To *compute* with fewer numbers they must be written down without the zeros. **Compressed sparse rows** (CSR; Tinney and Walker, 1967)
keep three arrays: the values in reading order, the column of each, and where each row begins:

```
0  5  0  0        values    5  8  3  6
8  0  0  3        columns   1  0  3  2
0  0  0  0        starts    0  1  3  3  4       row r: values[starts[r] : starts[r + 1]]
0  0  6  0
```

The third row has nothing. What do `starts` say of it?
"""


# %% nbgrader={"grade": false, "grade_id": "to-csr", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def to_csr(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Write a matrix down without its zeros.

    Args:
        weight: shape (out, in).

    Returns:
        values, shape (n,), of the type of weight; columns, integers, shape (n,); starts, integers,
        shape (out + 1,), from 0 to n.

    TODO: the three arrays of the text.
    APPROACH: 1. rows and columns of what is not zero, in reading order  2. the values there
        3. how many each row has  4. starts: a 0, then how many there are up to each row's end
    EXAMPLE:
        >>> to_csr(np.float32([[0, 5], [0, 0], [8, 3]]))[2]
        array([0, 1, 1, 3])

    HINT: `np.nonzero(weight)` gives rows and columns in reading order;
        np.count_nonzero(weight, axis=1) counts a row's; np.cumsum adds up.
    """
    ### BEGIN SOLUTION
    rows, columns = np.nonzero(weight)
    counts = np.count_nonzero(weight, axis=1)  # (out,)
    starts = np.concatenate([[0], np.cumsum(counts)])
    return weight[rows, columns], columns, starts
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-to-csr", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_to_csr():
    """The drawing, an empty last row, nothing at all."""
    w = np.float32([[0, 5, 0, 0], [8, 0, 0, 3], [0, 0, 0, 0], [0, 0, 6, 0]])
    check_equal(lambda: [part.tolist() for part in to_csr(w)],
                [[5, 8, 3, 6], [1, 0, 3, 2], [0, 1, 3, 3, 4]])  # fmt: skip
    check_equal(lambda: to_csr(w[:3])[2].tolist(), [0, 1, 3, 3])
    check_equal(lambda: [part.tolist() for part in to_csr(0 * w[:2])], [[], [], [0, 0, 0]])
    check_equal(lambda: to_csr(w)[0].dtype.name, "float32")
    ### BEGIN HIDDEN TESTS
    w = np.random.default_rng(3).normal(size=(5, 4)).astype(np.float32)
    w[w < 0.3] = 0
    for v in (w, np.asfortranarray(w), w.T):
        rows = [np.flatnonzero(row) for row in v]
        found = np.concatenate([v[r, row] for r, row in enumerate(rows)])
        check_close(lambda v=v: to_csr(v)[0], found)
        check_equal(lambda v=v: to_csr(v)[1].tolist(), np.concatenate(rows).tolist())
        check_equal(lambda v=v: np.diff(to_csr(v)[2]).tolist(), [len(row) for row in rows])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_to_csr()

# %% [markdown]
r"""
Now multiply. Output $r$ of a linear layer is a row of the weight times the input; of the input it needs only those numbers that meet a value:

$$y_{n,r} = \sum_{k = \text{starts}_r}^{\text{starts}_{r+1} - 1} \text{values}_k \; x_{n,\ \text{columns}_k}$$
"""


# %% nbgrader={"grade": false, "grade_id": "csr-product", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def csr_product(
    values: np.ndarray, columns: np.ndarray, starts: np.ndarray, x: np.ndarray
) -> np.ndarray:
    """Multiply inputs by a matrix in CSR: x @ weight.T, with as many products as it has values.

    Args:
        values, columns, starts: as to_csr gives them, of a weight of shape (out, in).
        x: inputs, shape (N, in).

    Returns:
        float32 array of shape (N, out).

    TODO: the formula, without the dense matrix.
    APPROACH: 1. y of zeros  2. for each row: its values, and the inputs at its columns
        3. their product is column r of y
    EXAMPLE:
        >>> values, columns, starts = to_csr(np.float32([[0, 5], [0, 0], [8, 3]]))
        >>> csr_product(values, columns, starts, np.float32([[1, 10]]))
        array([[50.,  0., 38.]], dtype=float32)

    HINT: `x[:, places]` has shape (N, k), `part` shape (k,): x[:, places] @ part has shape (N,).
    """
    ### BEGIN SOLUTION
    y = np.zeros((len(x), len(starts) - 1), np.float32)
    for r in range(len(starts) - 1):
        row = slice(starts[r], starts[r + 1])
        y[:, r] = x[:, columns[row]] @ values[row]  # (N, k) @ (k,) -> (N,)
    return y
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-csr-product", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_unit_csr_product():
    """The drawing, with its empty row; an empty last row; a matrix of zeros."""
    w = np.float32([[0, 5, 0, 0], [8, 0, 0, 3], [0, 0, 0, 0], [0, 0, 6, 0]])
    x = np.float32([[1, 10, 100, 1000], [1, 1, 1, 1]])
    csr, top, empty = to_csr(w), to_csr(w[:3]), to_csr(0 * w)
    check_close(lambda: csr_product(*csr, x), [[50, 3008, 0, 600], [5, 11, 0, 6]])
    check_close(lambda: csr_product(*top, x), [[50, 3008, 0], [5, 11, 0]])
    check_close(lambda: csr_product(*empty, x), np.zeros((2, 4)))
    check_equal(lambda: csr_product(*csr, x).dtype.name, "float32")
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(4)
    w = rng.normal(size=(9, 6)).astype(np.float32) * (rng.random((9, 6)) < 0.3)
    w[0] = 0
    x, sparse = rng.normal(size=(5, 6)).astype(np.float32), to_csr(w)
    check_close(lambda: csr_product(*sparse, x), x @ w.T, atol=1e-5)
    check_equal(lambda: csr_product(*sparse, x[:0]).shape, (0, 9))
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_csr_product()

# %% [markdown]
r"""
The layer, folded, does the same in another order. Your loop makes one small product a row; `SparseLinear` takes 16 rows at a time, whose gathered inputs still fit in the cache. For that the rows are sorted by length and those of
a group filled up to the same length, with zeros that point at a column beyond the last: a rectangle, and one batched product (sliced ELLPACK; Kreutzer et al., 2014). What comes out is still CSR, so that SciPy's compiled loop can take it over where
[SciPy](https://scipy.org) is installed. Column numbers take one byte up to 255 columns and two up to 65,535. A group in which more than every eighth place is taken is written out for a moment and multiplied whole. Gradients flow to the input and to the values
that are there; no other value ever appears.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "given-sparse-linear", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
GROUP = 16  # rows that are gathered together
PIECE = 64  # samples that are gathered together: 16 rows of 50 values are then 200 KB
CROWDED = 8  # with more than every eighth place taken, gathering loses against multiplying zeros


def bias_for(layer: Module, bias: Any) -> Parameter | None:
    """A bias as a Parameter, one number for each of layer.out_features; None stays None."""
    parameter = None if bias is None else Parameter(bias)
    if parameter is not None and parameter.shape != (layer.out_features,):
        raise ShapeError(f"{type(layer).__name__}: a bias of shape {parameter.shape} for "
                         f"{layer.out_features} outputs.")
    return parameter


def scipy_csr() -> Any:
    """SciPy's csr_array, or None where SciPy is not installed: it is an extra."""
    try:
        from scipy.sparse import csr_array
    except ImportError:
        return None
    return csr_array


def by_length(values: np.ndarray, columns: np.ndarray, starts: np.ndarray,
              beyond: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Sort the rows of a CSR matrix by length, and fill each group of them up to a rectangle.

    Args:
        values, columns, starts: the matrix.
        beyond: the column at which fillers point; their value is 0.

    Returns:
        The old number of each new row; the new values, columns and starts.
    """
    lengths = np.diff(starts)
    order = lengths.argsort(kind="stable")
    widest = [lengths[order[i : i + GROUP]].max() for i in range(0, len(order), GROUP)]
    widths = np.repeat(widest, GROUP)[: len(order)].astype(np.intp)
    begins = np.concatenate([[0], np.cumsum(widths)])
    place = np.arange(begins[-1]) - np.repeat(begins[:-1], widths)  # within its row
    real = place < np.repeat(lengths[order], widths)
    source = np.where(real, np.repeat(starts[order], widths) + place, len(values))
    return order, np.append(values, 0)[source], np.append(columns, beyond)[source], begins


@dataclass
class Rows:
    """Where the values of a SparseLinear stand: what by_length returns, without the values."""

    order: np.ndarray
    columns: np.ndarray
    starts: np.ndarray
    engine: str

    def groups(self) -> Iterator[tuple[np.ndarray, slice, tuple[int, int]]]:
        """For each group: the old numbers of its rows, its stretch of values, its shape (R, K)."""
        for first in range(0, len(self.order), GROUP):
            rows = self.order[first : first + GROUP]
            cells = slice(int(self.starts[first]), int(self.starts[first + len(rows)]))
            yield rows, cells, (len(rows), (cells.stop - cells.start) // len(rows))

    def product(self, values: np.ndarray, x: np.ndarray) -> np.ndarray:
        """(in + 1, N) -> (out, N), the last row of x being zeros."""
        y = np.empty((len(self.order), x.shape[1]), np.float32)
        csr_array = scipy_csr() if self.engine == "scipy" else None
        if csr_array is not None:
            where = (self.columns.astype(np.int32), self.starts)
            y[self.order] = csr_array((values, *where), shape=(len(y), len(x))) @ x
            return y
        width = max((shape[1] for _, _, shape in self.groups()), default=0)
        buffer = np.empty(GROUP * min(width, len(x) // CROWDED) * PIECE, np.float32)
        for begin in range(0, x.shape[1], PIECE):
            part = np.ascontiguousarray(x[:, begin : begin + PIECE])  # (in + 1, n)
            for rows, cells, (R, K) in self.groups():
                if len(x) // CROWDED < K:
                    product = self.dense(values, cells, (R, len(x))) @ part  # (R, n)
                else:
                    gathered = buffer[: R * K * part.shape[1]].reshape(R, K, part.shape[1])
                    places = self.columns[cells].reshape(R, K)
                    part.take(places, axis=0, out=gathered, mode="clip")
                    product = (values[cells].reshape(R, 1, K) @ gathered)[:, 0]  # (R, n)
                y[rows, begin : begin + PIECE] = product
        return y

    def dense(self, values: np.ndarray, cells: slice, shape: tuple[int, int]) -> np.ndarray:
        """The rows of one group with their zeros, made anew: (R, in + 1)."""
        rows = np.zeros(shape, np.float32)
        columns = self.columns[cells].reshape(shape[0], -1)
        rows[np.arange(shape[0])[:, None], columns] = values[cells].reshape(columns.shape)
        return rows

    def gradients(self, values: np.ndarray, x: np.ndarray,
                  g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Those of x and of the values, for g of shape (out, N); a few rows are dense at a time."""
        dx, dvalues = np.zeros_like(x), np.empty_like(values)
        for rows, cells, (R, K) in self.groups():
            columns, local = self.columns[cells].reshape(R, K), g[rows]  # (R, N)
            dx += self.dense(values, cells, (R, len(x))).T @ local
            every = local @ x.T  # (R, in + 1), of which K a row are wanted
            dvalues[cells] = every[np.arange(R)[:, None], columns].reshape(-1)
        return dx, dvalues


class SparseProduct(Function):
    """x @ weight.T + bias of a weight in CSR."""

    @staticmethod
    def forward(ctx: Context, x: np.ndarray, values: np.ndarray, bias: np.ndarray | None,
                rows: Rows) -> np.ndarray:
        flat = x.reshape(-1, x.shape[-1])
        ctx.x = np.zeros((flat.shape[1] + 1, len(flat)), np.float32)  # (in + 1, N)
        ctx.x[:-1] = flat.T
        ctx.values, ctx.rows, ctx.shape, ctx.biased = values, rows, x.shape, bias is not None
        y = rows.product(values, ctx.x)  # (out, N)
        if bias is not None:
            y += bias[:, None]
        return y.T.reshape(*x.shape[:-1], len(y))

    @staticmethod
    def backward(ctx: Context, g: np.ndarray) -> tuple:
        """dX = g @ weight, and for each value the product of its input and its output's g."""
        flat = np.ascontiguousarray(g.reshape(-1, g.shape[-1]).T)  # (out, N)
        dx, dvalues = ctx.rows.gradients(ctx.values, ctx.x, flat)
        dbias = flat.sum(axis=1) if ctx.biased else None
        return dx[:-1].T.reshape(ctx.shape), dvalues, dbias, None


class SparseLinear(Module):
    """A linear layer that keeps and multiplies only the weights that are not zero.

    Args:
        weight: shape (out, in), with zeros; it is not kept.
        bias: shape (out,), or None.
        engine: "scipy", "numpy", or None for SciPy where it is installed.

    Attributes:
        values: a Parameter, shape (n,).
        columns, starts, order: buffers, whole numbers; see by_length.

    Raises:
        ShapeError: the weight is no matrix, or the bias does not fit.
        ImportError: "scipy" without SciPy.

    Example:
        >>> layer = SparseLinear(np.float32([[0, 5], [0, 0], [8, 3]]))
        >>> layer(Tensor([[1, 10]])).data
        array([[50.,  0., 38.]], dtype=float32)
    """

    def __init__(self, weight: Any, bias: Any = None, engine: str | None = None) -> None:
        weight = as_array(weight)
        if weight.ndim != 2:
            raise ShapeError(f"SparseLinear: a weight has shape (out, in), not {weight.shape}.")
        self.out_features, self.in_features = weight.shape
        order, values, columns, starts = by_length(*to_csr(weight), self.in_features)
        self.values = Parameter(values)
        self.register_buffer("columns", columns.astype(np.min_scalar_type(self.in_features)))
        self.register_buffer("starts", starts.astype(np.int32))
        self.register_buffer("order", order.astype(np.int32))
        self.bias = bias_for(self, bias)
        self.engine = choose_engine(engine)

    @classmethod
    def from_linear(cls, layer: Linear, engine: str | None = None) -> "SparseLinear":
        """The same layer without its zeros; the numbers, and a mask of the bias, are copied."""
        sparse = cls(layer.weight, layer.bias, engine)
        if sparse.bias is not None and layer.bias.mask is not None:
            set_mask(sparse, "bias", layer.bias.mask)
        return sparse

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out)."""
        if not x.ndim or x.shape[-1] != self.in_features:
            raise ShapeError(f"SparseLinear: x of shape {x.shape} does not end in "
                             f"{self.in_features}.")
        rows = Rows(self.order, self.columns, self.starts, self.engine)
        return SparseProduct.apply(x, self.values, self.bias, rows)

    def to_dense(self) -> np.ndarray:
        """The matrix that it stands for, (out, in), made anew."""
        dense = np.zeros((self.out_features, self.in_features + 1), np.float32)
        dense[np.repeat(self.order, np.diff(self.starts)), self.columns] = self.values.data
        return dense[:, :-1]

    def extra_repr(self) -> str:
        sizes = f"in_features={self.in_features}, out_features={self.out_features}"
        return f"{sizes}, values={self.values.numel():,}, engine={self.engine}"


@flops_of(SparseLinear)
def sparse_flops(layer: SparseLinear, out: Tensor, x: Tensor) -> int:
    """Two for each value that is there, fillers included, and sample."""
    return 2 * layer.values.numel() * (x.numel() // layer.in_features)


def choose_engine(name: str | None) -> str:
    """"scipy" or "numpy"; None takes SciPy where it is installed.

    Raises:
        ValueError: another name.
        ImportError: "scipy" without SciPy.
    """
    if name not in (None, "scipy", "numpy"):
        raise ValueError(f"SparseLinear: engine is 'scipy', 'numpy' or None, not {name!r}.")
    if name == "scipy" and scipy_csr() is None:
        raise ImportError("SparseLinear: SciPy is not installed: pip install scipy, or leave "
                          "engine out.")
    return name or ("numpy" if scipy_csr() is None else "scipy")


# %%
def check_sparse_gradients():
    """Slopes of the sparse product, for the inputs and for the values that are there."""
    rng = np.random.default_rng(5)
    weight = rng.normal(size=(20, 5)) * (rng.random((20, 5)) < 0.4)
    layer, x = SparseLinear(weight, engine="numpy"), rng.normal(size=(3, 5))
    rows = Rows(layer.order, layer.columns, layer.starts, "numpy")
    gradient_check(lambda x: SparseProduct.apply(x, layer.values.detach(), None, rows), x)
    there = layer.columns < 5  # fillers are no numbers of the layer
    layer(Tensor(x)).sum().backward()
    print("largest gradient at a filler:", np.abs(layer.values.grad[~there]).max(initial=0))


if __name__ == "__main__":
    check_sparse_gradients()

# %% [markdown]
r"""
### When does it pay?

Twice you may guess before you look. From which sparsity on is CSR *smaller* than the dense matrix, if a column number takes four bytes like a value, and if it takes two? And from which on is it *faster*, for 64 samples at a time? (Each of the two cells takes some seconds.)
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "analyze-sparse-storage-formats", "locked": true, "schema_version": 3, "solution": false, "task": false}
def analyze_sparse_storage_formats():
    """Bytes of a 1000 x 1000 matrix: dense, COO, CSR, CSC, and as SparseLinear keeps it."""
    rng, wide = np.random.default_rng(0), np.int32
    weight = rng.normal(size=(1000, 1000)).astype(np.float32)
    shares = [0.1, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95]
    sizes = {"dense": [], "COO": [], "CSR": [], "CSC": [], "SparseLinear": []}
    for share in shares:
        sparse = weight * magnitude_mask(weight, share)
        rows, columns = (part.astype(wide) for part in np.nonzero(sparse))
        by_row, by_column = to_csr(sparse), to_csr(sparse.T)
        layer = SparseLinear(sparse, engine="numpy")
        kept = {
            "dense": [sparse], "COO": [sparse[rows, columns], rows, columns],
            "CSR": [by_row[0], *(part.astype(wide) for part in by_row[1:])],
            "CSC": [by_column[0], *(part.astype(wide) for part in by_column[1:])],
            "SparseLinear": state_arrays(layer).values(),
        }  # fmt: skip
        for name, arrays in kept.items():
            sizes[name].append(sum(array.nbytes for array in arrays) / 1e6)
    print(f"{'zeros':>12}" + "".join(f"{share:8.0%}" for share in shares))
    for name, megabytes in sizes.items():
        print(f"{name:12}" + "".join(f"{size:8.2f}" for size in megabytes), "MB")
    for name in ("COO", "CSR", "CSC", "SparseLinear"):
        pays = [share for share, size in zip(shares, sizes[name], strict=True) if size < 4]
        print(f"{name} is smaller than dense from {pays[0]:.0%} of zeros on (of those tried)")
    fig, axes = plt.subplots(figsize=(5, 3))
    for (name, megabytes), marker in zip(sizes.items(), "sov^x", strict=True):
        axes.plot(shares, megabytes, f"{marker}-", label=name)
    axes.set(xlabel="sparsity", ylabel="megabytes", ylim=(0, None))
    axes.legend(fontsize=7)
    show(fig, alt="Bytes by sparsity: dense is flat; COO, CSR, CSC and ours fall and cross it")


if __name__ == "__main__":
    analyze_sparse_storage_formats()

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "analyze-pruning-inference-speedup", "locked": true, "schema_version": 3, "solution": false, "task": false}
def analyze_pruning_inference_speedup():
    """Milliseconds of a layer for 64 samples: dense, masked, your loop, SparseLinear, thinner."""
    keep_freed_memory()
    rng, size = np.random.default_rng(0), 1024
    x = Tensor(rng.normal(size=(64, size)))
    engines = ["numpy"] + ["scipy"] * (scipy_csr() is not None)
    curves = {"dense, masked": [], "your loop": [], **{f"SparseLinear, {e}": [] for e in engines},
              "fewer rows": []}  # fmt: skip
    shares = [0.5, 0.8, 0.9, 0.95, 0.98]
    for share in shares:
        layer = magnitude_prune(Linear(size, size), share)
        csr = to_csr(layer.weight.data)
        thin = Linear(size, max(1, round(size * (1 - share))))
        ways = {"dense, masked": layer, "fewer rows": thin}
        ways["your loop"] = lambda x, csr=csr: csr_product(*csr, x.data)
        for engine in engines:
            ways[f"SparseLinear, {engine}"] = SparseLinear.from_linear(layer, engine)
        with no_grad():
            for name, timing in compare(ways, x, samples=5).items():
                curves[name].append(timing.low_ms)
    full = bench(Linear(size, size), x).low_ms
    print(f"dense, nothing pruned: {full:.2f} ms")
    print(f"{'zeros':>20}" + "".join(f"{share:8.0%}" for share in shares))
    fig, axes = plt.subplots(figsize=(5, 3))
    for (name, times), marker in zip(curves.items(), "sov^x", strict=False):
        print(f"{name:20}" + "".join(f"{ms:8.2f}" for ms in times), "ms")
        axes.semilogy(shares, times, f"{marker}-", label=name)
    axes.set(xlabel="sparsity", ylabel="ms for 64 samples")
    axes.legend(fontsize=7)
    show(fig, alt="Time by sparsity: masked is flat, sparse layers cross it late, fewer rows early")


if __name__ == "__main__":
    analyze_pruning_inference_speedup()

# %% [markdown]
r"""
Memory breaks even where theory says (a value and its column number against one number), speed much later: a dense product reads its numbers in a row and multiplies 8 or 16 at once, a sparse one must first collect what belongs together. Where your loop
and `SparseLinear` differ although they multiply the same numbers, you see what the order of work costs. And the last line computes a *different*, smaller layer, with no sparse format at all: if the accuracy allows it, nothing is simpler.
"""

# %% [markdown]
r"""
## Two thin matrices

A third way to fewer numbers removes none of the weights and all of the repetition. If the rows of a matrix resemble each other, it is nearly a product of two thin ones, $W \approx A B$ with $A$ of shape (out, r) and $B$ of shape (r, in): r (out + in) numbers instead of
out times in. At which r does a 512 x 512 layer begin to gain?

Which thin pair is the best one has been known since 1936 (Eckart and Young): write $W = U\, \mathrm{diag}(s)\, V$ with the singular values $s$ falling, and keep the first r. What it costs is known, too, before you try:
$\lVert W - W_r \rVert_F = \sqrt{s_{r+1}^2 + s_{r+2}^2 + \cdots}$, the tail that you dropped.
"""


# %% nbgrader={"grade": false, "grade_id": "low-rank", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def low_rank_approximate(
    weight: np.ndarray, rank_ratio: float = 0.5
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Keep the strongest directions of a matrix.

    Args:
        weight: shape (out, in).
        rank_ratio: share of the min(out, in) singular values that stay, in [0, 1]; at least one
            stays: r = max(1, round(rank_ratio * min(out, in))).

    Returns:
        U, shape (out, r); S, shape (r,), falling; V, shape (r, in); U @ np.diag(S) @ V is the best
        matrix of rank r.

    Raises:
        ShapeError: the weight is no matrix.
        ValueError: a rank_ratio outside [0, 1].

    TODO: cut the decomposition.
    APPROACH: 1. the rank  2. decompose  3. the first r columns of U, of s, and rows of V
    EXAMPLE:
        >>> U, S, V = low_rank_approximate(np.float32([[1, 2], [2, 4]]), 0.5)
        >>> (U * S @ V).round(4)
        array([[1., 2.],
               [2., 4.]], dtype=float32)

    HINT: `np.linalg.svd(weight, full_matrices=False)` returns U, s, V; V's rows belong to s.
    """
    check_matrix(weight, rank_ratio)
    ### BEGIN SOLUTION
    rank = max(1, round(rank_ratio * min(weight.shape)))
    U, S, V = np.linalg.svd(weight, full_matrices=False)
    return U[:, :rank], S[:rank], V[:rank]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-low-rank", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_low_rank():
    """Shapes, the error against the tail, and the least that is kept."""
    w = np.random.default_rng(6).normal(size=(6, 4)).astype(np.float32)
    s = np.linalg.svd(w, compute_uv=False)
    shapes = [(6, 2), (2,), (2, 4)]
    check_equal(lambda: [part.shape for part in low_rank_approximate(w, 0.5)], shapes)
    U, S, V = low_rank_approximate(w, 0.5)
    check_close(lambda: np.linalg.norm(U * S @ V - w), np.sqrt(s[2] ** 2 + s[3] ** 2), atol=1e-4)
    check_equal(lambda: low_rank_approximate(w, 0.0)[1].shape, (1,))
    ### BEGIN HIDDEN TESTS
    U, S, V = low_rank_approximate(w.T, 0.75)
    check_close(lambda: np.linalg.norm(U * S @ V - w.T), s[3], atol=1e-4)
    check_close(lambda: low_rank_approximate(w, 1.0)[1], s, atol=1e-4)
    check_equal(lambda: low_rank_approximate(w, 0.4)[1].shape, (2,))
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_low_rank()

# %% [markdown]
r"""
As a layer, the two factors are two linear layers without a bend between them: first (in -> r), then (r -> out). Multiplying them out beforehand would undo the saving, so `forward` never does. Each factor gets the root of S, so that neither is much larger than the other when training goes on.
"""


# %% nbgrader={"grade": false, "grade_id": "given-low-rank-linear", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class LowRankLinear(Module):
    """A linear layer as two thin ones: y = (x @ inner.T) @ outer.T + bias.

    Args:
        weight: shape (out, in), to be approximated; it is not kept.
        bias: shape (out,), or None.
        rank_ratio: see low_rank_approximate.

    Attributes:
        inner, outer: Parameters of shape (r, in) and (out, r).

    Raises:
        ShapeError, ValueError: see low_rank_approximate; or the bias does not fit.

    Example:
        >>> LowRankLinear.from_linear(Linear(64, 32), 0.25).inner.shape
        (8, 64)
    """

    def __init__(self, weight: Any, bias: Any = None, rank_ratio: float = 0.5) -> None:
        weight = as_array(weight)
        U, S, V = low_rank_approximate(weight, rank_ratio)
        self.out_features, self.in_features = weight.shape
        root = np.sqrt(S)
        self.inner = Parameter((V.T * root).T)  # (r, in)
        self.outer = Parameter(U * root)  # (out, r)
        self.bias = bias_for(self, bias)

    @classmethod
    def from_linear(cls, layer: Linear, rank_ratio: float = 0.5) -> "LowRankLinear":
        """The nearest layer of a lower rank; the numbers are copied."""
        return cls(layer.weight, layer.bias, rank_ratio)

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out)."""
        return linear(linear(x, self.inner), self.outer, self.bias)

    def extra_repr(self) -> str:
        sizes = f"in_features={self.in_features}, out_features={self.out_features}"
        return f"{sizes}, rank={len(self.inner)}"


@flops_of(LowRankLinear)
def low_rank_flops(layer: LowRankLinear, out: Tensor, x: Tensor) -> int:
    """Two for each number of both factors, and sample."""
    rank, size = layer.inner.shape
    return 2 * (x.numel() // size) * rank * (size + len(layer.outer))


# %% [markdown]
r"""
How quickly do the singular values of a *trained* layer fall, next to those of the random numbers that it started from? The left picture answers; the right one says what that is worth.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "analyze-ranks", "locked": true, "schema_version": 3, "solution": false, "task": false}
def analyze_ranks():
    """Singular values of a trained layer, and digits read by rank."""
    manual_seed(0)
    start = DigitsMLP(64)
    trained = train_digits(copy.deepcopy(start), epochs=10)
    fig, axes = plt.subplots(1, 2, figsize=(8, 3))
    for model, name, marker in ((start, "random", "x"), (trained, "trained", "o")):
        S = low_rank_approximate(model.hidden.weight.data, 1.0)[1]
        axes[0].plot(range(1, 65), S / S[0], f"{marker}-", label=name, markersize=3)
    axes[0].set(xlabel="number", ylabel="singular value / largest", ylim=(0, None))
    axes[0].legend()
    ranks, shares = [2, 4, 8, 12, 16, 24, 31], []
    for rank in ranks:
        model = copy.deepcopy(trained)
        model.hidden = LowRankLinear.from_linear(trained.hidden, rank / 64)
        shares.append(100 * right(model))
    axes[1].plot(ranks, shares, "o-")
    axes[1].axhline(100 * right(trained), linestyle="--", color="grey")
    axes[1].set(xlabel="rank (below 32 it saves numbers)", ylabel="% of new digits right")
    show(fig, alt="Singular values fall faster after training; accuracy climbs to a dashed line")
    pairs = zip(ranks, shares, strict=True)
    print(", ".join(f"rank {rank}: {share:.1f} %" for rank, share in pairs))


if __name__ == "__main__":
    analyze_ranks()

# %% [markdown]
r"""
## A teacher

The fourth way keeps none of the weights. Train a *small* network, and let the large one tell it more than the labels do. A label says "3". The teacher says "3, though it might be an 8, and certainly no 1": its probabilities say what
resembles what (**distillation**; Hinton, Vinyals and Dean, *Distilling the knowledge in a neural network*, 2015). A sure teacher rounds all that away, so both divide their logits by a temperature $T$ first:

```
teacher's logits         9     5     1           probabilities at T = 1    0.98  0.02  0.00
                                                               at T = 4    0.67  0.24  0.09
```

With $p = \mathrm{softmax}(\text{teacher} / T)$ and $q = \mathrm{softmax}(\text{student} / T)$, the student minimises a mixture: how far $q$ is from $p$ (the Kullback-Leibler divergence), and the loss on the labels as ever, at $T = 1$:

$$L = \alpha\, T^2\, \frac1N \sum_n \sum_c p_{nc}\,(\log p_{nc} - \log q_{nc}) \;+\; (1 - \alpha)\, \mathrm{CE}(\text{student}, \text{labels})$$

Where does $T^2$ come from? The gradient of the sum for a logit of the student is $(q - p)/T$, and at a high temperature $q - p$ shrinks with $1/T$ as well. $T^2$ makes up for both, so that $\alpha$ means the same at every temperature.
"""


# %% nbgrader={"grade": false, "grade_id": "distillation-loss", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def distillation_loss(
    student_logits: Tensor, teacher_logits: Tensor, labels: Any, temperature: float, alpha: float
) -> Tensor:
    """Mix how far the student is from its teacher with how far it is from the labels.

    Args:
        student_logits: shape (N, C); gradients flow to it.
        teacher_logits: shape (N, C); none flow to it.
        labels: class numbers, shape (N,).
        temperature: T, above 0.
        alpha: share of the teacher's part, in [0, 1].

    Returns:
        Tensor of one number.

    TODO: the formula.
    APPROACH: 1. the teacher's numbers without a graph  2. log p and log q at T
        3. the divergence: a sum over the classes, a mean over the samples  4. the mixture
    EXAMPLE:
        >>> wrong, sure = Tensor([[0, 0]]), Tensor([[0, 4]])
        >>> round(distillation_loss(wrong, sure, [1], temperature=2, alpha=1).item(), 2)
        1.31

    HINT: `log_softmax(x, axis=-1)` is exact where a softmax rounds to 0; p is its `exp()`;
        `x.detach()` has no graph.
    """
    ### BEGIN SOLUTION
    log_p = log_softmax(teacher_logits.detach() / temperature, axis=-1)  # (N, C)
    log_q = log_softmax(student_logits / temperature, axis=-1)
    divergence = (log_p.exp() * (log_p - log_q)).sum(axis=-1).mean()
    soft = divergence * temperature**2
    return alpha * soft + (1 - alpha) * cross_entropy(student_logits, labels)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-distillation-loss", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_unit_distillation_loss():
    """Either part alone, a mixture, a student that agrees, and whose gradient it is."""
    student, teacher = Tensor([[1, 2, 0], [0, 0, 3]]), Tensor([[9, 5, 1], [0, 1, 2]])
    y = np.array([0, 2])
    check_close(lambda: distillation_loss(student, teacher, y, 4, 0).item(), 0.7513, atol=1e-3)
    check_close(lambda: distillation_loss(student, teacher, y, 4, 1).item(), 2.1670, atol=1e-3)
    check_close(lambda: distillation_loss(student, teacher, y, 1, 0.5).item(), 0.7666, atol=1e-3)
    check_close(lambda: distillation_loss(teacher, teacher, y, 4, 1).item(), 0, atol=1e-5)
    mine, theirs = (Tensor(t.data, requires_grad=True) for t in (student, teacher))
    distillation_loss(mine, theirs, y, 4, 1).backward()
    check_equal(lambda: theirs.grad is None, True)
    p, q = ((np.exp(t.data / 4).T / np.exp(t.data / 4).sum(axis=1)).T for t in (teacher, student))
    check_close(lambda: mine.grad, 4 * (q - p) / 2, atol=1e-4)
    ### BEGIN HIDDEN TESTS
    far = Tensor([[900, 0, -900]])
    check_close(lambda: distillation_loss(Tensor([[0, 0, 0]]), far, [0], 1, 1).item(), np.log(3))
    rng = np.random.default_rng(7)
    a, b, labels = rng.normal(size=(5, 4)), rng.normal(size=(5, 4)), np.array([0, 3, 1, 1, 2])
    gradient_check(lambda s: distillation_loss(s, Tensor(b), labels, 2.5, 0.3), a)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_distillation_loss()

# %% [markdown]
r"""
`KnowledgeDistillation(teacher, student, temperature=3.0, alpha=0.7)` holds the pair. Called with inputs and labels it asks the teacher, in evaluation and without a graph, and the student, and returns your loss: `backward()` and a step
follow as in any training.
"""


# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "given-distillation", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def parts_of(model: Module) -> set[int]:
    """The ids of a model's parameters and modules."""
    return {id(part) for part in (*model.parameters(), *dict(model.named_modules()).values())}


class KnowledgeDistillation:
    """A small network that learns from a large one.

    Args:
        teacher: trained; it is put into evaluation, for each batch anew, and never changed.
        student: to be trained, by an optimizer of its own parameters.
        temperature: above 0; both are softened by it.
        alpha: share of the teacher's part in the loss, in [0, 1].

    Raises:
        TypeError, ValueError: what is wrong with these.

    Example:
        >>> pair = KnowledgeDistillation(Linear(4, 3), Linear(4, 3))
        >>> pair(Tensor(np.ones((2, 4))), [0, 2]).backward()
        >>> pair.teacher.weight.grad is None, pair.student.weight.grad.shape
        (True, (3, 4))
    """

    def __init__(self, teacher: Module, student: Module, temperature: float = 3.0,
                 alpha: float = 0.7) -> None:
        for name, model in (("teacher", teacher), ("student", student)):
            if not isinstance(model, Module):
                raise TypeError(f"the {name} is a Module, not a {type(model).__name__}.")
        if teacher is student:
            raise ValueError("teacher and student are one network: there is nothing to learn.")
        if parts_of(teacher) & parts_of(student):
            raise ValueError("teacher and student share numbers, and training would change them in "
                             "both: give the student its own, with copy.deepcopy(teacher).")
        if not 0 < temperature < np.inf:
            raise ValueError(f"temperature is a number above 0, not {temperature}.")
        self.temperature, self.alpha = float(temperature), check_share("alpha", alpha)
        self.teacher, self.student = teacher.eval(), student

    def __call__(self, inputs: Any, labels: Any) -> Tensor:
        """The student's loss on a batch, with a graph that leads to the student alone."""
        with no_grad():
            teacher_logits = self.teacher.eval()(inputs)
        return self.distillation_loss(self.student(inputs), teacher_logits, labels)

    def distillation_loss(self, student_logits: Tensor, teacher_logits: Tensor,
                          true_labels: Any) -> Tensor:
        """The mixture for logits that are there already; see the function of the same name.

        Raises:
            ShapeError: the logits have different shapes.
        """
        if student_logits.shape != teacher_logits.shape:
            raise ShapeError(f"distillation: the student answers with {student_logits.shape}, the "
                             f"teacher with {teacher_logits.shape}.")
        return distillation_loss(student_logits, teacher_logits, true_labels, self.temperature,
                                 self.alpha)

# %% [markdown]
r"""
A student with 16 hidden units sees 300 digits, once alone and once with a teacher of 128 units that has seen 1,400. Same first weights, same batches, four pairs. Which digits will the two of a pair differ on, and how many more will the taught one read? (Nine trainings take several seconds.)
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "analyze-distillation-effectiveness", "locked": true, "schema_version": 3, "solution": false, "task": false}
def analyze_distillation_effectiveness():
    """Students alone and with a teacher: accuracy, numbers, time of training and of answering."""
    manual_seed(0)
    teacher = train_digits(DigitsMLP(128), epochs=20)
    found = {"alone": [], "with a teacher": []}
    for seed in range(4):
        manual_seed(10 + seed)
        alone = DigitsMLP(16)
        taught = copy.deepcopy(alone)
        pair = KnowledgeDistillation(teacher, taught, temperature=8, alpha=0.9)
        found["alone"].append(right(train_digits(alone, 60, samples=300)))
        found["with a teacher"].append(right(train_digits(taught, 60, pair, samples=300)))
    for name, shares in found.items():
        four = ", ".join(f"{share:.1%}" for share in shares)
        print(f"{name:15} {four}: {np.mean(shares):.1%} on average")
    numbers = [sum(p.numel() for p in model.parameters()) for model in (teacher, taught)]
    x = Tensor(PIXELS[1400:])
    with no_grad():
        ms = compare({"teacher": lambda: teacher(x), "student": lambda: taught(x)}, samples=9)
    for (name, timing), count in zip(ms.items(), numbers, strict=True):
        print(f"the {name}: {count:,} numbers, {timing.low_ms:.2f} ms for 397 digits")
    print(f"the teacher reads {right(teacher):.1%}")
    with no_grad():
        logits = teacher(Tensor(PIXELS[1409:1410])).data[0]
    fig, (left, bars) = plt.subplots(1, 2, figsize=(7, 2.4))
    left.imshow(PIXELS[1409].reshape(8, 8), cmap="gray_r")
    left.set_title(f"label: {LABELS[1409]}")
    for temperature, shift in ((1, -0.2), (8, 0.2)):
        p = np.exp((logits - logits.max()) / temperature)
        bars.bar(np.arange(10) + shift, p / p.sum(), 0.4, label=f"T = {temperature}")
    bars.set(xlabel="digit", ylabel="teacher's probability", xticks=range(10))
    bars.legend()
    show(fig, alt="A digit, and its teacher's probabilities at two temperatures: sharp and soft")


if __name__ == "__main__":
    analyze_distillation_effectiveness()

# %% [markdown]
r"""
## One call, and what it cost

The last folded cell runs the ways one after another, in the order that makes sense (removing units first, then rank, then magnitudes, then CSR), and measures after each: numbers trained, bytes kept, share of zeros, and what your `evaluate(model)` says.
`fine_tune(model)` is called after each step that changed what the model computes.

    report = compress_model(model, {"magnitude_prune": 0.9, "sparse": True}, evaluate=right)

`CompressionComplete` holds the same functions under one name, and `measure_model` is what the report is made of.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "given-compress-model", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
@dataclass(frozen=True)
class Measurement:
    """What a model is at one moment.

    parameters: numbers that training may change.
    bytes:      of all arrays that it keeps: parameters, buffers, masks; a shared one once.
    sparsity:   share of its weights that is zero, see measure_sparsity.
    accuracy:   what `evaluate` said, or None.
    """

    step: str
    parameters: int
    bytes: int
    sparsity: float
    accuracy: float | None = None

    def __str__(self) -> str:
        said = "" if self.accuracy is None else f"{self.accuracy:9.1%}"
        numbers = f"{self.parameters:12,}{self.bytes:12,}{self.sparsity:10.1%}"
        return f"{self.step:18}{numbers}{said}"


@dataclass(frozen=True)
class CompressionReport:
    """A Measurement before, after each step, and so at the end; `print(report)` shows the table."""

    rows: tuple[Measurement, ...] = field(default_factory=tuple)

    @property
    def before(self) -> Measurement:
        """The model as it came."""
        return self.rows[0]

    @property
    def after(self) -> Measurement:
        """The model as it is."""
        return self.rows[-1]

    @property
    def ratio(self) -> float:
        """How many times fewer bytes."""
        return self.before.bytes / max(self.after.bytes, 1)

    def __str__(self) -> str:
        head = f"{'':18}{'parameters':>12}{'bytes':>12}{'zeros':>10}"
        told = f"{'right':>9}" if self.before.accuracy is not None else ""
        return "\n".join([head + told, *map(str, self.rows)])


Evaluate = Callable[[Module], float]


def measure_model(model: Module, step: str = "", evaluate: Evaluate | None = None) -> Measurement:
    """Count and weigh a model as it is.

    Example:
        >>> measure_model(Linear(10, 5)).bytes
        220
    """
    kept = sum(array.nbytes for array in state_arrays(model).values())
    count = sum(parameter.numel() for parameter in model.parameters())
    said = None if evaluate is None else float(evaluate(model))
    return Measurement(step, count, kept, measure_sparsity(model), said)


def replace_layers(model: Module, make: Callable[[Linear], Module | None]) -> int:
    """Put make(layer) where each Linear stands: on attributes, in lists and in dicts.

    A layer is left alone where make returns None, or when it shares its weight with another.

    Returns:
        How many layers were replaced.

    Raises:
        ValueError: the model is itself a Linear, and nobody holds it.
    """
    if isinstance(model, Linear):
        raise ValueError("the model is a single Linear, which nothing holds: replace it yourself, "
                         "with SparseLinear.from_linear(layer) or LowRankLinear's.")
    new: dict[int, Module] = {}
    for _, part in model.named_modules():
        if isinstance(part, Linear) and homes(model, part.weight) == 1:
            made = make(part)
            if made is not None:
                new[id(part)] = made.train(part.training)
    for _, owner in model.named_modules():
        for name, value in list(vars(owner).items()):
            changed = replaced(value, new)
            if changed is not value:
                setattr(owner, name, changed)
    return len(new)


def replaced(value: Any, new: dict[int, Module]) -> Any:
    """A value with the modules in it exchanged, or itself; lists and dicts change in place."""
    if isinstance(value, list | dict):
        for key, item in list(value.items() if isinstance(value, dict) else enumerate(value)):
            value[key] = replaced(item, new)
    elif isinstance(value, tuple) and any(replaced(item, new) is not item for item in value):
        return tuple(replaced(item, new) for item in value)
    return new.get(id(value), value) if isinstance(value, Module) else value


def make_sparse(model: Module) -> Module:
    """Replace every Linear that is smaller in CSR, in place."""

    def make(layer: Linear) -> SparseLinear | None:
        sparse = SparseLinear.from_linear(layer)
        return sparse if measure_model(sparse).bytes < measure_model(layer).bytes else None

    replace_layers(model, make)
    return model


def make_low_rank(model: Module, rank_ratio: float, exclude: Sequence[str] = ()) -> Module:
    """Replace every Linear that has fewer numbers as two thin ones, in place.

    Raises:
        TypeError, ValueError: see check_share, prunable and replace_layers; or a layer to replace
            has a mask, which would be lost. Nothing has changed then.
    """
    share = check_share("rank_ratio", rank_ratio)
    paths = {id(weight.parameter): weight.path for weight in prunable(model, exclude)}

    def make(layer: Linear) -> LowRankLinear | None:
        thin = LowRankLinear.from_linear(layer, share)
        fewer = thin.inner.numel() + thin.outer.numel() < layer.weight.numel()
        if not fewer or id(layer.weight) not in paths:
            return None
        if layer.weight.mask is not None:
            raise ValueError(f"{paths[id(layer.weight)]} has a mask, and two thin matrices have no "
                             "place for it: forget_masks(model) first, or make the rank low before "
                             "pruning.")
        return thin

    replace_layers(model, make)
    return model


STEPS: dict[str, tuple[str, Callable[..., Module]]] = {  # in this order: share's name, function
    "structured_prune": ("prune_ratio", structured_prune),
    "low_rank": ("rank_ratio", make_low_rank),
    "magnitude_prune": ("sparsity", magnitude_prune),
    "sparse": ("", make_sparse),
}


def read_config(config: Any) -> dict[str, dict[str, Any]]:
    """The steps to take, in order, with their options as keyword arguments.

    Raises:
        TypeError: config is no dict, or an option no number where one is needed.
        ValueError: nothing to do, an unknown step, a share outside [0, 1].
    """
    if not isinstance(config, dict):
        raise TypeError(f"config is a dict such as {{'magnitude_prune': 0.9}}, not {config!r:.60}.")
    unknown = [name for name in config if name not in STEPS]
    if unknown or not config:
        problem = f"unknown step {unknown[0]!r}" if unknown else "an empty config"
        raise ValueError(f"compress_model: {problem}; the steps are {', '.join(STEPS)}.")
    steps = {}
    for name, (share, _) in STEPS.items():
        options = config.get(name)
        if name == "sparse":
            if options not in (None, True, False):
                raise TypeError(f"sparse is True or False, not {options!r:.60}.")
            options = {} if options else None
        elif options is not None:
            options = dict(options) if isinstance(options, dict) else {share: options}
            if share not in options:
                raise ValueError(f"{name} needs {share!r}: {name!r}: {{{share!r}: 0.5, ...}}.")
            check_share(share, options[share])
        if options is not None:
            steps[name] = options
    return steps


def compress_model(model: Module, config: dict[str, Any], evaluate: Evaluate | None = None,
                   fine_tune: Callable[[Module], Any] | None = None) -> CompressionReport:
    """Compress a model in place, step by step, and report what each step did.

    Args:
        model: a Module; copy.deepcopy(model) first keeps the original.
        config: step -> share, or a dict of the function's options: "structured_prune",
            "low_rank", "magnitude_prune"; and "sparse": True. Their order does not matter.
        evaluate: takes the model to a number such as its accuracy.
        fine_tune: trains the model after each step but the last, "sparse".

    Raises:
        TypeError, ValueError, ShapeError: see read_config and each step's function. The steps are
            tried on a copy first, so that nothing has changed then.

    Example:
        >>> model = Module()
        >>> model.layer = Linear(64, 32)
        >>> report = compress_model(model, {"magnitude_prune": 0.9, "sparse": True})
        >>> report.ratio > 4, round(report.after.sparsity, 2)
        (True, 0.9)
    """
    steps = read_config(config)
    prunable(model)
    rehearsal = copy.deepcopy(model)
    for name, options in steps.items():
        STEPS[name][1](rehearsal, **options)
    rows = [measure_model(model, "before", evaluate)]
    for name, options in steps.items():
        STEPS[name][1](model, **options)
        if fine_tune is not None and name != "sparse":
            fine_tune(model)
        rows.append(measure_model(model, name, evaluate))
    return CompressionReport(tuple(rows))


class CompressionComplete:
    """The functions of this module under one name.

    Example:
        >>> CompressionComplete.measure_sparsity(Linear(3, 2))
        0.0
    """

    measure_sparsity = staticmethod(measure_sparsity)
    magnitude_prune = staticmethod(magnitude_prune)
    structured_prune = staticmethod(structured_prune)
    low_rank_approximate = staticmethod(low_rank_approximate)
    compress_model = staticmethod(compress_model)
    KnowledgeDistillation = KnowledgeDistillation


# %% [markdown]
r"""
## Measure: which way for which purpose?

All ways on one network of 64 - 128 - 10, each with three epochs of repair, weighed and timed. The profiler of module 14 says the same of one of them in its own words. Before you look: which line has the fewest bytes, which is the fastest, and is it the same one?
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "demo-compression-with-profiler", "locked": true, "schema_version": 3, "solution": false, "task": false}
def demo_compression_with_profiler():
    """What the Profiler of module 14 sees before and after."""
    manual_seed(0)
    profiler, x = Profiler(), Tensor(PIXELS[:64])
    dense = DigitsMLP(256)
    models = {"dense": dense, "masked": magnitude_prune(copy.deepcopy(dense), 0.95)}
    models["sparse"] = copy.deepcopy(dense)
    each = {"sparsity": 0.95, "per_layer": True}
    compress_model(models["sparse"], {"magnitude_prune": each, "sparse": True})
    models["half"] = structured_prune(copy.deepcopy(dense), 0.5, readers={"hidden": "output"})
    print(f"{'':8}{'parameters':>12}{'not zero':>10}{'bytes':>10}{'FLOPs':>12}{'ms':>8}")
    for name, model in models.items():
        counts = profiler.count_parameters(model), profiler.count_nonzero(model)
        flops, ms = profiler.count_flops(model, x), profiler.measure_latency(model, x).low_ms
        print(f"{name:8}{counts[0]:12,}{counts[1]:10,}", end="")
        print(f"{profiler.model_bytes(model):10,}{flops:12,}{ms:8.3f}")


def analyze_with_profiler():
    """The demonstration: its times are measured."""
    demo_compression_with_profiler()


if __name__ == "__main__":
    analyze_with_profiler()

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "analyze-compression-techniques", "locked": true, "schema_version": 3, "solution": false, "task": false}
def analyze_compression_techniques():
    """Accuracy, bytes and time of every way, and a picture of the first two."""
    manual_seed(0)
    trained = train_digits(DigitsMLP(128), epochs=10)
    masks = {"magnitude_prune": 0.9}
    thin = {"low_rank": {"rank_ratio": 0.12, "exclude": ["output"]}}
    fewer = {"structured_prune": {"prune_ratio": 0.75, "readers": {"hidden": "output"}}}
    configs = {"as trained": None, "masks 90 %": masks, "CSR 90 %": masks | {"sparse": True},
               "rank 8 of 64": thin, "a quarter of units": fewer,
               "units, masks, CSR": fewer | {"magnitude_prune": 0.7, "sparse": True}}  # fmt: skip
    models = {}
    for name, config in configs.items():
        models[name] = copy.deepcopy(trained)
        if config:
            compress_model(models[name], config, fine_tune=lambda m: train_digits(m, 3, lr=0.002))
    manual_seed(1)
    student = models["student of 32"] = DigitsMLP(32)
    train_digits(student, 10, KnowledgeDistillation(trained, student, temperature=4, alpha=0.8))
    x = Tensor(PIXELS[:64])
    with no_grad():
        times = compare(models, x, samples=9)
    fig, axes = plt.subplots(figsize=(5, 3))
    print(f"{'':20}{'bytes':>10}{'zeros':>8}{'right':>8}{'ms for 64':>11}")
    for (name, model), marker in zip(models.items(), "sovx^DP", strict=True):
        row = measure_model(model, name, right)
        print(f"{name:20}{row.bytes:10,}{row.sparsity:8.0%}{row.accuracy:8.1%}", end="")
        print(f"{times[name].low_ms:11.3f}")
        axes.plot(row.bytes / 1e3, 100 * row.accuracy, marker, label=name)
    axes.set(xlabel="kilobytes", ylabel="% of new digits right", xlim=(0, None), ylim=(80, 95))
    axes.legend(fontsize=6, loc="lower center", ncols=2)
    show(fig, alt="Accuracy by bytes for seven networks; best is the upper left corner")


if __name__ == "__main__":
    analyze_compression_techniques()

# %% [markdown]
r"""
At this size all of them take a fraction of a millisecond, and what a layer costs to *call* drowns what it computes; the larger layer further up showed the rates. Large deployments combine the ways: DistilBERT keeps 97 % of BERT's score with 40 % fewer parameters (Sanh et al., 2019), and Deep Compression
(Han, Mao and Dally, 2016) took AlexNet from 240 MB to 6.9 MB with pruning, quantization (module 16) and a good code for what was left.
"""

# %% nbgrader={"grade": true, "grade_id": "test-module-compression", "locked": true, "points": 15, "schema_version": 3, "solution": false, "task": false}
def test_module():
    """A trained network of digits, pruned and tuned, written as CSR; thinner; and as a student."""
    manual_seed(0)
    teacher, steps = train_digits(DigitsMLP(64), epochs=3), {"magnitude_prune": 0.8, "sparse": True}
    sparse, thin, small = (copy.deepcopy(teacher) for _ in range(3))
    report = compress_model(sparse, steps, right, lambda model: train_digits(model, 2, lr=0.002))
    print(report)
    check_close(lambda: report.after.sparsity, 0.8, atol=1e-3)
    check_equal(lambda: report.after.accuracy > report.before.accuracy - 0.04, True)
    structured_prune(small, 0.5, readers={"hidden": "output"})
    check_equal(lambda: small.output.weight.shape, (10, 32))
    pair = KnowledgeDistillation(teacher, small, temperature=4, alpha=0.8)
    check_equal(lambda: right(train_digits(small, 2, pair)) > right(teacher) - 0.04, True)
    compress_model(thin, {"low_rank": {"rank_ratio": 0.25, "exclude": ["output"]}})
    check_equal(lambda: right(thin) > 0.6, True)
    ### BEGIN HIDDEN TESTS
    check_equal(lambda: type(sparse.hidden).__name__, "SparseLinear")
    check_close(lambda: CompressionComplete.measure_sparsity(sparse), 0.8, atol=1e-3)
    heavy = SGD(thin.parameters(), lr=0.01, momentum=0.9, weight_decay=0.1)
    thin(Tensor(PIXELS[:50])).sum().backward()
    heavy.step()
    magnitude_prune(thin, 0.5)
    for _ in range(3):
        heavy.step()
    check_close(lambda: measure_sparsity(thin), 0.5, atol=1e-2)
    check_raises(ValueError, lambda: compress_model(thin, {"trim": 0.5}), mentions=["trim"])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_module()

# %% [markdown]
r"""
**Question.** A colleague prunes 90 % of a network's weights by magnitude, finds that file and latency are exactly as before, and concludes that pruning is useless. Name what they did get, and two different next steps, one that
would make the file smaller and one that would make the network faster on an ordinary processor. When would you take neither?
"""

# %% [markdown] nbgrader={"grade": true, "grade_id": "q-nothing-gained", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
r"""
They got a statement about the network: a tenth of its weights is enough. A dense array of zeros has as many bytes and takes as many multiplications as before. Writing it as CSR (or just compressing the file) makes it smaller, from about half of zeros on, since each value
brings its column number. Faster on an ordinary processor it gets when whole units or filters go and dense, smaller matrices remain, or when so little is left (far below a tenth) that gathering costs less than multiplying. If accuracy with fewer numbers is all that is needed, distilling
a small dense network may give both without any sparse format; and if neither bytes nor time matter, one keeps the network that is easiest to maintain.
"""

# %% [markdown]
r"""
**To think about.** `magnitude_prune` never looks at the data. What would you remove first if you knew how large the *input* of each weight usually is?

You have taken a framework from one array to a compressed network, and every figure on the way was measured on your machine. This is the last page. What next? `tito milestone list` names seven programs that wait for your framework, from the perceptron of 1957 to a language model, and to two networks on a
diet of the last pages; `tito milestone run` and a name start one. And what is left to gain lies below NumPy, in compiled kernels: PyTorch has them, under the names that you know from here.
"""
