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
# Module 13: Transformers

A language model says how likely each next character is, and that is enough to write. Today you build the sampling that makes any such model write, the block that makes
deep ones trainable, and a GPT of your own; at the end it invents names for Python functions that nobody has written yet.

**Needs** `Tensor` (01), activations (02), layers (03), losses (04), autograd (05), random sources (08), embeddings (11), attention (12), and, for training, optimizers (06) and clipping (07) | **Exports** `tinytorch.models.transformer` | **About** 6 hours | **Points** 80

The two folded cells below import what this page needs.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| default_exp models.transformer
#| export
from math import sqrt
from typing import Any

import numpy as np

from tinytorch.core.activations import gelu
from tinytorch.core.attention import MultiHeadAttention
from tinytorch.core.autograd import Context, Function, gelu_x, no_grad
from tinytorch.core.layers import Dropout, Linear, Module, Parameter, linear
from tinytorch.core.tensor import ShapeError, Tensor
from tinytorch.data.loader import random_source
from tinytorch.text.embeddings import Embedding, PositionalEncoding, check_ids

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "page-imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
import re  # this page only: tests, plots and measurements are not exported

import matplotlib.pyplot as plt

from tinytorch.core.autograd import gradient_check
from tinytorch.core.losses import cross_entropy
from tinytorch.core.optimizers import AdamW
from tinytorch.core.tensor import keep_freed_memory, manual_seed
from tinytorch.core.training import clip_grad_norm
from tito.lab import bench, check_close, check_equal, check_raises, compare
from tito.lab import load_python_source, peak_bytes, show

# %% [markdown]
r"""
## A whole language model, in one table

Your Python came with its own source code, and in it stand some thousand names of functions, such as `getvalue` or `is_symlink`. Which character follows which? Count, and look: where is the
row of `q`, and what does its one dark spot say? (`.` stands for the end of a line.)
"""

# %% nbgrader={"grade": false, "grade_id": "given-names", "locked": true, "schema_version": 3, "solution": false, "task": false}
ALPHABET = "\n_abcdefghijklmnopqrstuvwxyz"


def function_names() -> list[str]:
    """The names of the functions in the standard library's own files, each once, shuffled."""
    text = load_python_source(10**9)  # all of it
    shuffled = sorted(set(re.findall(r"\n *def ([a-z][a-z_]{2,})\(", text)))
    np.random.default_rng(0).shuffle(shuffled)
    return shuffled


def encode(text: str) -> np.ndarray:
    """The place of each character in ALPHABET."""
    return np.array([ALPHABET.index(character) for character in text], dtype=np.intp)


def decode(ids: np.ndarray) -> str:
    """The characters at these places."""
    return "".join(ALPHABET[i] for i in ids)


NAMES = function_names()
TRAIN, HELD_OUT = (encode("\n" + "\n".join(part) + "\n") for part in (NAMES[200:], NAMES[:200]))
PAIRS = np.bincount(TRAIN[:-1] * 28 + TRAIN[1:], minlength=28 * 28).reshape(28, 28)
COUNTS = PAIRS + 1  # one of each besides, so that nothing is impossible


# %%
def analyze_counts():
    """How often each character follows each."""
    fig, axes = plt.subplots(figsize=(5, 4.6))
    axes.imshow(COUNTS / COUNTS.sum(axis=1, keepdims=True), cmap="Blues", vmax=0.6)
    axes.set(xlabel="next character", ylabel="character")
    axes.set_xticks(range(28), "." + ALPHABET[1:], fontsize=7)
    axes.set_yticks(range(28), "." + ALPHABET[1:], fontsize=7)
    show(fig, alt="28 x 28 table of what follows what; the row of q is dark in the column of u")
    print(f"{len(NAMES):,} names, such as {NAMES[:4]}; {len(TRAIN):,} characters to learn from")


if __name__ == "__main__":
    analyze_counts()

# %% [markdown]
r"""
Each row, divided by its sum, is a distribution: the table *is* a language model. Larger models replace the table and keep everything else: characters in, one **logit** for each next
character out, and then somebody must choose.

How boldly? Divide the logits $z$ by a **temperature** $\tau$ before the softmax. With $z = \ln p$ this is $p^{1/\tau}$, normalised again: take $p = (0.8, 0.2)$ and $\tau = \frac12$. The squares
are 0.64 and 0.04, so the distribution becomes (0.94, 0.06): sharper. As $\tau$ goes to 0 everything goes to the largest, and we *define* $\tau = 0$ as that: **greedy**.
"""


# %% nbgrader={"grade": false, "grade_id": "tempered", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def tempered(logits: np.ndarray, temperature: float) -> np.ndarray:
    """Turn each row of logits into probabilities at a temperature.

    Args:
        logits: shape (B, V).
        temperature: at least 0; 0 puts everything on the largest logit (the first of equals).

    Returns:
        Array of shape (B, V); rows sum to 1.

    TODO: the softmax of logits / temperature, and the case 0.
    APPROACH: 1. subtract each row's largest logit first (module 02 knows why)
        2. temperature 0: zeros, and a 1 at each row's argmax
        3. else divide, exponentiate, divide by the sum
    EXAMPLE:
        >>> tempered(np.log([[0.8, 0.2]]), 0.5).round(2)
        array([[0.94, 0.06]])

    HINT: `np.eye(V)[places]` has one row with a single 1 for each of the places.
    """
    ### BEGIN SOLUTION
    if temperature == 0:
        return np.eye(logits.shape[1])[logits.argmax(axis=1)]
    shifted = logits - logits.max(axis=1, keepdims=True)  # (B, V)
    weights = np.exp(shifted / temperature)
    return weights / weights.sum(axis=1, keepdims=True)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-tempered", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_tempered():
    """Sharper, as it was, flatter, greedy; and logits too large for exp."""
    logits = np.log([[0.8, 0.2], [0.5, 0.5]])
    check_close(lambda: tempered(logits, 0.5), [[16 / 17, 1 / 17], [0.5, 0.5]])
    check_close(lambda: tempered(logits, 1.0), [[0.8, 0.2], [0.5, 0.5]])
    check_close(lambda: tempered(logits, 0), [[1, 0], [1, 0]])
    check_close(lambda: tempered(np.array([[2000.0, 1000.0]]), 1.0), [[1, 0]])
    ### BEGIN HIDDEN TESTS
    p = np.random.default_rng(0).dirichlet(np.ones(5), size=3)
    flat = np.sqrt(p)
    check_close(lambda: tempered(np.log(p), 2.0), flat / flat.sum(axis=1, keepdims=True))
    check_close(lambda: tempered(np.log(p) + 7, 1.0), p)
    check_close(lambda: tempered(np.array([[1.0, 9, 9], [3, 2, 1]]), 0), [[0, 1, 0], [1, 0, 0]])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_tempered()

# %% [markdown]
r"""
A vocabulary has a long tail of small probabilities, and a long text draws from it sooner or later; then it has to go on from nonsense. Two ways cut the tail off. **Top-k** keeps the $k$ likeliest
(Fan et al., 2018). But how long is the tail? After `q` one character is enough, after `_` twenty are possible. **Top-p** (Holtzman et al., *The curious case of neural text degeneration*, 2020) keeps the smallest
set of the likeliest whose probabilities reach $p$:

```
p = 0.75        0.5   0.3   0.15   0.05
                 |     |
sum so far      0.5   0.8             the second reaches 0.75: two are kept
normalised      5/8   3/8
```

Which question must you ask of a probability, then: whether the sum *with* it, or the sum *before* it, is below $p$?
"""


# %% nbgrader={"grade": false, "grade_id": "cut-tails", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def keep_top_k(probabilities: np.ndarray, k: int) -> np.ndarray:
    """Keep the k largest of each row, exactly k of them (of equals the first), and normalise."""
    ### BEGIN SOLUTION
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]  # (B, k)
    kept = np.zeros_like(probabilities)
    np.put_along_axis(kept, order, np.take_along_axis(probabilities, order, axis=1), axis=1)
    return kept / kept.sum(axis=1, keepdims=True)
    ### END SOLUTION


def keep_top_p(probabilities: np.ndarray, p: float) -> np.ndarray:
    """Keep the fewest of each row, the largest first, that add up to at least p, and normalise.

    Args:
        probabilities: shape (B, V), rows sum to 1.
        p: in (0, 1].

    Returns:
        Array of shape (B, V).

    TODO: both cuts.
    APPROACH: 1. sort each row, the largest first  2. which places of the sorted row are kept?
        3. zeros, with those probabilities at their old places  4. divide by what is left
    EXAMPLE:
        >>> keep_top_p(np.array([[0.15, 0.5, 0.05, 0.3]]), 0.75)
        array([[0.   , 0.625, 0.   , 0.375]])

    HINT: `np.argsort(-a, axis=1, kind="stable")` sorts; `np.take_along_axis(a, order, axis=1)` and
        `np.put_along_axis(a, order, values, axis=1)` read and write in that order.
    """
    ### BEGIN SOLUTION
    order = np.argsort(-probabilities, axis=1, kind="stable")  # (B, V)
    ranked = np.take_along_axis(probabilities, order, axis=1)
    before = ranked.cumsum(axis=1) - ranked
    kept = np.zeros_like(probabilities)
    np.put_along_axis(kept, order, np.where(before < p, ranked, 0), axis=1)
    return kept / kept.sum(axis=1, keepdims=True)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-cut-tails", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_unit_cut_tails():
    """The drawing, a tie, and the least that can be kept."""
    p = np.array([[0.15, 0.5, 0.05, 0.3], [0.25, 0.25, 0.25, 0.25]])
    check_close(lambda: keep_top_k(p, 2), [[0, 0.625, 0, 0.375], [0.5, 0.5, 0, 0]])
    check_close(lambda: keep_top_p(p, 0.75), [[0, 0.625, 0, 0.375], [1 / 3, 1 / 3, 1 / 3, 0]])
    check_close(lambda: keep_top_p(p, 0.01), [[0, 1, 0, 0], [1, 0, 0, 0]])
    check_close(lambda: keep_top_p(p, 1.0), p)
    ### BEGIN HIDDEN TESTS
    check_close(lambda: keep_top_k(p, 1), [[0, 1, 0, 0], [1, 0, 0, 0]])
    check_close(lambda: keep_top_k(p, 9), p)
    check_close(lambda: keep_top_p(p, 0.5), [[0, 1, 0, 0], [0.5, 0.5, 0, 0]])
    q = np.array([[0.1, 0.6, 0.3], [0.5, 0.125, 0.375]])
    before = q.copy()
    check_close(lambda: keep_top_p(q, 0.7), [[0, 2 / 3, 1 / 3], [4 / 7, 0, 3 / 7]])
    check_close(lambda: keep_top_k(q, 2), [[0, 2 / 3, 1 / 3], [4 / 7, 0, 3 / 7]])
    check_close(lambda: [keep_top_p(q, 0.7), keep_top_k(q, 2), q][2], before)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_cut_tails()

# %% [markdown]
r"""
Here is what may follow a `_`, from the table. Before you look: which of the four settings can never choose an `x`?
"""


# %%
def analyze_sampling():
    """The distribution after an underscore, before and after each cut."""
    logits = np.log(COUNTS[None, ALPHABET.index("_")])  # (1, 28)
    plain = tempered(logits, 1.0)
    ways = {
        "temperature 1": plain, "temperature 0.5": tempered(logits, 0.5),
        "top-k, k = 5": keep_top_k(plain, 5), "top-p, p = 0.6": keep_top_p(plain, 0.6),
    }  # fmt: skip
    fig, axes = plt.subplots(2, 2, figsize=(8, 4), sharex=True, sharey=True)
    for ax, (name, row) in zip(axes.flat, ways.items(), strict=True):
        ax.bar(range(28), row[0], color="tab:blue")
        ax.bar(range(28), plain[0], fill=False, edgecolor="grey", linewidth=0.7)
        ax.set_title(f"{name}: {np.count_nonzero(row)} possible", fontsize=9)
        ax.set_xticks(range(28), "." + ALPHABET[1:], fontsize=7)
        print(f"{name:16} likeliest {row.max():.2f}, an x {row[0, ALPHABET.index('x')]:.4f}")
    axes[0, 0].set_ylabel("probability")
    axes[1, 0].set_ylabel("probability")
    alt = "Bars of what may follow an underscore: as counted, sharpened, cut to 5, cut to a sum"
    show(fig, alt=alt)


if __name__ == "__main__":
    analyze_sampling()

# %% [markdown]
r"""
`sample`, folded, puts the parts together: it refuses options that mean nothing, tempers, cuts to k, cuts to p, and draws one id for each row. `LanguageModel` is what every model on this page is: something with a
`context` (how many ids it can look back) whose `forward` takes ids (B, T) to logits (B, T, V), where the logits at place $t$ are for what comes *after* $t$. `Bigram` is your table as such a model.
"""


# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "given-sample", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def check_sampling(temperature: float, top_k: int | None, top_p: float | None) -> None:
    """Refuse options of sampling that mean nothing.

    Raises:
        ValueError: a temperature that is negative or not a finite number, top_k below 1, top_p
            outside (0, 1].
        TypeError: top_k is not a whole number.
    """
    if not 0 <= temperature < np.inf:
        raise ValueError(f"temperature is 0 (greedy) or larger, not {temperature}.")
    if top_k is not None and (isinstance(top_k, bool) or not isinstance(top_k, int | np.integer)):
        raise TypeError(f"top_k is a whole number or None, not {top_k!r}.")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k keeps at least 1 token, not {top_k}; None keeps all.")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p is a share in (0, 1], not {top_p}; None keeps all.")


def sample(logits: np.ndarray, rng: np.random.Generator, temperature: float = 1.0,
           top_k: int | None = None, top_p: float | None = None) -> np.ndarray:
    """Draw one id for each row of logits; one random number a row, whatever the options.

    Args:
        logits: shape (B, V); -inf for what must not be drawn.
        rng: where the random numbers come from.
        temperature, top_k, top_p: see tempered, keep_top_k, keep_top_p; applied in this order.

    Returns:
        Ids, shape (B,).

    Raises:
        ValueError, TypeError: see check_sampling.
        ArithmeticError: logits that are not numbers.

    Example:
        >>> sample(np.array([[0.0, 9.0, 1.0]]), np.random.default_rng(0), temperature=0)
        array([1])
    """
    check_sampling(temperature, top_k, top_p)
    if not np.isfinite(logits.max(axis=1)).all():
        raise ArithmeticError("logits are nan or infinite: has the training run away?")
    probabilities = tempered(logits.astype(np.float64), temperature)
    if top_k is not None:
        probabilities = keep_top_k(probabilities, top_k)
    if top_p is not None:
        probabilities = keep_top_p(probabilities, top_p)
    shares = probabilities.cumsum(axis=1)  # (B, V): where each id's share of the line [0, 1) ends
    point = rng.random(len(shares))[:, None] * shares[:, -1:]
    return (shares <= point).sum(axis=1)


def check_count(name: str, count: Any) -> None:
    """Refuse what is no whole number from 0 on, with a ValueError."""
    if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 0:
        raise ValueError(f"{name} is a whole number from 0 on, not {count!r}.")


class LanguageModel(Module):
    """A model whose forward takes ids (B, T) to logits (B, T, V) for what follows each.

    context: how many ids it can look back; a subclass sets it.
    vocab_size: V, how many ids there are, where a subclass knows it.
    """

    context: int
    vocab_size: int = np.iinfo(np.intp).max

    def generate(self, ids: Any, max_new_tokens: int, temperature: float = 1.0,
                 top_k: int | None = None, top_p: float | None = None, seed: Any = None
                 ) -> np.ndarray:
        """Continue each row of ids; the same seed gives the same ids.

        The model sees the last `context` ids of a longer text. It runs in evaluation mode and
        without recording; afterwards each part is in the mode that it was in.

        Args:
            ids: the prompt, whole numbers of shape (T,) or (B, T), T at least 1.
            max_new_tokens: how many ids to append.
            temperature, top_k, top_p: see sample.
            seed: a seed, a NumPy generator, or None for the course's own.

        Returns:
            Prompt and continuation, shape (T + max_new_tokens,) or (B, T + max_new_tokens).

        Raises:
            ValueError, TypeError: an empty prompt, or options that mean nothing.
            IndexError: an id outside the vocabulary, wherever it stands in the prompt.
        """
        check_sampling(temperature, top_k, top_p)
        check_count("max_new_tokens", max_new_tokens)
        prompt = check_ids(ids, self.vocab_size).copy()
        if prompt.size == 0 or prompt.ndim not in (1, 2):
            raise ShapeError("a prompt has shape (T,) or (B, T) and at least one id, not "
                             f"{prompt.shape}.")
        options = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
        modes = [(module, module.training) for _, module in self.named_modules()]
        rng = random_source(seed)
        self.eval()
        try:
            with no_grad():
                rows = extend(self, np.atleast_2d(prompt), max_new_tokens, rng, options)
        finally:
            for module, mode in modes:
                module.training = mode
        return rows.reshape(*prompt.shape[:-1], rows.shape[1])


class Bigram(LanguageModel):
    """A table as a language model: what follows depends on the last id alone.

    Args:
        counts: how often each id followed each, shape (V, V), all above 0.

    Example:
        >>> Bigram([[1, 9], [9, 1]]).generate([0], 3, temperature=0)
        array([0, 1, 0, 1])
    """

    def __init__(self, counts: Any) -> None:
        self.context = 1
        self.register_buffer("logits", np.log(np.asarray(counts, dtype=np.float64)))

    def forward(self, ids: Any) -> Tensor:
        """(B, T) -> (B, T, V)."""
        return Tensor(self.logits[np.asarray(ids)])


# %% [markdown]
r"""
What is left is the loop that writes: run the model, draw, append, again. Two things are easy to get wrong. A model with a context of 32 refuses a text of 33, so it must be *cropped*: to which 32? And `model(window)` answers
for every place of the window; which answer is about the future?
"""


# %% nbgrader={"grade": false, "grade_id": "extend", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def extend(model: LanguageModel, ids: np.ndarray, steps: int, rng: np.random.Generator,
           options: dict[str, Any]) -> np.ndarray:
    """Append `steps` ids to each row, one at a time, each drawn from what the model says of it.

    Args:
        model: takes ids (B, T), T at most model.context, to a Tensor of logits (B, T, V).
        ids: the text so far, shape (B, T).
        steps: how many ids to append.
        rng: random numbers, for `sample`.
        options: temperature, top_k, top_p, for `sample`.

    Returns:
        New array of shape (B, T + steps) that begins with ids.

    TODO: the loop.
    APPROACH: 1. the last model.context ids of each row  2. their logits  3. those of the last place
        4. sample(logits, rng, **options)  5. the drawn ids as a new column
    EXAMPLE:
        >>> table = Bigram([[1, 9], [9, 1]])
        >>> extend(table, np.array([[0]]), 3, np.random.default_rng(0), {"temperature": 0})
        array([[0, 1, 0, 1]])

    HINT: `a[:, None]` makes a column (B, 1) of a row (B,); np.concatenate joins along axis=1.
    """
    ### BEGIN SOLUTION
    for _ in range(steps):
        window = ids[:, -model.context :]  # (B, T), T at most the context
        logits = model(window).data[:, -1]  # (B, T, V) -> (B, V)
        drawn = sample(logits, rng, **options)  # (B,)
        ids = np.concatenate([ids, drawn[:, None]], axis=1)
    return ids
    ### END SOLUTION


# %% nbgrader={"grade": false, "grade_id": "given-echo", "locked": true, "schema_version": 3, "solution": false, "task": false}
class Echo(LanguageModel):
    """Says that the oldest id that it sees comes next, and refuses to see more than its context."""

    def __init__(self, context):
        self.context = context

    def forward(self, ids):
        if ids.shape[1] > self.context:
            raise ValueError(f"{ids.shape[1]} ids, and a context of {self.context}")
        later = np.eye(9)[np.zeros_like(ids)]  # what it says after the other places: a 0
        later[:, -1] = np.eye(9)[ids[:, 0]]
        return Tensor(20 * later)  # (B, T, 9)


# %% nbgrader={"grade": true, "grade_id": "test-extend", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_extend():
    """Greedy in a table; a model that repeats the oldest of the 3 ids that it may see."""
    table = Bigram([[1, 9, 1], [1, 1, 9], [9, 1, 1]])
    check_equal(lambda: table.generate([2], 4, temperature=0).tolist(), [2, 0, 1, 2, 0])
    echo = Echo(context=3)
    check_equal(lambda: echo.generate([7, 5, 8], 4).tolist(), [7, 5, 8, 7, 5, 8, 7])
    check_equal(lambda: echo.generate([1, 7, 5, 8], 2).tolist(), [1, 7, 5, 8, 7, 5])
    ### BEGIN HIDDEN TESTS
    rows, expected = [[4, 5], [7, 8]], [[4, 5, 4, 4, 5], [7, 8, 7, 7, 8]]
    check_equal(lambda: echo.generate(rows, 3).tolist(), expected)
    check_equal(lambda: echo.generate([6], 0).tolist(), [6])
    again = table.generate([0, 1], 20, temperature=2, seed=5).tolist()
    check_equal(lambda: table.generate([0, 1], 20, temperature=2, seed=5).tolist(), again)
    check_equal(lambda: table.generate([0], 50, temperature=5, top_k=1).tolist(), [0, 1, 2] * 17)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_extend()

# %% [markdown]
r"""
And it writes. Which of these lines could be Python's? How much does the table know of what it wrote two characters ago?
"""


# %%
def analyze_table_writes():
    """Names from the table, at three temperatures, and its loss on names that it never saw."""
    table = Bigram(COUNTS)
    for temperature in (0.5, 1.0, 2.0):
        text = decode(table.generate(encode("\n"), 60, temperature, seed=1))
        print(f"temperature {temperature}:", " ".join(text.split()))
    loss = cross_entropy(table(HELD_OUT[None, :-1]), HELD_OUT[None, 1:]).item()
    print(f"the table's loss on held-out names: {loss:.3f} (a guess among 28: {np.log(28):.3f})")


if __name__ == "__main__":
    analyze_table_writes()

# %% [markdown]
r"""
Now for a model that looks back further than one character: a stack of attention layers from module 12. Two things stand between you and a deep stack, and both are in the next figure's words: scale and distance.

## Layer norm: every token on its own

Batch norm (module 09) takes its mean over the batch. A text that is being written has a batch of one, and texts have different lengths; so **layer norm** (Ba, Kiros and Hinton, 2016) takes mean and variance over the
$C$ numbers of *one token*, and no token hears of another:

$$\hat x = \frac{x - \mu}{\sqrt{\sigma^2 + \varepsilon}} \qquad y = \gamma\, \hat x + \beta$$

```
x                1    2    6          mu = 3, sigma^2 = (4 + 1 + 9) / 3 = 4.67, root 2.16
x - mu          -2   -1    3
normal       -0.93 -0.46 1.39         and -93, -46, 139 if x were 100 times as large? Guess.
```

First with the Tensor's own operations, so that autograd finds the gradient without your help. It is what the fast one will be compared with.
"""


# %% nbgrader={"grade": false, "grade_id": "layer-norm-composed", "locked": false, "schema_version": 3, "solution": true, "task": false}
def layer_norm_composed(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    """Normalise the last axis of x, then scale and shift it.

    Args:
        x: shape (..., C).
        weight, bias: gamma and beta, shape (C,).
        eps: added to the variance, so that a constant row divides by something.

    Returns:
        Tensor of the shape of x.

    TODO: the formula, in Tensors.
    APPROACH: 1. mean and (population) variance of the last axis, kept as an axis of size 1
        2. the normalised rows  3. scale and shift
    EXAMPLE:
        >>> one, zero = Tensor(np.ones(3)), Tensor(np.zeros(3))
        >>> layer_norm_composed(Tensor([[1, 2, 6]]), one, zero).data.round(2)
        array([[-0.93, -0.46,  1.39]], dtype=float32)

    HINT: Tensors have `mean` and `var`, both with `axis=` and `keepdims=`, and `sqrt`.
    """
    ### BEGIN SOLUTION
    mean = x.mean(axis=-1, keepdims=True)  # (..., 1)
    var = x.var(axis=-1, keepdims=True)
    normal = (x - mean) / (var + eps).sqrt()  # (..., C)
    return normal * weight + bias
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-layer-norm-composed", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_layer_norm_composed():
    """The row of the text, also a hundred times as large, a constant row, scale and shift."""
    x = Tensor([[1, 2, 6], [100, 200, 600], [5, 5, 5]])
    one, zero = Tensor(np.ones(3)), Tensor(np.zeros(3))
    row = np.array([-2, -1, 3]) / np.sqrt(14 / 3)
    check_close(lambda: layer_norm_composed(x, one, zero).data, [row, row, [0, 0, 0]], atol=1e-4)
    weight, bias = Tensor([1, 10, 100]), Tensor([7, 8, 9])
    expected = row * [1, 10, 100] + [7, 8, 9]
    check_close(lambda: layer_norm_composed(x, weight, bias).data[0], expected, atol=1e-3)
    ### BEGIN HIDDEN TESTS
    x = np.random.default_rng(1).normal(size=(2, 3, 5)).astype(np.float32)
    expected = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 0.3)
    one, zero, batch = Tensor(np.ones(5)), Tensor(np.zeros(5)), Tensor(x)
    check_close(lambda: layer_norm_composed(batch, one, zero, eps=0.3).data, expected, atol=1e-4)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_layer_norm_composed()

# %% [markdown]
r"""
Eight operations, each with an array of its own, and each kept for its rule. The fused one works on `rows` of shape (M, C), all tokens one under the other, and keeps two things for the way back: the normalised rows and
the root that they were divided by.
"""


# %% nbgrader={"grade": false, "grade_id": "layer-norm-forward", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def layer_norm_forward(
    rows: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Normalise each row, then scale and shift it.

    Args:
        rows: float32, shape (M, C); it is not changed.
        weight, bias: float32, shape (C,).
        eps: added to the variance.

    Returns:
        y, shape (M, C); the normalised rows, shape (M, C); the roots of var + eps, shape (M,).

    TODO: the formula once more, on arrays, and what it keeps.
    APPROACH: 1. one mean for each row  2. centre  3. the variance is the mean of the squares
        4. divide  5. scale and shift  6. float32 throughout
    EXAMPLE:
        >>> one, zero = np.float32([1, 1]), np.float32([0, 0])
        >>> layer_norm_forward(np.float32([[1, 3]]), one, zero, eps=0)[2]
        array([1.], dtype=float32)

    HINT: a mean is a product with a vector of 1/C, which BLAS does fastest; and
        np.einsum("mc,mc->m", a, a) adds up squares without a temporary.
    """
    ### BEGIN SOLUTION
    C = rows.shape[1]
    mean = rows @ np.full(C, 1 / C, rows.dtype)  # (M, C) @ (C,) -> (M,)
    normal = rows - mean[:, None]
    root = np.einsum("mc,mc->m", normal, normal) / np.float32(C)  # (M,)
    root = np.sqrt(root + np.float32(eps))
    normal *= (1 / root)[:, None]
    y = normal * weight
    y += bias
    return y, normal, root
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-layer-norm-forward", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_layer_norm_forward():
    """All three results, and a mean that is large against the spread."""
    rows, one, zero = np.float32([[1, 3], [5, 5]]), np.float32([1, 1]), np.float32([0, 0])
    check_close(lambda: layer_norm_forward(rows, one, zero, 1)[1] * np.sqrt(2), [[-1, 1], [0, 0]])
    check_close(lambda: layer_norm_forward(rows, one, zero, 1)[2], [np.sqrt(2), 1])
    weight, bias = np.float32([1, 10]), np.float32([7, 8])
    check_close(lambda: layer_norm_forward(rows, weight, bias, 0.0001)[0][0], [6, 18], atol=1e-2)
    far = np.float32([[10001, 10003]])
    check_close(lambda: layer_norm_forward(far, one, zero, 0)[0], [[-1, 1]], atol=1e-2)
    kinds = ["float32"] * 3
    check_equal(lambda: [a.dtype.name for a in layer_norm_forward(rows, one, zero, 1)], kinds)
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(2)
    rows, weight, bias = (rng.normal(size=s).astype(np.float32) for s in ((6, 7), (7,), (7,)))
    before, root = rows.copy(), np.sqrt(rows.var(axis=1) + 0.5)
    normal = (rows - rows.mean(axis=1, keepdims=True)) / root[:, None]
    y = normal * weight + bias
    check_close(lambda: layer_norm_forward(rows, weight, bias, 0.5)[0], y, atol=1e-5)
    check_close(lambda: layer_norm_forward(rows, weight, bias, 0.5)[1], normal, atol=1e-5)
    check_close(lambda: layer_norm_forward(rows, weight, bias, 0.5)[2], root, atol=1e-5)
    check_close(lambda: [layer_norm_forward(rows, weight, bias, 0.5), rows][1], before)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_layer_norm_forward()

# %% [markdown]
r"""
### Backward: what does the layer not see?

Shift a row, and nothing changes; stretch it, and nothing changes. So the gradient of a row can have no part along either: what $g$ says about them must be taken out. With $h = \gamma g$, and bars for means over the $C$ numbers of a token,

$$dx = \frac{1}{\sqrt{\sigma^2 + \varepsilon}}\Big(h - \bar h - \hat x\;\overline{h\,\hat x}\Big) \qquad d\gamma = \sum_{\text{tokens}} g\,\hat x \qquad d\beta = \sum_{\text{tokens}} g$$

It looks like batch norm's, and one thing is not: there, $\gamma$ was the same along the whole row of a mean and could wait outside of the brackets. Here each of the $C$ numbers has its own. And the sums for $\gamma$ and $\beta$ run
the other way, over the tokens: why?
"""


# %% nbgrader={"grade": false, "grade_id": "layer-norm-backward", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def layer_norm_backward(
    g: np.ndarray, normal: np.ndarray, root: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the gradients of a layer norm for its input, its weight and its bias.

    Args:
        g: gradient of the output, float32, shape (M, C); it is not changed.
        normal, root: what layer_norm_forward kept, shapes (M, C) and (M,).
        weight: shape (C,).

    Returns:
        Arrays of shapes (M, C), (C,), (C,), float32.

    TODO: the three formulas.
    APPROACH: 1. g * normal, which is needed twice  2. the two sums over the tokens
        3. the two means of each token  4. dx, in place where you can
    EXAMPLE:
        >>> normal, root = np.float32([[-1, 1]]), np.float32([1])
        >>> layer_norm_backward(np.float32([[2, 6]]), normal, root, np.float32([1, 1]))[1:]
        (array([-2.,  6.], dtype=float32), array([2., 6.], dtype=float32))

    HINT: the mean of g * weight over a row is the product `g @ (weight / C)`; that of
        g * normal * weight is another. A vector of ones, `ones @ g`, adds up the tokens.
    """
    ### BEGIN SOLUTION
    share, ones = weight / np.float32(g.shape[1]), np.ones(len(g), np.float32)
    both = g * normal
    dweight, dbias = ones @ both, ones @ g  # (M,) @ (M, C) -> (C,)
    mean_h, mean_hn = g @ share, both @ share  # (M, C) @ (C,) -> (M,)
    dx = g * weight
    dx -= mean_h[:, None]
    dx -= np.multiply(normal, mean_hn[:, None], out=both)
    dx *= (1 / root)[:, None]
    return dx, dweight, dbias
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-layer-norm-backward", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_unit_layer_norm_backward():
    """A shift and a stretch are taken out; the sums; a weight that differs along the row."""
    normal, root, one = np.float32([[-1, 1, -1, 1]]), np.float32([2]), np.ones(4, np.float32)
    g = np.float32([[2, 4, 2, 4]])  # 3 + normal: a shift and a stretch
    check_close(lambda: layer_norm_backward(g, normal, root, one)[0], [[0, 0, 0, 0]])
    sums = [[-2, 4, -2, 4], [2, 4, 2, 4]]
    check_close(lambda: layer_norm_backward(g, normal, root, one)[1:], sums)
    weight, first = np.float32([4, 1, 1, 1]), np.float32([[1, 0, 0, 0]])
    expected = [[(4 - 1 - 1) / 2, (0 - 1 + 1) / 2, (0 - 1 - 1) / 2, (0 - 1 + 1) / 2]]
    check_close(lambda: layer_norm_backward(first, normal, root, weight)[0], expected)
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(3)
    g, rows, weight = (rng.normal(size=s).astype(np.float32) for s in ((7, 6), (7, 6), (6,)))
    root = np.sqrt(rows.var(axis=1) + 0.1)
    normal = (rows - rows.mean(axis=1, keepdims=True)) / root[:, None]
    h, before = g * weight, g.copy()
    left = h - h.mean(1, keepdims=True) - normal * (h * normal).mean(1, keepdims=True)
    left /= root[:, None]
    check_close(lambda: layer_norm_backward(g, normal, root, weight)[0], left, atol=1e-5)
    expected = [(g * normal).sum(0), g.sum(0)]
    check_close(lambda: layer_norm_backward(g, normal, root, weight)[1:], expected, atol=1e-5)
    check_close(lambda: [layer_norm_backward(g, normal, root, weight), g][1], before)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_layer_norm_backward()

# %% [markdown]
r"""
The folded cell makes an operation of the pair, `layer_norm` with PyTorch's name and arguments, and `LayerNorm`, the layer with its weight and bias. Then: is the slope right, and was it worth it? Guess how many times faster the fused
one is, forward and backward, on the activations of a small GPT, and how much less memory it takes.
"""


# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "layer-norm-layer", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class LayerNormalisation(Function):
    """Layer norm over the last axes, as many as the weight has; see layer_norm."""

    @staticmethod
    def forward(ctx: Context, x: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float
                ) -> np.ndarray:
        C = weight.size
        rows = x.reshape(x.size // C, C)  # (M, C)
        parts = layer_norm_forward(rows, weight.reshape(-1), bias.reshape(-1), eps)
        y, ctx.normal, ctx.root = parts
        ctx.weight, ctx.shape = weight, x.shape
        return y.reshape(x.shape)

    @staticmethod
    def backward(ctx: Context, g: np.ndarray) -> tuple:
        """See layer_norm_backward."""
        rows, shape = g.reshape(ctx.normal.shape), ctx.weight.shape
        dx, dweight, dbias = layer_norm_backward(rows, ctx.normal, ctx.root, ctx.weight.reshape(-1))
        return dx.reshape(ctx.shape), dweight.reshape(shape), dbias.reshape(shape), None


def layer_norm(x: Tensor, normalized_shape: Any, weight: Any = None, bias: Any = None,
               eps: float = 1e-5) -> Tensor:
    """Normalise the last axes of x to mean 0 and variance 1, then scale and shift them.

    Args:
        x: shape (..., *normalized_shape).
        normalized_shape: the sizes of the last axes, a tuple or one whole number.
        weight, bias: of normalized_shape, or None for 1 and 0.
        eps: added to the variance.

    Raises:
        ShapeError: x does not end in normalized_shape, or weight or bias have another shape.
        ValueError: eps is below 0, or no number.

    Example:
        >>> layer_norm(Tensor([[1, 3]]), 2, eps=0).data
        array([[-1.,  1.]], dtype=float32)
    """
    shape = normal_shape(normalized_shape)
    check_eps(eps)
    check_ends(x, shape)
    for name, value in (("weight", weight), ("bias", bias)):
        if value is not None and value.shape != shape:
            raise ShapeError(f"layer_norm: {name} has shape {value.shape}, expected {shape}.")
    weight = np.ones(shape, np.float32) if weight is None else weight
    bias = np.zeros(shape, np.float32) if bias is None else bias
    return LayerNormalisation.apply(x, weight, bias, eps)


def normal_shape(shape: Any) -> tuple[int, ...]:
    """The sizes of the axes to normalise, as a tuple; ValueError for none, or one below 1."""
    sizes = tuple(shape) if isinstance(shape, tuple | list) else (shape,)
    if not sizes or any(not isinstance(n, int | np.integer) or n < 1 for n in sizes):
        raise ValueError(f"layer norm: sizes are whole numbers from 1 on, not {shape}.")
    return sizes


def check_eps(eps: float) -> None:
    """Refuse what cannot be added to a variance, with a ValueError."""
    if not eps >= 0:
        raise ValueError(f"layer norm: eps is added to a variance: at least 0, not {eps}.")


def check_ends(x: Tensor, shape: tuple[int, ...]) -> None:
    """Refuse an x whose last axes are not `shape`, with a ShapeError."""
    if x.shape[-len(shape) :] != shape:
        raise ShapeError(f"layer_norm: x of shape {x.shape} does not end in {shape}.")


class LayerNorm(Module):
    """Layer norm with a weight, which starts at 1, and a bias, which starts at 0.

    Args:
        normalized_shape: sizes of the last axes, a tuple or one whole number.
        eps: added to the variance.
        elementwise_affine: whether there are a weight and a bias.
        bias: whether there is a bias.

    Example:
        >>> LayerNorm(2, eps=0)(Tensor([[1, 3]])).data
        array([[-1.,  1.]], dtype=float32)
    """

    def __init__(self, normalized_shape: Any, eps: float = 1e-5, elementwise_affine: bool = True,
                 bias: bool = True) -> None:
        shape = self.normalized_shape = normal_shape(normalized_shape)
        check_eps(eps)
        self.eps = eps
        self.weight = Parameter(np.ones(shape)) if elementwise_affine else None
        self.bias = Parameter(np.zeros(shape)) if elementwise_affine and bias else None

    def forward(self, x: Tensor) -> Tensor:
        """(..., *normalized_shape) -> the same shape."""
        if self.weight is None or self.bias is None:
            return layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)
        check_ends(x, self.normalized_shape)
        return LayerNormalisation.apply(x, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}"


# %%
def analyze_layer_norm():
    """The measured slope; then time and memory of both layer norms, forward and backward."""
    rng = np.random.default_rng(4)
    x, weight, bias = rng.normal(size=(2, 3, 4)), rng.uniform(0.5, 2, size=4), rng.normal(size=4)
    gradient_check(lambda x, w, b: layer_norm(x, 4, w, b), x, weight, bias)
    keep_freed_memory()
    x = Tensor(rng.normal(size=(16, 128, 128)), requires_grad=True)  # (B, T, C)
    layer, g = LayerNorm(128), rng.normal(size=x.shape).astype(np.float32)

    def step(norm):
        norm(x, layer.weight, layer.bias).backward(g)
        x.zero_grad()
        layer.zero_grad()

    norms = {"composed": layer_norm_composed, "fused": lambda x, w, b: layer_norm(x, 128, w, b)}
    ways = {name: lambda norm=norm: step(norm) for name, norm in norms.items()}
    ms = {name: timing.low_ms for name, timing in compare(ways, samples=15).items()}
    mib = {name: peak_bytes(way) / 2**20 for name, way in ways.items()}
    for name in ways:
        print(f"{name:9} {ms[name]:5.2f} ms, at most {mib[name]:4.1f} MiB more", end=" ")
        print(f"for {x.data.nbytes / 2**20:.0f} MiB of x")
    ratio, less = ms["composed"] / ms["fused"], mib["composed"] / mib["fused"]
    print(f"fused: {ratio:.1f} times the speed, 1/{less:.1f} of the memory")


if __name__ == "__main__":
    analyze_layer_norm()

# %% [markdown]
r"""
## The widest arrays of all

After attention has carried information *between* tokens, a **feed-forward** layer thinks about each token alone: up to four times the width, GELU, and down again. Its middle is the largest array of a GPT, and GELU goes over it again and
again: about 17 times, if you count the steps of your `gelu` and of its rule.

What does one such pass cost? One multiplication per element, you may think. Guess the shape of the curve, the time *per element* against the size of the array, before you look.
"""


# %%
def analyze_passes():
    """Nanoseconds per element of one pass over arrays of growing size."""
    sizes = [2**n for n in range(10, 24, 2)]
    cost = []
    for size in sizes:
        a = np.ones(size, np.float32)
        cost.append(bench(np.multiply, a, a, out=a, samples=9).low_ms * 1e6 / size)
    fig, axes = plt.subplots(figsize=(5, 3))
    axes.loglog([4 * size / 2**10 for size in sizes], cost, "o-", base=2)
    axes.set(xlabel="size of the array [KiB]", ylabel="ns per element")
    show(fig, alt="Time per element of one pass: lowest for arrays of some ten KiB, higher beyond")
    best = min(cost)
    print(f"best: {best:.3f} ns at {4 * sizes[cost.index(best)] / 2**10:.0f} KiB;", end=" ")
    large = cost[sizes.index(2**22)]
    print(f"at 16 MiB: {large:.3f} ns, {large / best:.1f} times that")


if __name__ == "__main__":
    analyze_passes()

# %% [markdown]
r"""
On the left calls to NumPy cost more than the numbers; on the right the numbers come from afar. The valley between is where an array fits into the processor's cache. So do not go over the whole array 17 times: cut it into **pieces** that fit,
and do everything to one piece while it is near. And since all derivatives of GELU are at hand then, keep one array for the way back, the slope, instead of `x` and `tanh`.
"""


# %% nbgrader={"grade": false, "grade_id": "gelu-pieces", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
PIECE = 1 << 15  # elements: 128 KiB, and a few such arrays are in use at a time
gelu_arrays = gelu.__wrapped__  # module 02's function itself: array -> (result, tanh)


def gelu_in_pieces(
    x: np.ndarray, piece: int = PIECE, with_slope: bool = True
) -> tuple[np.ndarray, np.ndarray | None]:
    """Apply GELU piece by piece; return the result, and its slope at every element.

    Args:
        x: float32, shape (N,).
        piece: how many elements to work on at a time.
        with_slope: False when no gradient will be asked for; the slope is None then.

    Returns:
        Two arrays of shape (N,), or one and None.

    TODO: the loop over the pieces.
    APPROACH: 1. empty arrays for the results  2. for each piece: gelu_arrays gives result and tanh
        3. with a gradient of 1, module 05's rule gelu_x(g, x, tanh) gives the slope
    EXAMPLE:
        >>> y, slope = gelu_in_pieces(np.float32([-1, 0, 1]), piece=2)
        >>> y.round(4), slope.round(4)[1:]
        (array([-0.1588,  0.    ,  0.8412], dtype=float32), array([0.5  , 1.083], dtype=float32))

    HINT: `range(0, N, piece)` are the starts; a slice that runs over the end is cut there.
    """
    ### BEGIN SOLUTION
    y, one = np.empty_like(x), np.float32(1)
    slope = np.empty_like(x) if with_slope else None
    for start in range(0, x.size, piece):
        part = slice(start, start + piece)
        y[part], t = gelu_arrays(x[part])
        if with_slope:
            slope[part] = gelu_x(one, x[part], t)
    return y, slope
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-gelu-pieces", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_gelu_pieces():
    """Values and slopes, whatever the pieces; nothing is missing at the end."""
    x = np.float32([-3, -1, 0, 0.5, 2])
    u = np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)
    y = x * (1 + np.tanh(u)) / 2
    check_close(lambda: gelu_in_pieces(x, piece=2)[0], y)
    check_close(lambda: gelu_in_pieces(x, piece=100)[0], y)
    check_close(lambda: gelu_in_pieces(x, piece=2)[1][2:4], [0.5, 0.8673699], atol=1e-4)
    check_equal(lambda: gelu_in_pieces(x, 2, with_slope=False)[1], None)
    ### BEGIN HIDDEN TESTS
    z = np.random.default_rng(5).normal(size=40).astype(np.float32)
    t = np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3))
    inner = np.sqrt(2 / np.pi) * (1 + 3 * 0.044715 * z**2)
    slope = (1 + t) / 2 + z * (1 - t * t) * inner / 2
    check_close(lambda: gelu_in_pieces(z, 7)[1], slope, atol=1e-5)
    check_close(lambda: gelu_in_pieces(z, 40)[0], z * (1 + t) / 2, atol=1e-5)
    check_equal(lambda: [a.dtype.name for a in gelu_in_pieces(z, 7)], ["float32", "float32"])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_gelu_pieces()

# %% [markdown]
r"""
The way back is then a single product, and the folded cell makes an operation of it. How long for the middle of a feed-forward layer, forward and backward, by the size of the pieces? (The rightmost size is the whole array, the
grey line module 02's GELU with module 05's rule.)
"""


# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "fused-gelu", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class PiecewiseGELU(Function):
    """GELU in pieces that fit into the cache; its slope is computed on the way forward."""

    @staticmethod
    def forward(ctx: Context, x: np.ndarray, piece: int = PIECE) -> np.ndarray:
        y, ctx.slope = gelu_in_pieces(x.reshape(-1), piece, ctx.needs_input_grad[0])
        return y.reshape(x.shape)

    @staticmethod
    def backward(ctx: Context, g: np.ndarray) -> np.ndarray:
        """g times the slope."""
        dx = ctx.slope.reshape(g.shape)
        dx *= g
        return dx


# %%
def analyze_pieces():
    """Forward and backward of GELU on (16, 128, 512) activations, by the size of the pieces."""
    keep_freed_memory()
    rng = np.random.default_rng(6)
    x = Tensor(rng.normal(size=(16, 128, 512)), requires_grad=True)
    g = rng.normal(size=x.shape).astype(np.float32)

    def step(function):
        function(x).backward(g)
        x.zero_grad()

    sizes = [2**n for n in range(11, 21)]
    ways = {n: lambda n=n: step(lambda x: PiecewiseGELU.apply(x, piece=n)) for n in sizes}
    ways["whole"] = lambda: step(gelu)
    ms = {way: timing.low_ms for way, timing in compare(ways, samples=5).items()}
    fig, axes = plt.subplots(figsize=(5, 3))
    axes.semilogx([4 * n / 2**10 for n in sizes], [ms[n] for n in sizes], "o-", base=2)
    axes.axhline(ms["whole"], linestyle="--", color="grey")
    axes.set(xlabel="size of a piece [KiB]", ylabel="milliseconds", ylim=(0, None))
    show(fig, alt="Milliseconds of GELU, forward and backward, by the size of the pieces")
    print(f"whole {ms['whole']:.1f} ms, in pieces of {PIECE:,}: {ms[PIECE]:.1f} ms:", end=" ")
    print(f"{ms['whole'] / ms[PIECE]:.1f} times the speed")


if __name__ == "__main__":
    analyze_pieces()

# %% [markdown]
r"""
## The block

Everything is in place for the **pre-norm block** (Xiong et al., *On layer normalization in the transformer architecture*, 2020), which every GPT since the second repeats:

```
x ──┬─────────────────────── + ──┬────────────────────────── + ──▶
    └── norm1 ── attention ──┘   └── norm2 ── feed forward ──┘
```

The line that runs straight through is the **residual stream**: each token's running account, (B, T, C), to which every layer *adds* what it found. Nothing on it is ever divided or bent. What does that mean for the way back,
where an addition hands its gradient on unchanged?
"""


# %% nbgrader={"grade": false, "grade_id": "block", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class FeedForward(Module):
    """Up to `hidden` numbers a token, GELU, and back: (..., d_model) -> (..., d_model).

    Args:
        d_model: C, numbers of a token.
        hidden: how many there are in the middle; None for 4 * d_model.
        dropout: share of the result that is dropped in training.
    """

    def __init__(self, d_model: int, hidden: int | None = None, dropout: float = 0.0) -> None:
        hidden = 4 * d_model if hidden is None else hidden
        self.up = Linear(d_model, hidden)
        self.down = Linear(hidden, d_model)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Up, GELU (PiecewiseGELU.apply), down, dropout."""
        ### BEGIN SOLUTION
        h = PiecewiseGELU.apply(self.up(x))  # (B, T, C) -> (B, T, hidden)
        return self.dropout(self.down(h))  # (B, T, hidden) -> (B, T, C)
        ### END SOLUTION


class TransformerBlock(Module):
    """Pre-norm attention and feed-forward on a residual stream: (B, T, C) -> (B, T, C).

    Args:
        d_model: C, numbers of a token; num_heads must divide it.
        num_heads: heads of the attention.
        dropout: share that is dropped in training, of the attention's weights and of what is added.

    Raises:
        ValueError: num_heads does not divide d_model, or dropout is outside [0, 1].

    TODO: the two `forward`s, step by step.
    APPROACH: 1. FeedForward: as its docstring says  2. here: what attention makes of the normed
        stream, through the dropout, is added to the stream  3. the same with feed_forward
    EXAMPLE:
        >>> TransformerBlock(8, 2)(Tensor(np.zeros((1, 5, 8)))).shape
        (1, 5, 8)

    HINT: `self.attention(h, is_causal=is_causal)` attends; which h? FeedForward drops by itself.
    """

    def __init__(self, d_model: int, num_heads: int, dropout: float = 0.0) -> None:
        self.norm1 = LayerNorm(d_model)
        self.attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.dropout = Dropout(dropout)
        self.norm2 = LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, dropout=dropout)

    def forward(self, x: Tensor, is_causal: bool = True) -> Tensor:
        """Add what attention finds, then what the feed-forward layer makes of it."""
        ### BEGIN SOLUTION
        found = self.attention(self.norm1(x), is_causal=is_causal)
        x = x + self.dropout(found)
        return x + self.feed_forward(self.norm2(x))
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-block", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_unit_block():
    """Both parts on the stream, each with its own norm; nothing looks ahead."""
    manual_seed(0)
    rng = np.random.default_rng(7)
    wide, block = FeedForward(4, 6), TransformerBlock(4, 2)
    x = Tensor(rng.normal(size=(2, 3, 4)) * 3 + 1)
    expected = wide.down(gelu(wide.up(x))).data
    check_close(lambda: wide(x).data, expected, atol=1e-5)
    middle = x + block.attention(block.norm1(x), is_causal=True)
    expected = (middle + block.feed_forward(block.norm2(middle))).data
    check_close(lambda: block(x).data, expected, atol=1e-5)
    ### BEGIN HIDDEN TESTS
    block = TransformerBlock(4, 2)
    block.norm2.weight.data[...] = [1, 2, 3, 4]
    block.norm1.bias.data[...] = [4, 3, 2, 1]
    half = x + block.attention(block.norm1(x), is_causal=True)
    answer = (half + block.feed_forward(block.norm2(half))).data
    check_close(lambda: block(x).data, answer, atol=1e-5)
    other = x.data.copy()
    other[:, 2] = 9
    changed = Tensor(other)
    check_close(lambda: block(changed).data[:, :2], answer[:, :2], atol=1e-5)
    seen = x + block.attention(block.norm1(x), is_causal=False)
    answer = (seen + block.feed_forward(block.norm2(seen))).data
    check_close(lambda: block(x, is_causal=False).data, answer, atol=1e-5)
    silent = TransformerBlock(4, 2, dropout=1.0)
    check_close(lambda: silent(x).data, x.data)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_block()

# %% [markdown]
r"""
Is the straight line worth so much? Take it away, so that each block hands on only what it found; or put the norms *on* the line, as the transformer of 2017 did: `x = norm1(x + attention(x))`. Stack eight blocks of each kind. Attention mixes tokens, again and
again: how alike will the tokens of a text be at the end? And which stacks will learn the names?
"""


# %% nbgrader={"grade": false, "grade_id": "other-blocks", "locked": true, "schema_version": 3, "solution": false, "task": false}
class PostNorm(TransformerBlock):
    """The block of 2017: the norms stand on the stream."""

    def forward(self, x):
        found = self.attention(x, is_causal=True)
        middle = self.norm1(x + found)
        return self.norm2(middle + self.feed_forward(middle))


class NoStream(TransformerBlock):
    """Nothing is added to anything."""

    def forward(self, x):
        found = self.attention(self.norm1(x), is_causal=True)
        return self.feed_forward(self.norm2(found))


KINDS = {"pre-norm": TransformerBlock, "norms on the stream": PostNorm, "no stream": NoStream}


class Stack(Module):
    """Characters, eight blocks of one kind, logits."""

    def __init__(self, kind):
        self.embedding = Embedding(len(ALPHABET), 32)
        self.stack = [kind(32, 4) for _ in range(8)]
        self.head = Linear(32, len(ALPHABET))

    def forward(self, ids):
        h = self.embedding(ids)
        for layer in self.stack:
            h = layer(h)
        return self.head(layer_norm(h, 32))


# %%
def analyze_stream():
    """How alike tokens become on their way through 8 blocks, and what the blocks learn."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3))
    for (name, kind), marker in zip(KINDS.items(), "os^", strict=True):
        manual_seed(0)
        model, rng, alike, losses = Stack(kind), np.random.default_rng(12), [], []
        with no_grad():
            x = Tensor(rng.normal(size=(1, 32, 32)))
            for block in model.stack:
                x = block(x)
                rows = x.data[0] / np.linalg.norm(x.data[0], axis=1, keepdims=True)
                alike.append((rows @ rows.T).mean())  # cosines of all pairs of tokens
        optimizer = AdamW(model.parameters(), lr=3e-3)
        for _ in range(40):
            windows = TRAIN[rng.integers(len(TRAIN) - 24, size=8)[:, None] + np.arange(25)]
            loss = cross_entropy(model(windows[:, :-1]), windows[:, 1:])
            optimizer.zero_grad()
            loss.backward()
            losses.append(loss.item())
            optimizer.step()
        left.plot(range(1, 9), alike, f"{marker}-", label=name)
        smooth = np.convolve(losses, np.full(10, 0.1), mode="valid")
        right.plot(range(10, 41), smooth, f"{marker}-", markevery=10, label=name)
        print(f"{name:19} alike {alike[-1]:.2f} after 8 blocks,", end=" ")
        print(f"loss {smooth[-1]:.2f} after 40 steps")
    left.set(xlabel="block", ylabel="mean cosine of two tokens", ylim=(0, 1.05))
    right.set(xlabel="step", ylabel="loss, mean of 10 steps")
    left.legend(fontsize=7)
    show(fig, alt="Left: likeness of tokens by block, for three kinds of blocks. Right: losses")


if __name__ == "__main__":
    analyze_stream()

# %% [markdown]
r"""
Without the stream every token soon holds the same average of all, and no later layer can tell them apart (Dong, Cordonnier and Loukas, *Attention is not all you need: pure attention loses rank doubly exponentially with depth*, 2021). With the
norms on the stream the tokens stay apart, but each norm rescales what all blocks before it wrote, and such stacks want a careful start with tiny steps, a *warm-up* (Xiong et al., 2020). This one got none: read in your figure what became of it.
"""

# %% [markdown]
r"""
## How loud may each voice be?

A stream that only adds has a price. If each of $L$ blocks adds two independent voices of variance $v$, what is the variance at the end? Radford et al. (*Language models are unsupervised multitask learners*, 2019) start GPT-2
with normal weights of standard deviation 0.02, biases 0, and make the two matrices of each block that write onto the stream (the attention's `out_proj`, the feed-forward's `down`) smaller by $1/\sqrt{2L}$. Then the sum of $2L$ voices is as loud
as one, whatever the depth.
"""


# %% nbgrader={"grade": false, "grade_id": "initial-std", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
WRITES_ON_STREAM = ("out_proj.weight", "down.weight")


def initial_std(path: str, num_layers: int) -> float:
    """Return the standard deviation that a parameter of a GPT starts with.

    Args:
        path: its name, such as "blocks.0.feed_forward.down.weight".
        num_layers: L, how many blocks the model has.

    TODO: the three cases of the text.
    APPROACH: 1. biases start at 0  2. WRITES_ON_STREAM  3. all others
    EXAMPLE:
        >>> initial_std("blocks.3.feed_forward.down.weight", 8)
        0.005

    HINT: `path.endswith(...)` takes a tuple of endings as well.
    """
    ### BEGIN SOLUTION
    if path.endswith("bias"):
        return 0.0
    return 0.02 / sqrt(2 * num_layers) if path.endswith(WRITES_ON_STREAM) else 0.02
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-initial-std", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_initial_std():
    """What writes on the stream, what does not, and biases."""
    check_close(lambda: initial_std("blocks.3.feed_forward.down.weight", 8), 0.005)
    check_close(lambda: initial_std("blocks.3.feed_forward.up.weight", 8), 0.02)
    check_close(lambda: initial_std("blocks.3.feed_forward.down.bias", 8), 0)
    ### BEGIN HIDDEN TESTS
    check_close(lambda: initial_std("blocks.0.attention.out_proj.weight", 2), 0.01)
    check_close(lambda: initial_std("blocks.11.attention.in_proj.weight", 2), 0.02)
    check_close(lambda: initial_std("blocks.11.attention.out_proj.bias", 2), 0)
    check_close(lambda: initial_std("embedding.weight", 12), 0.02)
    check_close(lambda: initial_std("positions.table", 12), 0.02)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_initial_std()

# %% [markdown]
r"""
## GPT

Ids to rows, plus a row for the place, through the blocks, one last norm, since nobody has normed the stream yet. And then? The stream holds $C$ numbers for each token, and $V$ logits are wanted. The **tied head** asks of each
token how well its own row of the embedding agrees with the stream: $z_v = \langle x, E_v \rangle$ (module 11). One table, two uses, and its gradient is the sum of both.

The folded cell holds the checks, and `initialise`, which goes over the parameters and draws each with your `initial_std`.
"""


# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "given-gpt-parts", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def initialise(model: Module, num_layers: int, rng: np.random.Generator) -> None:
    """Draw the parameters of a model anew, each with its initial_std; layer norms stay at 1, 0."""
    for path, parameter in model.named_parameters():
        if "norm" not in path:
            std = initial_std(path, num_layers)
            parameter.data[...] = rng.normal(0, std, size=parameter.shape)


def check_gpt(**sizes: int) -> None:
    """Refuse sizes of a GPT that are no whole numbers from 1 on."""
    for name, size in sizes.items():
        if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
            raise ValueError(f"GPT: {name} is a whole number from 1 on, not {size!r}.")


def check_text(ids: Any, context: int) -> np.ndarray:
    """Return ids as an array (B, T), and refuse what a GPT cannot read.

    Raises:
        ShapeError: not (B, T), or T is more than the context.
    """
    ids = np.asarray(ids)
    if ids.ndim != 2:
        raise ShapeError(f"GPT reads ids of shape (B, T), not {ids.shape}; one text is ids[None].")
    if ids.shape[1] > context:
        raise ShapeError(f"GPT: {ids.shape[1]} ids are more than its context of {context}: "
                         "cut the text, or build it with a larger context.")
    return ids


# %% nbgrader={"grade": false, "grade_id": "gpt", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class GPT(LanguageModel):
    """A decoder-only transformer with learned positions and a tied head.

    Args:
        vocab_size: V, how many tokens there are.
        context: the longest sequence that it reads.
        d_model: C, numbers of a token; num_heads must divide it.
        num_layers: how many blocks.
        num_heads: heads of each attention.
        dropout: share that is dropped in training, after the embedding and in the blocks.
        seed: for the first weights: a seed, a NumPy generator, or None for the course's own.

    Raises:
        ValueError: a size below 1, num_heads that does not divide d_model, dropout outside [0, 1].

    TODO: `forward`, step by step.
    APPROACH: 1. rows for the ids, with positions, through the dropout  2. every block in turn
        3. the last norm  4. the tied head: a `linear` without bias; with which weight?
    EXAMPLE:
        >>> GPT(65, context=16, d_model=8, num_layers=2, num_heads=2)([[1, 2, 3]]).shape
        (1, 3, 65)

    HINT: `linear(x, weight)` is x @ weight.T, and the embedding's weight has shape (V, C).
    """

    def __init__(self, vocab_size: int, context: int, d_model: int, num_layers: int,
                 num_heads: int, dropout: float = 0.0, seed: Any = None) -> None:
        check_gpt(vocab_size=vocab_size, context=context, d_model=d_model, num_layers=num_layers,
                  num_heads=num_heads)
        self.vocab_size, self.context = vocab_size, context
        self.embedding = Embedding(vocab_size, d_model)
        self.positions = PositionalEncoding(context, d_model, learned=True)
        self.dropout = Dropout(dropout)
        self.blocks = [TransformerBlock(d_model, num_heads, dropout) for _ in range(num_layers)]
        self.norm = LayerNorm(d_model)
        initialise(self, num_layers, random_source(seed))

    def forward(self, ids: Any) -> Tensor:
        """Logits for what follows each id: (B, T) -> (B, T, V); check_text says what it refuses."""
        ids = check_text(ids, self.context)
        ### BEGIN SOLUTION
        x = self.embedding(ids)  # (B, T) -> (B, T, C)
        x = self.dropout(self.positions(x))
        for block in self.blocks:
            x = block(x)
        x = self.norm(x)
        return linear(x, self.embedding.weight)  # (B, T, C) @ (C, V) -> (B, T, V)
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-gpt", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_unit_gpt():
    """The shape, the parts in order, the embedding used twice, and a text that is too long."""
    model = GPT(11, context=5, d_model=4, num_layers=2, num_heads=2, seed=0)
    ids = np.array([[3, 1, 4], [1, 5, 9]])
    x = model.positions(model.embedding(ids))
    last = model.norm(model.blocks[1](model.blocks[0](x))).data
    check_equal(lambda: model(ids).shape, (2, 3, 11))
    check_close(lambda: model(ids).data, last @ model.embedding.weight.data.T, atol=1e-5)
    check_raises(ShapeError, lambda: model([[1] * 6]), mentions=["6", "5"])
    ### BEGIN HIDDEN TESTS
    twin = GPT(11, context=5, d_model=4, num_layers=2, num_heads=2, seed=0)
    check_close(lambda: twin(ids).data, model(ids).data)
    model = GPT(11, context=5, d_model=4, num_layers=2, num_heads=2, seed=4)
    model.embedding.weight.data[...] = np.random.default_rng(9).normal(size=(11, 4))
    model.norm.bias.data[...] = [1, 2, 3, 4]
    rows = model.positions(model.embedding(ids))
    final = model.norm(model.blocks[1](model.blocks[0](rows))).data
    check_close(lambda: model(ids).data, final @ model.embedding.weight.data.T, atol=1e-4)
    check_equal(lambda: model.generate([3, 1, 4], 6, seed=1).shape, (9,))
    dropped = GPT(11, context=5, d_model=4, num_layers=1, num_heads=2, dropout=1.0)
    dropped.norm.bias.data[...] = [1, -1, 2, 3]
    silent = np.ones((2, 3, 1)) * (dropped.norm.bias.data @ dropped.embedding.weight.data.T)
    check_close(lambda: dropped(ids).data, silent)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_gpt()

# %% [markdown]
r"""
## Names that nobody has written

A small GPT on the names from the top of the page. Each batch is 16 windows of 32 characters, wherever they begin; each place of a window is an exercise of its own, with the next character as its answer: how many
exercises is that in one step? (Attention must not look ahead, or all of them would be solved by copying.)
"""

# %% nbgrader={"grade": false, "grade_id": "train-names", "locked": true, "schema_version": 3, "solution": false, "task": false}
SPAN = 32  # characters in a window


def train_names(steps: int, num_layers: int, lr: float = 8e-3) -> tuple[GPT, list[float]]:
    """Train a small GPT on names of functions; return it with the loss of each step."""
    model = GPT(len(ALPHABET), SPAN, d_model=64, num_layers=num_layers, num_heads=4, seed=0)
    optimizer, rng = AdamW(model.parameters(), lr=lr, weight_decay=0.1), np.random.default_rng(0)
    losses = []
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = lr * min(1, (step + 1) / 20) * (1 - 0.9 * step / steps)
        starts = rng.integers(len(TRAIN) - SPAN, size=16)
        windows = TRAIN[starts[:, None] + np.arange(SPAN + 1)]  # (B, T + 1)
        loss = cross_entropy(model(windows[:, :-1]), windows[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        clip_grad_norm(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    return model, losses


def held_out_loss(model: LanguageModel) -> float:
    """Mean loss on names that were not in the training text."""
    cuts = np.arange(0, len(HELD_OUT) - SPAN, SPAN)
    windows = HELD_OUT[cuts[:, None] + np.arange(SPAN + 1)]
    with no_grad():
        return cross_entropy(model(windows[:, :-1]), windows[:, 1:]).item()


# %% nbgrader={"grade": true, "grade_id": "test-module-transformers", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_module():
    """Slopes of norm, GELU and block; and thirty steps of one block beat the letters' shares."""
    rng = np.random.default_rng(10)
    x, w, b = rng.normal(size=(1, 3, 4)), rng.uniform(0.5, 2, size=4), rng.normal(size=4)
    gradient_check(lambda x, w, b: layer_norm(x, 4, w, b), x, w, b)
    gradient_check(PiecewiseGELU.apply, x)
    block = TransformerBlock(4, 2)
    gradient_check(lambda x: block(x), x)
    model, losses = train_names(steps=30, num_layers=1)
    check_equal(lambda: losses[0] > 3.2, True)
    shares = np.bincount(TRAIN, minlength=28) / len(TRAIN)
    entropy = float(-(shares * np.log(shares)).sum())
    check_equal(lambda: held_out_loss(model) < entropy - 0.1, True)
    ### BEGIN HIDDEN TESTS
    again = decode(model.generate(encode("get"), 40, seed=3))
    check_equal(lambda: decode(model.generate(encode("get"), 40, seed=3)), again)
    check_equal(lambda: again[:3], "get")
    check_equal(lambda: model.training, True)
    grads = GPT(7, context=4, d_model=4, num_layers=1, num_heads=2, seed=0)
    cross_entropy(grads([[1, 2, 3]]), [[2, 3, 4]]).backward()
    check_equal(lambda: sum(p.grad is None for p in grads.parameters()), 0)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_module()

# %% [markdown]
r"""
Now longer. Write down where the curve will end: a guess among 28 costs 3.33, your table's price stands above. And when you read the new names: which ones would you believe?
"""


# %%
def analyze_training():
    """The loss curve, and names before and after training, none of them in the training text."""
    model, _ = train_names(steps=0, num_layers=2)
    before = decode(model.generate(encode("\n"), 120, seed=1)).split()
    model, losses = train_names(steps=300, num_layers=2)
    smooth = np.convolve(losses, np.full(20, 1 / 20), mode="valid")
    table, held_out = held_out_loss(Bigram(COUNTS)), held_out_loss(model)
    fig, axes = plt.subplots(figsize=(5, 3))
    axes.plot(np.arange(len(smooth)) + 20, smooth, label="training, mean of 20 steps")
    axes.axhline(np.log(28), color="grey", linestyle=":", label="a guess among 28")
    axes.axhline(table, color="tab:orange", linestyle="--", label="the table, held-out")
    axes.plot([len(losses)], [held_out], "s", color="tab:red", label="GPT, held-out")
    axes.set(xlabel="step", ylabel="loss [nats per character]")
    axes.legend(fontsize=7)
    alt = f"Loss falls from {losses[0]:.1f} to {smooth[-1]:.1f}; held-out {held_out:.2f}"
    show(fig, alt=f"{alt}, the table {table:.2f}, a guess 3.33")
    print(f"{sum(p.data.size for p in model.parameters()):,} weights;", end=" ")
    print(f"held-out {held_out:.3f}, table {table:.3f}")
    print("before:", " ".join(before[:6]))
    for temperature in (0.5, 0.8, 1.2):
        text = decode(model.generate(encode("\n"), 150, temperature, seed=1)).split()[:-1]
        new = [name for name in text if name not in NAMES]
        print(f"temperature {temperature}: {len(text) - len(new)} of {len(text)} exist;", end=" ")
        print("new:", *new[:6])


if __name__ == "__main__":
    analyze_training()

# %% [markdown]
r"""
## Measure: depth, and the price of a word

Two guesses. How do forward and backward grow with the number of blocks: what should milliseconds *per block* do from 1 to 16? And to write one more character, the model reads the whole text again: how does the time for the next
character grow with the length of the text so far?
"""


# %%
def analyze_depth():
    """Milliseconds per block of a training step by depth; milliseconds per character by length."""
    keep_freed_memory()
    rng = np.random.default_rng(11)
    ids = rng.integers(0, 65, size=(4, 65))

    def step(model):
        cross_entropy(model(ids[:, :-1]), ids[:, 1:]).backward()
        model.zero_grad()

    depths, lengths = [1, 2, 4, 8, 16], [16, 32, 64, 128]
    models = {n: GPT(65, 64, d_model=64, num_layers=n, num_heads=4, seed=0) for n in depths}
    times = compare({n: lambda m=m: step(m) for n, m in models.items()}, samples=5)
    each = {n: times[n].low_ms / n for n in depths}
    model = GPT(65, 128, d_model=64, num_layers=4, num_heads=4, seed=0)

    def next_one(length):
        with no_grad():
            model(np.zeros((1, length), np.intp))

    word = compare({n: lambda n=n: next_one(n) for n in lengths}, samples=9)
    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3))
    left.plot(depths, [each[n] for n in depths], "o-")
    left.set(xlabel="blocks", ylabel="ms per block", ylim=(0, None), title="A training step")
    right.plot(lengths, [word[n].low_ms for n in lengths], "o-")
    right.set(xlabel="characters so far", ylabel="ms", ylim=(0, None), title="The next character")
    show(fig, alt="Left: ms per block by depth. Right: ms for the next character by length")
    print("ms per block:", ", ".join(f"{n}: {each[n]:.2f}" for n in depths))
    waits = ", ".join(f"{n}: {word[n].low_ms:.2f}" for n in lengths)
    print(f"ms for the next character after {waits}")


if __name__ == "__main__":
    analyze_depth()

# %% [markdown]
r"""
The graph has one node for each operation, the walk back visits each once, and so depth costs what it costs forward, block by block. Where the first value stands higher, you see what all depths pay once: the embedding, the head and the loss.

On the right, nearly everything that the model computes for a longer text it has computed before: all rows but the last are the same as a character ago. (Are they? What would have to be true of attention?)
"""

# %% [markdown]
r"""
**Question.** Your friend crops the prompt to the last `context` ids in `generate` only, and their model, trained on windows of 32, writes well. Then they build the same GPT with a context of 64, load the old weights into what fits, train no further, and the text falls apart
after 32 characters. What has the model never learned, and which parts of it would have worked at any length?
"""

# %% [markdown] nbgrader={"grade": true, "grade_id": "q-context", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
r"""
The rows of the position table from 32 on were never trained: they are the small random numbers that they began as, so that all late places look alike and like none that the model knows. Attention, too, never met more than 32 keys.
The embedding, the norms, the feed-forward layers and the projections act on each token alone and have no length in them; attention's formula takes any number of keys. With a table computed from a formula (sines) the rows would exist, though still unseen.
"""

# %% [markdown]
r"""
**To think about.** `dropout=1.0` silences every block, and your GPT still answers. What does it say then, and why?

You have built a language model down to the last gradient. Where does its time go? Measuring that properly is a craft of its own, and **Module 14** builds the instruments.
"""
