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
# Module 07: Training

The four lines of a training step fit on a napkin. A run of three weeks needs more: a learning rate that changes with the hour, a leash for
gradients that bolt, somebody who notices that the loss is `nan`, and a way back after the power fails. Today you build these, and a `Trainer` that
resumes a run to the last bit.

**Needs** `Tensor` (01), `relu` (02), layers (03), losses (04), autograd (05), optimizers (06) | **Exports** `tinytorch.core.training` | **About** 4 hours | **Points** 70
"""

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| default_exp core.training
#| export
import json
import math
import os
import struct
import sys
import time
import zipfile
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from tinytorch.core.autograd import no_grad
from tinytorch.core.layers import Module
from tinytorch.core.optimizers import Optimizer, mismatch
from tinytorch.core.tensor import Tensor, generator, raw

# %% nbgrader={"grade": false, "grade_id": "page-imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
import tempfile  # this page only: measurements, plots and helpers of tests are not exported

import matplotlib.pyplot as plt

from tinytorch.core.activations import relu
from tinytorch.core.layers import Dropout, Linear, Parameter
from tinytorch.core.losses import cross_entropy, mse_loss
from tinytorch.core.optimizers import SGD, AdamW
from tinytorch.core.tensor import manual_seed

from tito.lab import check_close, check_equal, check_raises, compare, load_digits, show

# %% [markdown]
r"""
## A learning rate that changes

Far from the goal, long steps; near it, short ones. Module 06 showed why: a method that always walks at the same speed circles around the bottom. A
**schedule** writes a new `lr` into the optimizer's groups after every step. What makes one schedule differ from another is a single function: the rate at
step $t$, given the rate that the optimizer began with. The two that you meet most often are yours, with the values of `torch.optim.lr_scheduler`:

```
CosineAnnealingLR   ‾‾\___             half a wave, from the full rate down to eta_min at T_max
LinearLR            /‾‾‾‾‾‾‾‾          a straight line from start_factor to end_factor, then level: warm-up
```

Why a cosine? It stays high for long, falls quickly, and lands softly (Loshchilov and Hutter, *SGDR*, 2017):

$$lr_t = \eta_{min} + \tfrac{1}{2}\,(lr_0 - \eta_{min})\Big(1 + \cos\frac{\pi t}{T_{max}}\Big)$$
"""


# %% nbgrader={"grade": false, "grade_id": "cosine-rate", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def cosine_rate(base_lr: float, step: int, T_max: int, eta_min: float = 0.0) -> float:
    """The learning rate after `step` steps of half a cosine (Loshchilov and Hutter 2017).

    Args:
        base_lr: rate at step 0.
        T_max: step at which `eta_min` is reached; then the rate rises again.

    TODO: the formula of the text.
    APPROACH: 1. the wave, from 1 down to -1  2. stretched to go from base_lr down to eta_min
    EXAMPLE:
        >>> [round(cosine_rate(1.0, step, T_max=4), 2) for step in range(5)]
        [1.0, 0.85, 0.5, 0.15, 0.0]

    HINT: math.cos and math.pi give plain numbers; np.cos gives a float64 of NumPy.
    """
    ### BEGIN SOLUTION
    wave = math.cos(math.pi * step / T_max)  # 1 at the beginning, -1 at T_max
    return eta_min + (base_lr - eta_min) * (1 + wave) / 2
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-cosine-rate", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_cosine_rate():
    """Both ends, the middle, and a floor."""
    expected = [1, 0.5 + 0.125**0.5, 0.5, 0.5 - 0.125**0.5, 0]
    check_close(lambda: [cosine_rate(1.0, step, T_max=4) for step in range(5)], expected)
    check_close(lambda: cosine_rate(2.0, 10, T_max=10, eta_min=0.5), 0.5)
    ### BEGIN HIDDEN TESTS
    check_close(lambda: [cosine_rate(3.0, step, 2, 1.0) for step in range(4)], [3, 2, 1, 2])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_cosine_rate()

# %% [markdown]
r"""
And why a warm-up? Adam's averages begin with a single batch, so its first directions are noise at full speed. Transformers are trained with one since their first paper
(Vaswani et al., *Attention is all you need*, 2017, section 5.3: 4000 steps). A share of the way is done; from `start_factor` to `end_factor` times the rate, the factor has gone that same share.
"""


# %% nbgrader={"grade": false, "grade_id": "warm-up-rate", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def warm_up_rate(
    base_lr: float, step: int, start_factor: float, end_factor: float, total_iters: int
) -> float:
    """The learning rate after `step` steps of a straight line, and level after it.

    Args:
        base_lr: rate that the factors multiply.
        start_factor, end_factor: at step 0, and from step `total_iters` on.

    TODO: a line, then level.
    APPROACH: 1. the share of the way that is done, at most 1  2. the factor there  3. times base_lr
    EXAMPLE:
        >>> [warm_up_rate(8.0, step, 0.25, 1.0, total_iters=3) for step in range(5)]
        [2.0, 4.0, 6.0, 8.0, 8.0]

    HINT: min(step, total_iters) makes it level.
    """
    ### BEGIN SOLUTION
    done = min(step, total_iters) / total_iters
    return base_lr * (start_factor + (end_factor - start_factor) * done)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-warm-up-rate", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_warm_up_rate():
    """Up in a straight line, then level; the same downwards."""
    check_close(lambda: [warm_up_rate(8.0, k, 0.25, 1.0, 3) for k in range(6)], [2, 4, 6, 8, 8, 8])
    ### BEGIN HIDDEN TESTS
    check_close(lambda: [warm_up_rate(2.0, k, 1.0, 0.5, 2) for k in range(4)], [2, 1.5, 1, 1])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_warm_up_rate()

# %% [markdown]
r"""
The folded cell makes schedules of your functions: a frame that counts the steps and writes the rates, `StepLR` (a staircase), and `SequentialLR`, which asks one schedule after the other.
A warm-up *and then* a cosine is what GPT-3 was trained with (Brown et al., 2020, appendix B). `rates`, given, lists what a schedule says.
"""


# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "schedules", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class LRScheduler:
    """Sets the learning rate of every group of an optimizer, step after step; a subclass says which
    in `rate`.

    Call `step()` after each `optimizer.step()`, or after each epoch: the schedule counts its own
    calls. The rates that the groups began with
    are kept in their option "initial_lr", so that several schedules can share an optimizer.

    Attributes:
        last_epoch: how often `step()` was called (PyTorch's name).
        base_lrs: the rate that each group began with.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        self.base_lrs = [
            group.setdefault("initial_lr", group["lr"]) for group in optimizer.param_groups
        ]
        self.last_epoch = 0
        self.apply()

    def rate(self, base_lr: float, step: int) -> float:
        """The learning rate after `step` steps, for a group that began with `base_lr`."""
        raise NotImplementedError(f"{type(self).__name__} needs a rate(base_lr, step)")

    def apply(self) -> None:
        """Write the rates of now into the optimizer."""
        for group, base_lr in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = float(self.rate(base_lr, self.last_epoch))

    def step(self) -> None:
        """Go on to the rates of the next step."""
        self.last_epoch += 1
        self.apply()

    def get_last_lr(self) -> list[float]:
        """The rate of each group now."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Where the schedule is, in plain numbers."""
        return {"last_epoch": self.last_epoch, "base_lrs": list(self.base_lrs)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go to where `state` was taken.

        Raises:
            ValueError: it belongs to a schedule of another number of groups; nothing has changed
                then.
        """
        if len(state["base_lrs"]) != len(self.base_lrs):
            raise ValueError(
                f"the schedule's state has {len(state['base_lrs'])} groups "
                f"instead of {len(self.base_lrs)}."
            )
        self.last_epoch, self.base_lrs = int(state["last_epoch"]), list(state["base_lrs"])
        self.apply()


def whole_steps(name: str, value: Any) -> int:
    """A number of steps.

    Raises:
        ValueError: not a whole number above 0.
    """
    if not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} must be a whole number above 0, not {value!r:.60}.")
    return value


class StepLR(LRScheduler):
    """Multiplies the learning rate by `gamma` after every `step_size` steps.

    Raises:
        ValueError: `step_size` is not a whole number above 0.
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        self.step_size, self.gamma = whole_steps("step_size", step_size), gamma
        super().__init__(optimizer)

    def rate(self, base_lr: float, step: int) -> float:
        """The learning rate after `step` steps."""
        return base_lr * self.gamma ** (step // self.step_size)


class CosineAnnealingLR(LRScheduler):
    """Lets the learning rate fall along half a cosine to `eta_min` at step `T_max` (Loshchilov and
    Hutter 2017); then it rises again.

    Raises:
        ValueError: `T_max` is not a whole number above 0.
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0) -> None:
        self.T_max, self.eta_min = whole_steps("T_max", T_max), eta_min
        super().__init__(optimizer)

    def rate(self, base_lr: float, step: int) -> float:
        """The learning rate after `step` steps."""
        return cosine_rate(base_lr, step, self.T_max, self.eta_min)


class LinearLR(LRScheduler):
    """Lets the learning rate go in a straight line from `start_factor` to `end_factor` times
    itself, in `total_iters` steps: a warm-up.

    Raises:
        ValueError: `total_iters` is not a whole number above 0, or `start_factor` not in (0, 1].
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
    ) -> None:
        if not 0 < start_factor <= 1:
            raise ValueError(
                f"start_factor must be in (0, 1], not {start_factor!r:.60}: "
                "at 0 the first step would be lost."
            )
        self.start_factor, self.end_factor = start_factor, end_factor
        self.total_iters = whole_steps("total_iters", total_iters)
        super().__init__(optimizer)

    def rate(self, base_lr: float, step: int) -> float:
        """The learning rate after `step` steps."""
        return warm_up_rate(base_lr, step, self.start_factor, self.end_factor, self.total_iters)


class SequentialLR(LRScheduler):
    """One schedule after the other: `schedulers[k]` begins, at its own step 0, when `milestones[k -
    1]` steps are done.

    Raises:
        ValueError: not one milestone between each two schedules, or milestones that do not rise.

    Example:
        >>> from tinytorch.core.optimizers import SGD
        >>> optimizer = SGD([Tensor([0.0])], lr=8.0)
        >>> parts = [LinearLR(optimizer, 0.5, total_iters=2), CosineAnnealingLR(optimizer, T_max=2)]
        >>> scheduler = SequentialLR(optimizer, parts, milestones=[2])
        >>> [scheduler.rate(8.0, step) for step in range(5)]
        [4.0, 6.0, 8.0, 4.0, 0.0]
    """

    def __init__(
        self, optimizer: Optimizer, schedulers: Sequence[LRScheduler], milestones: Sequence[int]
    ) -> None:
        if len(milestones) != len(schedulers) - 1 or list(milestones) != sorted(set(milestones)):
            raise ValueError(
                f"{len(schedulers)} schedules need {len(schedulers) - 1} rising milestones "
                f"between them, not {list(milestones)}."
            )
        self.schedulers, self.milestones = list(schedulers), list(milestones)
        super().__init__(optimizer)

    def rate(self, base_lr: float, step: int) -> float:
        """The rate of the schedule whose turn it is."""
        turn = bisect_right(self.milestones, step)
        return self.schedulers[turn].rate(
            base_lr, step - (self.milestones[turn - 1] if turn else 0)
        )


# %% nbgrader={"grade": false, "grade_id": "rates", "locked": true, "schema_version": 3, "solution": false, "task": false}
def optimizer_at(lr: float) -> SGD:
    """An optimizer with one parameter and this learning rate."""
    return SGD([Parameter([0.0])], lr=lr)


def rates(scheduler: LRScheduler, steps: int) -> list[float]:
    """The learning rates of the first `steps` training steps."""
    seen = []
    for _ in range(steps):
        seen += scheduler.get_last_lr()
        scheduler.step()
    return seen


# %%
def analyze_rates():
    """Three schedules over a hundred steps."""
    fig, ax = plt.subplots(figsize=(5, 3))
    made = {
        "StepLR": StepLR(optimizer_at(1.0), 30, 0.3),
        "CosineAnnealingLR": CosineAnnealingLR(optimizer_at(1.0), 100),
        "LinearLR": LinearLR(optimizer_at(1.0), 0.1, total_iters=20),
    }
    for style, (name, scheduler) in zip(("-", "--", ":"), made.items(), strict=True):
        ax.plot(rates(scheduler, 100), style, label=name)
    ax.set(xlabel="step", ylabel="learning rate", title="Three schedules")
    ax.legend()
    show(fig, alt="A staircase, half a cosine from 1 to 0, and a line that rises to 1 and stays")


if __name__ == "__main__":
    analyze_rates()

# %% [markdown]
r"""
## A leash for gradients

Once in a while a batch hits a cliff, and a gradient far above its usual size throws the weights away. Clipping (Pascanu et al., *On the difficulty of
training recurrent neural networks*, 2013) shortens such a gradient and **keeps its direction**. For that, all parameters must shrink by *one* factor: the length is
that of all gradients together, as one long vector,

$$|g| = \sqrt{\textstyle\sum_p \sum_i g_{p,i}^2} \qquad\qquad g \leftarrow g \cdot \min\Big(1, \frac{max\_norm}{|g| + 10^{-6}}\Big)$$

Two parameters with gradients (3, 0) and (0, 4) have length 5. Clipped to 1 they become (0.6, 0) and (0, 0.8). Clipping each alone would give (1, 0) and (0, 1): another
direction.
"""


# %% nbgrader={"grade": false, "grade_id": "clip-grad-norm", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def clip_grad_norm_(parameters: Iterable[Tensor], max_norm: float) -> float:
    """Shorten the gradients of all parameters together to a length of at most `max_norm`, in place.

    Args:
        parameters: Tensors; those without a gradient are passed over.
        max_norm: the greatest length.

    Returns:
        the length before clipping.

    Raises:
        FloatingPointError: the length is not a finite number; no gradient has changed then.

    TODO: the two formulas above, and the refusal.
    APPROACH: 1. collect the gradients  2. one length for all  3. refuse inf and nan  4. multiply
        all by one factor, if it is below 1
    EXAMPLE:
        >>> w = Tensor([0.0, 0.0], requires_grad=True)
        >>> w.grad = np.float32([3, 4])
        >>> clip_grad_norm_([w], max_norm=1.0), w.grad.round(2).tolist()
        (5.0, [0.6000000238418579, 0.800000011920929])

    HINT: np.linalg.norm(g) is the length of one gradient, of any shape; math.isfinite asks. `g *=
        factor` writes into the array.
    """
    ### BEGIN SOLUTION
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    length = math.sqrt(sum(float(np.linalg.norm(g)) ** 2 for g in gradients))
    if not math.isfinite(length):
        raise FloatingPointError(f"the length of the gradients is {length}.")
    factor = max_norm / (length + 1e-6)
    if factor < 1:
        for g in gradients:
            g *= factor
    return length
    ### END SOLUTION


# %% nbgrader={"grade": false, "grade_id": "clip-grad-norm-alias", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
clip_grad_norm = clip_grad_norm_  # both names are used


# %% nbgrader={"grade": false, "grade_id": "with-gradients", "locked": true, "schema_version": 3, "solution": false, "task": false}
def with_gradients(*gradients) -> list[Parameter]:
    """Parameters that have these gradients; None is one without."""
    parameters = []
    for gradient in gradients:
        parameters.append(Parameter(np.zeros(np.shape(gradient))))
        parameters[-1].grad = None if gradient is None else np.array(gradient, dtype=np.float32)
    return parameters


# %% nbgrader={"grade": true, "grade_id": "test-clip-grad-norm", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_unit_clip_grad_norm():
    """One length for all, one factor for all, and only when it is too long."""
    a, b = with_gradients([3, 0], [0, 4])
    check_close(lambda: clip_grad_norm_([a, b], 1.0), 5)
    check_close(lambda: np.stack([a.grad, b.grad]), [[0.6, 0], [0, 0.8]])
    a, b = with_gradients([0.6, 0], [0, 0.4])
    check_close(lambda: clip_grad_norm_([a, b], 1.0), 0.52**0.5)
    check_close(lambda: np.stack([a.grad, b.grad]), [[0.6, 0], [0, 0.4]])
    ### BEGIN HIDDEN TESTS
    a, b, c = with_gradients([[0.1, 0.2]], None, [0.2])
    check_close(lambda: clip_grad_norm_([a, b, c], 1.0), 0.3)
    check_close(lambda: np.append(a.grad, c.grad), [0.1, 0.2, 0.2])
    (d,) = with_gradients(np.full((20, 30), 2.0))
    check_close(lambda: clip_grad_norm_([d], 6.0), 2 * 600**0.5)
    check_close(lambda: d.grad[3, 4], 6 / 600**0.5)
    (tiny,) = with_gradients([3e-6, 4e-6])  # where the 1e-6 of the formula can be seen
    check_close(lambda: clip_grad_norm_([tiny], 4e-6) * 1e6, 5)
    check_close(lambda: tiny.grad * 1e6, [2, 8 / 3])
    e, f = with_gradients([1, float("inf")], [10])
    check_raises(FloatingPointError, lambda: clip_grad_norm_([e, f], 1.0), mentions=["inf"])
    check_close(lambda: f.grad, [10])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_clip_grad_norm()

# %% [markdown]
r"""
## The training step, with eyes open

The four lines again, now with a guard. A loss of `nan` or `inf` spreads: one backward, one update, and every weight of the model is `nan`. So look at the number **before**
anything is changed, and refuse. (A gradient that is not finite is caught by the clipping, if there is any.)
"""


# %% nbgrader={"grade": false, "grade_id": "as-input", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def as_input(x: Any) -> Any:
    """Real numbers as a Tensor; whole numbers, such as tokens, as an array."""
    if isinstance(x, Tensor):
        return x
    array = np.asarray(x)
    return Tensor(array) if array.dtype.kind == "f" else array


# %% nbgrader={"grade": false, "grade_id": "train-step", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def train_step(
    model: Module,
    optimizer: Optimizer,
    loss_function: Callable,
    x: Any,
    y: Any,
    max_norm: float | None = None,
) -> float:
    """Take one training step on the batch (x, y).

    Args:
        loss_function: called as loss_function(model's output, y), returns a Tensor with one
            element.
        max_norm: clip the gradients to this length; None does not clip.

    Returns:
        the loss before the step, as a Python number.

    Raises:
        FloatingPointError: the loss is nan or infinite; nothing has been updated then.

    TODO: module 06's four lines, with a look at the loss and with clipping.
    APPROACH: 1. zero_grad  2. the loss of model(as_input(x))  3. refuse what is not finite  4.
        backward, clip if wanted, step
    EXAMPLE:
        >>> from tinytorch.core.layers import Linear
        >>> from tinytorch.core.losses import mse_loss
        >>> from tinytorch.core.optimizers import SGD
        >>> model = Linear(1, 1)
        >>> optimizer = SGD(model.parameters(), lr=0.1)
        >>> batch = [[1.0]], np.array([[3.0]])
        >>> first = train_step(model, optimizer, mse_loss, *batch)
        >>> train_step(model, optimizer, mse_loss, *batch) < first
        True

    HINT: model.parameters() for clip_grad_norm_; math.isfinite(loss.item()).
    """
    ### BEGIN SOLUTION
    optimizer.zero_grad()
    loss = loss_function(model(as_input(x)), y)
    if not math.isfinite(loss.item()):
        raise FloatingPointError(f"the loss is {loss.item()}.")
    loss.backward()
    if max_norm is not None:
        clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()
    return loss.item()
    ### END SOLUTION


# %% nbgrader={"grade": false, "grade_id": "line", "locked": true, "schema_version": 3, "solution": false, "task": false}
class Line(Module):
    """y = slope * x, with half of the results dropped in training; remembers whether its last
    result was recorded."""

    def __init__(self, slope: float, p: float = 0.0):
        self.slope = Parameter(slope)
        self.dropout = Dropout(p)
        self.recorded = None

    def forward(self, x):
        y = self.dropout(self.slope * x)
        self.recorded = y.requires_grad
        return y


# %% nbgrader={"grade": true, "grade_id": "test-train-step", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_train_step():
    """Three steps by hand, and a batch that must not touch the model."""
    line = Line(2.0)
    optimizer = SGD(line.parameters(), lr=0.025)
    x, y = np.array([1.0, 3.0]), np.array([0.0, 0.0])
    check_close(
        lambda: [train_step(line, optimizer, mse_loss, x, y) for _ in range(3)],
        [20, 11.25, 6.328125],
    )
    line = Line(2.0)
    check_close(
        lambda: train_step(line, SGD(line.parameters(), lr=0.5), mse_loss, x, y, max_norm=1.0), 20
    )
    check_close(lambda: line.slope.data, 1.5)
    ### BEGIN HIDDEN TESTS
    line = Line(2.0)
    optimizer = SGD(line.parameters(), lr=0.1, momentum=0.9)
    for bad in (float("nan"), float("inf")):
        check_raises(
            FloatingPointError,
            lambda: train_step(line, optimizer, mse_loss, x, np.array([0.0, bad])),
            mentions=["loss"],
        )
    check_close(lambda: line.slope.data, 2.0)
    check_equal(lambda: optimizer.state_dict()["state"], {})
    loss = train_step(line, optimizer, mse_loss, x, y)
    check_equal(lambda: type(loss).__name__, "float")
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_train_step()

# %% [markdown]
r"""
## Judging a model fairly

To evaluate is to ask how good the model is on data that it does not learn from. Four things go wrong, and all of them silently:

- **Dropout is still on.** `model.eval()` first, and back to the mode it had before.
- **The graph is recorded**, for nobody. `with no_grad()`.
- **A mean of means.** Ten samples in batches of 4, 4 and 2 have three mean losses; their plain mean counts the last two samples double. Weigh each batch by its length.
- **The model learns.** No optimizer here.
"""


# %% nbgrader={"grade": false, "grade_id": "accuracy", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def accuracy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Share of rows whose largest entry stands at their label: arrays of shapes (..., C) and
    (...)."""
    return float((logits.argmax(axis=-1) == labels).mean())


# %% nbgrader={"grade": false, "grade_id": "evaluate", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def evaluate(
    model: Module,
    loss_function: Callable,
    batches: Iterable,
    metrics: dict[str, Callable] | None = None,
) -> dict[str, float]:
    """Compute the mean loss, and other means, over all samples.

    Args:
        batches: pairs (x, y) of equal length.
        metrics: name -> function of (output array, y as an array) that returns the mean over a
            batch, such as {"accuracy": accuracy}.

    Returns:
        {"loss": mean loss, name: mean, ...}, each over all samples.

    Raises:
        ValueError: there are no batches.

    TODO: the loss and each metric, weighted by the length of the batch, in evaluation mode and
        without a graph.
    APPROACH: 1. remember model.training, switch to eval  2. under no_grad, add up mean * len(x)  3.
        mode back, divide by the number of samples
    EXAMPLE:
        >>> from tinytorch.core.layers import Dropout
        >>> from tinytorch.core.losses import mse_loss
        >>> batches = [(np.array([1.0, 1.0]), np.zeros(2)), (np.array([4.0]), np.zeros(1))]
        >>> evaluate(Dropout(0.5), mse_loss, batches)
        {'loss': 6.0}

    HINT: model.train(mode) sets either mode. metric(output.data, raw(y)); raw() takes an array out
        of a Tensor.
    """
    ### BEGIN SOLUTION
    mode, functions, count = model.training, metrics or {}, 0
    model.eval()
    sums = dict.fromkeys(["loss", *functions], 0.0)
    with no_grad():
        for x, y in batches:
            output = model(as_input(x))
            sums["loss"] += loss_function(output, y).item() * len(x)
            for name, function in functions.items():
                sums[name] += function(output.data, raw(y)) * len(x)
            count += len(x)
    model.train(mode)
    if not count:
        raise ValueError("there are no batches to evaluate: is a generator used up?")
    return {name: value / count for name, value in sums.items()}
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-evaluate", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_unit_evaluate():
    """Each sample counts once, dropout is off, nothing is recorded, and the mode comes back."""
    batches = [(np.array([1.0, 1.0]), np.zeros(2)), (np.array([4.0]), np.zeros(1))]
    check_close(lambda: evaluate(Line(1.0), mse_loss, batches)["loss"], 6)
    ### BEGIN HIDDEN TESTS
    line = Line(1.0, p=0.5)
    check_close(lambda: [evaluate(line, mse_loss, batches)["loss"] for _ in range(3)], [6, 6, 6])
    check_equal(lambda: line.training, True)
    check_equal(lambda: line.recorded, False)
    line.eval()
    check_close(lambda: evaluate(line, mse_loss, batches)["loss"], 6)
    check_equal(lambda: line.training, False)
    logits = [
        (np.float32([[0, 1], [1, 0], [1, 0]]), np.array([1, 1, 0])),
        (np.float32([[5, 9]]), np.array([0])),
    ]
    scores = evaluate(Line(1.0), cross_entropy, logits, {"accuracy": accuracy})
    check_close(lambda: scores["accuracy"], 0.5)
    check_raises(ValueError, lambda: evaluate(line, mse_loss, []), mentions=["no batches"])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_evaluate()

# %% [markdown]
r"""
## When to stop

A model that goes on learning begins to memorise: the loss on its own data falls, the loss on others rises. *Early stopping* ends the run when the validation loss has not improved for
`patience` epochs in a row, and takes the best weights back. What should it make of a validation loss of `nan`?
"""


# %% nbgrader={"grade": false, "grade_id": "early-stopping", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class EarlyStopping:
    """Says when a loss has not improved for `patience` epochs in a row.

    Attributes:
        best: smallest loss so far.
        waited: epochs since then.
    """

    def __init__(self, patience: int) -> None:
        self.patience = whole_steps("patience", patience)
        self.best, self.waited = math.inf, 0

    @property
    def finished(self) -> bool:
        """Whether it is time to stop."""
        return self.waited >= self.patience

    def update(self, loss: float) -> bool:
        """Take note of an epoch's loss; return whether it is the best so far.

        TODO: keep `best` and `waited` up to date.
        APPROACH: 1. better than best: remember it, begin to wait anew, True  2. otherwise: one
            epoch more, False
        EXAMPLE:
            >>> stopping = EarlyStopping(patience=2)
            >>> [stopping.update(loss) for loss in (3.0, 2.0, 2.5, 2.2)], stopping.finished
            ([True, True, False, False], True)

        HINT: equal is not better. Every comparison with nan is False: which way round makes nan
            count as no improvement?
        """
        ### BEGIN SOLUTION
        if loss < self.best:
            self.best, self.waited = loss, 0
            return True
        self.waited += 1
        return False
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-early-stopping", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_early_stopping():
    """Improvements reset the wait; equal and nan are none."""
    stopping = EarlyStopping(2)
    check_equal(lambda: [stopping.update(loss) for loss in (3.0, 2.0, 2.5)], [True, True, False])
    check_equal(lambda: stopping.finished, False)
    ### BEGIN HIDDEN TESTS
    check_equal(lambda: [stopping.update(loss) for loss in (1.5, 1.6)], [True, False])
    check_equal(lambda: stopping.finished, False)
    check_equal(lambda: stopping.update(1.55), False)
    check_equal(lambda: [stopping.finished, stopping.best], [True, 1.5])
    other = EarlyStopping(2)
    check_equal(
        lambda: [other.update(loss) for loss in (float("nan"), 1.0, 1.0, float("nan"))],
        [False, True, False, False],
    )
    check_equal(lambda: [other.finished, other.best], [True, 1.0])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_early_stopping()

# %% [markdown]
r"""
## A file that is either old or new

A checkpoint is written a hundred times, and once the machine dies in the middle. `open(path, "wb")` empties the old file *before* the new one is there; a crash then leaves half a checkpoint and
no way back. The cure is as old as Unix: write a **temporary file** beside it, make sure that it has reached the disk (`os.fsync`), then **rename** it over the old one. A rename is *atomic*: whoever opens the
path, at any moment, finds a whole file, the old one or the new one.

Inside is an `.npz`: a zip archive of plain arrays, with checksums of each and a seal on the table of contents, plus one array that holds text, the metadata as JSON. No *pickle*: unpickling runs whatever
code the file asks for, and checkpoints are shared between strangers. `write_arrays` refuses to write what would need one, and `load_checkpoint`, given below, refuses to read it.
"""


# %% nbgrader={"grade": false, "grade_id": "write-arrays", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def write_arrays(file: BinaryIO, arrays: dict[str, Any]) -> None:
    """Write an .npz archive with a seal; equal arrays give equal bytes.

    Raises:
        ValueError: an array holds Python objects, which would have to be pickled.
    """
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            with archive.open(
                zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True
            ) as member:  # ZipInfo: no time of day
                np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)
        archive.comment = seal(archive)


def seal(archive: zipfile.ZipFile) -> bytes:
    """A checksum of an archive's table of contents, which holds the checksums of the contents."""
    table = [(entry.filename, entry.file_size, entry.CRC) for entry in archive.infolist()]
    return b"%08x" % zlib.crc32(repr(table).encode())


# %% nbgrader={"grade": false, "grade_id": "save-checkpoint", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def save_checkpoint(
    path: str | Path, arrays: dict[str, np.ndarray], metadata: dict[str, Any]
) -> None:
    """Write arrays and metadata into one file, so that `path` is a whole checkpoint at every
    moment.

    Args:
        path: where to; an older checkpoint there is replaced.
        arrays: name -> array of numbers.
        metadata: what JSON can hold: numbers, strings, lists, dicts with strings as keys.

    Raises:
        ValueError, TypeError: something cannot be written without a pickle; the older checkpoint is
            still there, and nothing else.

    TODO: write a temporary file, bring it to the disk, rename it.
    APPROACH: 1. the text json.dumps(metadata)  2. open f"{path}.tmp" for writing bytes
        3. write_arrays: the text as an array named "metadata", then the arrays
        4. file.flush(), os.fsync(file.fileno())  5. os.replace
        6. whatever happens, no temporary file stays behind
    EXAMPLE:
        >>> import tempfile
        >>> path = f"{tempfile.mkdtemp()}/run.npz"
        >>> save_checkpoint(path, {"w": np.arange(3)}, {"epoch": 7})
        >>> load_checkpoint(path)
        ({'w': array([0, 1, 2])}, {'epoch': 7})

    HINT: try: ... finally: Path(temporary).unlink(missing_ok=True). The file must be closed before
        it is renamed.
    """
    ### BEGIN SOLUTION
    text = json.dumps(metadata)
    temporary = f"{path}.tmp"
    try:
        with open(temporary, "wb") as file:
            write_arrays(file, {"metadata": np.array(text), **arrays})
            file.flush()
            os.fsync(file.fileno())  # the rename must not reach the disk before the numbers do
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)
    ### END SOLUTION


# %% [markdown]
r"""
Reading is given: it compares every checksum, and says when a file is cut short, damaged, or something else.
"""


# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "load-checkpoint", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class CheckpointError(ValueError):
    """A checkpoint that is damaged, or belongs to something else; nothing has been changed by
    trying to load it."""


DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    KeyError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
)


def load_checkpoint(path: str | Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read what save_checkpoint wrote; no byte of the file is run as code.

    Returns:
        The arrays by name, and the metadata.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: the file is cut short, damaged, or something else.
    """
    with open(path, "rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                broken = archive.testzip()  # compares every checksum
                if broken is not None or archive.comment != seal(archive):
                    raise CheckpointError(f"{broken or 'its table of contents'} is damaged")
            file.seek(0)
            with np.load(file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            return arrays, json.loads(str(arrays.pop("metadata")))
        except DAMAGE as error:
            raise CheckpointError(
                f"{path} is no whole checkpoint ({error}). Take an older one, or train anew."
            ) from None


# %% nbgrader={"grade": false, "grade_id": "new-folder", "locked": true, "schema_version": 3, "solution": false, "task": false}
def new_folder() -> str:
    """The path of a new, empty folder."""
    return tempfile.mkdtemp(prefix="tinytorch-")


def names_in(folder: str) -> list[str]:
    """What a folder holds."""
    return sorted(os.listdir(folder))


def cut_short(path: str, size: int) -> None:
    """Keep only the first bytes of a file, as a crash in the middle of writing would."""
    os.truncate(path, size)


def objects() -> np.ndarray:
    """An array that only a pickle could hold."""
    return np.array([{"code": "could run"}], dtype=object)


# %% nbgrader={"grade": true, "grade_id": "test-save-checkpoint", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_save_checkpoint():
    """What was written comes back, and a failure in the middle leaves the older file."""
    folder = new_folder()
    path = f"{folder}/run.npz"
    w = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    check_equal(
        lambda: save_checkpoint(path, {"w": w, "n": np.array(5)}, {"epoch": 2, "note": "ä"}), None
    )
    check_close(lambda: load_checkpoint(path)[0]["w"], w, rtol=0, atol=0)
    check_equal(
        lambda: [load_checkpoint(path)[1], names_in(folder)],
        [{"epoch": 2, "note": "ä"}, ["run.npz"]],
    )
    ### BEGIN HIDDEN TESTS
    check_raises(
        ValueError,
        lambda: save_checkpoint(path, {"w": 2 * w, "bad": objects()}, {"epoch": 3}),
        mentions=["pickle"],
    )
    check_close(lambda: load_checkpoint(path)[0]["w"], w, rtol=0, atol=0)
    check_equal(lambda: [load_checkpoint(path)[1]["epoch"], names_in(folder)], [2, ["run.npz"]])
    save_checkpoint(path, {"w": 3 * w}, {"epoch": 4})
    check_equal(lambda: [load_checkpoint(path)[1]["epoch"], names_in(folder)], [4, ["run.npz"]])
    cut_short(path, 200)
    check_raises(ValueError, lambda: load_checkpoint(path), mentions=["no whole checkpoint"])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_save_checkpoint()

# %% [markdown]
r"""
## The Trainer

Now all parts come under one roof. Two folded cells hold what serves them. The first: `first_non_finite` (when a loss is not finite it runs the batch again and listens to every layer; the *first* one that puts out a
`nan` is where you look), the history with its plot, and a progress line, which appears on a terminal only.
"""


# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "history", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def first_non_finite(model: Module, x: Any) -> str:
    """Name the first place where a value of `model` is not finite: input, weights, gradients, then
    layers in the order in which they finish."""
    if not np.isfinite(raw(x)).all():
        return "the input of the model"
    for path, parameter in model.named_parameters():
        if not np.isfinite(parameter.data).all():
            return f"the parameter {path}"
        if parameter.grad is not None and not np.isfinite(parameter.grad).all():
            return f"the gradient of {path}"
    found: list[str] = []

    def listen(path: str, module: Module) -> None:
        forward = module.forward

        def heard(*inputs: Any, **options: Any) -> Any:
            output = forward(*inputs, **options)
            if not found and isinstance(output, Tensor) and not np.isfinite(output.data).all():
                found.append(f"the output of {path or 'the model'} ({type(module).__name__})")
            return output

        module.forward = heard

    modules = model.named_modules()
    for path, module in modules:
        listen(path, module)
    try:
        with no_grad(), np.errstate(all="ignore"):
            model(x)
    finally:
        for _, module in modules:
            del module.forward  # the class's own method is back
    return found[0] if found else "the loss function, or in the length of the gradients"


class History:
    """What happened during training.

    Attributes:
        loss, lr: loss and learning rate of each training step.
        epochs: for each epoch a dict {"step": steps so far, "loss": mean of the steps,
            "valid_loss": ..., ...}.
    """

    def __init__(self) -> None:
        self.loss: list[float] = []
        self.lr: list[float] = []
        self.epochs: list[dict[str, float]] = []

    def plot(self, axes: Any) -> None:
        """Draw the losses on matplotlib's `axes`: every step, and the means of the epochs."""
        axes.plot(range(1, len(self.loss) + 1), self.loss, color="lightgrey", label="each step")
        for marker, name in (("o", "loss"), ("s", "valid_loss")):
            points = [(epoch["step"], epoch[name]) for epoch in self.epochs if name in epoch]
            if points:
                axes.plot(
                    *zip(*points, strict=True),
                    marker=marker,
                    label="training" if name == "loss" else "validation",
                )
        axes.set(xlabel="step", ylabel="loss")
        axes.legend()

    def __repr__(self) -> str:
        last = ", ".join(
            f"{name} {value:.4g}"
            for name, value in (self.epochs[-1] if self.epochs else {}).items()
            if name != "step"
        )
        counts = f"{len(self.loss)} steps, {len(self.epochs)} epochs"
        return f"History({counts}{'; ' + last if last else ''})"


class Progress:
    """A line on the terminal that writes itself anew, ten times a second at most; silent where
    there is no terminal."""

    def __init__(self, total: int | None, done: int) -> None:
        self.total, self.first = total, done
        self.visible = sys.stdout.isatty()
        self.start = self.next = time.monotonic()

    def show(self, done: int, text: str) -> None:
        """Show `text`, and when the rest of the steps will be done if the speed stays."""
        now = time.monotonic()
        if not self.visible or now < self.next:
            return
        self.next = now + 0.1  # seconds
        eta = ""
        if self.total is not None and done > self.first:
            minutes, seconds = divmod(
                round((now - self.start) / (done - self.first) * (self.total - done)), 60
            )
            eta = f"  ETA {minutes}:{seconds:02d}"
        print(f"\r{text}{eta}\x1b[K", end="", flush=True)

    def close(self) -> None:
        """Leave the line."""
        if self.visible:
            print()


# %% [markdown]
r"""
The second is the `Trainer`: what it holds, how it opens an epoch, ends one, saves and resumes. Two of its parts are missing, and yours: the loop over an epoch, and the list of what a checkpoint must hold.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "trainer-class", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
FORMAT = "tinytorch trainer 1"  # changes when a checkpoint's layout does


class Trainer:
    """Trains a model, evaluates it, keeps its history, and resumes a run that was cut off.

    Args:
        model: a Module that takes x of a batch (x, y).
        optimizer: moves its parameters.
        loss_function: of (output, y), returns a Tensor with one element.
        scheduler: a schedule that is stepped after each training step.
        max_norm: clip gradients to this length.
        metrics: further means for `evaluate`, such as {"accuracy": accuracy}.
        patience: stop after so many epochs without a better validation loss, and go back to the
            best weights.
    """

    def __init__(
        self, model: Module, optimizer: Optimizer, loss_function: Callable, *,
        scheduler: LRScheduler | None = None, max_norm: float | None = None,
        metrics: dict[str, Callable] | None = None, patience: int | None = None,
    ) -> None:  # fmt: skip
        self.model, self.optimizer, self.loss_function = model, optimizer, loss_function
        self.scheduler, self.max_norm, self.metrics = scheduler, max_norm, metrics
        self.stopping = None if patience is None else EarlyStopping(patience)
        self.best: dict[str, np.ndarray] = {}  # weights of the best epoch, when there is patience
        self.history = History()
        self.epoch = 0  # epochs that are complete
        self.batch = 0  # batches of the current epoch that are done
        self.random_at_epoch: dict[str, Any] | None = (
            None  # the generator's state when the current epoch began
        )
        self.batches: Any = None  # what `train` goes through
        self.loader_state: dict[str, Any] | None = None  # of a checkpoint, for the next `train`

    def train(
        self,
        batches: Iterable,
        epochs: int,
        valid: Iterable | None = None,
        checkpoint: str | Path | None = None,
        every: int | None = None,
    ) -> History:
        """Train until `epochs` epochs are complete, counted from the beginning of the run.

        Args:
            batches: pairs (x, y); gone through once per epoch, so a list or a loader, not a
                generator.
            valid: pairs to evaluate on after each epoch.
            checkpoint: where to save after each epoch.
            every: save after so many steps, too.

        Raises:
            FloatingPointError: a loss or gradient is not finite; names the step and the place, and
                nothing was updated.
            ValueError: no batches, a generator for several epochs, or patience without `valid`.
        """
        if hasattr(batches, "__next__") and epochs - self.epoch > 1:
            raise ValueError(
                "a generator is used up after one epoch: pass a list of batches or a loader."
            )
        if self.stopping and valid is None:
            raise ValueError("patience watches the validation loss: pass valid=...")
        self.batches = batches
        progress = Progress(
            len(batches) * epochs if hasattr(batches, "__len__") else None, len(self.history.loss)
        )

        def after_step() -> None:
            done, loss = len(self.history.loss), self.history.loss[-1]
            progress.show(
                done, f"epoch {self.epoch + 1}/{epochs}  batch {self.batch}  loss {loss:.4f}"
            )
            if checkpoint and every and done % every == 0:
                self.save(checkpoint)

        while self.epoch < epochs and not (self.stopping and self.stopping.finished):
            train_epoch(self, batches, after_step)
            self.finish_epoch(valid)
            if checkpoint:
                self.save(checkpoint)
        progress.close()
        if self.best:
            self.model.load_state_dict(self.best)
        return self.history

    def open(self, batches: Iterable) -> Iterator:
        """Begin an epoch, or go on where it was cut off."""
        keeps_its_place = hasattr(batches, "load_state_dict")
        if keeps_its_place and (self.loader_state or self.batch):
            batches.load_state_dict(self.loader_state or batches.state_dict())
            self.loader_state = None
        random = generator().bit_generator
        if not self.batch:
            self.random_at_epoch = random.state
        if keeps_its_place or not self.batch:
            return iter(batches)
        now, random.state = random.state, self.random_at_epoch
        rest = iter(batches)
        for _ in islice(rest, self.batch):
            pass
        random.state = now
        return rest

    def take_step(self, x: Any, y: Any) -> float:
        """One training step; returns its loss, or says where a number is not finite."""
        try:
            return train_step(self.model, self.optimizer, self.loss_function, x, y, self.max_norm)
        except FloatingPointError as error:
            place = f"epoch {self.epoch + 1}, batch {self.batch + 1}"
            raise FloatingPointError(
                f"step {len(self.history.loss) + 1} ({place}): {error} The first value that is not "
                f"finite is in {first_non_finite(self.model, as_input(x))}. Nothing was "
                "updated; try a smaller learning rate or max_norm."
            ) from None

    def finish_epoch(self, valid: Iterable | None) -> None:
        """Evaluate, take note, and count the epoch as complete."""
        if not self.batch:
            raise ValueError("there are no batches to train on: is a generator used up?")
        entry = {
            "step": len(self.history.loss),
            "loss": float(np.mean(self.history.loss[-self.batch :])),
        }
        if valid is not None:
            scores = self.evaluate(valid)
            entry |= {f"valid_{name}": value for name, value in scores.items()}
            if self.stopping and self.stopping.update(scores["loss"]):
                self.best = self.model.state_dict()
        self.history.epochs.append(entry)
        self.epoch, self.batch = self.epoch + 1, 0

    def evaluate(self, batches: Iterable) -> dict[str, float]:
        """Mean loss and metrics over all samples (see the function `evaluate`)."""
        return evaluate(self.model, self.loss_function, batches, self.metrics)

    def save(self, path: str | Path) -> None:
        """Write a checkpoint from which `resume` goes on to the last bit (see save_checkpoint)."""
        state = checkpoint_state(self)
        optimizer, history = state["optimizer"], state["history"]
        arrays = {f"model/{name}": array for name, array in state["model"].items()}
        arrays |= {f"best/{name}": array for name, array in state["best"].items()}
        for place, kept in optimizer["state"].items():
            arrays |= {f"optimizer/{place}/{name}": a for name, a in kept.items() if name != "step"}
        arrays |= {"history/loss": np.array(history.loss), "history/lr": np.array(history.lr)}
        metadata = {
            "format": FORMAT,
            "kinds": self.kinds(),
            "param_groups": optimizer["param_groups"],
            "steps": {place: kept["step"] for place, kept in optimizer["state"].items()},
            "scheduler": state["scheduler"],
            "stopping": state["stopping"],
            "epoch": state["epoch"],
            "batch": state["batch"],
            "epochs": history.epochs,
            "random": state["random"],
            "random_at_epoch": state["random_at_epoch"],
            "loader": state["loader"],
        }
        save_checkpoint(path, arrays, metadata)

    def kinds(self) -> dict[str, str]:
        """The classes whose states a checkpoint holds."""
        parts = {
            "optimizer": self.optimizer,
            "scheduler": self.scheduler,
            "early stopping": self.stopping,
            "generator": generator().bit_generator,
        }
        return {name: type(part).__name__ for name, part in parts.items()}

    def resume(self, path: str | Path) -> None:
        """Go back to where `save` was called; then call `train` with the same batches.

        Raises:
            CheckpointError: the file is damaged, or belongs to another model, optimizer or
                schedule; nothing has changed then.
        """
        arrays, metadata = load_checkpoint(path)
        kept = {int(place): {"step": step} for place, step in metadata.get("steps", {}).items()}
        for name, array in under("optimizer", arrays).items():
            place, buffer = name.split("/")
            kept[int(place)][buffer] = array
        optimizer = {"state": kept, "param_groups": metadata.get("param_groups")}
        problem = self.misfit(arrays, metadata) or mismatch(self.optimizer, optimizer)
        if problem:
            raise CheckpointError(
                f"{path} belongs to something else: {problem}. Nothing was changed."
            )
        self.model.load_state_dict(under("model", arrays))
        self.best = under("best", arrays)
        self.optimizer.load_state_dict(optimizer)
        if self.scheduler:
            self.scheduler.load_state_dict(metadata["scheduler"])
        if self.stopping:
            self.stopping.best, self.stopping.waited = metadata["stopping"]
        self.epoch, self.batch, self.history.epochs = (
            metadata["epoch"],
            metadata["batch"],
            metadata["epochs"],
        )
        self.history.loss, self.history.lr = (
            arrays["history/loss"].tolist(),
            arrays["history/lr"].tolist(),
        )
        self.random_at_epoch, self.loader_state = metadata["random_at_epoch"], metadata["loader"]
        generator().bit_generator.state = metadata["random"]

    def misfit(self, arrays: dict[str, np.ndarray], metadata: dict[str, Any]) -> str:
        """Say in which way a checkpoint does not belong to this Trainer; nothing when it does."""
        if metadata.get("format") != FORMAT:
            return f"its format is {metadata.get('format')!r} instead of {FORMAT!r}"
        here = {name: array.shape for name, array in self.model.state_dict().items()}
        there = {name: array.shape for name, array in under("model", arrays).items()}
        for name in sorted(here.keys() | there.keys()):
            if here.get(name) != there.get(name):
                shapes = [place.get(name, "nothing") for place in (there, here)]
                return f"{name} has shape {shapes[0]} there and {shapes[1]} here"
        for name, kind in self.kinds().items():
            if metadata["kinds"][name] != kind:
                return f"the {name} is {metadata['kinds'][name]} there and {kind} here"
        return ""


def under(folder: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays whose names begin with "folder/", by the rest of their names."""
    return {
        name.removeprefix(f"{folder}/"): array
        for name, array in arrays.items()
        if name.startswith(f"{folder}/")
    }


# %% [markdown]
r"""
### One epoch

Put the model into training mode, then go through `trainer.open(batches)`, which begins an epoch or goes on where one was cut off. For each batch: take a step, note its loss and the rate that it was taken *with*, count the
batch, let the schedule go on if there is one, and call `after_step()`, which draws the progress line and saves. In this order: whoever saves in between must find everything counted.
"""


# %% nbgrader={"grade": false, "grade_id": "train-epoch", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def train_epoch(trainer: Trainer, batches: Iterable, after_step: Callable[[], None]) -> None:
    """Take a training step on each batch of an epoch, and keep the books.

    Args:
        batches: pairs (x, y).
        after_step: to be called when a step is done and noted.

    TODO: the loop of the text.
    APPROACH: 1. training mode  2. for each pair of trainer.open(batches): trainer.take_step(x, y)
        3. append to trainer.history.loss and .lr, count in trainer.batch  4.
        trainer.scheduler.step()
        5. after_step()
    EXAMPLE:
        >>> from tinytorch.core.layers import Linear
        >>> from tinytorch.core.losses import mse_loss
        >>> from tinytorch.core.optimizers import SGD
        >>> model = Linear(1, 1)
        >>> trainer = Trainer(model, SGD(model.parameters(), lr=0.5), mse_loss)
        >>> train_epoch(trainer, [([[1.0]], np.array([[3.0]]))] * 2, lambda: None)
        >>> trainer.batch, trainer.history.lr
        (2, [0.5, 0.5])

    HINT: the rate is trainer.optimizer.param_groups[0]["lr"]; trainer.scheduler may be None.
    """
    ### BEGIN SOLUTION
    trainer.model.train()
    for x, y in trainer.open(batches):
        loss = trainer.take_step(x, y)
        trainer.history.loss.append(loss)
        trainer.history.lr.append(trainer.optimizer.param_groups[0]["lr"])
        trainer.batch += 1
        if trainer.scheduler:
            trainer.scheduler.step()
        after_step()
    ### END SOLUTION


# %% nbgrader={"grade": false, "grade_id": "line-trainer", "locked": true, "schema_version": 3, "solution": false, "task": false}
def line_trainer(p: float = 0.0, halve: bool = True) -> Trainer:
    """A Trainer for a Line of slope 2, whose rate of 0.025 halves with every step if wanted."""
    line = Line(2.0, p)
    optimizer = SGD(line.parameters(), lr=0.025)
    scheduler = StepLR(optimizer, 1, 0.5) if halve else None
    return Trainer(line, optimizer, mse_loss, scheduler=scheduler)


def after_steps(trainer: Trainer, batches: list) -> list[list[int]]:
    """Batches counted and losses noted when `after_step` is called."""
    seen = []
    train_epoch(trainer, batches, lambda: seen.append([trainer.batch, len(trainer.history.loss)]))
    return seen


# %% nbgrader={"grade": true, "grade_id": "test-train-epoch", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_train_epoch():
    """Losses by hand, the rate that each step was taken with, and every step counted."""
    trainer, batch = line_trainer(), (np.array([1.0, 3.0]), np.zeros(2))
    check_close(lambda: trainer.train([batch] * 3, 1).loss, [20, 11.25, 8.6132812])
    check_close(lambda: trainer.history.lr, [0.025, 0.0125, 0.00625])
    check_equal(lambda: [epoch["step"] for epoch in trainer.history.epochs], [3])
    ### BEGIN HIDDEN TESTS
    plain = line_trainer(halve=False)
    plain.model.eval()
    plain.optimizer.add_param_group({"params": [Tensor(0.0, requires_grad=True)], "lr": 1.0})
    check_close(lambda: plain.train([batch] * 2, 2).loss, [20, 11.25, 6.328125, 3.5595703])
    check_close(lambda: plain.history.lr, [0.025] * 4)
    check_equal(lambda: [plain.model.training, plain.epoch, plain.batch], [True, 2, 0])
    check_equal(lambda: after_steps(line_trainer(), [batch] * 3), [[1, 1], [2, 2], [3, 3]])
    dropping = line_trainer(p=0.5)
    dropping.model.eval()
    dropping.train([batch], 1)
    check_equal(lambda: dropping.model.dropout.training, True)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_train_epoch()

# %% [markdown]
r"""
### To the last bit

A run that is killed and resumed must end with the same numbers as one that was not. So the checkpoint holds all that the next step depends on. Make the list before you read on.

Weights and buffers; the best weights so far; the optimizer's averages and step counts; where the schedule is, how long early stopping has waited, the history, the epoch and the batch. And **chance**: dropout draws from
the generator, so its state of *now* belongs to it. But the order of the batches was shuffled when the epoch *began*. So `open` kept the generator's state of that moment, too, as `random_at_epoch`: on resuming, the epoch
is opened once more with it, the batches that are done are passed over, and then the generator is set to where it was. A loader that can save its own place (module 08's can) is asked instead.
"""


# %% nbgrader={"grade": false, "grade_id": "checkpoint-state", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def checkpoint_state(trainer: Trainer) -> dict[str, Any]:
    """Collect all that the next step of a run depends on.

    Returns:
        A dict with the keys "model", "best", "optimizer", "scheduler", "stopping", "history",
        "epoch",
        "batch", "random", "random_at_epoch", "loader".

    TODO: the dict; scheduler, stopping and loader are None where there is none.
    APPROACH: 1. state_dict() of model, optimizer and scheduler; best, history, epoch, batch as they
        are
        2. stopping as [best, waited]  3. the generator's state now, and trainer.random_at_epoch
        4. trainer.batches.state_dict(), if it has one
    EXAMPLE:
        >>> from tinytorch.core.layers import Linear
        >>> from tinytorch.core.losses import mse_loss
        >>> from tinytorch.core.optimizers import SGD
        >>> model = Linear(1, 1)
        >>> state = checkpoint_state(Trainer(model, SGD(model.parameters(), lr=0.5), mse_loss))
        >>> sorted(state["model"]), state["epoch"], state["scheduler"]
        (['bias', 'weight'], 0, None)

    HINT: generator().bit_generator.state; hasattr(trainer.batches, "state_dict").
    """
    ### BEGIN SOLUTION
    stopping, loader = trainer.stopping, trainer.batches
    return {
        "model": trainer.model.state_dict(),
        "best": trainer.best,
        "optimizer": trainer.optimizer.state_dict(),
        "scheduler": trainer.scheduler.state_dict() if trainer.scheduler else None,
        "stopping": [stopping.best, stopping.waited] if stopping else None,
        "history": trainer.history,
        "epoch": trainer.epoch,
        "batch": trainer.batch,
        "random": generator().bit_generator.state,
        "random_at_epoch": trainer.random_at_epoch,
        "loader": loader.state_dict() if hasattr(loader, "state_dict") else None,
    }
    ### END SOLUTION


# %% [markdown]
r"""
For the test, a network and its batches, and a helper that cuts the power: a second Trainer, with another seed, knows nothing but the file.
"""


# %% nbgrader={"grade": false, "grade_id": "digits-mlp", "locked": true, "schema_version": 3, "solution": false, "task": false}
class DigitsMLP(Module):
    """64 pixels, 64 hidden units of which a tenth is dropped in training, 10 classes."""

    def __init__(self):
        self.hidden = Linear(64, 64)
        self.dropout = Dropout(0.1)
        self.output = Linear(64, 10)

    def forward(self, x):
        h = self.dropout(relu(self.hidden(x)))  # (B, 64) -> (B, 64)
        return self.output(h)  # (B, 64) -> (B, 10)


def digit_batches(first: int, last: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """The digits from `first` to `last`, of all writers mixed, in batches of 100."""
    pixels, labels = load_digits()
    mixed = np.random.default_rng(0).permutation(len(labels))
    pixels, labels = pixels[mixed], labels[mixed]
    return [
        (pixels[i : min(i + 100, last)], labels[i : min(i + 100, last)])
        for i in range(first, last, 100)
    ]


def digits_trainer(seed: int, steps: int, **options) -> Trainer:
    """A Trainer for a new DigitsMLP with AdamW, a warm-up of a tenth of the steps, then a
    cosine."""
    manual_seed(seed)
    model = DigitsMLP()
    optimizer = AdamW(model.parameters(), lr=0.01)
    parts = [
        LinearLR(optimizer, 0.1, total_iters=steps // 10),
        CosineAnnealingLR(optimizer, steps - steps // 10),
    ]
    scheduler = SequentialLR(optimizer, parts, [steps // 10])
    return Trainer(
        model,
        optimizer,
        cross_entropy,
        scheduler=scheduler,
        metrics={"accuracy": accuracy},
        **options,
    )


# %% nbgrader={"grade": false, "grade_id": "power-cut", "locked": true, "schema_version": 3, "solution": false, "task": false}
class PowerCut(Exception):
    """The lights go out."""


class Unreliable:
    """Batches in a random order, drawn anew for each epoch; after `lifetime` of them the power
    fails."""

    def __init__(self, batches: list, lifetime: float = math.inf):
        self.batches, self.lifetime = batches, lifetime

    def __iter__(self):
        for i in generator().permutation(len(self.batches)):
            self.lifetime -= 1
            if self.lifetime < 0:
                raise PowerCut
            yield self.batches[i]


def train_with_power_cut(path: str, cut: int | None, epochs: int = 3) -> Trainer:
    """Train for `epochs` epochs with a checkpoint after every 5 steps; at batch `cut` the power
    fails, and another Trainer goes on."""
    batches, valid = digit_batches(0, 1400), digit_batches(1400, 1797)
    trainer = digits_trainer(seed=0, steps=14 * epochs, max_norm=1.0, patience=2)
    if cut is not None:
        try:
            trainer.train(
                Unreliable(batches, lifetime=cut), epochs, valid, checkpoint=path, every=5
            )
        except PowerCut:
            trainer = digits_trainer(seed=1, steps=14 * epochs, max_norm=1.0, patience=2)
            trainer.resume(path)
    trainer.train(Unreliable(batches), epochs, valid)
    return trainer


# %% nbgrader={"grade": true, "grade_id": "test-checkpoint-state", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_checkpoint_state():
    """A run that was cut off in the middle of an epoch ends with exactly the same numbers."""
    path = f"{new_folder()}/run.npz"
    whole = train_with_power_cut(path, cut=None)
    resumed = train_with_power_cut(path, cut=18)
    check_close(lambda: resumed.history.lr, whole.history.lr, rtol=0, atol=0)
    check_close(lambda: resumed.history.loss, whole.history.loss, rtol=0, atol=0)
    ### BEGIN HIDDEN TESTS
    check_equal(lambda: resumed.history.epochs, whole.history.epochs)
    check_equal(lambda: resumed.stopping.best, whole.stopping.best)
    state = checkpoint_state(line_trainer(halve=False))
    names = (
        "model best optimizer scheduler stopping history epoch batch random random_at_epoch loader"
    )
    check_equal(lambda: sorted(state), sorted(names.split()))
    check_equal(lambda: [state["scheduler"], state["stopping"], state["loader"]], [None] * 3)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_checkpoint_state()

# %% [markdown]
r"""
## Measure: what does a schedule buy?

The same network learns the digits for 20 epochs with AdamW, three times at each of two rates: constant, with a cosine, and with a warm-up before the cosine. Predict
at which rate the schedule matters more.
"""


# %%
def analyze_schedules():
    """Validation loss after 20 epochs on the digits, mean of three seeds, for two rates and three
    schedules."""
    batches, valid, steps = digit_batches(0, 1400), digit_batches(1400, 1797), 20 * 14
    schedules = {
        "constant": lambda optimizer: None,
        "cosine": lambda optimizer: CosineAnnealingLR(optimizer, steps),
        "warm-up, cosine": lambda optimizer: SequentialLR(
            optimizer,
            [LinearLR(optimizer, 0.1, total_iters=28), CosineAnnealingLR(optimizer, steps - 28)],
            [28],
        ),
    }
    losses = {}
    for name, make in schedules.items():
        for lr in (0.005, 0.05):
            scores = []
            for seed in range(3):
                trainer = digits_trainer(seed, steps)
                trainer.optimizer = AdamW(trainer.model.parameters(), lr=lr)
                trainer.scheduler = make(trainer.optimizer)
                history = trainer.train(batches, 20, valid)
                scores.append(
                    (history.epochs[-1]["valid_loss"], history.epochs[-1]["valid_accuracy"])
                )
            loss, right = np.mean(scores, axis=0)
            losses[lr, name] = loss
            print(f"lr {lr:5}  {name:16} validation loss {loss:.3f}, {right:.1%} right")
    for lr in (0.005, 0.05):
        best = min(schedules, key=lambda name: losses[lr, name])
        ratio = losses[lr, "constant"] / losses[lr, "cosine"]
        print(f"lr {lr:5}  best: {best}; constant has {ratio:.2f} times the loss of the cosine")


if __name__ == "__main__":
    analyze_schedules()

# %% [markdown]
r"""
Compare the two ratios. Below 1, the cosine *hurts*: the steps were short enough already, and it only makes them shorter. Above 1, it pays: it covers ground early, when nobody minds the jitter, and settles late.
So a schedule and its rate are chosen together, and a scheduled run may bear a larger rate than a constant one. Where your third line is close to the second, the warm-up made no difference to so small a network.

### And the leash?

At step 30 of an ordinary run the scanner breaks: one batch arrives a hundred times too bright. Predict the length of its gradients, and what becomes of the model, without clipping and with
clipping to 1.
"""


# %%
def analyze_clipping():
    """Loss and length of the gradients over 70 steps on digits, one batch of which is a hundred
    times too bright."""
    batches = digit_batches(0, 1400)
    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3))
    for marker, (name, max_norm) in zip(
        "os", {"not clipped": math.inf, "clipped to 1": 1.0}.items(), strict=True
    ):
        manual_seed(0)
        model = DigitsMLP()
        optimizer, lengths, losses = SGD(model.parameters(), lr=0.1, momentum=0.9), [], []
        for step in range(70):
            x, y = batches[step % len(batches)]
            optimizer.zero_grad()
            loss = cross_entropy(model(Tensor(x * 100 if step == 30 else x)), y)
            loss.backward()
            lengths.append(clip_grad_norm_(model.parameters(), max_norm))
            optimizer.step()
            losses.append(loss.item())
        left.semilogy(lengths, marker=marker, markersize=3, linewidth=1, label=name)
        right.semilogy(losses, marker=marker, markersize=3, linewidth=1, label=name)
        others = lengths[:30] + lengths[31:]
        bright, usual = lengths[30], np.median(others)
        print(f"{name}: the bright batch has length {bright:.1f}, the median is {usual:.2f}")
        before, after, end = losses[29], losses[40], losses[-1]
        print(f"  loss before {before:.2f}, ten steps after {after:.2f}, at the end {end:.2f}")
        print(f"  {sum(length > 1 for length in others)} of the 69 other batches are longer than 1")
    left.set(xlabel="step", ylabel="length of the gradients", title="A leash at 1")
    right.set(xlabel="step", ylabel="loss", title="One bad batch")
    left.legend()
    show(
        fig,
        alt="Left: lengths of the gradients, a peak at step 30. Right: loss, clipped and not",
    )


if __name__ == "__main__":
    analyze_clipping()

# %% [markdown]
r"""
If none of the other batches is longer than 1 in the clipped run, clipping changed a single step of it; that one keeps its direction and loses its force. Without the leash momentum makes the accident worse:
the velocity keeps 0.9 of the push, so a third of it is still there ten steps later ($0.9^{10} = 0.35$).

### And a checkpoint?

Two predictions: how many bytes does a checkpoint of an Adam run hold per weight? And what does the safety cost, against writing straight over the old file?
"""


# %%
def analyze_checkpoint():
    """Bytes per weight and milliseconds for a checkpoint of a million weights, atomic and
    careless."""
    model = Linear(1000, 1000)
    optimizer = AdamW(model.parameters())
    trainer = Trainer(model, optimizer, mse_loss)
    trainer.train([(np.ones((2, 1000)), np.zeros((2, 1000)))], 1)
    path = f"{new_folder()}/run.npz"
    trainer.save(path)
    arrays, _ = load_checkpoint(path)
    weights = sum(p.numel() for p in model.parameters())
    size = os.path.getsize(path)

    def careless():
        with open(path, "wb") as file:
            write_arrays(file, arrays | {"metadata": np.array("{}")})

    print(f"{size / weights:.2f} bytes per weight")
    ways = {
        "atomic": lambda: trainer.save(path),
        "straight over the old file": careless,
        "load": lambda: load_checkpoint(path),
    }
    for name, timing in compare(ways, samples=7).items():
        print(f"{name:27} {timing.low_ms:6.1f} ms  ({size / timing.low_ms / 1e3:.0f} MB/s)")


if __name__ == "__main__":
    analyze_checkpoint()

# %% [markdown]
r"""
Twelve bytes: the weight, and Adam's two averages; everything else is small. The atomic version pays for copying the state and for waiting until the disk says that it has the numbers; your figures say how much. For 70 billion weights it is 12 x 70 = 840 GB, so large runs write from many machines at once while training goes on, and still lose hours to failures: Meta's 54 days of training Llama 3 on 16,384 GPUs saw 419 unexpected
interruptions, one every three hours (*The Llama 3 herd of models*, 2024, section 3.3.4).

## The whole module

A run on the digits, cut off in the middle of an epoch, then resumed by a Trainer that knows nothing but the file.
"""


# %% nbgrader={"grade": true, "grade_id": "test-module-training", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_module():
    """The digits are learned, and a run that was cut off ends with exactly the same numbers."""
    path = f"{new_folder()}/run.npz"
    whole = train_with_power_cut(path, cut=None)
    new = digit_batches(1400, 1797)
    check_equal(lambda: whole.evaluate(new)["accuracy"] > 0.85, True)
    resumed = train_with_power_cut(path, cut=18)
    check_close(lambda: resumed.history.loss, whole.history.loss, rtol=0, atol=0)
    ### BEGIN HIDDEN TESTS
    for name, array in whole.model.state_dict().items():
        check_close(lambda: resumed.model.state_dict()[name], array, rtol=0, atol=0)
    check_close(lambda: whole.history.lr[:5], [0.001, 0.00325, 0.0055, 0.00775, 0.01])
    train_with_power_cut(path, cut=8)
    plain = Trainer(DigitsMLP(), optimizer_at(0.1), cross_entropy)
    check_raises(ValueError, lambda: plain.resume(path), mentions=["AdamW", "Nothing was changed"])
    trainer = digits_trainer(seed=0, steps=14)
    trainer.train(digit_batches(0, 200), 1)
    poisoned = [(np.full((4, 64), np.nan), np.zeros(4, int))]
    check_raises(
        FloatingPointError, lambda: trainer.train(poisoned, 2), mentions=["step 3", "the input"]
    )
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_module()

# %% [markdown]
r"""
Such a history draws itself:
"""


# %%
def analyze_history():
    """A run of 15 epochs, as its history tells it."""
    trainer = digits_trainer(seed=0, steps=15 * 14)
    history = trainer.train(digit_batches(0, 1400), 15, digit_batches(1400, 1797))
    fig, ax = plt.subplots(figsize=(5, 3))
    history.plot(ax)
    print(history)
    show(
        fig,
        alt="Loss against step: each step in grey, its mean per epoch, and the validation loss",
    )


if __name__ == "__main__":
    analyze_history()

# %% [markdown]
r"""
**Question.** The Trainer saves the state of the random generator twice: as it was when the epoch began, and as it is now. Suppose that only the one of now were saved. Which numbers of a resumed run would be
wrong, and in which case would nobody notice?
"""

# %% [markdown] nbgrader={"grade": true, "grade_id": "q-two-states", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
r"""
The order of the current epoch was drawn when it began. Drawn again from the state of now, it is another order: the batches passed over are not those that were done, so some samples would be seen twice in this epoch and others not at
all, and every later draw (dropout masks, the orders of later epochs) would be shifted. Nobody would notice if the batches come in a fixed order and nothing else draws random numbers, or if the run stops exactly
between two epochs: then nothing has been drawn that must be drawn again.
"""

# %% [markdown]
r"""
**To think about.** `os.replace` is atomic for whoever looks at the path. What else would have to be brought to the disk for the *new* name to survive a power cut right after it?

The Trainer takes any pairs (x, y). Where they come from, shuffled, cropped and fetched ahead of time, is **Module 08: DataLoader**.
"""
