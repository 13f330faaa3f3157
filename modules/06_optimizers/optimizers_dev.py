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

A gradient says which way is down *here*, for an instant. Training is a hundred thousand such instants, and what you
remember from one to the next decides whether a network learns in an hour or in a week. Today you build the four memories
that nearly all networks of the last decade were trained with.

**Needs** `Tensor` (01), `relu` (02), layers (03), losses (04), autograd (05) | **Exports** `tinytorch.core.optimizers` | **About** 3 hours | **Points** 60
"""

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| default_exp core.optimizers
#| export
from collections.abc import Iterator
from numbers import Real
from typing import Any

import numpy as np

from tinytorch.core.tensor import Tensor

# %% nbgrader={"grade": false, "grade_id": "page-imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
import matplotlib.pyplot as plt  # this page only: plots and measurements are not exported

from tinytorch.core.activations import relu
from tinytorch.core.autograd import no_grad
from tinytorch.core.layers import Linear, Module
from tinytorch.core.losses import cross_entropy
from tinytorch.core.tensor import manual_seed

from tito.lab import bench, check_close, check_equal, check_raises, load_digits, peak_bytes, show

# %% [markdown]
r"""
## The frame: what every optimizer does

In module 05 you trained with one line, `parameter.data -= lr * parameter.grad`. Everything around that line is the same for all
optimizers, so it is given below:

- **Groups.** Parameters may be given as a list, or as several groups with options of their own, as in PyTorch:
  `SGD([{"params": body}, {"params": head, "lr": 0.1}], lr=0.01)`.
- **State.** An optimizer remembers arrays *per parameter* (a velocity, an average) and the number of its steps.
- **Refusals.** A learning rate of -1, an empty list, an option that does not exist: say so now, not after a night of training.

What is left for you is `update(p, g, state, options)`. It gets one parameter's numbers `p`, the gradient `g` and the arrays of its state,
all of one shape, and must change `p` and the state **in place**: `p -= ...` writes into the array, `p = p - ...` makes a new one that nobody sees.

Large parameters arrive in pieces of `BLOCK` elements. Since an optimizer works element by element, you need not notice; why the machine
likes it is measured at the end. One more method, `decay`, is told under AdamW. Read the cell once; the checks are at its end.
"""

# %% nbgrader={"grade": false, "grade_id": "optimizer-class", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
BLOCK = 1 << 16  # elements that are updated at a time: 256 KiB of float32, so that all arrays of a piece stay in the cache


class Optimizer:
    """What all optimizers share: groups of parameters with their options, a state for each parameter, the loop of `step`.

    A subclass hands the defaults of its options to `__init__`, names the arrays that it remembers in `buffers`, and moves a
    parameter in `update`.

    Args:
        params: Tensors; or dicts {"params": Tensors, option: value, ...}, one for each group.
        defaults: the options of a group that does not set its own; "lr" and "weight_decay" are always among them.

    Raises:
        ValueError: see add_param_group.

    Attributes:
        param_groups: a list of dicts {"params": [Tensor, ...], option: value, ...}; an option may be changed between steps.
        state: Tensor -> {"step": how often it was moved, name of a buffer: array of the Tensor's shape}.
    """

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self.param_groups: list[dict[str, Any]] = []
        self.state: dict[Tensor, dict[str, Any]] = {}
        if isinstance(params, Tensor | dict):
            raise ValueError(f"{type(self).__name__} takes a list of parameters, not one {type(params).__name__}: put it in [ ].")
        if hasattr(params, "parameters") or callable(params):
            raise TypeError(f"{type(self).__name__} takes a model's parameters, not the model: {type(self).__name__}(model.parameters(), ...).")
        entries = list(params)
        for group in entries if any(isinstance(entry, dict) for entry in entries) else [{"params": entries}]:
            self.add_param_group(group)

    def add_param_group(self, group: dict[str, Any]) -> None:
        """Take more parameters on board; options that `group` leaves out have their defaults.

        Raises:
            ValueError: no parameters, one given twice, something that is no parameter; an unknown option, one out of range.
        """
        group = check_group(group, self.defaults, type(self).__name__)
        known = {id(parameter) for parameter in self.parameters()}
        for place, parameter in enumerate(group["params"]):
            if id(parameter) in known:
                raise ValueError(f"parameter {place} of the group is given twice: it would be moved twice in a step.")
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
            ValueError: a gradient of another shape than its parameter, or an option out of range; nothing has moved then.
        """
        moves = [(parameter, group) for group in self.param_groups for parameter in group["params"] if parameter.grad is not None]
        if not all(parameter.data.flags.writeable for parameter, _ in moves):
            raise RuntimeError(
                "step(): a graph that was recorded with these parameters still waits for its backward(), and would give wrong "
                "gradients. Call backward() first, drop the graph (del the loss), or compute under no_grad()."
            )
        for parameter, _ in moves:
            if parameter.grad.shape != parameter.shape:
                raise ValueError(f"step(): a gradient of shape {parameter.grad.shape} for a parameter of shape {parameter.shape}.")
        for group in self.param_groups:
            for name in self.defaults:
                if type(group[name]) is not float:  # it may have been changed since
                    group[name] = check_option(name, group[name])
        for parameter, group in moves:
            state = self.state.setdefault(parameter, {"step": 0})
            for name in self.buffers(group):
                if name not in state:
                    state[name] = np.zeros_like(parameter.data)  # in the parameter's memory order
            state["step"] += 1
            for p, g, piece in pieces(parameter.data, parameter.grad, state):
                if group["weight_decay"]:
                    g = self.decay(p, g, group)
                self.update(p, g, piece, group)

    def buffers(self, options: dict[str, Any]) -> tuple[str, ...]:
        """Names of the arrays to remember for each parameter of a group; they begin as zeros."""
        return ()

    def decay(self, p: np.ndarray, g: np.ndarray, options: dict[str, Any]) -> np.ndarray:
        """Pull the weights towards 0, and return the gradient to go on with: here of loss + weight_decay / 2 * |p|^2."""
        return g + options["weight_decay"] * p

    def update(self, p: np.ndarray, g: np.ndarray, state: dict[str, Any], options: dict[str, Any]) -> None:
        """Move p, in place."""
        raise NotImplementedError(f"{type(self).__name__} needs an update(p, g, state, options)")

    def state_dict(self) -> dict[str, Any]:
        """Copy everything that the optimizer remembers into plain numbers and arrays, by the position of each parameter.

        Returns:
            {"state": {position: {"step": int, buffer: array}}, "param_groups": [{"params": positions, option: value}]}.
        """
        place = {parameter: i for i, parameter in enumerate(self.parameters())}
        state = {
            place[parameter]: {name: np.array(value) if isinstance(value, np.ndarray) else value for name, value in kept.items()}
            for parameter, kept in self.state.items()
        }
        groups = [{**group, "params": [place[parameter] for parameter in group["params"]]} for group in self.param_groups]
        return {"state": dict(sorted(state.items())), "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Remember what `state_dict()` of an optimizer of the same kind, for the same parameters, had copied.

        Raises:
            ValueError: it does not fit; nothing has changed then.
        """
        problem = mismatch(self, state_dict)
        if problem:
            raise ValueError(f"this state does not fit {type(self).__name__}: {problem}. Nothing was changed.")
        parameters, self.state = self.parameters(), {}
        for group, saved in zip(self.param_groups, state_dict["param_groups"], strict=True):
            group |= {name: check_option(name, value) for name, value in saved.items() if name != "params"}
        for place, saved in state_dict["state"].items():
            kept = self.state[parameters[place]] = {"step": int(saved["step"])}
            for name, value in saved.items():
                if name != "step":
                    kept[name] = np.zeros_like(parameters[place].data)
                    kept[name][...] = value


def pieces(p: np.ndarray, g: np.ndarray, state: dict[str, Any]) -> Iterator[tuple[np.ndarray, np.ndarray, dict[str, Any]]]:
    """Cut a parameter, its gradient and the arrays of its state into pieces of at most BLOCK elements that lie in a row.

    The pieces of p and of the state are views: what is written into them is written into the whole. Arrays that lie in memory
    in different orders stay whole.
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
        raise ValueError(f"{optimizer} takes Tensors or dicts with the key 'params', not both: got {group!r:.60}.")
    params = [group["params"]] if isinstance(group["params"], Tensor) else list(group["params"])
    if not params:
        raise ValueError(f"{optimizer} got no parameters. Is a generator used up? Call model.parameters() again.")
    for place, parameter in enumerate(params):
        if not isinstance(parameter, Tensor):
            raise ValueError(f"parameter {place} is a {type(parameter).__name__}, not a Tensor: {optimizer} moves Tensors.")
        if parameter._grad_fn is not None:
            raise ValueError(f"parameter {place} was computed by {parameter._grad_fn}: {optimizer} moves what nothing computed.")
    unknown = sorted(group.keys() - defaults.keys() - {"params"})
    if unknown:
        raise ValueError(f"{optimizer} has no option {', '.join(unknown)}: it knows {', '.join(defaults)}.")
    options = {name: check_option(name, group.get(name, default)) for name, default in defaults.items()}
    if not options["lr"] > 0:
        raise ValueError("lr must be a number above 0, not 0: nothing would ever move.")
    if options.get("nesterov") and not options["momentum"]:
        raise ValueError("nesterov looks ahead along the velocity: it needs a momentum above 0.")
    return {"params": params, **options}


def check_option(name: str, value: Any) -> Any:
    """Return an option as plain Python numbers: float64 scalars of NumPy would turn every update into float64.

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
        ours, theirs = (sorted(options.keys() - {"params", "initial_lr"}) for options in (group, saved))  # schedules add initial_lr
        if ours != theirs:
            return f"the options of group {number} are {theirs} instead of {ours}"
        if list(saved["params"]) != [len(home) + i for i in range(len(group["params"]))]:
            return f"group {number} has {len(saved['params'])} parameters instead of {len(group['params'])}, or others"
        home |= dict.fromkeys(saved["params"], saved)
        try:
            options = {name: check_option(name, saved[name]) for name in optimizer.defaults}
        except ValueError as error:
            return f"in group {number}, {error}".rstrip(".")
        home |= dict.fromkeys(saved["params"], options)
    for place, kept in state_dict["state"].items():
        if place not in home or not {"step"} <= kept.keys() <= {"step", *optimizer.buffers(home[place])}:
            return f"it remembers {sorted(kept)} for parameter {place!r}"
        for name in kept.keys() - {"step"}:
            shape = np.shape(kept[name])
            if shape != parameters[place].shape:
                return f"{name} of parameter {place} has shape {shape} instead of {parameters[place].shape}"
    return ""


# %% [markdown]
r"""
To see an optimizer think, we feed it gradients of our own choice and watch where it goes. `walk` does that; every test below uses it.
"""

# %% nbgrader={"grade": false, "grade_id": "walk", "locked": true, "schema_version": 3, "solution": false, "task": false}
def walk(optimizer: Optimizer, gradients) -> np.ndarray:
    """Give the optimizer's first parameter one gradient after the other; return its numbers after each step."""
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

What does that do to a gradient that is always 1, and to one that alternates 1, -1, 1, -1? The first piles up, $1 + \mu + \mu^2 + \dots = 1/(1-\mu)$, ten
times as fast for $\mu = 0.9$. The second cancels, $1 - \mu + \mu^2 - \dots = 1/(1+\mu)$, about half. Momentum is a **low-pass filter**: slow trends pass and
grow, fast oscillation is damped. That is exactly what a ravine asks for.

Nesterov's variant looks ahead: it steps along $g + \mu v$, with the *new* $v$, where the velocity is about to carry us (Sutskever et al.,
*On the importance of initialization and momentum*, 2013, in the form of PyTorch).
"""

# %% nbgrader={"grade": false, "grade_id": "sgd", "locked": false, "schema_version": 3, "solution": true, "task": false}
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

    def __init__(self, params: Any, lr: float = 1e-3, *, momentum: float = 0.0, weight_decay: float = 0.0, nesterov: bool = False) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "nesterov": nesterov})

    def buffers(self, options: dict[str, Any]) -> tuple[str, ...]:
        """A velocity, if there is momentum."""
        return ("momentum_buffer",) if options["momentum"] else ()

    def update(self, p: np.ndarray, g: np.ndarray, state: dict[str, Any], options: dict[str, Any]) -> None:
        """Move p against its gradient, or against its velocity.

        Args:
            p: numbers of the parameter, to be changed in place.
            g: gradient, not to be changed.
            state: holds "momentum_buffer", the velocity, if options["momentum"] is not 0; to be changed in place.
            options: "lr", "momentum", "nesterov".

        TODO: the three kinds of step: plain, with momentum, with Nesterov's look ahead.
        APPROACH: 1. with momentum, update the velocity in place  2. choose the direction: g, v, or g + momentum * v  3. p -= lr * direction
        EXAMPLE:
            >>> w = Tensor([0.0], requires_grad=True)
            >>> optimizer = SGD([w], lr=1, momentum=0.5)
            >>> for _ in range(2):
            ...     w.grad = np.float32([1])
            ...     optimizer.step()
            >>> w.data
            array([-2.5], dtype=float32)

        HINT: `v *= momentum` and `v += g` write into the state; `v = momentum * v + g` would leave it as it was.
        """
        ### BEGIN SOLUTION
        direction, momentum = g, options["momentum"]
        if momentum:
            velocity = state["momentum_buffer"]
            velocity *= momentum
            velocity += g
            direction = g + momentum * velocity if options["nesterov"] else velocity
        p -= options["lr"] * direction
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-sgd", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_sgd():
    """Plain steps, groups with rates of their own, decay, and refusals."""
    check_close(
        lambda: walk(SGD([parameter(1, 2)], lr=0.1), [[10, -20], [1, 1]]), [[0, 4], [-0.1, 3.9]]
    )
    check_raises(ValueError, lambda: SGD([parameter(1)], lr=-1), mentions=["lr", "-1"])
    ### BEGIN HIDDEN TESTS
    check_close(
        lambda: walk(SGD([parameter(4)], lr=0.5, weight_decay=0.5), [[0], [1]]), [[3], [1.75]]
    )
    a, b = parameter(1), parameter(1)
    optimizer = SGD([{"params": [a]}, {"params": [b], "lr": 0.5}], lr=0.25)
    a.grad, b.grad = np.float32([1]), np.float32([1])
    optimizer.step()
    check_close(lambda: [float(a.data[0]), float(b.data[0])], [0.75, 0.5])
    check_close(lambda: a.grad, [1.0])
    large = Tensor(np.ones((300, 400)), requires_grad=True)
    check_close(
        lambda: walk(SGD([large], lr=0.5), [np.full((300, 400), 2)])[0], np.zeros((300, 400))
    )
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_sgd()

# %% nbgrader={"grade": true, "grade_id": "test-momentum", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_unit_momentum():
    """Steady gradients pile up, alternating ones cancel, and each parameter has a velocity of its own."""
    check_close(
        lambda: walk(SGD([parameter(0)], lr=1, momentum=0.5), [[1]] * 3), [[-1], [-2.5], [-4.25]]
    )
    check_close(
        lambda: walk(SGD([parameter(0)], lr=1, momentum=0.5, nesterov=True), [[1]] * 3),
        [[-1.5], [-3.25], [-5.125]],
    )
    ### BEGIN HIDDEN TESTS
    check_close(
        lambda: np.diff(walk(SGD([parameter(0)], lr=0.1, momentum=0.9), [[1]] * 200)[-2:, 0]),
        [-1.0],
    )
    alternating = [[(-1) ** k] for k in range(200)]
    check_close(
        lambda: np.abs(np.diff(walk(SGD([parameter(0)], lr=1, momentum=0.9), alternating)[-2:, 0])),
        [1 / 1.9],
        rtol=1e-3,
    )
    a, b = parameter(0), parameter(0)
    optimizer = SGD([a, b], lr=1, momentum=0.5)
    for _ in range(2):
        a.grad, b.grad = np.float32([1]), np.float32([10])
        optimizer.step()
    check_close(lambda: [float(a.data[0]), float(b.data[0])], [-2.5, -25])
    check_close(
        lambda: walk(
            SGD([parameter(0, 0)], lr=0.5, momentum=0.9, nesterov=True, weight_decay=0.1),
            [[1, -2], [3, 0]],
        ),
        [[-0.95, 1.9], [-4.11475, 2.5295]],
        rtol=1e-4,
    )
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_momentum()

# %% [markdown]
r"""
## Four lines that train everything

Now the loop itself. Its four calls have an order, and one of them is forgotten more often than any other line in deep learning. Remember
from module 05 what a second `backward` does to a gradient that is still there.
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
    losses = [train_step(optimizer, ravine, w) for _ in range(3)]
    check_close(lambda: losses, [60, 45.125, 40.725312])
    ### BEGIN HIDDEN TESTS
    check_equal(lambda: type(losses[0]).__name__, "float")
    check_close(lambda: w.data, [10 * 0.95**3, 0], atol=1e-4)
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

One rate must serve a bias that sees large gradients and an embedding that sees a rare word once a day. Hinton's answer, which he only ever published on a
slide (Tieleman and Hinton, *Lecture 6.5, RMSprop*, 2012): divide each gradient by its own typical size. The typical size is the root of a
running mean of squares,

$$s \leftarrow \alpha s + (1 - \alpha) g^2 \qquad\qquad p \leftarrow p - lr \frac{g}{\sqrt{s} + \varepsilon}$$

so a gradient that is always 0.001 and one that is always 1000 end up moving their weights equally fast. $\varepsilon$ keeps us from dividing by 0, and it stands **outside**
the root. Inside, $\varepsilon = 10^{-8}$ would count like a gradient of $10^{-4}$, and in a deep network many are smaller than that.

Write it as the formula reads. (A hundred thousand steps later you may care that every operation makes a new array. `np.multiply(g, g, out=scratch)` writes into one
that is there already; we measure below what that is worth.)
"""

# %% nbgrader={"grade": false, "grade_id": "rmsprop", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class RMSprop(Optimizer):
    """Gradient descent with each gradient divided by the root of its running mean square (Tieleman and Hinton 2012).

    Args:
        params: see Optimizer.
        lr: learning rate, above 0.
        alpha: share of the old mean square that survives a step, in [0, 1).
        eps: added to the root.
        weight_decay: strength of the pull towards 0.

    Raises:
        ValueError: an option out of range.
    """

    def __init__(self, params: Any, lr: float = 1e-2, alpha: float = 0.99, eps: float = 1e-8, weight_decay: float = 0.0) -> None:
        super().__init__(params, {"lr": lr, "alpha": alpha, "eps": eps, "weight_decay": weight_decay})

    def buffers(self, options: dict[str, Any]) -> tuple[str, ...]:
        """A running mean of squared gradients."""
        return ("square_avg",)

    def update(self, p: np.ndarray, g: np.ndarray, state: dict[str, Any], options: dict[str, Any]) -> None:
        """Move p against g / (sqrt(s) + eps).

        Args:
            p, g: numbers of the parameter (to be changed in place) and their gradient.
            state: holds "square_avg", s in the formula, to be changed in place.
            options: "lr", "alpha", "eps".

        TODO: the two formulas above.
        APPROACH: 1. update s in place  2. its root plus eps  3. p -= ...
        EXAMPLE:
            >>> w = Tensor([0.0, 0.0], requires_grad=True)
            >>> w.grad = np.float32([1000, -0.001])
            >>> RMSprop([w], lr=1, alpha=0.75).step()
            >>> w.data.round(3)
            array([-2.,  2.], dtype=float32)

        HINT: `s *= alpha` and then `s += ...` write in place. (`s += (1 - alpha) * (g * g - s)` would lose a small g behind a large s.)
        """
        ### BEGIN SOLUTION
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
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-rmsprop", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_rmsprop():
    """Large and small gradients move equally far; then numbers by hand."""
    check_close(
        lambda: walk(RMSprop([parameter(0, 0)], lr=1, alpha=0.75), [[1000, -0.001]]),
        [[-2, 2]],
        rtol=1e-3,
    )
    ### BEGIN HIDDEN TESTS
    s1, s2 = 0.1 * 4, 0.9 * 0.1 * 4 + 0.1 * 1
    first = -0.5 * 2 / (s1**0.5 + 0.25)
    check_close(
        lambda: walk(RMSprop([parameter(0)], lr=0.5, alpha=0.9, eps=0.25), [[2], [-1]]),
        [[first], [first + 0.5 / (s2**0.5 + 0.25)]],
    )
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_rmsprop()

# %% [markdown]
r"""
## Adam: both memories, and an honest start

Adam (Kingma and Ba 2015) keeps a running mean $m$ of the gradient, which is momentum, and one $v$ of its square, which is RMSprop:

$$m \leftarrow \beta_1 m + (1 - \beta_1) g \qquad v \leftarrow \beta_2 v + (1 - \beta_2) g^2$$

But both begin at 0, and that is a lie about the past. Look at step 1 with $\beta_1 = 0.9$, $\beta_2 = 0.999$: $m = 0.1\,g$ and $v = 0.001\,g^2$. Both are far too
small, yet $m/\sqrt{v} = 0.1 / 0.0316 = 3.16$ is far too *large*, because the two start-ups are unequally slow. After $t$ steps the weights in a running
mean add up to only $1 - \beta^t$, so divide by that:

$$\hat m = \frac{m}{1 - \beta_1^t} \qquad \hat v = \frac{v}{1 - \beta_2^t} \qquad p \leftarrow p - lr \frac{\hat m}{\sqrt{\hat v} + \varepsilon}$$

Now step 1 gives $\hat m = g$, $\hat v = g^2$ and a step of exactly $lr$, whatever the size of the gradient. Without the correction, how long would the
steps be too long? The factor is $(1-\beta_1^t)/\sqrt{1-\beta_2^t}$: 3.2 at first, 6.5 at the tenth step, and still 1.3 at the thousandth.

The corrections are plain numbers. Divide *numbers* by numbers before an array is touched, and they cost nothing.
"""

# %% nbgrader={"grade": false, "grade_id": "adam", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class Adam(Optimizer):
    """Running means of the gradient and of its square, both corrected for their start at 0 (Kingma and Ba 2015).

    Args:
        params: see Optimizer.
        lr: learning rate, above 0: about the length of a step in each weight.
        betas: share of each running mean that survives a step: of the gradient, of its square; in [0, 1).
        eps: added to the root.
        weight_decay: strength of the pull towards 0; see AdamW for the better way.

    Raises:
        ValueError: an option out of range.
    """

    def __init__(
        self, params: Any, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 0.0
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    def buffers(self, options: dict[str, Any]) -> tuple[str, ...]:
        """Running means of the gradient (m) and of its square (v)."""
        return ("exp_avg", "exp_avg_sq")

    def update(self, p: np.ndarray, g: np.ndarray, state: dict[str, Any], options: dict[str, Any]) -> None:
        """Move p against m / (sqrt(v) + eps), with m and v corrected for their start at 0.

        Args:
            p, g: numbers of the parameter (to be changed in place) and their gradient.
            state: "exp_avg" (m) and "exp_avg_sq" (v), to be changed in place; "step", the number t of this step, from 1 on.
            options: "lr", "betas", "eps".

        TODO: the formulas above; the state keeps m and v *without* the correction.
        APPROACH: 1. update m and v in place  2. the corrections, as two numbers  3. sqrt of the corrected v, plus eps  4. p -= ...
        EXAMPLE:
            >>> w = Tensor([0.0, 0.0], requires_grad=True)
            >>> w.grad = np.float32([1000, -0.001])
            >>> Adam([w], lr=0.1).step()
            >>> w.data.round(4)
            array([-0.1,  0.1], dtype=float32)

        HINT: `m *= beta1` and then `m += ...` write in place. sqrt(v / c) = sqrt(v) / c**0.5, and c**0.5 is a number.
        """
        ### BEGIN SOLUTION
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
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-adam", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_unit_adam():
    """The first step is lr long; later ones follow the formulas, computed here in float64."""
    check_close(
        lambda: walk(Adam([parameter(0, 0)], lr=0.1), [[1000, -0.001]]), [[-0.1, 0.1]], rtol=1e-3
    )
    ### BEGIN HIDDEN TESTS
    gradients = np.random.default_rng(0).normal(size=(6, 3))
    for betas, eps in (((0.9, 0.999), 1e-8), ((0.5, 0.75), 0.5)):
        p, m, v, expected = np.array([1.0, 0.0, -1.0]), 0.0, 0.0, []
        for t, g in enumerate(gradients, start=1):
            m, v = betas[0] * m + (1 - betas[0]) * g, betas[1] * v + (1 - betas[1]) * g * g
            p = p - 0.25 * (m / (1 - betas[0] ** t)) / (np.sqrt(v / (1 - betas[1] ** t)) + eps)
            expected.append(p)
        options = {"lr": 0.25, "betas": betas, "eps": eps}
        check_close(
            lambda options=options: walk(Adam([parameter(1, 0, -1)], **options), gradients),
            expected,
            rtol=1e-3,
        )
    large = Tensor(np.ones((300, 400)), requires_grad=True)
    check_close(
        lambda: walk(Adam([large], lr=0.5), [np.full((300, 400), 2)] * 2)[1], np.zeros((300, 400))
    )
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_adam()

# %% [markdown]
r"""
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
    """Adam with a weight decay that does not pass through the running means (Loshchilov and Hutter 2019).

    Args and Raises: as Adam; each step first multiplies every weight by 1 - lr * weight_decay.
    """

    def __init__(
        self, params: Any, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 1e-2
    ) -> None:
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


# %% nbgrader={"grade": true, "grade_id": "test-adamw", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
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
## Measure: four roads through the ravine

All start at $(-10, 1)$, each with a learning rate that suits it. Guess which arrives first, and what Adam's path looks like: along the steepest slope, or straight
along the diagonal?
"""


# %%
def analyze_ravine():
    """The paths of four optimizers on (x^2 + 20 y^2) / 2, and how many steps each needs to come within 0.01 of the bottom."""
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
        print(f"{name:9} {steps:4} steps" if steps < 500 else f"{name:9} not there after 500 steps")
        ax.plot(*np.array(path[:25]).T, marker=marker, markersize=4, linewidth=1, label=name)
    ax.set(xlabel="x", ylabel="y", title="The first 24 steps", ylim=(-1.6, 1.6))
    ax.legend()
    show(fig, alt="Contours of a ravine with four paths: SGD zigzags across it, momentum swings in and overshoots, RMSprop and Adam go along both axes at the same speed")


if __name__ == "__main__":
    analyze_ravine()

# %% [markdown]
r"""
Adam and RMSprop move both coordinates equally fast, so they leave the steepest slope and make for the bottom. But look at who arrives: a
well-tuned velocity keeps up with them, and near the bottom their steps stay about $lr$ long, so they circle until the averages notice.
A method that always walks at the same speed must slow down at some point; that is the *schedule* of module 07.

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


# %%
def analyze_digits():
    """Loss over 100 steps on batches of 128 digits for each optimizer, and the share of new digits read correctly."""
    pixels, labels = load_digits()
    optimizers = {
        "SGD 1.0": lambda params: SGD(params, lr=1.0),
        "momentum 0.1": lambda params: SGD(params, lr=0.1, momentum=0.9, nesterov=True),
        "RMSprop 0.01": lambda params: RMSprop(params, lr=0.01),
        "AdamW 0.01": lambda params: AdamW(params, lr=0.01),
    }
    fig, ax = plt.subplots(figsize=(5, 3))
    for style, (name, make) in zip(("-", "--", "-.", ":"), optimizers.items(), strict=True):
        model, rng = digits_model(seed=0), np.random.default_rng(0)
        optimizer, losses = make(model.parameters()), []
        for _ in range(100):
            batch = rng.integers(0, 1400, size=128)
            losses.append(train_step(optimizer, digits_loss, model, pixels[batch], labels[batch]))
        with no_grad():
            right = (model(Tensor(pixels[1400:])).argmax(axis=1) == labels[1400:]).mean()
        print(f"{name:13} loss {np.mean(losses[-10:]):.3f}, {right:.1%} of new digits right")
        ax.semilogy(losses, style, label=name)
    ax.set(xlabel="step", ylabel="cross-entropy", title="100 steps on the digits")
    ax.legend()
    show(fig, alt="Loss against step on a logarithmic axis: all four fall from 2.3; RMSprop and AdamW are ahead in the first twenty steps, and all end near 0.1")


if __name__ == "__main__":
    analyze_digits()

# %% [markdown]
r"""
The figures lie close together. On a small network with well-scaled inputs a tuned SGD is as good as anything; what the adaptive methods buy is that *one* rate, 0.001 to
0.01, does for nearly everything. That matters when a run costs a month and nobody can try ten rates.

## Measure: the price

What does the memory cost, in bytes per weight and in time? A weight has 4 bytes, and its gradient 4 more. Predict each optimizer's share. And since an update of
Adam is a dozen passes over arrays of a million numbers: does it help to take them in pieces that stay in the cache? Which size of piece would you choose?
"""


# %%
class PlainAdam(Adam):
    """Adam as the formulas read: a new array for every operation."""

    def update(self, p, g, state, options):
        (beta1, beta2), t = options["betas"], state["step"]
        m, v = state["exp_avg"], state["exp_avg_sq"]
        m[...] = beta1 * m + (1 - beta1) * g
        v[...] = beta2 * v + (1 - beta2) * g * g
        p -= options["lr"] * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + options["eps"])


def analyze_cost():
    """Bytes of state per weight, and milliseconds per step for two layers of 784 x 1024 and 1024 x 1024 weights."""
    rng = np.random.default_rng(0)
    kinds = {
        "SGD": lambda params: SGD(params, lr=0.1),
        "SGD, momentum": lambda params: SGD(params, lr=0.1, momentum=0.9),
        "RMSprop": RMSprop,
        "Adam": Adam,
        "AdamW": AdamW,
        "PlainAdam": PlainAdam,
    }
    for name, make in kinds.items():
        layers = [Linear(784, 1024), Linear(1024, 1024)]
        params = [p for layer in layers for p in layer.parameters()]
        for p in params:
            p.grad = np.zeros_like(p.data)
            p.grad += rng.random(dtype=np.float32)
        optimizer, weights = make(params), sum(p.numel() for p in params)
        kept = peak_bytes(optimizer.step) / weights
        print(f"{name:14} {kept:5.1f} bytes per weight at the peak of the first step, {bench(optimizer.step).low_ms:5.2f} ms per step")


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
    ax.set(xlabel="elements in a piece", ylabel="time of a step [ms]", title="Adam, 4 million weights", ylim=(0, None))
    ax.legend()
    print(f"pieces of {sizes[times.index(min(times))]:,} elements are fastest: {min(times):.1f} ms, all at once {times[-1]:.1f} ms")
    show(fig, alt="Time of a step against the size of a piece: high for tiny pieces, lowest around 2^14 to 2^18 elements, higher again for the whole array")


if __name__ == "__main__":
    analyze_blocks()

# %% [markdown]
r"""
Plain SGD remembers nothing, momentum and RMSprop 4 bytes, Adam 8: with weight and gradient, training with Adam takes 16 bytes a weight where using the network takes 4.
(What the measurement shows above these round numbers is temporaries, and the pieces keep those small.) For the 175 billion weights of GPT-3 Adam's
state alone is 1.4 terabytes, which is why large systems cut the optimizer's state up first and give each machine a share (Rajbhandari et al., *ZeRO*, 2020).

Tiny pieces pay Python and NumPy for every call, a microsecond each, a dozen per piece. The whole array pays memory: each pass streams all numbers from and to
it. In between, a piece and its state are read once and stay in the cache for the remaining passes. A *fused* kernel, PyTorch's `fused=True`, goes
further and does all passes in registers. How much you gain depends on how far memory lies from the processor; on machines with a large last cache it is little.

## The whole module

Everything together on the digits: four optimizers, two groups, and a training run that is interrupted and goes on as if nothing had happened.
"""

# %% nbgrader={"grade": true, "grade_id": "test-module-optimizers", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_module():
    """Every optimizer learns the digits, and one that is saved and loaded goes on exactly where it was."""
    pixels, labels = load_digits()
    for kind, options in (
        (SGD, {"lr": 0.5, "momentum": 0.9}),
        (RMSprop, {"lr": 0.01}),
        (Adam, {"lr": 0.01}),
        (AdamW, {"lr": 0.01}),
    ):
        model = digits_model(seed=1)
        optimizer = kind(model.parameters(), **options)
        losses = [
            train_step(optimizer, digits_loss, model, pixels[:500], labels[:500]) for _ in range(40)
        ]
        check_equal(lambda: losses[-1] < 0.3, True)
    ### BEGIN HIDDEN TESTS
    ends = []
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
