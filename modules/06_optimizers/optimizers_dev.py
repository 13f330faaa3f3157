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
# Module 06: Optimizers

A gradient says which way is down *here*, for an instant. Training is a long walk of such instants, and what you remember from one to
the next decides how many of them it takes. Today you build what SGD with momentum, RMSprop, Adam and AdamW remember.

**Needs** `Tensor` (01), `relu` (02), layers (03), losses (04), autograd (05) | **Exports** `tinytorch.core.optimizers` | **About** 3 hours | **Points** 60
"""

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| default_exp core.optimizers
#| export
from collections.abc import Iterator
from numbers import Real
from typing import Any

import numpy as np

from tinytorch.core.layers import Parameter
from tinytorch.core.tensor import Tensor

# %% nbgrader={"grade": false, "grade_id": "page-imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
import matplotlib.pyplot as plt  # this page only: plots and measurements are not exported

from tinytorch.core.activations import relu
from tinytorch.core.autograd import no_grad
from tinytorch.core.layers import Linear, Module
from tinytorch.core.losses import cross_entropy
from tinytorch.core.tensor import manual_seed

from tito.lab import bench, check_close, check_equal, check_raises, compare, load_digits
from tito.lab import peak_bytes, show

# %% [markdown]
r"""
## One step

In module 05 you trained with one line, $p \leftarrow p - lr\, g$: against the gradient $g$, by a **learning rate** $lr$. Every optimizer
of this module is such a rule. It gets the numbers `p` of a parameter and its gradient `g`, two arrays of one shape, and changes `p`
**in place**:

```
p -= ...       writes into the array that the model holds
p = p - ...    makes a new array, which nobody sees when the function ends
```

`g` is not the rule's to change. `follow`, given, hands a rule one gradient after the other and notes where it goes: from 1, with
$lr = 0.1$ and gradients 10 and 1, to 0 and then to -0.1.
"""

# %% nbgrader={"grade": false, "grade_id": "follow", "locked": true, "schema_version": 3, "solution": false, "task": false}
def follow(update, start, gradients, memories=0, counted=False, **options) -> np.ndarray:
    """Let `update` move numbers that begin at `start`; return them after each gradient.

    `memories` arrays of zeros are handed to it, too; and the number of the step, if `counted`.
    """
    p = np.array(start, dtype=np.float32)
    memory, positions = [np.zeros_like(p) for _ in range(memories)], []
    for t, gradient in enumerate(gradients, start=1):
        count = [t] if counted else []
        update(p, np.array(gradient, dtype=np.float32), *memory, *count, **options)
        positions.append(p.copy())
    return np.array(positions)


def gradient_after(update, gradient, memories=0, **options) -> np.ndarray:
    """A gradient after one `update` with it: it should be as it was."""
    g = np.array(gradient, dtype=np.float32)
    update(np.zeros_like(g), g, *[np.zeros_like(g) for _ in range(memories)], **options)
    return g

# %% nbgrader={"grade": false, "grade_id": "sgd", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def sgd_update(p: np.ndarray, g: np.ndarray, lr: float) -> None:
    """Move p against its gradient, in place.

    Args:
        p: numbers of a parameter, to be changed in place.
        g: gradient of the same shape, not to be changed.
        lr: learning rate.

    TODO: one step of plain gradient descent.
    APPROACH: 1. lr times the gradient  2. take it away from p, in place
    EXAMPLE:
        >>> p = np.float32([1, 2])
        >>> sgd_update(p, np.float32([10, -20]), lr=0.1)
        >>> p
        array([0., 4.], dtype=float32)

    HINT: `-=` writes into the array.
    """
    ### BEGIN SOLUTION
    p -= lr * g
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-sgd", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_sgd():
    """Downhill, in place, and the gradient stays as it was."""
    check_close(
        lambda: follow(sgd_update, [1, 2], [[10, -20], [1, 1]], lr=0.1), [[0, 4], [-0.1, 3.9]]
    )
    ### BEGIN HIDDEN TESTS
    start, slopes = [[3, 0], [1, -1]], [[[1, 2], [3, 4]]] * 2
    check_close(
        lambda: follow(sgd_update, start, slopes, lr=0.5),
        [[[2.5, -1], [-0.5, -3]], [[2, -2], [-2, -5]]],
    )
    check_equal(lambda: sgd_update(np.float32([1, 1]), np.float32([2, -4]), lr=0.25), None)
    check_close(lambda: gradient_after(sgd_update, [2, -4], lr=0.25), [2, -4])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_sgd()

# %% [markdown]
r"""
## The ravine, and a ball that remembers

Loss surfaces are not bowls. They are ravines: steep across, nearly flat along. Take $f(x, y) = \frac{1}{2}(x^2 + 20 y^2)$, whose gradient is
$(x, 20y)$. Plain descent multiplies $x$ by $1 - lr$ and $y$ by $1 - 20\,lr$ in each step. With $lr = 0.095$:

```
y   1.00  -0.90   0.81  -0.73   0.66      over the valley and back: at lr = 0.1 it would never end
x  10.00   9.05   8.19   7.41   6.71      along the valley: hardly moves
```

The steep wall dictates the learning rate, and the flat floor pays for it. Now give the ball mass (Polyak 1964). It keeps a **velocity** $v$, of which the
share $\mu$ survives each step:

$$v \leftarrow \mu v + g \qquad\qquad p \leftarrow p - lr\, v$$

A gradient that is always 1 piles up, $1 + \mu + \mu^2 + \dots = 1/(1-\mu)$: ten times as fast for $\mu = 0.9$. One that alternates 1, -1, 1, -1
cancels, $1 - \mu + \mu^2 - \dots = 1/(1+\mu)$, about half. Momentum is a **low-pass filter**: slow trends pass and grow, fast oscillation is
damped. That is what a ravine asks for.

Nesterov's variant looks ahead: it steps along $g + \mu v$, with the *new* $v$, where the velocity is about to carry us (Sutskever et al.,
*On the importance of initialization and momentum*, 2013, in the form of PyTorch).
"""

# %% nbgrader={"grade": false, "grade_id": "momentum", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def momentum_update(
    p: np.ndarray, g: np.ndarray, v: np.ndarray, lr: float, momentum: float, nesterov: bool = False
) -> None:
    """Move p against its velocity, in place.

    Args:
        p, g: numbers of a parameter, to be changed in place, and their gradient, not to be changed.
        v: velocity that the last step left, to be changed in place.
        lr, momentum: learning rate; share of the velocity that survives a step.
        nesterov: look ahead, along g + momentum * v.

    TODO: the two formulas of the text, and Nesterov's direction.
    APPROACH: 1. the new velocity, in place  2. the direction: v, or g + momentum * v  3. p
    EXAMPLE:
        >>> p, v = np.float32([0]), np.float32([0])
        >>> for _ in range(2):
        ...     momentum_update(p, np.float32([1]), v, lr=1, momentum=0.5)
        >>> p, v
        (array([-2.5], dtype=float32), array([1.5], dtype=float32))

    HINT: `v *= momentum` writes into the array; `v = momentum * v + g` would leave it as it was.
    """
    ### BEGIN SOLUTION
    v *= momentum
    v += g
    direction = v
    if nesterov:
        direction = g + momentum * v
    p -= lr * direction
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-momentum", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_unit_momentum():
    """Steady gradients pile up, alternating ones cancel, and Nesterov looks ahead."""
    options = {"memories": 1, "lr": 1, "momentum": 0.5}
    check_close(lambda: follow(momentum_update, [0], [[1]] * 3, **options), [[-1], [-2.5], [-4.25]])
    check_close(
        lambda: follow(momentum_update, [0], [[1]] * 3, nesterov=True, **options),
        [[-1.5], [-3.25], [-5.125]],
    )
    ### BEGIN HIDDEN TESTS
    options = {"memories": 1, "lr": 1, "momentum": 0.9}
    check_close(
        lambda: np.diff(follow(momentum_update, [0], [[0.1]] * 100, **options)[-2:, 0]), [-1.0]
    )
    alternating = [[(-1) ** k] for k in range(100)]
    check_close(
        lambda: np.abs(np.diff(follow(momentum_update, [0], alternating, **options)[-2:, 0])),
        [1 / 1.9],
        rtol=1e-3,
    )
    options = {"memories": 1, "lr": 0.5, "momentum": 0.9, "nesterov": True}
    check_close(
        lambda: follow(momentum_update, [0, 0], [[1, -2], [3, 0]], **options),
        [[-0.95, 1.9], [-4.205, 2.71]],
    )
    for nesterov in (False, True):
        options = {"memories": 1, "lr": 0.5, "momentum": 0.5, "nesterov": nesterov}
        check_close(lambda: gradient_after(momentum_update, [4], **options), [4])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_momentum()

# %% [markdown]
r"""
## What every optimizer does

Around the rule everything is the same for all optimizers:

- **Groups.** Parameters come as a list, or as several groups with options of their own, as in PyTorch:
  `SGD([{"params": body}, {"params": head, "lr": 0.1}], lr=0.01)`.
- **State.** An optimizer remembers arrays *per parameter* (a velocity, an average) and how often it was moved.
- **Refusals.** A learning rate of -1, an empty list, a gradient of the wrong shape: say so *before* anything has moved.

The folded cell holds the groups, the refusals, and `step()`, which checks everything and then calls `move` for each parameter that has a
gradient. `move` is yours, below. A parameter of more than `BLOCK` elements is cut into pieces, since a rule works element by element; why the
machine likes that is measured at the end.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "optimizer-class", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
# Elements that are updated at a time: 256 KiB of float32, so that a piece stays in the cache.
BLOCK = 1 << 16


Named = dict[str, Any]  # options of a group, or what is remembered of a parameter


class Optimizer:
    """What all optimizers share: groups of parameters with options, a state, the loop of `step`.

    A subclass hands the defaults of its options to `__init__`, names the arrays that it remembers
    in `buffers`, and moves a parameter in `update`.

    Args:
        params: Tensors; or dicts {"params": Tensors, option: value, ...}, one for each group.
        defaults: the options of a group without its own; "lr" and "weight_decay" are among them.

    Raises:
        ValueError: see add_param_group.

    Attributes:
        param_groups: dicts {"params": [Tensor, ...], option: value, ...}; an option may be changed
            between steps.
        state: Tensor -> {"step": how often it was moved, buffer: array of the Tensor's shape}.
    """

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self.param_groups: list[dict[str, Any]] = []
        self.state: dict[Tensor, dict[str, Any]] = {}
        if isinstance(params, Tensor | dict):
            one, kind = type(params).__name__, type(self).__name__
            raise ValueError(f"{kind} takes a list of parameters, not one {one}: put it in [ ].")
        if hasattr(params, "parameters") or callable(params):
            kind, cure = type(self).__name__, "(model.parameters(), ...)"
            raise TypeError(f"{kind} takes a model's parameters, not the model: {kind}{cure}.")
        entries = list(params)
        grouped = any(isinstance(entry, dict) for entry in entries)
        for group in entries if grouped else [{"params": entries}]:
            self.add_param_group(group)

    def add_param_group(self, group: dict[str, Any]) -> None:
        """Take more parameters on board; options that `group` leaves out have their defaults.

        Raises:
            ValueError: no parameters, one given twice, something that is no parameter; an unknown
                option, one out of range.
        """
        group = check_group(group, self.defaults, type(self).__name__)
        known = {id(parameter) for parameter in self.parameters()}
        for place, parameter in enumerate(group["params"]):
            if id(parameter) in known:
                problem = f"parameter {place} of the group is given twice"
                raise ValueError(f"{problem}: it would be moved twice in a step.")
            known.add(id(parameter))
        self.param_groups.append(group)

    def parameters(self) -> list[Tensor]:
        """All parameters, group after group."""
        return [parameter for group in self.param_groups for parameter in group["params"]]

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget every parameter's gradient; it is None afterwards, never zeros."""
        for parameter in self.parameters():
            parameter.grad = None

    def step(self) -> None:
        """Move every parameter that has a gradient.

        Raises:
            RuntimeError: a graph still needs the numbers of a parameter; nothing has moved then.
            ValueError: a gradient of another shape than its parameter, or an option out of range;
                nothing has moved then.
        """
        groups = self.param_groups
        moves = [(p, group) for group in groups for p in group["params"] if p.grad is not None]
        if not all(parameter.data.flags.writeable for parameter, _ in moves):
            raise RuntimeError(
                "step(): a graph that was recorded with these parameters still waits for its "
                "backward(), and would give wrong gradients. Call backward() first, drop the graph "
                "(del the loss), or compute under no_grad()."
            )
        for parameter, _ in moves:
            if parameter.grad.shape != parameter.shape:
                shapes = f"{parameter.grad.shape} for a parameter of shape {parameter.shape}"
                raise ValueError(f"step(): a gradient of shape {shapes}.")
        for group in self.param_groups:
            for name in self.defaults:
                if type(group[name]) is not float:  # it may have been changed since
                    group[name] = check_option(name, group[name])
        for parameter, group in moves:
            move(self, parameter, group)
            if isinstance(parameter, Parameter) and parameter.mask is not None:
                parameter.data *= parameter.mask  # what is pruned stays 0 (module 17)

    def buffers(self, options: dict[str, Any]) -> tuple[str, ...]:
        """Names of the arrays to remember for each parameter of a group; they begin as zeros."""
        return ()

    def decay(self, p: np.ndarray, g: np.ndarray, options: dict[str, Any]) -> np.ndarray:
        """Return the gradient to go on with: here of loss + weight_decay / 2 * |p|^2."""
        return g + options["weight_decay"] * p

    def update(self, p: np.ndarray, g: np.ndarray, state: Named, options: Named) -> None:
        """Move p, in place."""
        raise NotImplementedError(f"{type(self).__name__} needs an update(p, g, state, options)")

    def state_dict(self) -> dict[str, Any]:
        """Copy everything that the optimizer remembers, by the position of each parameter.

        Returns:
            {"state": {position: {"step": int, buffer: array}},
            "param_groups": [{"params": positions, option: value}]}.
        """
        return optimizer_state(self)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Remember what `state_dict()` of such an optimizer, for such parameters, had copied.

        Raises:
            ValueError: it does not fit; nothing has changed then.
        """
        problem = mismatch(self, state_dict)
        if problem:
            here = type(self).__name__
            raise ValueError(f"this state does not fit {here}: {problem}. Nothing was changed.")
        parameters, self.state = self.parameters(), {}
        for group, saved in zip(self.param_groups, state_dict["param_groups"], strict=True):
            options = {name: value for name, value in saved.items() if name != "params"}
            group |= {name: check_option(name, value) for name, value in options.items()}
        for place, saved in state_dict["state"].items():
            kept = self.state[parameters[place]] = {"step": int(saved["step"])}
            for name, value in saved.items():
                if name != "step":
                    kept[name] = np.zeros_like(parameters[place].data)
                    kept[name][...] = value


def pieces(p: np.ndarray, g: np.ndarray, state: Named) -> Iterator[tuple]:
    """Cut a parameter, its gradient and its state's arrays into pieces of at most BLOCK elements.

    The pieces of p and of the state are views: what is written into them is written into the whole.
    Arrays that lie in memory in different orders stay whole.

    Returns:
        (p, g, state) of each piece, whose elements lie in a row.
    """
    arrays = {name: value for name, value in state.items() if isinstance(value, np.ndarray)}
    for order in "CF":
        if p.size > BLOCK and all(a.flags[f"{order}_CONTIGUOUS"] for a in (p, *arrays.values())):
            p, g = p.reshape(-1, order=order), g.reshape(-1, order=order)
            rows = {name: array.reshape(-1, order=order) for name, array in arrays.items()}
            for start in range(0, p.size, BLOCK):
                cut = slice(start, start + BLOCK)
                yield p[cut], g[cut], {**state, **{name: row[cut] for name, row in rows.items()}}
            return
    yield p, g, state


def check_group(group: Any, defaults: dict[str, Any], optimizer: str) -> dict[str, Any]:
    """Return a group with all its options as plain numbers.

    Raises:
        ValueError: what is wrong with its parameters or options.
    """
    if not isinstance(group, dict) or "params" not in group:
        wanted = "Tensors or dicts with the key 'params', not both"
        raise ValueError(f"{optimizer} takes {wanted}: got {group!r:.60}.")
    params = [group["params"]] if isinstance(group["params"], Tensor) else list(group["params"])
    if not params:
        cure = "Is a generator used up? Call model.parameters() again."
        raise ValueError(f"{optimizer} got no parameters. {cure}")
    for place, parameter in enumerate(params):
        if not isinstance(parameter, Tensor):
            problem = f"parameter {place} is a {type(parameter).__name__}, not a Tensor"
            raise ValueError(f"{problem}: {optimizer} moves Tensors.")
        if parameter._grad_fn is not None:
            problem = f"parameter {place} was computed by {parameter._grad_fn}"
            raise ValueError(f"{problem}: {optimizer} moves what nothing computed.")
    unknown = sorted(group.keys() - defaults.keys() - {"params"})
    if unknown:
        problem = f"{optimizer} has no option {', '.join(unknown)}"
        raise ValueError(f"{problem}: it knows {', '.join(defaults)}.")
    options = {name: check_option(name, group.get(name, value)) for name, value in defaults.items()}
    if not options["lr"] > 0:
        raise ValueError("lr must be a number above 0, not 0: nothing would ever move.")
    if options.get("nesterov") and not options["momentum"]:
        raise ValueError("nesterov looks ahead along the velocity: it needs a momentum above 0.")
    return {"params": params, **options}


def check_option(name: str, value: Any) -> Any:
    """Return an option as plain Python numbers: float64 scalars would make every update float64.

    Raises:
        ValueError: the option is out of its range.
    """
    if name == "nesterov":
        return bool(value)
    if name == "betas":
        if not isinstance(value, tuple | list) or len(value) != 2:
            raise ValueError(f"betas must be two numbers, each in [0, 1), not {value!r:.60}.")
        return tuple(check_option("each of betas", beta) for beta in value)
    limit = 1.0 if name in ("momentum", "alpha", "each of betas") else float("inf")
    if not isinstance(value, Real) or isinstance(value, bool) or not 0 <= value < limit:
        raise ValueError(f"{name} must be a number in [0, {limit:g}), not {value!r:.60}.")
    return float(value)


def mismatch(optimizer: Optimizer, state_dict: Any) -> str:
    """Say in which way a state does not belong to an optimizer; nothing when it does."""
    if not isinstance(state_dict, dict) or state_dict.keys() != {"state", "param_groups"}:
        return "it must be a dict with the keys 'state' and 'param_groups'"
    saved_groups, parameters = state_dict["param_groups"], optimizer.parameters()
    if len(saved_groups) != len(optimizer.param_groups):
        return f"it has {len(saved_groups)} groups instead of {len(optimizer.param_groups)}"
    home = {}
    for number, (group, saved) in enumerate(zip(optimizer.param_groups, saved_groups, strict=True)):
        apart = {"params", "initial_lr"}  # schedules add initial_lr
        ours, theirs = (sorted(options.keys() - apart) for options in (group, saved))
        if ours != theirs:
            return f"the options of group {number} are {theirs} instead of {ours}"
        if list(saved["params"]) != [len(home) + i for i in range(len(group["params"]))]:
            counts = f"{len(saved['params'])} parameters instead of {len(group['params'])}"
            return f"group {number} has {counts}, or others"
        home |= dict.fromkeys(saved["params"], saved)
        try:
            options = {name: check_option(name, saved[name]) for name in optimizer.defaults}
        except ValueError as error:
            return f"in group {number}, {error}".rstrip(".")
        home |= dict.fromkeys(saved["params"], options)
    for place, kept in state_dict["state"].items():
        known = {"step", *optimizer.buffers(home[place])} if place in home else set()
        if not {"step"} <= kept.keys() <= known:
            return f"it remembers {sorted(kept)} for parameter {place!r}"
        for name in kept.keys() - {"step"}:
            shape = np.shape(kept[name])
            if shape != parameters[place].shape:
                right = parameters[place].shape
                return f"{name} of parameter {place} has shape {shape} instead of {right}"
    return ""

# %% [markdown]
r"""
The next folded cell is the first optimizer: names and defaults of its options, the buffers that it wants, and your two rules.
`walk` does with an optimizer what `follow` does with a rule.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "sgd-class", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class SGD(Optimizer):
    """Stochastic gradient descent, with momentum if wanted.

    Args:
        params: see Optimizer.
        lr: learning rate, above 0.
        momentum: share of the velocity that survives a step, in [0, 1).
        weight_decay: strength of the pull towards 0.
        nesterov: look ahead; needs momentum.

    Raises:
        ValueError: an option out of range, or nesterov without momentum.

    Example:
        >>> w = Tensor([1.0], requires_grad=True)
        >>> w.grad = np.float32([2.0])
        >>> SGD([w], lr=0.1).step()
        >>> w.data
        array([0.8], dtype=float32)
    """

    def __init__(
        self, params: Any, lr: float = 1e-3, *, momentum: float = 0.0, weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:  # fmt: skip
        options = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        super().__init__(params, {**options, "nesterov": nesterov})

    def buffers(self, options: dict[str, Any]) -> tuple[str, ...]:
        """A velocity, if there is momentum."""
        return ("momentum_buffer",) if options["momentum"] else ()

    def update(self, p: np.ndarray, g: np.ndarray, state: Named, options: Named) -> None:
        """Move p against its gradient, or against its velocity."""
        if options["momentum"]:
            v, nesterov = state["momentum_buffer"], options["nesterov"]
            momentum_update(p, g, v, options["lr"], options["momentum"], nesterov)
        else:
            sgd_update(p, g, options["lr"])

# %% nbgrader={"grade": false, "grade_id": "walk", "locked": true, "schema_version": 3, "solution": false, "task": false}
def walk(optimizer: Optimizer, gradients) -> np.ndarray:
    """Give the first parameter one gradient after the other; return its numbers after each step."""
    parameter = optimizer.param_groups[0]["params"][0]
    positions = []
    for gradient in gradients:
        parameter.grad = np.array(gradient, dtype=np.float32)
        optimizer.step()
        positions.append(parameter.numpy())
    return np.array(positions)


def parameter(*numbers: float) -> Tensor:
    """A Tensor to optimize."""
    return Tensor(numbers, requires_grad=True)

# %% [markdown]
r"""
### One parameter's step

For one parameter, `move` finds or makes its state: `{"step": 0}`, and zeros like the parameter for each name in
`optimizer.buffers(options)`. It counts the step **once**, however many pieces there are. Then, for each piece, it lets `optimizer.decay`
pull at the weights if `options["weight_decay"]` is not 0, and calls `optimizer.update` with the gradient that comes back.

```
optimizer.state     weight  ->  {"step": 3, "momentum_buffer": array of the weight's shape}
                    bias    ->  {"step": 3, "momentum_buffer": array of the bias's shape}
```
"""

# %% nbgrader={"grade": false, "grade_id": "move", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def move(optimizer: Optimizer, parameter: Tensor, options: dict[str, Any]) -> None:
    """Take one step with one parameter, and remember what the next one needs.

    Args:
        optimizer: its `state` is a dict: parameter -> what is remembered of it.
        parameter: to be moved; it has a gradient.
        options: of the parameter's group, "weight_decay" among them.

    TODO: the parameter's state, its count, and an update of each piece.
    APPROACH: 1. its entry in optimizer.state, made in the first step  2. count
        3. for p, g, piece in pieces(parameter.data, parameter.grad, state): decay, then update
    EXAMPLE:
        >>> w = Tensor([1.0], requires_grad=True)
        >>> w.grad = np.float32([2.0])
        >>> optimizer = SGD([w], lr=0.5, momentum=0.9)
        >>> move(optimizer, w, optimizer.param_groups[0])
        >>> w.data, optimizer.state[w]["step"]
        (array([0.], dtype=float32), 1)

    HINT: state.setdefault(key, value) finds or makes. `g = optimizer.decay(p, g, options)`, then
        `optimizer.update(p, g, piece, options)`; np.zeros_like(parameter.data) makes a buffer.
    """
    ### BEGIN SOLUTION
    state = optimizer.state.setdefault(parameter, {"step": 0})
    for name in optimizer.buffers(options):
        if name not in state:
            state[name] = np.zeros_like(parameter.data)  # in the parameter's memory order
    state["step"] += 1
    for p, g, piece in pieces(parameter.data, parameter.grad, state):
        if options["weight_decay"]:
            g = optimizer.decay(p, g, options)
        optimizer.update(p, g, piece, options)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-move", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_move():
    """Each parameter has a memory of its own, and a group its own options."""
    a, b = parameter(0), parameter(0)
    optimizer = SGD([{"params": [a]}, {"params": [b], "lr": 0.5}], lr=1, momentum=0.5)
    for _ in range(2):
        a.grad, b.grad = np.float32([1]), np.float32([10])
        optimizer.step()
    check_close(lambda: [a.data[0], b.data[0]], [-2.5, -12.5])
    check_equal(lambda: optimizer.state[b]["step"], 2)
    ### BEGIN HIDDEN TESTS
    check_close(
        lambda: walk(SGD([parameter(4)], lr=0.5, momentum=0.5, weight_decay=0.5), [[0], [1]]),
        [[3], [1.25]],
    )
    large = Tensor(np.ones((300, 400)), requires_grad=True)
    optimizer = SGD([large], lr=0.5, momentum=0.5)
    check_close(
        lambda: walk(optimizer, [np.full((300, 400), 2)] * 2)[1], np.full((300, 400), -1.5)
    )
    check_equal(lambda: optimizer.state[large]["step"], 2)
    check_close(lambda: a.grad, [1.0])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_move()

# %% [markdown]
r"""
## Four lines that train everything

Now the loop itself. Its four calls have an order, and one of them is easily forgotten. Remember from module 05 what a second `backward`
does to a gradient that is still there.
"""

# %% nbgrader={"grade": false, "grade_id": "train-step", "locked": false, "schema_version": 3, "solution": true, "task": false}
def train_step(optimizer: Optimizer, function, *inputs) -> float:
    """Take one step that makes function(*inputs), the loss, smaller.

    Returns:
        the loss before the step, as a Python number.

    TODO: old gradients away, loss, gradients, step.
    APPROACH: 1. optimizer.zero_grad()  2. the loss  3. backward  4. optimizer.step()
    EXAMPLE:
        >>> w = Tensor([3.0], requires_grad=True)
        >>> train_step(SGD([w], lr=0.1), lambda w: (w * w).sum(), w)
        9.0

    HINT: return loss.item(). The Tensor would keep what it was computed from alive.
    """
    ### BEGIN SOLUTION
    optimizer.zero_grad()
    loss = function(*inputs)
    loss.backward()
    optimizer.step()
    return loss.item()
    ### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ravine", "locked": true, "schema_version": 3, "solution": false, "task": false}
STEEP = np.float32([1, 20])  # curvature along the ravine and across it


def ravine(w: Tensor) -> Tensor:
    """(x^2 + 20 y^2) / 2 for w = (x, y)."""
    return (w * w * STEEP).sum() / 2

# %% nbgrader={"grade": true, "grade_id": "test-train-step", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_train_step():
    """Losses of three steps in the ravine, and the place where they lead."""
    w = parameter(10, 1)
    optimizer = SGD([w], lr=0.05)
    check_close(
        lambda: [train_step(optimizer, ravine, w) for _ in range(3)], [60, 45.125, 40.725312]
    )
    ### BEGIN HIDDEN TESTS
    check_close(lambda: w.data, [10 * 0.95**3, 0], atol=1e-4)
    check_equal(lambda: type(train_step(optimizer, ravine, w)).__name__, "float")
    v = parameter(1, 1)
    v.grad = np.float32([100, 100])
    train_step(SGD([v], lr=0.01), ravine, v)
    check_close(lambda: v.data, [0.99, 0.8])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_train_step()

# %% [markdown]
r"""
## A learning rate for every weight

One rate must serve a bias that sees large gradients and an embedding that sees a rare word now and then. Hinton's answer, which he only ever
published on a slide (Tieleman and Hinton, *Lecture 6.5, RMSprop*, 2012): divide each gradient by its own typical size. The typical size is the
root of a running mean of squares,

$$s \leftarrow \alpha s + (1 - \alpha) g^2 \qquad\qquad p \leftarrow p - lr \frac{g}{\sqrt{s} + \varepsilon}$$

so a gradient that is always 0.001 and one that is always 1000 end up moving their weights equally fast. $\varepsilon$ keeps us from dividing by 0, and it stands **outside**
the root. Inside, $\varepsilon = 10^{-8}$ would count like a gradient of $10^{-4}$.

A trap of float32: $s + (1 - \alpha)(g^2 - s)$ is the same formula on paper. But after one large gradient $g^2 - s$ is $-s$ to the last bit, and with
$\alpha = 0$ the small gradient is gone. Multiply first, then add.
"""

# %% nbgrader={"grade": false, "grade_id": "rmsprop", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def rmsprop_update(
    p: np.ndarray, g: np.ndarray, s: np.ndarray, lr: float, alpha: float, eps: float
) -> None:
    """Move p against g / (sqrt(s) + eps), in place.

    Args:
        p, g: numbers of a parameter, to be changed in place, and their gradient, not to be changed.
        s: running mean of squared gradients, to be changed in place.
        lr, alpha, eps: learning rate; share of s that survives a step; added to the root.

    TODO: the two formulas of the text.
    APPROACH: 1. s, in place  2. its root plus eps  3. p
    EXAMPLE:
        >>> p, s = np.float32([0, 0]), np.float32([0, 0])
        >>> rmsprop_update(p, np.float32([1000, -0.001]), s, lr=1, alpha=0.75, eps=1e-8)
        >>> p.round(3)
        array([-2.,  2.], dtype=float32)

    HINT: `s *= alpha`, then `s += ...`; np.sqrt.
    """
    ### BEGIN SOLUTION
    s *= alpha
    s += (1 - alpha) * (g * g)
    p -= lr * (g / (np.sqrt(s) + eps))
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-rmsprop", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_rmsprop():
    """Large and small gradients move equally far, also a small one after a large one."""
    options = {"memories": 1, "lr": 1, "eps": 1e-8}
    check_close(
        lambda: follow(rmsprop_update, [0, 0], [[1000, -0.001]], alpha=0.75, **options),
        [[-2, 2]],
        rtol=1e-3,
    )
    check_close(
        lambda: follow(rmsprop_update, [0], [[1e5], [0.001]], alpha=0, **options), [[-1], [-2]]
    )
    ### BEGIN HIDDEN TESTS
    s1, s2 = 0.1 * 4, 0.9 * 0.1 * 4 + 0.1 * 1
    first = -0.5 * 2 / (s1**0.5 + 0.25)
    options = {"memories": 1, "lr": 0.5, "alpha": 0.9, "eps": 0.25}
    check_close(
        lambda: follow(rmsprop_update, [0], [[2], [-1]], **options),
        [[first], [first + 0.5 / (s2**0.5 + 0.25)]],
    )
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_rmsprop()

# %% [markdown]
r"""
## Adam: both memories, and an honest start

Adam (Kingma and Ba, *Adam: a method for stochastic optimization*, 2015, algorithm 1) keeps a running mean $m$ of the gradient, which is momentum, and one $v$ of
its square, which is RMSprop:

$$m \leftarrow \beta_1 m + (1 - \beta_1) g \qquad v \leftarrow \beta_2 v + (1 - \beta_2) g^2$$

But both begin at 0, and that is a lie about the past. Look at step 1 with $\beta_1 = 0.9$, $\beta_2 = 0.999$: $m = 0.1\,g$ and $v = 0.001\,g^2$. Both are far too
small, yet $m/\sqrt{v} = 0.1 / 0.0316 = 3.16$ is far too *large*, because the two start-ups are unequally slow. After $t$ steps the weights in a running
mean add up to only $1 - \beta^t$, so divide by that:

$$\hat m = \frac{m}{1 - \beta_1^t} \qquad \hat v = \frac{v}{1 - \beta_2^t} \qquad p \leftarrow p - lr \frac{\hat m}{\sqrt{\hat v} + \varepsilon}$$

Now step 1 gives $\hat m = g$, $\hat v = g^2$ and a step of $lr$, whatever the size of the gradient. Only the step uses $\hat m$ and $\hat v$; what is
remembered stays uncorrected. Without the correction, how long would the steps be too long? The factor is $(1-\beta_1^t)/\sqrt{1-\beta_2^t}$. Guess, then look.
"""

# %%
def analyze_correction():
    """By which factor Adam's steps would be too long without the correction."""
    t = np.arange(1, 3001)
    factor = (1 - 0.9**t) / np.sqrt(1 - 0.999**t)
    print(", ".join(f"step {k}: {factor[k - 1]:.2f} times" for k in (1, 10, 100, 1000, 3000)))
    fig, ax = plt.subplots(figsize=(5, 3))
    ax.semilogx(t, factor)
    ax.axhline(1, linestyle="--", color="grey")
    ax.set(xlabel="step", ylabel="too long by this factor", title="Adam without correction")
    show(fig, alt="The factor rises from 3.2 to a peak near step 10, then falls slowly to 1")


if __name__ == "__main__":
    analyze_correction()

# %% nbgrader={"grade": false, "grade_id": "adam", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def adam_update(
    p: np.ndarray, g: np.ndarray, m: np.ndarray, v: np.ndarray, t: int,
    lr: float, betas: tuple[float, float], eps: float,
) -> None:  # fmt: skip
    """Move p against m / (sqrt(v) + eps), both corrected for their start at 0, in place.

    Args:
        p, g: numbers of a parameter, to be changed in place, and their gradient, not to be changed.
        m, v: running means of the gradient and of its square, to be changed in place.
        t: number of this step, from 1 on.
        lr, betas, eps: learning rate; share of m and of v that survives a step; added to the root.

    TODO: algorithm 1 of Kingma and Ba, as in the text; m and v stay *without* the correction.
    APPROACH: 1. m and v, in place  2. the corrected ones, as new arrays  3. p
    EXAMPLE:
        >>> p, m, v = np.zeros((3, 2), np.float32)
        >>> adam_update(p, np.float32([1000, -0.001]), m, v, 1, 0.1, betas=(0.9, 0.999), eps=1e-8)
        >>> p.round(4)
        array([-0.1,  0.1], dtype=float32)

    HINT: `m *= beta1`, then `m += ...`: multiply first, as in RMSprop.
    """
    ### BEGIN SOLUTION
    beta1, beta2 = betas
    m *= beta1
    m += (1 - beta1) * g
    v *= beta2
    v += (1 - beta2) * (g * g)
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    p -= lr * m_hat / (np.sqrt(v_hat) + eps)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-adam", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_unit_adam():
    """Equal gradients give steps of lr, whatever their size; the state stays uncorrected."""
    options = {"memories": 2, "counted": True, "lr": 0.1}
    usual = {"betas": (0.9, 0.999), "eps": 1e-8}
    check_close(
        lambda: follow(adam_update, [0, 0], [[1000, -0.001]] * 2, **options, **usual),
        [[-0.1, 0.1], [-0.2, 0.2]],
        rtol=1e-3,
    )
    ### BEGIN HIDDEN TESTS
    gradients = np.random.default_rng(0).normal(size=(6, 3))
    for betas, eps in (((0.9, 0.999), 1e-8), ((0.5, 0.75), 0.5)):
        p, m, v, expected = np.array([1.0, 0.0, -1.0]), 0.0, 0.0, []
        for t, g in enumerate(gradients, start=1):
            m, v = betas[0] * m + (1 - betas[0]) * g, betas[1] * v + (1 - betas[1]) * g * g
            p = p - 0.1 * (m / (1 - betas[0] ** t)) / (np.sqrt(v / (1 - betas[1] ** t)) + eps)
            expected.append(p)
        check_close(
            lambda: follow(adam_update, [1, 0, -1], gradients, **options, betas=betas, eps=eps),
            expected,
            rtol=1e-3,
        )
    sharp = {"betas": (0.0, 0.0), "eps": 0.0}
    check_close(
        lambda: follow(adam_update, [0], [[1e5], [0.001]], **options, **sharp), [[-0.1], [-0.2]]
    )
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_adam()

# %% [markdown]
r"""
### A second step: no new arrays

A formula makes a new array for each of its operations: ten or so in your Adam, written once, read once, thrown away. The folded cell has the same two rules with
one `scratch` array that every operation writes into, `np.multiply(g, g, out=scratch)`, and Adam's two corrections multiplied into *numbers*: $\sqrt{v/c} = \sqrt{v}/\sqrt{c}$.
It reads worse, so it comes second. It is how `RMSprop` and `Adam` move; the measurement asserts that it goes where your formula goes, and times both. Predict the gain.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "without-new-arrays", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class RMSprop(Optimizer):
    """Divides each gradient by the root of its running mean square (Tieleman and Hinton 2012).

    Args:
        params: see Optimizer.
        lr: learning rate, above 0.
        alpha: share of the old mean square that survives a step, in [0, 1).
        eps: added to the root.
        weight_decay: strength of the pull towards 0.

    Raises:
        ValueError: an option out of range.
    """

    def __init__(
        self, params: Any, lr: float = 1e-2, alpha: float = 0.99, eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:  # fmt: skip
        options = {"lr": lr, "alpha": alpha, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, options)

    def buffers(self, options: dict[str, Any]) -> tuple[str, ...]:
        """A running mean of squared gradients."""
        return ("square_avg",)

    def update(self, p: np.ndarray, g: np.ndarray, state: Named, options: Named) -> None:
        """Move p against g / (sqrt(s) + eps)."""
        s, scratch = state["square_avg"], np.empty_like(p)
        np.multiply(g, g, out=scratch)
        scratch *= 1 - options["alpha"]
        s *= options["alpha"]
        s += scratch  # alpha * s + (1 - alpha) * g^2
        np.sqrt(s, out=scratch)
        scratch += options["eps"]
        np.divide(g, scratch, out=scratch)
        scratch *= options["lr"]
        p -= scratch


class Adam(Optimizer):
    """Running means of the gradient and its square, corrected for their start (Kingma and Ba 2015).

    Args:
        params: see Optimizer.
        lr: learning rate, above 0: about the length of a step in each weight.
        betas: share of each mean that survives a step: of the gradient, of its square; in [0, 1).
        eps: added to the root.
        weight_decay: strength of the pull towards 0; see AdamW for the better way.

    Raises:
        ValueError: an option out of range.
    """

    def __init__(
        self, params: Any, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0.0,
    ) -> None:  # fmt: skip
        options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, options)

    def buffers(self, options: dict[str, Any]) -> tuple[str, ...]:
        """Running means of the gradient (m) and of its square (v)."""
        return ("exp_avg", "exp_avg_sq")

    def update(self, p: np.ndarray, g: np.ndarray, state: Named, options: Named) -> None:
        """Move p against m / (sqrt(v) + eps), with m and v corrected for their start at 0."""
        (beta1, beta2), t = options["betas"], state["step"]
        m, v, scratch = state["exp_avg"], state["exp_avg_sq"], np.empty_like(p)
        np.multiply(g, 1 - beta1, out=scratch)
        m *= beta1
        m += scratch  # beta1 * m + (1 - beta1) * g
        np.multiply(g, g, out=scratch)
        scratch *= 1 - beta2
        v *= beta2
        v += scratch  # beta2 * v + (1 - beta2) * g^2
        np.sqrt(v, out=scratch)
        shrunk = (1 - beta2**t) ** 0.5  # sqrt(v) is too small by this factor
        scratch += options["eps"] * shrunk
        np.divide(m, scratch, out=scratch)
        scratch *= options["lr"] * shrunk / (1 - beta1**t)
        p -= scratch

# %%
def analyze_second_step():
    """Your formulas against the second step: the same numbers, and the time for a block."""
    rng = np.random.default_rng(0)
    p, g, m, v = (rng.random(BLOCK, dtype=np.float32) for _ in range(4))
    rms = {"lr": 1e-3, "alpha": 0.99, "eps": 1e-8}
    adam = {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8}
    for kind, rule, options, kept in (
        (RMSprop, rmsprop_update, rms, [v]),
        (Adam, adam_update, adam, [m, v, 7]),  # in step 7
    ):
        optimizer = kind([Tensor(p, requires_grad=True)], **options)
        yours = follow(rule, p, [g, -g, g], len(kept[:2]), len(kept) == 3, **options)
        check_close(lambda: walk(optimizer, [g, -g, g]), yours, rtol=1e-5, atol=1e-6)
        times = compare({"yours": lambda: rule(p, g, *kept, **options), "second": optimizer.step})
        slow, fast = times["yours"].low_ms, times["second"].low_ms
        print(f"{kind.__name__:8} the same numbers; yours {slow:.3f} ms, second {fast:.3f} ms")
        print(f"{'':8} the second takes {fast / slow:.0%} of the time")


if __name__ == "__main__":
    analyze_second_step()

# %% [markdown]
r"""
A share near 100 % says that the new arrays of one block find room in your cache and that the allocator hands the same memory out again; a smaller one that they do not. Either way the rule
that is worth reading is yours.

## AdamW: a decay that reaches every weight

Weights that grow without need memorise. The classic cure adds $\frac{\lambda}{2}|p|^2$ to the loss, and with it $\lambda p$ to the gradient: that is the
base class's `decay`. For plain SGD it shrinks each weight by the factor $1 - lr\,\lambda$ per step.

In Adam it does not. There $\lambda p$ is part of $g$, and $g$ is divided by its own typical size. A weight with large gradients is then hardly decayed, one with small
gradients strongly: a pull that depends on something that has nothing to do with the weight. Loshchilov and Hutter (*Decoupled weight decay
regularization*, 2019) say what they mean instead: first shrink the weights, $p \leftarrow (1 - lr\,\lambda)\,p$, then let Adam work on the gradient of the loss *alone*.

`decay(p, g, options)` is called before `update`, and returns the gradient with which `update` goes on.
"""

# %% nbgrader={"grade": false, "grade_id": "adamw", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class AdamW(Adam):
    """Adam with a decay that does not pass through the running means (Loshchilov and Hutter 2019).

    Args and Raises: as Adam; each step first multiplies every weight by 1 - lr * weight_decay.
    """

    def __init__(
        self, params: Any, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 1e-2,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay)

    def decay(self, p: np.ndarray, g: np.ndarray, options: dict[str, Any]) -> np.ndarray:
        """Shrink p in place, and return the gradient for Adam.

        TODO: the decay of the text; Adam's `update` follows by itself.
        APPROACH: 1. p *= a number  2. return the gradient of the loss alone
        EXAMPLE:
            >>> w = Tensor([8.0], requires_grad=True)
            >>> w.grad = np.float32([0.0])
            >>> AdamW([w], lr=0.5, weight_decay=0.5).step()
            >>> w.data
            array([6.], dtype=float32)

        HINT: the number is 1 - lr * weight_decay.
        """
        ### BEGIN SOLUTION
        p *= 1 - options["lr"] * options["weight_decay"]
        return g
        ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-adamw", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_adamw():
    """The decay reaches every weight alike, whatever its gradient."""
    check_close(
        lambda: walk(AdamW([parameter(8, 8)], lr=0.5, weight_decay=0.5), [[0, 0], [0, 0]]),
        [[6, 6], [4.5, 4.5]],
    )
    ### BEGIN HIDDEN TESTS
    gradients = [[100, -0.01], [50, 0.02], [100, 0.01]]
    moves = np.diff(walk(Adam([parameter(0, 0)], lr=0.5), gradients), axis=0, prepend=0)
    expected, p = [], np.array([8.0, 8.0])
    for move in moves:
        p = 0.75 * p + move
        expected.append(p)
    check_close(
        lambda: walk(AdamW([parameter(8, 8)], lr=0.5, weight_decay=0.5), gradients),
        expected,
        rtol=1e-3,
    )
    check_close(lambda: walk(AdamW([parameter(10)], lr=0.1, weight_decay=0.1), [[0]]), [[9.9]])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_adamw()

# %% [markdown]
r"""
## What a pause must not forget

A run that is to go on tomorrow needs the optimizer's memory, in a form that a file can hold. Tensors cannot be keys of a file: tomorrow's are other objects. So the parameters are
**numbered** in the order of the groups, and the memory is a **copy**, since training goes on and writes into the arrays:

```
{"state": {0: {"step": 3, "exp_avg": array, ...}, 1: {...}},           one entry per parameter that was moved
 "param_groups": [{"params": [0, 1], "lr": 0.01, ...}]}                numbers instead of Tensors
```
"""

# %% nbgrader={"grade": false, "grade_id": "optimizer-state", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def optimizer_state(optimizer: Optimizer) -> dict[str, Any]:
    """Copy everything that an optimizer remembers, by the position of each parameter.

    Returns:
        {"state": {position: {"step": int, buffer: array}}, positions rising,
        "param_groups": [{"params": positions, option: value}]}.

    TODO: the dict of the text; later steps must not change it.
    APPROACH: 1. parameter -> position, over optimizer.parameters()  2. a copy of what each keeps
        3. each group with its options and with positions for "params"
    EXAMPLE:
        >>> w = Tensor([0.0], requires_grad=True)
        >>> w.grad = np.float32([1.0])
        >>> optimizer = SGD([w], lr=1, momentum=0.5)
        >>> optimizer.step()
        >>> optimizer_state(optimizer)["state"]
        {0: {'step': 1, 'momentum_buffer': array([1.], dtype=float32)}}

    HINT: np.array(value) copies an array in its order in memory; "step" stays a plain number.
    """
    ### BEGIN SOLUTION
    place = {parameter: i for i, parameter in enumerate(optimizer.parameters())}
    state = {}
    for parameter, kept in optimizer.state.items():
        copied = state[place[parameter]] = {}
        for name, value in kept.items():
            copied[name] = np.array(value) if isinstance(value, np.ndarray) else value
    groups = []
    for group in optimizer.param_groups:
        groups.append({**group, "params": [place[parameter] for parameter in group["params"]]})
    return {"state": dict(sorted(state.items())), "param_groups": groups}
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-optimizer-state", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_optimizer_state():
    """Positions for Tensors, every option, and a copy that later steps do not change."""
    a, b = parameter(0), parameter(0)
    optimizer = SGD([{"params": [a]}, {"params": [b], "lr": 0.25}], lr=1, momentum=0.5)
    b.grad = np.float32([3])
    optimizer.step()
    saved = optimizer_state(optimizer)
    optimizer.step()
    check_equal(lambda: list(saved["state"]), [1])
    check_equal(lambda: saved["state"][1]["step"], 1)
    check_close(lambda: saved["state"][1]["momentum_buffer"], [3])
    groups = saved["param_groups"]
    check_close(lambda: [group["params"] for group in groups], [[0], [1]])
    check_close(lambda: [group["lr"] for group in groups], [1, 0.25])
    ### BEGIN HIDDEN TESTS
    c, d = parameter(1, 2), parameter(3)
    first = Adam([c, d], lr=0.5)
    d.grad = np.float32([1])
    first.step()
    c.grad = np.float32([1, -1])
    first.step()
    saved = optimizer_state(first)
    check_equal(lambda: [list(saved), list(saved["state"])], [["state", "param_groups"], [0, 1]])
    check_equal(lambda: [kept["step"] for kept in saved["state"].values()], [1, 2])
    second = Adam([parameter(1, 2), parameter(3)], lr=0.1)
    second.load_state_dict(saved)
    check_equal(lambda: second.param_groups[0]["lr"], 0.5)
    check_close(lambda: optimizer_state(second)["state"][0]["exp_avg"], [0.1, -0.1])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_optimizer_state()

# %% [markdown]
r"""
## Measure: four roads through the ravine

All start at $(-10, 1)$, each with a learning rate that suits it. Guess which arrives first, and what Adam's path looks like: along the steepest slope, or straight
along the diagonal?
"""

# %%
def analyze_ravine():
    """Paths on (x^2 + 20 y^2) / 2, and the steps that each needs to come within 0.01 of 0."""
    roads = {
        "SGD": lambda w: SGD([w], lr=0.09),
        "momentum": lambda w: SGD([w], lr=0.03, momentum=0.8),
        "RMSprop": lambda w: RMSprop([w], lr=0.2),
        "Adam": lambda w: Adam([w], lr=0.6),
    }
    fig, ax = plt.subplots(figsize=(7, 3))
    x, y = np.meshgrid(np.linspace(-11, 3, 100), np.linspace(-1.6, 1.6, 60))
    ax.contour(x, y, (x * x + 20 * y * y) / 2, levels=2.0 ** np.arange(-2, 7), colors="lightgrey")
    for marker, (name, make) in zip("osv^", roads.items(), strict=True):
        w = parameter(-10, 1)
        optimizer, path = make(w), [w.numpy()]
        while ravine(Tensor(path[-1])).item() > 0.01 and len(path) <= 500:
            train_step(optimizer, ravine, w)
            path.append(w.numpy())
        steps = len(path) - 1
        stride = abs(path[-1][0] - path[-2][0])
        arrived = f"{steps:4} steps" if steps < 500 else "not there after 500 steps"
        first = path[1][0] + 10
        print(f"{name:9} {arrived}; first step along the floor {first:.2f}, last {stride:.3f}")
        ax.plot(*np.array(path[:25]).T, marker=marker, markersize=4, linewidth=1, label=name)
    ax.set(xlabel="x", ylabel="y", title="The first 24 steps", ylim=(-1.6, 1.6))
    ax.legend()
    show(
        fig,
        alt="Contours of a ravine with four paths: SGD zigzags across it, momentum swings in, "
        "RMSprop and Adam begin at the same speed along both axes",
    )


if __name__ == "__main__":
    analyze_ravine()

# %% [markdown]
r"""
Look at the first steps: those of Adam have length $lr$ along *both* axes, so it leaves the steepest slope and makes for the diagonal. Then look at who arrives. If momentum needs
no more steps than Adam in your figures, that is what a well-chosen rate is worth on a surface whose curvature is known; nobody knows it for a network. And where a method's last step is
not much shorter than its first, it walks too fast to settle: it must slow down at some point, which is the *schedule* of module 07.

### And on real digits?

A ravine in two dimensions is a cartoon. Below, the same network with the same first weights learns the digits four times; learning rates were chosen
from 1, 0.3, 0.1, ... by the loss after 100 steps.
"""

# %% nbgrader={"grade": false, "grade_id": "digits-mlp", "locked": true, "schema_version": 3, "solution": false, "task": false}
class DigitsMLP(Module):
    """64 pixels, 64 hidden units, 10 classes."""

    def __init__(self):
        self.hidden = Linear(64, 64)
        self.output = Linear(64, 10)

    def forward(self, x):
        h = relu(self.hidden(x))  # (B, 64) -> (B, 64)
        return self.output(h)  # (B, 64) -> (B, 10)


def digits_model(seed: int) -> Module:
    """A new network whose first weights depend on the seed only."""
    manual_seed(seed)
    return DigitsMLP()


def digits_loss(model: Module, pixels: np.ndarray, labels: np.ndarray) -> Tensor:
    """Cross-entropy of the model's guesses."""
    return cross_entropy(model(Tensor(pixels)), labels)


def train_digits(kind: type[Optimizer], **options) -> list[float]:
    """The losses of forty steps of an optimizer with a new network, on the first 200 digits."""
    (pixels, labels), model = load_digits(), digits_model(seed=1)
    optimizer = kind(model.parameters(), **options)
    return [
        train_step(optimizer, digits_loss, model, pixels[:200], labels[:200]) for _ in range(40)
    ]

# %%
def analyze_digits():
    """Loss over 100 steps of each optimizer, and the share of new digits read correctly."""
    pixels, labels = load_digits()
    optimizers = {
        "SGD 1.0": lambda params: SGD(params, lr=1.0),
        "momentum 0.1": lambda params: SGD(params, lr=0.1, momentum=0.9, nesterov=True),
        "RMSprop 0.01": lambda params: RMSprop(params, lr=0.01),
        "AdamW 0.01": lambda params: AdamW(params, lr=0.01),
    }
    shares = []
    fig, ax = plt.subplots(figsize=(5, 3))
    for style, (name, make) in zip(("-", "--", "-.", ":"), optimizers.items(), strict=True):
        model, rng = digits_model(seed=0), np.random.default_rng(0)
        optimizer, losses = make(model.parameters()), []
        for _ in range(100):
            batch = rng.integers(0, 1400, size=128)
            losses.append(train_step(optimizer, digits_loss, model, pixels[batch], labels[batch]))
        with no_grad():
            right = (model(Tensor(pixels[1400:])).argmax(axis=1) == labels[1400:]).mean()
        shares.append(right)
        print(f"{name:13} loss {np.mean(losses[-10:]):.3f}, {right:.1%} of new digits right")
        ax.semilogy(losses, style, label=name)
    spread = max(shares) - min(shares)
    print(f"best and worst are {spread:.1%} apart: {spread * 397:.0f} of 397 digits")
    ax.set(xlabel="step", ylabel="cross-entropy", title="100 steps on the digits")
    ax.legend()
    show(fig, alt="Loss against step on a logarithmic axis: four curves fall from 2.3")


if __name__ == "__main__":
    analyze_digits()

# %% [markdown]
r"""
If best and worst are a handful of digits apart, the rates were chosen well and the rules hardly matter for a network this small. Look at the names: SGD needed a rate of 1,
momentum 0.1, both adaptive methods 0.01. What those buy is not a better end here but a rate that moves less from problem to problem, because a step is about `lr` long whatever the gradient.

## Measure: the price

What does the memory cost, in bytes per weight and in time? A weight has 4 bytes, and its gradient 4 more. Predict each optimizer's share. And since an update of
Adam is a dozen passes over arrays of a million numbers: does it help to take them in pieces that stay in the cache? Which size of piece would you choose?
"""

# %%
def analyze_cost():
    """Bytes of state per weight, and milliseconds per step for two layers, 1.9 million weights."""
    rng = np.random.default_rng(0)
    kinds = {
        "SGD": lambda params: SGD(params, lr=0.1),
        "SGD, momentum": lambda params: SGD(params, lr=0.1, momentum=0.9),
        "RMSprop": RMSprop,
        "Adam": Adam,
        "AdamW": AdamW,
    }
    for name, make in kinds.items():
        layers = [Linear(784, 1024), Linear(1024, 1024)]
        params = [p for layer in layers for p in layer.parameters()]
        for p in params:
            p.grad = np.zeros_like(p.data)
            p.grad += rng.random(dtype=np.float32)
        optimizer, weights = make(params), sum(p.numel() for p in params)
        peak = peak_bytes(optimizer.step) / weights
        arrays = [a for kept in optimizer.state.values() for a in kept.values() if np.ndim(a)]
        kept, time = sum(a.nbytes for a in arrays) / weights, bench(optimizer.step).low_ms
        print(f"{name:14} keeps {kept:4.1f} bytes per weight, {time:5.2f} ms a step")
        print(f"{'':14} {peak:10.1f} bytes at the peak of its first step")


if __name__ == "__main__":
    analyze_cost()

# %%
def analyze_blocks():
    """Milliseconds per step of Adam on four million weights, in pieces of 2^10 to 2^22 elements."""
    global BLOCK  # only for this measurement
    chosen, sizes, times = BLOCK, [2**k for k in range(10, 23, 2)], []
    w = Tensor(np.zeros(2**22), requires_grad=True)
    w.grad = np.ones_like(w.data)
    optimizer = Adam([w])
    try:
        for size in sizes:
            BLOCK = size
            times.append(bench(optimizer.step, samples=7).low_ms)
    finally:
        BLOCK = chosen
    fig, ax = plt.subplots(figsize=(5, 3))
    ax.semilogx(sizes, times, "o-", base=2)
    ax.axvline(chosen, linestyle="--", color="grey", label="BLOCK")
    ax.set(xlabel="elements in a piece", ylabel="time of a step [ms]", ylim=(0, None))
    ax.set_title("Adam, 4 million weights")
    ax.legend()
    best = sizes[times.index(min(times))]
    print(f"pieces of {best:,} elements are fastest: {min(times):.1f} ms")
    tiny, whole = times[0] / min(times), times[-1] / min(times)
    print(f"tiny ones take {tiny:.2f} times as long, all at once {whole:.2f}")
    show(fig, alt="Time of a step against the size of a piece, with the chosen size marked")


if __name__ == "__main__":
    analyze_blocks()

# %% [markdown]
r"""
Plain SGD keeps nothing, momentum and RMSprop 4 bytes, Adam 8: with weight and gradient, training with Adam takes 16 bytes a weight where using the network takes 4.
(What the peak shows above that is temporaries; the pieces keep those of Adam small.) For the 175 billion weights of GPT-3 Adam's
state alone is 1.4 terabytes, which is why large systems cut the optimizer's state up first and give each machine a share (Rajbhandari et al., *ZeRO*, 2020).

Tiny pieces pay Python and NumPy for every call, a dozen calls a piece. The whole array pays memory: each pass streams all numbers from and to
it. In between, a piece and its state are read once and stay in the cache for the remaining passes. A *fused* kernel, PyTorch's `fused=True`, goes
further and does all passes in registers. If your factor for "all at once" is near 1, your last cache is large or your memory near: the pieces then buy little time, and still the memory of the temporaries.

## The whole module

Everything together on the digits: four optimizers, two groups, and a training run that is interrupted and goes on as if nothing had happened.
"""

# %% nbgrader={"grade": true, "grade_id": "test-module-optimizers", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_module():
    """Every optimizer learns the digits; one that is saved and loaded goes on where it was."""
    check_equal(lambda: train_digits(SGD, lr=0.5, momentum=0.9)[-1] < 0.1, True)
    check_equal(lambda: train_digits(RMSprop, lr=0.01)[-1] < 0.1, True)
    check_equal(lambda: train_digits(Adam, lr=0.01)[-1] < 0.1, True)
    check_equal(lambda: train_digits(AdamW, lr=0.01)[-1] < 0.1, True)
    ### BEGIN HIDDEN TESTS
    ends, (pixels, labels) = [], load_digits()
    for pause in (False, True):
        model = digits_model(seed=2)
        body, head = list(model.hidden.parameters()), list(model.output.parameters())
        groups = [{"params": body}, {"params": head, "lr": 0.03, "weight_decay": 0}]
        optimizer = AdamW(groups, lr=0.01)
        for step in range(8):
            if pause and step == 4:
                remembered = optimizer.state_dict()
                optimizer = AdamW([{"params": body}, {"params": head, "lr": 0.5}], lr=0.5)
                optimizer.load_state_dict(remembered)
            loss = train_step(optimizer, digits_loss, model, pixels[:100], labels[:100])
        ends.append(loss)
    check_close(lambda: ends[1], ends[0], rtol=0, atol=0)
    check_raises(
        ValueError,
        lambda: SGD([parameter(1)]).load_state_dict(Adam([parameter(1)]).state_dict()),
        mentions=["momentum"],
    )
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_module()

# %% [markdown]
r"""
**Question.** A colleague trains with Adam and resumes each morning from the weights of the evening before, but does not save the optimizer. Every morning the loss first jumps up. Which
two things happen in the first steps after a restart, and why does bias correction not prevent the jump?
"""

# %% [markdown] nbgrader={"grade": true, "grade_id": "q-restart", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
r"""
The averages begin again at 0. In the first step the corrected ratio is g / |g|, so *every* weight moves by the full learning rate in the direction of one batch's sign, also those
whose gradients are pure noise and whose steps had averaged out to almost nothing. And the velocity that damped the steep directions is gone. Bias correction makes the
averages right in size, but an average of one sample is still one sample: unbiased is not precise. Save the state, or warm the learning rate up again.
"""

# %% [markdown]
r"""
**To think about.** Adam's steps are about `lr` long wherever you are. What does that say about the last steps of a training run?

You can take a good step. **Module 07: Training** takes a hundred thousand of them: with a schedule, an eye on what goes wrong, and a way back after the power fails.
"""
