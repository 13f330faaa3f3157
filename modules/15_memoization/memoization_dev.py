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
# Module 15: Memoization

To write one more character your GPT reads its whole text again, and nearly every number on the way it had computed a moment before. Today you find out which numbers stay, keep them, and write the same text
in a fraction of the time.

**Needs** `Tensor` (01), `Linear` (03), `no_grad` (05), positions (11), attention (12), your GPT (13); losses (04) and optimizers (06) for a test | **Exports** `tinytorch.generation.kv_cache` | **About** 4 hours | **Points** 75

The two folded cells below import what this page needs.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| default_exp generation.kv_cache
#| export
import functools
from collections.abc import Callable, Iterator
from math import sqrt
from typing import Any

import numpy as np

from tinytorch.core.attention import MultiHeadAttention, as_numbers
from tinytorch.core.autograd import no_grad
from tinytorch.core.layers import Linear, Module
from tinytorch.core.tensor import ShapeError, Tensor, raw, wrap
from tinytorch.models.transformer import GPT, FeedForward, LanguageModel, LayerNorm
from tinytorch.models.transformer import TransformerBlock, check_text, gelu_arrays
from tinytorch.text.embeddings import PositionalEncoding

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "page-imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
import time  # this page only: tests, plots and measurements are not exported

import matplotlib.pyplot as plt

from tinytorch.core.attention import scaled_dot_product_attention
from tinytorch.core.losses import cross_entropy
from tinytorch.core.optimizers import AdamW
from tinytorch.core.tensor import keep_freed_memory
from tito.lab import bench, check_close, check_equal, check_raises, compare, peak_bytes, show

# %% [markdown]
r"""
## A function that remembers

In how many ways can a tokenizer's vocabulary spell a text? With the tokens `a`, `b`, `ab`, `ba` and `aba` there are six ways to spell `abab`: the first token is one that the text begins with, and then the rest wants to be spelled.

```
abab = a + bab        bab = b + ab,  ba + b            each rest asks for its own rests,
     = ab + ab        ab  = a + b,   ab                and many of them ask the same
     = aba + b
```

`spell` does just that, and counts how often it had to work. For a text of 20 characters: how often, would you say?
"""


# %% nbgrader={"grade": false, "grade_id": "given-spell", "locked": true, "schema_version": 3, "solution": false, "task": false}
def forget(function):
    """A function as it is: it remembers nothing."""
    return function


def spell(text, remember=forget, vocabulary=("a", "b", "ab", "ba", "aba")):
    """In how many ways tokens can spell a text, and how often it took work to find that out."""
    work = []

    @remember
    def ways(rest):
        work.append(rest)
        if not rest:
            return 1  # nothing is left: one way to spell that
        return sum(ways(rest[len(token) :]) for token in vocabulary if rest.startswith(token))

    return ways(text), len(work)


# %%
def analyze_ways():
    """How the ways to spell a text, and the work, grow with its length."""
    for text in ("ab" * 2, "ab" * 5, "ab" * 10):
        ways, work = spell(text)
        print(f"{len(text)} characters: {ways:,} ways, asked {work:,} times")


if __name__ == "__main__":
    analyze_ways()

# %% [markdown]
r"""
A text of 20 characters has only 21 different rests. Write the answers down where you can find them again, by what was asked: that is **memoization** (Michie, *Memo functions and machine learning*, 1968).
"""


# %% nbgrader={"grade": false, "grade_id": "memoize", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def memoize(function: Callable) -> Callable:
    """Return a function that gives the same answers, and works for each of them only once.

    Args:
        function: its answer depends on its arguments alone, and they can be keys of a dictionary.

    TODO: the function that remembers.
    APPROACH: 1. a dictionary, for this function alone  2. a function inside, that takes any
        arguments  3. it works if they were never asked, and looks up the answer if they were
    EXAMPLE:
        >>> square = memoize(lambda x: print("works") or x * x)
        >>> square(3), square(3)
        works
        (9, 9)

    HINT: in `def remembering(*arguments)`, `arguments` is a tuple, and a tuple can be a key.
    """
    ### BEGIN SOLUTION
    known: dict[tuple, Any] = {}

    def remembering(*arguments: Any) -> Any:
        if arguments not in known:
            known[arguments] = function(*arguments)
        return known[arguments]

    return remembering
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-memoize", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_memoize():
    """As many ways as before, with one question for each rest; also where the answer is 0."""
    check_equal(lambda: spell("abab", memoize), (6, 5))
    check_equal(lambda: spell("ab" * 8, memoize)[1], 17)
    check_equal(lambda: spell("ab" * 4 + "x", memoize), (0, 9))
    ### BEGIN HIDDEN TESTS
    check_equal(lambda: spell("abababab", memoize)[0], spell("abababab")[0])
    check_equal(lambda: spell("aaaa", memoize, ("a", "aa")), (5, 5))
    check_equal(lambda: spell("aaaa", memoize, ("a", "aaa")), (3, 5))
    check_equal(lambda: spell("aaaa", memoize, ("aa",)), (1, 3))
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_memoize()

# %% [markdown]
r"""
Guess the two curves before you draw them: questions by length, without memory and with it.
"""


# %%
def analyze_spelling():
    """How often the work is done, by the length of the text."""
    lengths = range(2, 23, 2)
    plain, known = ([spell("ab" * (n // 2), way)[1] for n in lengths] for way in (forget, memoize))
    fig, axes = plt.subplots(figsize=(5, 3))
    axes.semilogy(lengths, plain, "o-", label="forgets")
    axes.semilogy(lengths, known, "s-", label="remembers")
    axes.set(xlabel="characters", ylabel="questions", xticks=lengths)
    axes.legend()
    show(fig, alt="Questions by length: a straight line on the log scale, and nearly none")
    print(f"{lengths[-1]} characters: {plain[-1]:,} questions without memory, {known[-1]} with it")


if __name__ == "__main__":
    analyze_spelling()

# %% [markdown]
r"""
Python has it too, as `functools.cache`. It is right as long as the answer depends on what was asked, and on nothing else. What would become of `memoize(sample)`, of a loss whose weights are being trained, of an answer that somebody writes into?

And an exact match is much to ask for. The text that a model writes is never the same twice: it grows. There, an *older* answer must help with a *new* question. The simplest such case is a mean of everything so far:

```
rows            2    4    9
sums so far     2    6   15       each from the one before it: one addition
means so far    2    3    5
```
"""


# %% nbgrader={"grade": false, "grade_id": "means-so-far", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def means_so_far(rows: np.ndarray) -> np.ndarray:
    """For each row the mean of all rows up to it, itself included.

    Args:
        rows: float32, shape (T, C).

    Returns:
        float32 array of shape (T, C).

    TODO: all means, with one addition for each number of `rows`.
    APPROACH: 1. the sums so far  2. how many rows are in each  3. divide
    EXAMPLE:
        >>> means_so_far(np.float32([[2], [4], [9]])).tolist()
        [[2.0], [3.0], [5.0]]

    HINT: np.cumsum(a, axis=0); and an array of whole numbers would make float64 of a float32.
    """
    ### BEGIN SOLUTION
    counts = np.arange(1, len(rows) + 1, dtype=np.float32)[:, None]  # (T, 1)
    return np.cumsum(rows, axis=0) / counts  # (T, C)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-means-so-far", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_means_so_far():
    """The rows of the text, two columns, and the type."""
    check_close(lambda: means_so_far(np.float32([[2], [4], [9]])), [[2], [3], [5]])
    rows = np.float32([[1, 10], [3, 20], [5, 60]])
    check_close(lambda: means_so_far(rows), [[1, 10], [2, 15], [3, 30]])
    check_equal(lambda: means_so_far(rows).dtype.name, "float32")
    ### BEGIN HIDDEN TESTS
    x = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
    expected = [x[: t + 1].mean(axis=0) for t in range(7)]
    check_close(lambda: means_so_far(x), expected, atol=1e-5)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_means_so_far()

# %% [markdown]
r"""
This *is* causal attention, with all scores equal, and one remembered row is enough for it, however long the text. Real attention weighs the rows anew for every query (module 12):

$$y_t = \sum_{s \le t} \frac{e^{q_t \cdot k_s}}{\sum_{r \le t} e^{q_t \cdot k_r}}\; v_s$$

No sum survives the next query. But which letters of the formula belong to the past alone?

## What stays the same?

Below, the keys of every layer for a text of 12 ids, and for three other texts: one id appended, the id at place 5 exchanged, the window moved on by one. A white field is a key that stayed, to six digits; the darker, the more it changed.
Layer 3 has heard from all tokens through three layers of attention: sketch the three pictures first.
"""


# %% nbgrader={"grade": false, "grade_id": "given-keys", "locked": true, "schema_version": 3, "solution": false, "task": false}
def small_gpt(context=16, seed=0, num_layers=4):
    """A GPT for this page: 29 ids, 16 channels, 2 heads. It is untrained, and its weights are large
    enough that its tokens have something to say to one another.
    """
    model = GPT(29, context, d_model=16, num_layers=num_layers, num_heads=2, seed=seed)
    rng = np.random.default_rng(seed)
    for parameter in model.parameters():
        parameter.data[...] += rng.normal(0, 0.2, size=parameter.shape)
    return model.eval()


def keys_of(model, ids):
    """The keys of every layer for a text (T,): array (L, T, C)."""
    keys = []
    with no_grad():
        x = model.positions(model.embedding(np.array([ids])))
        for block in model.blocks:
            C = x.shape[-1]
            keys.append(block.attention.pack(block.norm1(x)).data[0, :, C : 2 * C])
            x = block(x)
    return np.stack(keys)


# %%
def analyze_keys():
    """Which keys change when a text grows, when one id changes, and when the window moves."""
    model, text = small_gpt(), np.random.default_rng(0).integers(29, size=13)
    before = keys_of(model, text[:12])
    exchanged = text[:12].copy()
    exchanged[5] = (text[5] + 1) % 29
    others = {"one appended": text, "one exchanged": exchanged, "moved by one": text[1:]}
    fig, axes = plt.subplots(1, 3, figsize=(9, 2.6), sharey=True)
    for ax, (name, other) in zip(axes, others.items(), strict=True):
        change = np.linalg.norm(keys_of(model, other)[:, :12] - before, axis=2)
        change /= np.linalg.norm(before, axis=2)
        digits = np.log10(np.maximum(change, 1e-7))
        ax.imshow(digits, cmap="Blues", vmin=-6, vmax=0, aspect="auto")
        ax.set(title=name, xlabel="place", xticks=range(0, 12, 2), yticks=range(4))
        same = (change < 1e-5).all(axis=0).sum()
        print(f"{name:14} the keys of {same:2} of 12 places are the same in all layers")
    axes[0].set_ylabel("layer")
    show(fig, alt="Changed keys by layer and place: none; place 5 and, deeper, all after it; all")


if __name__ == "__main__":
    analyze_keys()

# %% [markdown]
r"""
Why does layer 0 differ from the others in the second picture? In a causal model, everything at place $t$ is a function of the ids $0 \dots t$: of the *prefix*. So a key is an answer to remember, and the question that it belongs to is a prefix. A text that grows keeps all its old prefixes. The third picture will
haunt us later: positions are added to the tokens (module 11), and a token that moved has another key, in every layer.

What must be kept, for every layer and every place, is its key and its value: $C$ numbers each, all heads together. Of the last token alone we need everything else. The question before you build anything: **how large will it be?**
"""


# %% nbgrader={"grade": false, "grade_id": "cache-bytes", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def cache_bytes(num_layers: int, batch_size: int, places: int, d_model: int) -> int:
    """How many bytes the keys and values of a text take in float32.

    Args:
        num_layers: L, each has its own.
        batch_size: B, how many texts there are.
        places: T, ids in a text.
        d_model: C, numbers of a key, all heads together; as many of a value.

    TODO: the product.
    APPROACH: 1. how many numbers are there?  2. how many bytes has each?
    EXAMPLE:
        >>> cache_bytes(num_layers=1, batch_size=1, places=1, d_model=1)
        8

    HINT: a float32 has 4 bytes; every place has a key *and* a value.
    """
    ### BEGIN SOLUTION
    return 2 * num_layers * batch_size * places * d_model * 4
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-cache-bytes", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_cache_bytes():
    """Each size counts once."""
    check_equal(lambda: cache_bytes(1, 1, 1, 1), 8)
    check_equal(lambda: cache_bytes(num_layers=3, batch_size=5, places=128, d_model=64), 983040)
    ### BEGIN HIDDEN TESTS
    check_equal(lambda: cache_bytes(3, 5, 7, 11), 9240)
    check_equal(lambda: cache_bytes(2, 3, 0, 8), 0)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_cache_bytes()

# %% [markdown]
r"""
GPT-2's smallest model has 12 layers of 768 channels, a context of 1,024, and 124 million weights (Radford et al., 2019). How many texts at once make its cache larger than itself?
"""


# %%
def analyze_gpt2():
    """The cache of GPT-2 small, by the number of texts."""
    weights = 124e6 * 4
    print(f"weights: {weights / 1e6:.0f} MB; keys and values of")
    for batch in (1, 4, 16, 64):
        size = cache_bytes(12, batch, 1024, 768)
        print(f"{batch:2} texts: {size / 1e6:5.0f} MB, {size / weights:.2f} times as much")


if __name__ == "__main__":
    analyze_gpt2()

# %% [markdown]
r"""
## The cache

How do you append to an array? `np.concatenate` makes a new one and copies the old, once for each id that is written. It is right, and PyTorch programs do just that with `torch.cat`. How does the time per id grow with the text? The other way is to make
room for the whole context at once, write into the next free places, and hand out a view of what is filled.
"""


# %%
def analyze_append():
    """Microseconds to append one key to n keys of 128 numbers: by concatenation, and in place."""
    keep_freed_memory()
    lengths, ways = [2**n for n in range(6, 14)], {}
    room, new = np.empty((lengths[-1] + 1, 128), np.float32), np.ones((1, 128), np.float32)

    def write(n):
        room[n : n + 1] = new
        return room[: n + 1]

    for n in lengths:
        ways["copied", n] = lambda n=n: np.concatenate([room[:n], new])
        ways["in place", n] = lambda n=n: write(n)
    times = compare(ways, samples=9)
    fig, axes = plt.subplots(figsize=(5, 3))
    for name, marker in (("copied", "o"), ("in place", "s")):
        us = [times[name, n].low_ms * 1e3 for n in lengths]
        axes.plot(lengths, us, f"{marker}-", label=name)
        print(f"{name:8} {us[0]:7.2f} us at {lengths[0]} keys,", end=" ")
        print(f"{us[-1]:7.2f} us at {lengths[-1]:,}")
    axes.set_xscale("log", base=2)
    axes.set(xlabel="keys so far", ylabel="microseconds for one more", yscale="log")
    axes.legend()
    show(fig, alt="Time to append one key: grows with the length if copied, flat in place")


if __name__ == "__main__":
    analyze_append()

# %% [markdown]
r"""
So `KVCache` makes two arrays of shape (L, B, H, context, d) and fills them from the left; `length` says how far. Within one step all layers append at the *same* places, one after the other. So `append` leaves `length` alone, and whoever has gone through all layers moves it.
What a step that broke off has written lies behind `length`, where it means nothing.

The folded cell holds the checks, and the rest of the cache: which `model` and how many texts it was made for, the `ids` that it has read, and `rewind`, which forgets all places from one on.
"""


# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "given-cache-parts", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def known_parts(model: Any) -> Iterator[tuple[str, Any, type]]:
    """Whose forward `advance` does not call but does itself: path, part, and the kind it knows."""
    yield "model", model, GPT
    yield "positions", model.positions, PositionalEncoding
    for i, block in enumerate(model.blocks):
        yield f"blocks.{i}", block, TransformerBlock
        yield f"blocks.{i}.attention", block.attention, MultiHeadAttention


def check_model(model: Any) -> None:
    """Refuse a model whose steps `advance` does not know, with a TypeError.

    It goes through a GPT's own parts, so a forward that somebody else wrote would be passed over.
    """
    for path, part, kind in known_parts(model):
        if getattr(type(part), "forward", None) is not kind.forward or "forward" in vars(part):
            raise TypeError(f"KVCache does what a {kind.__name__} of the course does, but {path} "
                            f"is a {type(part).__name__} with a forward of its own: call the "
                            "model's own generate.")


def check_whole(name: str, count: Any) -> None:
    """Refuse what is no whole number from 1 on, with a ValueError."""
    if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1:
        raise ValueError(f"KVCache: {name} is a whole number from 1 on, not {count!r}.")


class CacheBase:
    """What a KVCache has besides `append`.

    model:      whose keys and values it holds; after its weights have changed, `clear` it.
    batch_size: B, how many texts.
    keys, values: float32, shape (L, B, H, context, d).
    ids:        what has been read, shape (B, context).
    length:     how many places are filled; what lies behind means nothing.
    """

    def __init__(self, model: GPT, batch_size: int = 1) -> None:
        check_model(model)
        check_whole("batch_size", batch_size)
        self.model, self.batch_size, self.context = model, batch_size, model.context
        heads = model.blocks[0].attention.num_heads
        d = model.positions.d_model // heads
        shape = (len(model.blocks), batch_size, heads, model.context, d)
        self.keys, self.values = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        self.ids = np.zeros((batch_size, model.context), np.intp)
        self.length = 0

    @property
    def known(self) -> np.ndarray:
        """The ids that have been read, shape (B, length)."""
        return self.ids[:, : self.length]

    @property
    def nbytes(self) -> int:
        """Bytes of the keys and values, filled or not."""
        return self.keys.nbytes + self.values.nbytes

    def check_new(self, layer: int, keys: np.ndarray, values: np.ndarray) -> None:
        """Refuse what `append` could only write to the wrong places, with an Index- or ShapeError.
        """
        L, B, H, context, d = self.keys.shape
        if not 0 <= layer < L:
            raise IndexError(f"KVCache: there are {L} layers, 0 to {L - 1}, and none is {layer}.")
        if keys.shape != values.shape or keys.ndim != 4 or keys[:, :, :0].shape != (B, H, 0, d):
            raise ShapeError(f"KVCache: keys {keys.shape} and values {values.shape} do not both "
                             f"have the shape ({B}, {H}, T, {d}).")
        if self.length + keys.shape[2] > context:
            raise ShapeError(f"KVCache: {self.length} of {context} places are filled, there is no "
                             f"room for {keys.shape[2]} more: clear() it, and read the text anew.")

    def rewind(self, length: int) -> None:
        """Forget everything from place `length` on."""
        if not 0 <= length <= self.length:
            raise ValueError(f"KVCache: {self.length} places are filled, there is no going to "
                             f"{length}.")
        self.length = length

    def clear(self) -> None:
        """Forget everything; the memory stays for the next text."""
        self.length = 0

    def __repr__(self) -> str:
        L, B, H, context, d = self.keys.shape
        return (f"KVCache({L} layers, {B} texts, {H} heads of {d}: {self.length} of {context} "
                f"places, {self.nbytes:,} bytes)")


# %% nbgrader={"grade": false, "grade_id": "kv-cache", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class KVCache(CacheBase):
    """Room for the keys and values of `batch_size` texts in every layer of one model.

    Args:
        model: a GPT.
        batch_size: B, how many texts are written at once.

    Raises:
        TypeError, ValueError: not a GPT of module 13, or a batch_size below 1.

    TODO: write `append`.
    APPROACH: 1. where do the new places end?  2. write both into that layer's room
        3. return what the layer has now, old and new, without a copy
    EXAMPLE:
        >>> cache = KVCache(GPT(65, context=16, d_model=8, num_layers=2, num_heads=2))
        >>> keys, values = cache.append(0, np.ones((1, 2, 3, 4)), np.ones((1, 2, 3, 4)))
        >>> keys.shape, cache.length
        ((1, 2, 3, 4), 0)

    HINT: the places are the last axis but one: `self.keys[layer, :, :, start:stop]`.
    """

    def append(self, layer: int, keys: np.ndarray, values: np.ndarray
               ) -> tuple[np.ndarray, np.ndarray]:
        """Write the keys and values of T new places behind the `length` known ones of a layer.

        Args:
            layer: which one, 0 to L - 1.
            keys, values: shape (B, H, T, d).

        Returns:
            All keys and all values of the layer, views of shape (B, H, length + T, d).

        Raises:
            IndexError, ShapeError: see check_new; nothing has been written then.
        """
        self.check_new(layer, keys, values)
        ### BEGIN SOLUTION
        stop = self.length + keys.shape[2]
        self.keys[layer, :, :, self.length : stop] = keys
        self.values[layer, :, :, self.length : stop] = values
        return self.keys[layer, :, :, :stop], self.values[layer, :, :, :stop]
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-kv-cache", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_unit_kv_cache():
    """Three places, then one more behind them; each layer has its own; nothing is copied."""
    cache = KVCache(small_gpt(context=5, num_layers=2), batch_size=1)
    k, v = (np.random.default_rng(i).normal(size=(1, 2, 4, 8)).astype(np.float32) for i in (1, 2))
    check_close(lambda: cache.append(0, k[:, :, :3], v[:, :, :3]), [k[:, :, :3], v[:, :, :3]])
    check_equal(lambda: cache.length, 0)
    cache.length = 3
    last = k[:, :, 3:], v[:, :, 3:]
    check_close(lambda: [cache.append(0, *last), cache.keys[0, :, :, :4]][1], k)
    check_close(lambda: cache.append(0, *last), [k, v])
    other = cache.append(1, -k[:, :, 3:], -v[:, :, 3:])
    check_equal(lambda: other[0].shape, (1, 2, 4, 8))
    check_close(lambda: cache.keys[0, :, :, :4], k)
    ### BEGIN HIDDEN TESTS
    check_close(lambda: cache.values[1, :, :, 3:4], -v[:, :, 3:])
    check_close(lambda: cache.values[0, :, :, :4], v)
    joined = cache.append(1, k[:, :, :1], v[:, :, :1])[0]
    cache.append(1, k[:, :, 1:2], v[:, :, :1])  # into the same place
    check_close(lambda: joined[:, :, 3:], k[:, :, 1:2])
    cache.length = 1
    check_close(lambda: cache.append(0, v[:, :, :2], k[:, :, :2])[0][:, :, 1:], v[:, :, :2])
    check_close(lambda: cache.keys[0, :, :, 3:4], k[:, :, 3:])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_kv_cache()

# %% [markdown]
r"""
Your formula on trial: a cache for the GPT of the course (4 layers, 128 channels, context 128), its own count, and what `tracemalloc` saw.
"""


# %%
def analyze_cache_bytes():
    """Formula, arrays, and measured bytes of a cache."""
    model = GPT(65, 128, d_model=128, num_layers=4, num_heads=4, seed=0)
    for batch in (1, 8):
        cache = KVCache(model, batch)
        measured = peak_bytes(lambda batch=batch: KVCache(model, batch))
        print(f"{batch} texts: formula {cache_bytes(4, batch, 128, 128):,}, arrays", end=" ")
        print(f"{cache.nbytes:,}, measured {measured:,} (the ids and Python's objects besides)")


if __name__ == "__main__":
    analyze_cache_bytes()

# %% [markdown]
r"""
## Newcomers look back

T new tokens arrive, behind those that the cache knows. Their queries meet all S keys, old and new, and the usual formula answers them. One thing is different: the first new query is not at place 0. With three known places and two new ones,

```
                 keys  0  1  2  3  4
new query 0            x  x  x  x  .        it stands at place 3
new query 1            x  x  x  x  x        it stands at place 4
```

Module 12's `causal_mask(2, 5)` has another opinion: which? And what does the mask look like for a single newcomer, as for every token after the prompt?
"""


# %% nbgrader={"grade": false, "grade_id": "attend-new", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def attend_new(q: np.ndarray, keys: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Answer the queries of the last T of S places; each sees the places up to its own.

    Args:
        q: shape (B, H, T, d).
        keys, values: shape (B, H, S, d), S at least T; the last T belong to the queries.

    Returns:
        float32 array of shape (B, H, T, d).

    TODO: scores, mask, softmax, answers, all on arrays.
    APPROACH: 1. scores, divided by the root of d  2. if T > 1: add as_numbers(who may see whom)
        3. subtract each row's largest, exponentiate  4. weigh the values, divide by the sums
    EXAMPLE:
        >>> q, k = np.zeros((1, 1, 2, 1), np.float32), np.zeros((1, 1, 3, 1), np.float32)
        >>> attend_new(q, k, np.float32([2, 4, 9]).reshape(1, 1, 3, 1)).ravel().tolist()
        [3.0, 5.0]

    HINT: the queries stand at the places S - T, ..., S - 1: compare them, as a column, with the
        keys' places. `keys.swapaxes(-1, -2)` turns each matrix.
    """
    ### BEGIN SOLUTION
    T, S = q.shape[2], keys.shape[2]
    scores = (q * (1 / sqrt(q.shape[3]))) @ keys.swapaxes(-1, -2)  # (B, H, T, S)
    if T > 1:
        scores += as_numbers(np.arange(S - T, S)[:, None] >= np.arange(S))  # (T, S)
    scores -= scores.max(axis=-1, keepdims=True)
    np.exp(scores, out=scores)
    return (scores @ values) / scores.sum(axis=-1, keepdims=True)  # (B, H, T, d)
    ### END SOLUTION


# %% nbgrader={"grade": false, "grade_id": "given-causal-attention", "locked": true, "schema_version": 3, "solution": false, "task": false}
def causal_attention(q, k, v):
    """Module 12's answer for a whole text, on arrays."""
    parts = (Tensor(part) for part in (q, k, v))
    return scaled_dot_product_attention(*parts, is_causal=True).data


# %% nbgrader={"grade": true, "grade_id": "test-attend-new", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_unit_attend_new():
    """The last rows of what attention gives for the whole text; large scores; float32."""
    rng = np.random.default_rng(3)
    q, k, v = (rng.normal(size=(2, 3, 6, 4)).astype(np.float32) for _ in range(3))
    whole = causal_attention(q, k, v)
    check_close(lambda: attend_new(q[:, :, 5:], k, v), whole[:, :, 5:], atol=1e-5)
    check_close(lambda: attend_new(q[:, :, 3:], k, v), whole[:, :, 3:], atol=1e-5)
    check_close(lambda: attend_new(q, k, v), whole, atol=1e-5)
    far, one = np.full((2, 3, 1, 4), -100, np.float32), np.ones((2, 3, 6, 4), np.float32)
    check_close(lambda: attend_new(far, one, v), v.mean(axis=2, keepdims=True), atol=1e-5)
    check_equal(lambda: attend_new(q, k, v).dtype.name, "float32")
    ### BEGIN HIDDEN TESTS
    before = [q.copy(), k.copy(), v.copy()]
    check_close(lambda: [attend_new(q, k, v), [q, k, v]][1], before)
    wide = rng.normal(size=(1, 1, 5, 16)).astype(np.float32)
    expected = causal_attention(wide, wide, wide)[:, :, 3:]
    check_close(lambda: attend_new(wide[:, :, 3:], wide, wide), expected, atol=1e-5)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_attend_new()

# %% [markdown]
r"""
## A step through the model

All other layers act on each token alone. So between them a text is a pile of `rows`, (B * T, C), and for one token a single row. What does it cost to multiply one row by a matrix of 128 x 512? Guess how much of the time is arithmetic, if `A @ B` reaches some 50 GFLOP/s on this machine,
and how much is the way there: a Module's call, an operation, a Tensor.
"""


# %%
def analyze_calls():
    """Microseconds of one row through a Linear: the arithmetic at 50 GFLOP/s, a product, a call."""
    layer, row = Linear(128, 512), np.ones((1, 128), np.float32)
    tensor, weight = Tensor(row), layer.weight.data
    with no_grad():
        ways = {"as arrays": lambda: row @ weight.T, "as a layer": lambda: layer(tensor)}
        times = compare(ways, samples=15)
    print(f"arithmetic at 50 GFLOP/s: {2 * weight.size / 50e9 * 1e6:.1f} us")
    for name, timing in times.items():
        print(f"{name}: {timing.low_ms * 1e3:.1f} us")


if __name__ == "__main__":
    analyze_calls()

# %% [markdown]
r"""
For a batch of 2,048 rows nobody would notice; for one row the way costs more than the work. The folded cell therefore has `through(layer, rows)`: what a layer makes of rows, as an array. It takes a short way for the three kinds of layers that it knows, and for
anything else, such as the int8 layers that you will put in a `Linear`'s place in module 16, it makes the layer's own call. `packed(attention, rows)` does the same for queries, keys and values side by side, (B * T, 3C).

You write the step of a block. It is your block from module 13 once more; only, keys and values go through the cache.
"""


# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "given-through", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def product(rows: np.ndarray, weight: Any, bias: Any = None) -> np.ndarray:
    """Module 03's linear for rows of the right shape: its checks cost one row a third of its time.
    """
    out = rows @ raw(weight).T  # (N, in) @ (in, out) -> (N, out)
    if bias is not None:
        out += raw(bias)
    return out


@functools.cache
def mean_column(C: int) -> np.ndarray:
    """C times 1/C, shape (C, 1): `rows @ mean_column(C)` are the means of rows, by BLAS."""
    return np.full((C, 1), 1 / C, np.float32)


def linear_rows(layer: Linear, rows: np.ndarray) -> np.ndarray:
    """A Linear, without the call."""
    return product(rows, layer.weight, layer.bias)


def norm_rows(layer: LayerNorm, rows: np.ndarray) -> np.ndarray:
    """A LayerNorm in as few operations as there are: for one row each costs a microsecond."""
    if layer.weight is None or layer.bias is None or len(layer.normalized_shape) > 1:
        return raw(layer(wrap(rows)))
    mean = mean_column(rows.shape[1])
    rows = rows - rows @ mean
    rows /= np.sqrt((rows * rows) @ mean + layer.eps)
    rows *= raw(layer.weight)
    rows += raw(layer.bias)
    return rows


def feed_forward_rows(layer: FeedForward, rows: np.ndarray) -> np.ndarray:
    """A FeedForward in evaluation, through whatever layers it is made of."""
    hidden, _ = gelu_arrays(through(layer.up, rows))
    return through(layer.down, hidden)


SHORT_WAYS: dict[type, Callable] = {
    Linear: linear_rows, LayerNorm: norm_rows, FeedForward: feed_forward_rows,
}  # fmt: skip


def through(layer: Module, rows: np.ndarray) -> np.ndarray:
    """What a layer in evaluation makes of rows (N, C), as an array.

    A layer of another kind than those in SHORT_WAYS, or with a forward that was set on it alone, is
    called with a Tensor.
    """
    short = None if "forward" in vars(layer) else SHORT_WAYS.get(type(layer))
    return raw(layer(wrap(rows))) if short is None else short(layer, rows)


def packed(attention: Module, rows: np.ndarray) -> np.ndarray:
    """Query, key and value of each row side by side: (N, C) -> (N, 3C)."""
    if type(attention) is not MultiHeadAttention:
        return raw(attention.pack(wrap(rows)))
    return product(rows, attention.in_proj_weight, attention.in_proj_bias)


# %% nbgrader={"grade": false, "grade_id": "block-step", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def block_step(block: TransformerBlock, rows: np.ndarray, cache: KVCache, layer: int) -> np.ndarray:
    """Send the rows of new places through a block that remembers the places before them.

    Args:
        block: in evaluation.
        rows: the residual stream of T new places of B texts, shape (B * T, C); text by text.
        cache: for B texts; its keys and values of this layer grow by T places.
        layer: the block's number.

    Returns:
        New array of shape (B * T, C).

    TODO: from the packed rows to the result.
    APPROACH: 1. q, k and v, each (B, H, T, d)  2. k and v into the cache; out come all
        3. attend_new  4. heads side by side again, (B * T, C), through out_proj, onto the stream
        5. feed_forward of norm2, onto the stream
    EXAMPLE:
        >>> model = GPT(29, 16, d_model=16, num_layers=2, num_heads=2).eval()
        >>> block_step(model.blocks[0], np.ones((3, 16), np.float32), KVCache(model), 0).shape
        (3, 16)

    HINT: `parts.transpose(2, 0, 3, 1, 4)` puts the axes (B, T, 3, H, d) in the order 3, B, H, T, d,
        and three names on the left of `=` take an array with three parts apart.
    """
    N, C = rows.shape
    B, H = cache.batch_size, block.attention.num_heads
    parts = packed(block.attention, through(block.norm1, rows)).reshape(B, N // B, 3, H, C // H)
    ### BEGIN SOLUTION
    q, k, v = parts.transpose(2, 0, 3, 1, 4)  # (B, T, 3, H, d) -> 3 of (B, H, T, d)
    keys, values = cache.append(layer, k, v)  # (B, H, S, d)
    found = attend_new(q, keys, values)  # (B, H, T, d)
    found = found.swapaxes(1, 2).reshape(N, C)  # (B, T, H, d) -> (B * T, C)
    rows = rows + through(block.attention.out_proj, found)
    return rows + through(block.feed_forward, through(block.norm2, rows))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-block-step", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_unit_block_step():
    """Two texts, five places at once or three, one and one: what the block makes of the whole."""
    model = small_gpt(num_layers=2)
    block, x = model.blocks[1], np.random.default_rng(4).normal(size=(2, 5, 16))
    x, cache = x.astype(np.float32), KVCache(model, batch_size=2)
    with no_grad():
        whole = block(Tensor(x)).data
    rows = x[:, :3].reshape(6, 16)
    answer = whole[:, :3].reshape(6, 16)
    check_close(lambda: block_step(block, rows, cache, 1), answer, atol=1e-4)
    cache.length = 3
    check_close(lambda: block_step(block, x[:, 3], cache, 1), whole[:, 3], atol=1e-4)
    cache.length = 4
    check_close(lambda: block_step(block, x[:, 4], cache, 1), whole[:, 4], atol=1e-4)
    ### BEGIN HIDDEN TESTS
    cache.clear()
    everything = x.reshape(10, 16)
    answer = whole.reshape(10, 16)
    check_close(lambda: block_step(block, everything, cache, 1), answer, atol=1e-4)
    check_close(lambda: [block_step(block, everything, cache, 1), x][1], x.copy())
    first = model.blocks[0]
    answer = first(Tensor(x)).data.reshape(10, 16)
    check_close(lambda: block_step(first, everything, cache, 0), answer, atol=1e-4)
    check_equal(lambda: cache.length, 0)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_block_step()

# %% [markdown]
r"""
Now the whole model. New ids become rows; each row gets the position *where it stands*, behind what is known; the blocks, the last norm, the tied head. At the end, and only then, the cache has read the new ids.

The folded `check_step` refuses what would be silently wrong: a cache of another model, of another number of texts, without room for the new ids; and a model that is still training, whose dropout would draw other numbers for a text that is read in
pieces.
"""


# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "given-check-step", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def check_step(model: GPT, ids: Any, cache: CacheBase) -> np.ndarray:
    """Return new ids as an array (B, T), and refuse what does not belong together.

    Raises:
        TypeError: the cache is none.
        ValueError: it belongs to another model.
        ShapeError: ids are not (B, T), or for another batch, or more than there is room for.
        RuntimeError: the model is in training mode.
    """
    if not isinstance(cache, CacheBase):
        raise TypeError(f"advance: the cache is a KVCache, not {type(cache).__name__}.")
    if cache.model is not model:
        raise ValueError("advance: this cache belongs to another model, whose keys and values mean "
                         "nothing to this one: make one with KVCache(model, batch_size).")
    if model.training:
        raise RuntimeError("advance: a cache is for a model that is no longer trained: call "
                           "model.eval() first.")
    ids = check_text(ids, model.context)
    if len(ids) != cache.batch_size or not ids.shape[1]:
        raise ShapeError(f"advance: ids of shape {ids.shape} do not fit a cache for "
                         f"{cache.batch_size} texts, which reads ({cache.batch_size}, 1 or more): "
                         "make one with KVCache(model, batch_size).")
    if cache.length + ids.shape[1] > cache.context:
        raise ShapeError(f"advance: {cache.length} of {cache.context} places are filled, there is "
                         f"no room for {ids.shape[1]} ids more: clear() the cache and read the "
                         f"last {cache.context} ids anew, as generate does.")
    return ids


# %% nbgrader={"grade": false, "grade_id": "advance", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def advance(model: GPT, ids: Any, cache: KVCache) -> np.ndarray:
    """Read new ids behind those that the cache knows; return the logits for what follows each.

    Args:
        model: a GPT in evaluation mode; nothing is recorded.
        ids: the new ids, shape (B, T).
        cache: made for this model and B texts; it knows T more places afterwards.

    Returns:
        float32 array (B, T, V): the last T of what model gives for the whole text.

    Raises:
        TypeError, ValueError, ShapeError, RuntimeError: see check_step; model and cache are as
            they were.
        IndexError: an id outside the vocabulary; likewise.

    TODO: the steps of GPT.forward, on rows.
    APPROACH: 1. model.embedding(ids), as an array, plus the T rows of model.positions.table from
        the first new place on; as a pile (B * T, C)  2. every block in turn, with its number
        3. the last norm  4. product(rows, weight), the tied head
        5. write the ids behind the known ones, and move cache.length
    EXAMPLE:
        >>> model = GPT(29, 16, d_model=16, num_layers=2, num_heads=2).eval()
        >>> cache = KVCache(model)
        >>> advance(model, [[1, 2, 3]], cache).shape, advance(model, [[4]], cache).shape
        ((1, 3, 29), (1, 1, 29))

    HINT: `raw(tensor)` is the array of a Tensor or Parameter.
    """
    ids = check_step(model, ids, cache)
    start, stop = cache.length, cache.length + ids.shape[1]
    with no_grad():
        ### BEGIN SOLUTION
        x = raw(model.embedding(ids)) + raw(model.positions.table)[start:stop]  # (B, T, C)
        rows = x.reshape(-1, x.shape[2])  # (B * T, C)
        for layer, block in enumerate(model.blocks):
            rows = block_step(block, rows, cache, layer)
        rows = through(model.norm, rows)
        logits = product(rows, model.embedding.weight)  # (B * T, C) @ (C, V) -> (B * T, V)
        cache.ids[:, start:stop] = ids
        cache.length = stop
        return logits.reshape(*ids.shape, -1)  # (B, T, V)
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-advance", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_unit_advance():
    """Whatever the pieces, the logits of the whole text; the cache knows what it has read."""
    model, ids = small_gpt(), np.random.default_rng(5).integers(29, size=(2, 9))
    with no_grad():
        whole = model(ids).data
    cache = KVCache(model, batch_size=2)
    check_close(lambda: advance(model, ids[:, :4], cache), whole[:, :4], atol=1e-4)
    check_equal(lambda: cache.known.tolist(), ids[:, :4].tolist())
    check_close(lambda: advance(model, ids[:, 4:5], cache), whole[:, 4:5], atol=1e-4)
    check_close(lambda: advance(model, ids[:, 5:], cache), whole[:, 5:], atol=1e-4)
    check_equal(lambda: cache.length, 9)
    check_raises(ShapeError, lambda: advance(model, ids[:, :8], cache), mentions=["9", "16"])
    check_raises(ValueError, lambda: advance(small_gpt(seed=1), ids, cache), mentions=["another"])
    ### BEGIN HIDDEN TESTS
    check_equal(lambda: cache.known.tolist(), ids.tolist())
    cache.rewind(3)
    check_close(lambda: advance(model, ids[:, 3:], cache), whole[:, 3:], atol=1e-4)
    model.norm.bias.data[...] = np.linspace(-1, 1, 16)
    model.positions.table.data[...] = np.random.default_rng(6).normal(size=(16, 16))
    other = model(ids).data
    cache.clear()
    check_close(lambda: advance(model, ids, cache), other, atol=1e-4)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_advance()

# %% [markdown]
r"""
## A model that remembers

`generate` of module 13 hands the model the whole window, for every id that it draws. Leave it as it is: what it needs is a model that recognises a text which it has read before. The memo is asked for a window, and knows a prefix:

```
known     7  5  8  8                          known     7  5  8  8  2  6        context 6
window    7  5  8  8  2                       window    5  8  8  2  6  1
          the same four: read one id                    not even the first: read all six
```

How long is the common prefix? In a batch, every text must agree. And the last id of the window is always read, known or not: why? (What does `generate` want to have?)
"""


# %% nbgrader={"grade": false, "grade_id": "common-prefix", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def common_prefix(known: np.ndarray, window: np.ndarray) -> int:
    """At how many leading places all texts of the window are as they are known, but for its last.

    Args:
        known: ids, shape (B, n), n from 0 on.
        window: ids, shape (B, T), T at least 1.

    Returns:
        A number from 0 to n, at most T - 1.

    TODO: the first place that differs in any text, or the end of what can be compared.
    APPROACH: 1. how many places can be compared?  2. where does some text differ?
        3. the first such place, if there is one
    EXAMPLE:
        >>> common_prefix(np.array([[7, 5, 8, 8]]), np.array([[7, 5, 9, 8, 2]]))
        2

    HINT: `differs.any(axis=0)`; argmax of booleans is the first True, and 0 where there is none.
    """
    ### BEGIN SOLUTION
    most = min(known.shape[1], window.shape[1] - 1)
    differs = (known[:, :most] != window[:, :most]).any(axis=0)  # (most,)
    return int(differs.argmax()) if differs.any() else most
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-common-prefix", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_common_prefix():
    """A longer text, a moved one, the same one, nothing known, two texts."""
    known = np.array([[7, 5, 8, 8, 2, 6]])
    check_equal(lambda: common_prefix(known[:, :4], known), 4)
    check_equal(lambda: common_prefix(known, known[:, 1:]), 0)
    check_equal(lambda: common_prefix(known, known), 5)
    check_equal(lambda: common_prefix(known[:, :0], known), 0)
    two = np.array([[1, 2, 3, 4, 0], [1, 2, 9, 4, 0]])
    check_equal(lambda: common_prefix(two[:1].repeat(2, axis=0), two), 2)
    ### BEGIN HIDDEN TESTS
    other = np.array([[7, 5, 1, 8, 2, 6]])
    check_equal(lambda: common_prefix(known, other), 2)
    check_equal(lambda: common_prefix(known, known[:, :2]), 1)
    check_equal(lambda: common_prefix(two, two[::-1]), 2)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_common_prefix()

# %% [markdown]
r"""
Put it together. `Remembering` is a `LanguageModel` around a GPT, so that `generate`, sampling, seeds and checks are the ones that you have; only its `forward` reads what is new.
"""


# %% nbgrader={"grade": false, "grade_id": "remembering", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class Remembering(LanguageModel):
    """A GPT that reads only what follows the prefix that it knows.

    Args:
        model: a GPT; it is not changed.

    Raises:
        TypeError: not a GPT of module 13.

    TODO: write `forward`.
    APPROACH: 1. how much of the window does the cache know?  2. forget the rest  3. read on from
        there  4. the logits as a Tensor: wrap(array)
    EXAMPLE:
        >>> model = Remembering(GPT(29, 16, d_model=16, num_layers=2, num_heads=2)).eval()
        >>> model([[1, 2, 3]]).shape, model([[1, 2, 3, 4]]).shape
        ((1, 3, 29), (1, 1, 29))

    HINT: `cache.known`, `cache.rewind(length)` and two functions of yours.
    """

    def __init__(self, model: GPT) -> None:
        self.model, self.cache = model, KVCache(model)
        self.context, self.vocab_size = model.context, model.vocab_size

    def forward(self, ids: Any) -> Tensor:
        """Logits of the places that were not known: (B, T) -> (B, 1 to T, V); the last is for what
        follows.
        """
        ids = check_text(ids, self.context)
        if len(ids) != self.cache.batch_size:
            self.cache = KVCache(self.model, len(ids))
        cache = self.cache
        ### BEGIN SOLUTION
        cache.rewind(common_prefix(cache.known, ids))
        return wrap(advance(self.model, ids[:, cache.length :], cache))  # (B, new, V)
        ### END SOLUTION


def generate(model: GPT, ids: Any, max_new_tokens: int, temperature: float = 1.0,
             top_k: int | None = None, top_p: float | None = None, seed: Any = None) -> np.ndarray:
    """Continue each row of ids as `model.generate` does, without reading anything twice.

    Past the context, each id moves the window and with it all positions: from there on each costs
    a whole forward, as without a cache, and the text is the same too.

    Args:
        model: a GPT; afterwards each part is in the mode that it was in.
        ids, max_new_tokens, temperature, top_k, top_p, seed: see LanguageModel.generate.

    Returns:
        Prompt and continuation, shape (T + max_new_tokens,) or (B, T + max_new_tokens).

    Raises:
        TypeError, ValueError, IndexError: as model.generate; and a model that is no GPT.

    Example:
        >>> generate(GPT(9, 8, d_model=8, num_layers=1, num_heads=2), [1, 2], 5, seed=0).shape
        (7,)
    """
    remembering = Remembering(model)
    return remembering.generate(ids, max_new_tokens, temperature, top_k, top_p, seed)


# %% nbgrader={"grade": true, "grade_id": "test-remembering", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_remembering():
    """It reads what is new, also after an edit; and writes what the model writes, to the letter."""
    model, ids = small_gpt(context=8), np.array([[3, 1, 4, 1, 5, 9]])
    remembering = Remembering(model).eval()
    with no_grad():
        whole = model(ids).data
    check_close(lambda: remembering(ids[:, :4]).data, whole[:, :4], atol=1e-4)
    check_close(lambda: remembering(ids).data, whole[:, 4:], atol=1e-4)
    edited = np.array([[3, 1, 4, 2, 6]])
    with no_grad():
        whole = model(edited).data
    check_close(lambda: remembering(edited).data, whole[:, 3:], atol=1e-4)
    text = model.generate([3, 1, 4], 20, seed=7).tolist()
    check_equal(lambda: generate(model, [3, 1, 4], 20, seed=7).tolist(), text)
    ### BEGIN HIDDEN TESTS
    check_close(lambda: remembering(edited).data, whole[:, 4:], atol=1e-4)
    pair = np.array([[1, 2, 3], [4, 5, 6]])
    expected = model.generate(pair, 12, temperature=2, seed=1).tolist()
    check_equal(lambda: generate(model, pair, 12, temperature=2, seed=1).tolist(), expected)
    long = np.arange(20)
    expected = model.generate(long, 3, top_k=5, seed=2).tolist()
    check_equal(lambda: generate(model, long, 3, top_k=5, seed=2).tolist(), expected)
    same = model.generate([2] * 8, 2, temperature=0).tolist()
    check_equal(lambda: generate(model, [2] * 8, 2, temperature=0).tolist(), same)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_remembering()

# %% nbgrader={"grade": false, "grade_id": "given-counting", "locked": true, "schema_version": 3, "solution": false, "task": false}
def train_to_count(steps=30):
    """A small GPT that learns to count to ten and begin again, from windows of 8."""
    model, rng = GPT(11, 8, d_model=16, num_layers=2, num_heads=2, seed=0), np.random.default_rng(0)
    adam = AdamW(model.parameters(), lr=1e-2)
    for _ in range(steps):
        text = (rng.integers(11, size=(16, 1)) + np.arange(9)) % 11
        adam.zero_grad()
        cross_entropy(model(text[:, :-1]), text[:, 1:]).backward()
        adam.step()
    return model


# %% nbgrader={"grade": true, "grade_id": "test-module-memoization", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_module():
    """A model that has learned to count counts on from its cache, past its context."""
    model = train_to_count()
    expected = (np.arange(40) + 7) % 11
    check_equal(lambda: generate(model, [7, 8], 38, temperature=0).tolist(), expected.tolist())
    rows = np.array([[0, 1, 2], [5, 6, 7], [9, 10, 0]])
    counted = (rows[:, :1] + np.arange(23)) % 11
    check_equal(lambda: generate(model, rows, 20, temperature=0).tolist(), counted.tolist())
    check_equal(lambda: [model.training], [True])
    check_raises(IndexError, lambda: generate(model, [11], 1), mentions=["11"])
    ### BEGIN HIDDEN TESTS
    wild = small_gpt(context=16)
    text = wild.generate([1, 2, 3], 24, seed=5).tolist()
    check_equal(lambda: generate(wild, [1, 2, 3], 24, seed=5).tolist(), text)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_module()

# %% [markdown]
r"""
## Measure

Three guesses for the course's GPT (4 layers, 128 channels, context 128). Milliseconds for each new id, by its place in the text, without and with a cache: what shape have the two curves, and what happens to both at place 128? How many times faster is a whole text of 127 new ids? And the way there: for a **prompt** of 64 ids,
is it cheaper to read it at once, as `Remembering` does, or id by id? (The cell writes some 1,600 ids, and needs several seconds.)
"""


# %%
def milliseconds_by_place(model, steps):
    """Milliseconds for each of `steps` new ids, the best of two runs."""
    runs = []
    for _ in range(2):
        text, taken = np.zeros((1, 1), np.intp), []
        for _ in range(steps):
            start = time.perf_counter()
            with no_grad():
                logits = model(text[:, -model.context :]).data[:, -1]
            taken.append((time.perf_counter() - start) * 1e3)
            text = np.concatenate([text, logits.argmax(axis=1)[:, None]], axis=1)
        runs.append(taken)
    return np.min(runs, axis=0)


def analyze_generation():
    """Time of an id by its place; of a text; of a prompt, at once and id by id."""
    keep_freed_memory()
    model = GPT(65, 128, d_model=128, num_layers=4, num_heads=4, seed=0).eval()
    plain = milliseconds_by_place(model, 150)
    cached = milliseconds_by_place(Remembering(model), 150)
    fig, axes = plt.subplots(figsize=(5, 3))
    axes.plot(plain, "-", label="without a cache")
    axes.plot(cached, "--", label="with a cache")
    axes.axvline(128, color="grey", linestyle=":", label="context")
    axes.set(xlabel="place of the new id", ylabel="milliseconds", ylim=(0, 2 * np.median(plain)))
    axes.legend(fontsize=8)
    show(fig, alt="Time of an id: grows without a cache, flat with one, alike past the context")
    for start in (8, 64, 110):
        part = slice(start, start + 16)
        before, after = np.median(plain[part]), np.median(cached[part])
        print(f"near place {start + 8:3}: {before:.2f} ms without, {after:.2f} ms with a cache")
    ways = {"without": model.generate, "with": lambda *a: generate(model, *a)}
    times = compare(ways, [0], 127, 0, samples=3)
    ms = {way: timing.low_ms for way, timing in times.items()}
    print(f"127 ids: {ms['without']:.0f} ms without, {ms['with']:.0f} ms with a cache:", end=" ")
    print(f"{ms['without'] / ms['with']:.1f} times the speed")
    cache, prompt = KVCache(model), np.zeros((1, 64), np.intp)

    def read(size):
        cache.clear()
        for start in range(0, 64, size):
            advance(model, prompt[:, start : start + size], cache)

    once, single = (bench(read, size, samples=5).low_ms for size in (64, 1))
    print(f"a prompt of 64: {once:.1f} ms at once, {single:.1f} ms id by id")


if __name__ == "__main__":
    analyze_generation()

# %% [markdown]
r"""
Without a cache an id costs a forward over everything before it; with one, a row through the layers and a look at the keys. A prompt at once is the opposite of thrift: it computes the same numbers, in large products instead of many small ones. So writing has two phases with two different bottlenecks: reading the prompt is bound by
arithmetic, writing by calls and by memory, since *all* weights are fetched for *one* row.

Past the context the curves meet, as the third picture above foretold: the window moves, every token changes its place, and no prefix is known. Models whose scores depend on the distance of two tokens instead (Su et al., *RoFormer: enhanced transformer with rotary position embedding*, 2021) can at least keep their keys of the first layer. Which of the
deeper ones?

If the weights are fetched anyway, more rows cost little. Guess the ids per second for batches from 1 to 32.
"""


# %%
def analyze_batches():
    """Ids per second by the number of texts that are written at once, and bytes of their cache."""
    keep_freed_memory()
    model = GPT(65, 128, d_model=128, num_layers=4, num_heads=4, seed=0).eval()
    batches, rates = [1, 2, 4, 8, 16, 32], []
    for batch in batches:
        cache, new = KVCache(model, batch), np.zeros((batch, 1), np.intp)
        advance(model, np.zeros((batch, 63), np.intp), cache)

        def step(cache=cache, new=new):
            cache.rewind(63)
            advance(model, new, cache)

        rates.append(batch / bench(step, samples=9).low_ms * 1e3)
        print(f"{batch:2} texts: {rates[-1]:7,.0f} ids per second,", end=" ")
        print(f"{cache.nbytes / 2**20:5.1f} MiB of keys and values")
    fig, axes = plt.subplots(figsize=(5, 3))
    axes.loglog(batches, rates, "o-", base=2, label="measured")
    axes.loglog(batches, [rates[0] * b for b in batches], ":", base=2, label="if more were free")
    axes.set(xlabel="texts at once", ylabel="ids per second")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:,.0f}")
    axes.legend()
    show(fig, alt="Ids per second by batch: rises, below the line of proportion")


if __name__ == "__main__":
    analyze_batches()

# %% [markdown]
r"""
This is how models are served: many texts in one batch, until the caches fill the memory. There, a place of every text costs `cache_bytes(L, 1, 1, C)`, whether it is filled or only reserved: what could be gained by handing out the places in small pages (Kwon et al., *Efficient memory management for large language model serving with PagedAttention*,
2023), and what if two texts begin with the same prompt?
"""

# %% [markdown]
r"""
**Question.** Past the context every id costs a whole forward. Your friend has a remedy: when the cache is full, overwrite the oldest place (a ring), and give each new id the position where its key stands in the ring. It is fast, and it does not write what the model would have
written. Name two things that are not as in `model(window)`. Then a remedy that is honest about its text: what could be forgotten, and read again, so that most ids are cheap?
"""

# %% [markdown] nbgrader={"grade": true, "grade_id": "q-ring", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
r"""
First, the positions: in the window the oldest id stands at place 0 and the newest at the last place, in the ring a newcomer may get the position 0 and stand "before" all the others. Second, the kept keys and values were computed when older ids were still to be seen, and from the second layer on they carry traces of them.
One may forget the older half, read the rest anew at the places from 0 on (one forward), and have half a context of cheap ids: another text than the sliding window's, but one that the model was trained for.
"""

# %% [markdown]
r"""
**To think about.** `spell` with your `memoize` keeps 61 answers for 60 characters, the cache 1,024 numbers for each id. A dictionary that only grows will fill any memory: which entries would you throw away first, in `memoize`, and which in a cache of many chats?

The same text, a fraction of the work, and the model has not noticed. But every id that it writes still fetches all the weights, four bytes each: **Module 16** asks whether one byte is enough.
"""
