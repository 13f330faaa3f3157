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
# Module 10: Tokenization

A network multiplies numbers, and a text has none. Whoever cuts the text into pieces and numbers the pieces decides how long every sequence is, what it costs,
and what the network will never see. Today that is you.

**Needs** nothing that you built: token numbers are integers, and a Tensor holds float32 | **Exports** `tinytorch.text.tokenization` | **About** 4 hours | **Points** 85

The two folded cells below import what this page needs.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| default_exp text.tokenization
#| export
import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from heapq import heapify, heappop, heappush
from itertools import chain, pairwise
from math import inf
from pathlib import Path

import numpy as np

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "page-imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
import tempfile  # this page only: tests, plots and measurements are not exported
import time

import matplotlib.pyplot as plt

from tito.lab import check_equal, check_raises, load_python_source, peak_bytes, show, show_tokens

# %% [markdown]
r"""
## Where would you cut?

One line, cut in three ways. Which cut can write a line that nobody has written before? Which one makes the shortest sequence? Is there one that does both?
"""


# %%
def analyze_cuts():
    """A line in characters, in bytes and in words."""
    line = "A naïve 猫 sat on the tokenizer's mat 🐈"
    cuts = {
        "characters": list(line),
        "bytes": [bytes([byte]) for byte in line.encode()],
        "words": line.split(" "),
    }
    for name, pieces in cuts.items():
        show_tokens(pieces, caption=f"{name}: {len(pieces)} pieces")
    print(", ".join(f"{len(pieces)} {name}" for name, pieces in cuts.items()))


if __name__ == "__main__":
    analyze_cuts()

# %% [markdown]
r"""
Words are few, and the next text brings one that has no number. Characters are many more, and even they run out. We begin with them all the same: the
simplest tokenizer numbers the characters of a text that it has seen, in sorted order, so that one text gives one numbering on every machine.

```
characters of "hello"     e 0   h 1   l 2   o 3
"hello"  ->  [1, 0, 2, 2, 3]  ->  "hello"
```

What should it do with "hallo"? Silence would be the worst answer. Somebody who looks for one stray character in a megabyte wants to know which, and where.
"""


# %% nbgrader={"grade": false, "grade_id": "char-tokenizer", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class CharTokenizer:
    """One number for each character of a text that it has seen.

    Raises:
        ValueError: encode meets an unknown character; names it and its place. See also check_text.
        TypeError, ValueError: decode is given no row of known ids; see check_ids.

    TODO: learn the characters, look up their numbers, and look up the characters of numbers.
    APPROACH: 1. train: each character once, sorted, and the number of each  2. encode: refuse the
        first unknown character, then an array of type np.intp  3. decode: the way back
    EXAMPLE:
        >>> tokenizer = CharTokenizer().train("hello")
        >>> tokenizer.encode("hello").tolist()
        [1, 0, 2, 2, 3]

    HINT: `set(text)` has each character once; `enumerate` counts along.
    """

    def __init__(self) -> None:
        self.characters: list[str] = []  # by number
        self.numbers: dict[str, int] = {}  # by character

    @property
    def vocab_size(self) -> int:
        """How many characters it knows."""
        return len(self.characters)

    def train(self, text: str) -> "CharTokenizer":
        """Number the characters of a text, from 0 in sorted order; returns itself."""
        check_text(text)
        ### BEGIN SOLUTION
        self.characters = sorted(set(text))
        self.numbers = {character: number for number, character in enumerate(self.characters)}
        ### END SOLUTION
        return self

    def encode(self, text: str) -> np.ndarray:
        """The numbers (T,) of the T characters of a text."""
        check_text(text)
        ### BEGIN SOLUTION
        for place, character in enumerate(text):
            if character not in self.numbers:
                raise ValueError(f"unknown character {character!r} at place {place}: train on it.")
        return np.array([self.numbers[character] for character in text], dtype=np.intp)
        ### END SOLUTION

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        """The text whose numbers are ids (T,)."""
        known = check_ids(ids, self.vocab_size)  # a list
        ### BEGIN SOLUTION
        return "".join(self.characters[number] for number in known)
        ### END SOLUTION

# %% [markdown]
r"""
The folded cell refuses what is no text and what are no ids. Ids stay integers all their life: the first whole number that float32 cannot hold is
16,777,217, and a token that is nearly number 7 is no token.
"""


# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "given-checks", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
def check_text(text: str) -> None:
    """See that a text can be written in bytes.

    Raises:
        TypeError: not a str.
        ValueError: half of a surrogate pair is in it; names its place.

    Example:
        >>> check_text("naïve")
    """
    if not isinstance(text, str):
        raise TypeError(f"a text is a str, not {type(text).__name__}.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{text[error.start]!r} at place {error.start} is half of a surrogate pair, no "
            "character, and has no bytes: read the text again with its right encoding."
        ) from None


def check_ids(ids: Sequence[int] | np.ndarray, vocab_size: int) -> list[int]:
    """The ids of one text as a list.

    Args:
        ids: integers of shape (T,).
        vocab_size: how many tokens there are.

    Raises:
        TypeError: not integers.
        ValueError: more or fewer axes than one, or an id that no token has; names it and its place.

    Example:
        >>> check_ids(np.array([1, 0]), vocab_size=2)
        [1, 0]
    """
    array = np.asarray(ids)
    if array.shape == (0,):
        return []  # NumPy takes an empty list for floats
    if array.dtype.kind not in "iu":
        raise TypeError(f"token ids are integers, not {array.dtype}.")
    if array.ndim != 1:
        raise ValueError(f"decode takes one row of ids, shape (T,), not {array.shape}.")
    wrong = np.flatnonzero((array < 0) | (array >= vocab_size))
    if wrong.size:
        place = int(wrong[0])
        raise ValueError(
            f"there is no token {array[place]}, at place {place}: the {vocab_size} tokens are "
            "numbered from 0."
        )
    return array.tolist()


# %% nbgrader={"grade": true, "grade_id": "test-char-tokenizer", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_char_tokenizer():
    """The example of the text, there and back, and a stranger."""
    tokenizer = CharTokenizer().train("hello")
    check_equal(lambda: tokenizer.characters, ["e", "h", "l", "o"])
    check_equal(lambda: tokenizer.encode("hello").tolist(), [1, 0, 2, 2, 3])
    check_equal(lambda: tokenizer.decode([1, 0, 3]), "heo")
    check_raises(ValueError, lambda: tokenizer.encode("hallo"), mentions=["'a'", "1"])
    ### BEGIN HIDDEN TESTS
    many = CharTokenizer().train("ωx猫🐈 x\n")
    check_equal(lambda: many.encode("🐈x\nω").tolist(), [5, 2, 0, 3])
    check_equal(lambda: many.decode(many.encode("x🐈猫 ω\n")), "x🐈猫 ω\n")
    check_equal(lambda: [many.encode("").shape, many.encode("").dtype.kind], [(0,), "i"])
    check_equal(lambda: many.train("ba").encode("ab").tolist(), [0, 1])
    check_raises(ValueError, lambda: many.encode("abab猫"), mentions=["猫", "4"])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_char_tokenizer()

# %% [markdown]
r"""
## Nothing is unknown to bytes

A text on a disk is bytes already. UTF-8 writes every character of Unicode, 154,998 of them in version 16.0 (2024), as one to four numbers below 256. So 256
tokens can write *everything*: every language, every typing error, every emoji of next year. The price is length. Guess, before the cell says so, how many
bytes each of these takes. (Two of them look alike.)
"""


# %%
def analyze_bytes():
    """Characters and bytes of a few short texts."""
    for name, text in {
        "cat": "cat",
        "e with its accent": "\u00e9",
        "e, then an accent": "e\u0301",
        "a Chinese cat": "猫",
        "a cat": "🐈",
        "an astronaut": "👩\u200d🚀",
    }.items():
        print(f"{name:18} {len(text)} characters, {len(text.encode()):2} bytes", end=" ")
        print(list(text.encode()))


if __name__ == "__main__":
    analyze_bytes()

# %% [markdown]
r"""
The two é are different texts, and a tokenizer has no business making them one: what goes in comes out, to the byte.

## Merge what often stands together

Between bytes (nothing unknown, but long) and words (short, but always one missing) lies a ladder. *Byte-pair encoding* climbs it one rung at a time: count which
two neighbours stand together most often, make them one new token, and begin again. (Gage, *A new algorithm for data compression*, 1994; for networks Sennrich et
al., *Neural machine translation of rare words with subword units*, 2016; on bytes Radford et al., GPT-2, 2019.) By hand:

```
b a n a n a     b a n d a n a        most often: a n, 4 times            256 = an
b[an][an]a      b[an]d[an]a          b[an] twice, [an]a twice: a tie     257 = b[an]
```

On a tie the pair with the smaller numbers wins, compared from the left: 98 (`b`) is below 256. Any rule would do. Without one, two runs over
the same text could end with two vocabularies, and a model trained with the one cannot read the other.

A text says the same words again and again, so we keep each **distinct word once**, as a list of ids, and how often it occurs.
"""


# %% nbgrader={"grade": false, "grade_id": "count-pairs", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def count_pairs(words: Sequence[Sequence[int]], counts: Sequence[int]) -> dict:
    """How often each pair of neighbours stands in a text.

    Args:
        words: W distinct words, each a list of ids.
        counts: how often each word occurs, W numbers.

    Returns:
        pair of ids -> how often in the whole text; only pairs that occur.

    TODO: add up, for each pair of neighbours of each word, how often the word occurs.
    APPROACH: 1. walk over the words and their counts together  2. over the pairs of a word  3. add
    EXAMPLE:
        >>> count_pairs([[7, 8], [8, 7, 8]], [10, 1])
        {(7, 8): 11, (8, 7): 1}

    HINT: `pairwise([7, 8, 9])` gives (7, 8), then (8, 9).
    """
    ### BEGIN SOLUTION
    totals = {}
    for ids, count in zip(words, counts, strict=True):
        for pair in pairwise(ids):
            totals[pair] = totals.get(pair, 0) + count
    return totals
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-count-pairs", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_count_pairs():
    """Words that occur more than once, and a pair that a word holds twice."""
    check_equal(lambda: dict(count_pairs([[7, 8], [8, 7, 8]], [10, 1])), {(7, 8): 11, (8, 7): 1})
    check_equal(lambda: dict(count_pairs([[1, 2, 1, 2]], [3])), {(1, 2): 6, (2, 1): 3})
    ### BEGIN HIDDEN TESTS
    check_equal(lambda: dict(count_pairs([[5, 5, 5], [5], []], [2, 9, 1])), {(5, 5): 4})
    pairs = {(98, 97): 3, (97, 110): 6, (110, 97): 5, (110, 100): 1, (100, 97): 1}
    check_equal(lambda: dict(count_pairs([list(b"banana"), list(b"bandana")], [2, 1])), pairs)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_count_pairs()

# %% [markdown]
r"""
Now the merge itself, from left to right. Mind `a a a`: the pair `a a` was counted twice, yet the `a` in the middle can be used once only. And a merge
changes nothing but a copy: somebody else may still need the old list.
"""


# %% nbgrader={"grade": false, "grade_id": "merge", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def merge(ids: Sequence[int], pair: tuple[int, int], new: int) -> list[int]:
    """A word in which every place where the pair stands has become one token.

    Args:
        ids: the word, left as it is.
        pair: the two ids to look for, next to each other.
        new: the id that takes their place.

    TODO: walk from left to right, and take two steps where the pair stands.
    APPROACH: 1. as long as there are ids left  2. if this one and the next are the pair, write the
        new id and go on by two  3. else copy the id and go on by one
    EXAMPLE:
        >>> merge([1, 2, 3, 1, 2], (1, 2), 9)
        [9, 3, 9]

    HINT: a slice that leaves the list is just shorter: `[4, 5][1:3]` is `[5]`.
    """
    ### BEGIN SOLUTION
    first, second = pair
    merged, place, last = [], 0, len(ids) - 1
    while place <= last:
        if ids[place] == first and place < last and ids[place + 1] == second:
            merged.append(new)
            place += 2
        else:
            merged.append(ids[place])
            place += 1
    return merged
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-merge", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_merge():
    """Two places, none, and three alike in a row."""
    check_equal(lambda: merge([1, 2, 3, 1, 2], (1, 2), 9), [9, 3, 9])
    check_equal(lambda: merge([2, 1, 1, 3], (1, 2), 9), [2, 1, 1, 3])
    check_equal(lambda: merge([1, 1, 1], (1, 1), 9), [9, 1])
    ### BEGIN HIDDEN TESTS
    check_equal(lambda: merge([1, 1, 1, 1], (1, 1), 9), [9, 9])
    check_equal(lambda: merge([0, 2, 1, 1, 2, 3, 2], (1, 2), 9), [0, 2, 1, 9, 3, 2])
    check_equal(lambda: [merge([1], (1, 1), 9), merge([], (1, 1), 9)], [[1], []])
    word = [3, 1, 2]
    check_equal(lambda: [merge(word, (1, 2), 9), word], [[3, 9], [3, 1, 2]])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_merge()

# %% [markdown]
r"""
Count, merge, repeat: with these two, the whole idea is a loop. It ends when it has as many merges as wanted, or when no pair stands anywhere twice, for a pair
that was seen once is no pattern.
"""


# %% nbgrader={"grade": false, "grade_id": "learn-slowly", "locked": false, "schema_version": 3, "solution": true, "task": false}
def learn_slowly(words: list[list[int]], counts: list[int], most: int) -> list[tuple[int, int]]:
    """Learn merges by counting everything anew for each of them.

    Args:
        words, counts: as in count_pairs.
        most: how many merges are wanted.

    Returns:
        The merged pairs in order: pair number k became token 256 + k. Fewer than `most` when no
            pair is left that occurs at least twice.

    TODO: the loop; of the most frequent pairs, merge the smallest one in every word.
    APPROACH: 1. count_pairs  2. the best pair; stop if there is none or it occurs only once
        3. merge it in each word  4. keep it
    EXAMPLE:
        >>> learn_slowly([list(b"banana"), list(b"bandana")], [1, 1], 2)
        [(97, 110), (98, 256)]

    HINT: tuples compare from the left, so `min(pairs, key=...)` with (-how often, pair) picks it.
    """
    merges = []
    ### BEGIN SOLUTION
    while len(merges) < most:
        totals = count_pairs(words, counts)
        best = min(totals, key=lambda pair: (-totals[pair], pair), default=None)
        if best is None or totals[best] < 2:
            break
        words = [merge(ids, best, 256 + len(merges)) for ids in words]
        merges.append(best)
    ### END SOLUTION
    return merges


# %% nbgrader={"grade": true, "grade_id": "test-learn-slowly", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_learn_slowly():
    """The drawing, with its tie; and a text that has nothing left to merge."""
    words = [list(b"banana"), list(b"bandana")]
    check_equal(lambda: learn_slowly(words, [1, 1], 2), [(97, 110), (98, 256)])
    check_equal(lambda: learn_slowly(words, [1, 1], 9), [(97, 110), (98, 256), (256, 97)])
    ### BEGIN HIDDEN TESTS
    before = [list(b"banana"), list(b"bandana")]
    check_equal(lambda: [learn_slowly(words, [1, 1], 2), words][1], before)
    check_equal(lambda: [learn_slowly(words, [1, 1], 0), learn_slowly([], [], 5)], [[], []])
    check_equal(lambda: learn_slowly([[9], [4, 5, 6]], [7, 1], 5), [])
    alike = [[2, 3], [1, 2], [5, 6]]
    check_equal(lambda: learn_slowly(alike, [2, 2, 2], 3), [(1, 2), (2, 3), (5, 6)])
    more = [list(b"abab"), list(b"ba"), list(b"aaaa")]
    expected = [(97, 97), (98, 97), (256, 256), (97, 257), (259, 98)]
    check_equal(lambda: learn_slowly(more, [3, 9, 4], 5), expected)
    check_equal(lambda: learn_slowly(more, [3, 9, 4], 1), expected[:1])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_learn_slowly()

# %% [markdown]
r"""
A merge names two ids, each a byte or an earlier merge. What does token 300 *say*? Follow the merges in order, and every token is the bytes of its two halves.
"""


# %% nbgrader={"grade": false, "grade_id": "token-bytes", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def token_bytes(merges: Sequence[tuple[int, int]]) -> list[bytes]:
    """What each token stands for: 256 single bytes, then one entry for each merge.

    Args:
        merges: pairs of ids in the order in which they were learnt.

    Returns:
        256 + len(merges) bytes objects, by id.

    TODO: the bytes of every token.
    APPROACH: 1. the 256 single bytes in order  2. for each merge: both halves, one after the other
    EXAMPLE:
        >>> token_bytes([(97, 110), (98, 256)])[-2:]
        [b'an', b'ban']

    HINT: `bytes([97])` is b'a', and `b"a" + b"n"` is b'an'.
    """
    ### BEGIN SOLUTION
    tokens = [bytes([number]) for number in range(256)]
    for left, right in merges:
        tokens.append(tokens[left] + tokens[right])
    return tokens
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-token-bytes", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_token_bytes():
    """Single bytes, and merges of merges."""
    check_equal(lambda: list(token_bytes([])[65]), [65])
    check_equal(lambda: len(token_bytes([(97, 110), (98, 256)])), 258)
    check_equal(lambda: list(token_bytes([(97, 110), (98, 256)])[257]), [98, 97, 110])
    ### BEGIN HIDDEN TESTS
    check_equal(lambda: [list(t) for t in token_bytes([])], [[n] for n in range(256)])
    deep = [(226, 130), (256, 172), (257, 257), (32, 258)]
    check_equal(lambda: token_bytes(deep)[-1].decode(), " €€")
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_token_bytes()

# %% [markdown]
r"""
## Words first

What is a word? If anything may merge with anything, `dog.` and `dog!` and `dog,` become tokens of their own, each learnt from nothing. So GPT-2 cuts the text
before it merges, and no token crosses a cut. Ours is a plainer pattern than GPT-2's: letters and digits, or signs, each with the space before them; or other white space. No word is longer than 40 characters;
you will see below why.

```
"if x_1 == 30:\n    go()"   ->   if| x_1| ==| 30|:|\n   | go|()
```

Look at the last branches: from white space, a final space is left to the word behind it. And together the branches take every character there is, so joining the words gives back the text.
"""

# %% nbgrader={"grade": false, "grade_id": "given-words", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
WORDS = re.compile(r" ?(?:\w{1,40}|[^\w\s]{1,40})|\s{1,40}(?!\S)|\s{1,40}")


def count_words(*texts: str) -> tuple[list[list[int]], list[int]]:
    """The distinct words of some texts, each as the list of its bytes, and how often each occurs.

    Example:
        >>> count_words("on and on and on")
        ([[111, 110], [32, 97, 110, 100], [32, 111, 110]], [1, 2, 2])
    """
    found = Counter(chain.from_iterable(map(WORDS.findall, texts)))
    return [list(word.encode()) for word in found], list(found.values())

# %% [markdown]
r"""
Every machine that runs Python has some megabytes of real text: the source of its standard library. Watch your loop learn from a small piece of it. Which
merge do you expect first? When does the first whole word of Python appear?
"""


# %%
def analyze_merges():
    """The first merges, and one line of code as it looks after more and more of them."""
    words, counts = count_words(load_python_source(30_000))
    merges = learn_slowly(words, counts, 300)
    tokens = token_bytes(merges)
    for k in (*range(6), 20, 60, 100, 299):
        left, right = (tokens[i] for i in merges[k])
        print(f"merge {k + 1:3}: {left!r:10} + {right!r:8} -> {256 + k} = {tokens[256 + k]!r}")
    line = [list(word.encode()) for word in WORDS.findall("    def __init__(self, name):")]
    for k, pair in enumerate([None, *merges]):
        if k:
            line = [merge(ids, pair, 255 + k) for ids in line]
        if k in (0, 5, 20, 80, 300):
            pieces = [tokens[i] for ids in line for i in ids]
            show_tokens(pieces, caption=f"after {k} merges: {len(pieces)} tokens")


if __name__ == "__main__":
    analyze_merges()

# %% [markdown]
r"""
## How long would it take?

A vocabulary of 1,000 needs 744 merges. On one megabyte, with what you have now: a minute, an hour, a night? And how much does it help to keep each distinct word once, instead of the
whole text as a single long word? The cell measures three merges of each and multiplies.
"""


# %% nbgrader={"grade": false, "grade_id": "given-seconds", "locked": true, "schema_version": 3, "solution": false, "task": false}
def seconds_of(function, *args):
    """How long one call takes, and what it returns."""
    start = time.perf_counter()
    result = function(*args)
    return time.perf_counter() - start, result


# %%
def analyze_slow_training():
    """Seconds per merge on growing texts: as one word, and as distinct words."""
    sizes = [125_000, 250_000, 500_000, 1_000_000]
    taken = {"the text as one word": [], "distinct words": []}
    for size in sizes:
        text = load_python_source(size)
        forms = ([list(text.encode())], [1]), count_words(text)
        for values, (words, counts) in zip(taken.values(), forms, strict=True):
            seconds, _ = seconds_of(learn_slowly, words, counts, 3)
            values.append(seconds / 3)
    fig, ax = plt.subplots(figsize=(5, 3))
    for marker, (name, values) in zip("os", taken.items(), strict=True):
        ax.plot(sizes, values, marker=marker, label=name)
        print(f"{name:20}: {values[-1]:.3f} s per merge, {744 * values[-1]:4.0f} s for 744 of them")
    ax.set(xlabel="characters of text", ylabel="seconds per merge", ylim=(0, None))
    ax.legend()
    one, words = (values[-1] / values[0] for values in taken.values())
    alt = f"Seconds per merge: eight times the text costs {one:.1f} times as much as one word, "
    show(fig, alt=alt + f"{words:.1f} times as distinct words")


if __name__ == "__main__":
    analyze_slow_training()

# %% [markdown]
r"""
Distinct words grow more slowly than the text (new ones become rare: Heaps' law), and that alone is worth a factor. What is wasted is plainer still: a
merge changes a few words, and the loop counts all of them again.

## Keep the books

Count once. After a merge, correct only what has changed, and for that know three things at every moment:

```
totals   {(97, 110): 4, (110, 97): 3, ...}      how often each pair stands in the text
where    {(97, 110): {0, 1}, ...}               in which words: the only ones to visit
heap     [(-4, (97, 110)), (-3, (110, 97)) ...] who is the most frequent?
```

A heap hands out its smallest entry in $O(\log n)$ steps, hence the minus sign; and entries that are equal in it compare their pairs, which is just our rule for
ties. But it cannot change an entry. So when a total changes we *push the new one and leave the old one in*: an entry is believed only
if it says what `totals` says today. Which entries can be wrong, those that are too high or those that are too low?
"""


# %% nbgrader={"grade": false, "grade_id": "given-pairs", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
class Pairs:
    """All pairs of a text, with what a merge needs to know about them.

    words: the distinct words as they are now; counts: how often each occurs.
    totals: pair -> how often it stands in the text; 0 for pairs that are gone.
    where: pair -> numbers of the words that hold it; may name words that hold it no more.
    heap: (-total, pair); every present total is in it, and some of the past.
    """

    def __init__(self, words: list[list[int]], counts: list[int]) -> None:
        self.words, self.counts = list(words), counts
        self.totals, self.where = defaultdict(int), defaultdict(set)
        for number, (ids, count) in enumerate(zip(words, counts, strict=True)):
            for pair in pairwise(ids):
                self.totals[pair] += count
                self.where[pair].add(number)
        self.heap = [(-total, pair) for pair, total in self.totals.items()]
        heapify(self.heap)


# %% nbgrader={"grade": false, "grade_id": "pop-best", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def pop_best(heap: list, totals: dict) -> tuple[int, int] | None:
    """Take the most frequent pair from a heap whose entries may be out of date.

    Args:
        heap: entries (-total, pair), smallest first; what is passed over is taken away.
        totals: pair -> how often it stands in the text today.

    Returns:
        The most frequent pair, on a tie the smallest; None if no pair stands there twice.

    TODO: take entries until one is true.
    APPROACH: 1. as long as the heap holds something, take its smallest entry  2. pass over it if
        totals says another number  3. a true one: its pair, if it occurs at least twice
    EXAMPLE:
        >>> pop_best([(-5, (1, 2)), (-3, (2, 3))], {(1, 2): 4, (2, 3): 3})
        (2, 3)

    HINT: `heappop(heap)` takes the smallest entry away and returns it.
    """
    ### BEGIN SOLUTION
    while heap:
        negative, pair = heappop(heap)
        if totals[pair] == -negative:
            return pair if totals[pair] >= 2 else None
    return None
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-pop-best", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_pop_best():
    """An entry that is out of date, a tie, and a heap without a pair."""
    check_equal(lambda: pop_best([(-5, (1, 2)), (-3, (2, 3))], {(1, 2): 4, (2, 3): 3}), (2, 3))
    check_equal(lambda: pop_best([(-3, (2, 9)), (-3, (4, 1))], {(2, 9): 3, (4, 1): 3}), (2, 9))
    check_equal(lambda: pop_best([], {}), None)
    ### BEGIN HIDDEN TESTS
    old = [(-9, (7, 7)), (-6, (7, 7)), (-4, (3, 8)), (-2, (7, 7))]
    check_equal(lambda: pop_best(list(old), {(7, 7): 2, (3, 8): 4}), (3, 8))
    check_equal(lambda: pop_best(list(old), {(7, 7): 2, (3, 8): 5}), (7, 7))
    check_equal(lambda: pop_best([(-8, (1, 1)), (-1, (5, 6))], {(1, 1): 0, (5, 6): 1}), None)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_pop_best()

# %% [markdown]
r"""
Now the merge with its books. Visit the words that hold the pair. Each of them loses *all* its old pairs and gains all its new ones, as often as it occurs;
what stood far from the merge cancels. When every word is done, push the totals that have really changed.

```
word 0, occurs 5 times       b a n a n a    ->    b X X a          X = 256, the new token

  before   ba -5   an -10   na -10
  after    bX +5   XX +5    Xa +5
```
"""


# %% nbgrader={"grade": false, "grade_id": "merge-everywhere", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def merge_everywhere(pairs: Pairs, pair: tuple[int, int], new: int) -> None:
    """Merge one pair in every word that holds it, and bring the books up to date.

    Args:
        pairs: words and books; changed in place.
        pair: the two ids to merge.
        new: the id that takes their place.

    TODO: change the words, `pairs.totals`, `pairs.where` and `pairs.heap`.
    APPROACH: 1. for each word number of the pair: merge  2. note what its old pairs lose and its
        new ones gain  3. its new pairs stand in this word  4. afterwards: the new totals, and an
        entry in the heap for each that changed
    EXAMPLE:
        >>> pairs = Pairs([list(b"banana")], [5])
        >>> merge_everywhere(pairs, (97, 110), 256)
        >>> pairs.words, pairs.totals[98, 256], pairs.totals[97, 110]
        ([[98, 256, 256, 97]], 5, 0)

    HINT: `pairs.where.pop(pair)` gives the numbers and forgets them: no word will hold the pair.
    """
    changes = defaultdict(int)  # pair -> by how much its total changes
    ### BEGIN SOLUTION
    for number in pairs.where.pop(pair):
        before, count = pairs.words[number], pairs.counts[number]
        after = pairs.words[number] = merge(before, pair, new)
        for gone in pairwise(before):
            changes[gone] -= count
        for here in pairwise(after):
            changes[here] += count
            pairs.where[here].add(number)
    for changed, change in changes.items():
        if change:
            pairs.totals[changed] += change
            heappush(pairs.heap, (-pairs.totals[changed], changed))
    ### END SOLUTION


# %% nbgrader={"grade": false, "grade_id": "given-books", "locked": true, "schema_version": 3, "solution": false, "task": false}
def books_after(words, counts, pair, new):
    """The words, the totals above 0, where the pairs stand, and whether the heap knows them all."""
    pairs = Pairs(words, counts)
    merge_everywhere(pairs, pair, new)
    totals = {pair: total for pair, total in sorted(pairs.totals.items()) if total}
    where = [sorted(pairs.where[pair]) for pair in totals]
    holders = [
        [number for number in numbers if pair in pairwise(pairs.words[number])]
        for pair, numbers in zip(totals, where, strict=True)
    ]
    missing = [pair for pair, total in totals.items() if (-total, pair) not in pairs.heap]
    return {"words": pairs.words, "totals": totals, "where": holders, "not in the heap": missing}


# %% nbgrader={"grade": true, "grade_id": "test-merge-everywhere", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_unit_merge_everywhere():
    """The drawing, with a second word; what stands far from a merge keeps its total."""
    words, pair = [list(b"banana"), list(b"band")], (97, 110)
    merged = [[98, 256, 256, 97], [98, 256, 100]]
    check_equal(lambda: books_after(words, [5, 2], pair, 256)["words"], merged)
    totals = {(98, 256): 7, (256, 97): 5, (256, 100): 2, (256, 256): 5}
    check_equal(lambda: books_after(words, [5, 2], pair, 256)["totals"], totals)
    where = [[0, 1], [0], [1], [0]]  # by pair, as in totals: which words hold it
    check_equal(lambda: books_after(words, [5, 2], pair, 256)["where"], where)
    check_equal(lambda: books_after(words, [5, 2], pair, 256)["not in the heap"], [])
    ### BEGIN HIDDEN TESTS
    far = [[1, 2, 7, 8, 7], [7, 8], [1, 2]]
    totals = {(7, 8): 7, (8, 7): 3, (9, 7): 3}
    check_equal(lambda: books_after(far, [3, 4, 6], (1, 2), 9)["totals"], totals)
    check_equal(lambda: books_after(far, [3, 4, 6], (1, 2), 9)["where"], [[0, 1], [0], [0]])
    near = [[1, 2, 3], [5, 2, 3]]
    check_equal(lambda: books_after(near, [3, 4], (1, 2), 9)["not in the heap"], [])
    alike = [[1, 1, 1, 1, 1], [1, 1]]
    check_equal(lambda: books_after(alike, [2, 3], (1, 1), 9)["totals"], {(9, 1): 2, (9, 9): 2})
    check_equal(lambda: books_after(alike, [2, 3], (1, 1), 9)["not in the heap"], [])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_merge_everywhere()

# %% [markdown]
r"""
The loop is the same loop.
"""


# %% nbgrader={"grade": false, "grade_id": "learn-merges", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def learn_merges(words: list[list[int]], counts: list[int], most: int) -> list[tuple[int, int]]:
    """Learn merges, visiting for each only the words that it changes.

    Args:
        words: distinct words, each a list of bytes.
        counts: how often each occurs.
        most: how many merges are wanted.

    Returns:
        The merged pairs in order: pair number k became token 256 + k. Fewer than `most` when no
            pair is left that occurs at least twice.

    TODO: the merges that learn_slowly finds, with pop_best and merge_everywhere.
    APPROACH: 1. open the books: Pairs  2. take the best pair; stop if there is none  3. merge it
        everywhere  4. keep it
    EXAMPLE:
        >>> learn_merges([list(b"banana"), list(b"bandana")], [1, 1], 2)
        [(97, 110), (98, 256)]

    HINT: which number does the next token have, after len(merges) of them?
    """
    ### BEGIN SOLUTION
    pairs, merges = Pairs(words, counts), []
    while len(merges) < most:
        best = pop_best(pairs.heap, pairs.totals)
        if best is None:
            break
        merge_everywhere(pairs, best, 256 + len(merges))
        merges.append(best)
    return merges
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-learn-merges", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_learn_merges():
    """The drawing, and words that share their pairs."""
    words = [list(b"banana"), list(b"bandana")]
    check_equal(lambda: learn_merges(words, [1, 1], 2), [(97, 110), (98, 256)])
    check_equal(lambda: learn_merges(words, [1, 1], 9), [(97, 110), (98, 256), (256, 97)])
    shared = [[1, 2, 3], [2, 3, 1, 2], [3, 1]]
    check_equal(lambda: learn_merges(shared, [4, 3, 6], 2), [(3, 1), (1, 2)])
    ### BEGIN HIDDEN TESTS
    check_equal(lambda: [learn_merges([], [], 4), learn_merges([[9, 9]], [1], 4)], [[], []])
    more = [list(b"abab"), list(b"ba"), list(b"aaaa")]
    expected = [(97, 97), (98, 97), (256, 256), (97, 257), (259, 98)]
    check_equal(lambda: learn_merges(more, [3, 9, 4], 5), expected)
    check_equal(lambda: learn_merges(shared, [4, 3, 6], 9)[2:], [(257, 3), (2, 256), (259, 2)])
    letters = [list(word) for word in (b"caaaaccbaaabbb", b"aaccaabbc", b"bbbbbacccca", b"abbccac")]
    expected = [(97, 97), (98, 98), (99, 99), (97, 257), (258, 97), (256, 258), (259, 260)]
    check_equal(lambda: learn_merges(letters, [2, 1, 1, 3], 7), expected)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_learn_merges()

# %% [markdown]
r"""
First that it is the same, then how much it saves. On how many of the distinct words does a merge set foot: the first one, the hundredth, the last?
"""


# %%
def analyze_fast_training():
    """Both trainers on 100 kB, the fast one on 1 MB, and how many words each merge visits."""
    words, counts = count_words(load_python_source(100_000))
    slow, merges = seconds_of(learn_slowly, words, counts, 744)
    fast, same = seconds_of(learn_merges, words, counts, 744)
    assert merges == same, "the two trainers disagree"
    print(f"100 kB, {len(merges)} merges, all the same: slowly {slow:.2f} s, ", end="")
    print(f"with books {fast:.2f} s, {slow / fast:.0f} times faster")
    cutting, (words, counts) = seconds_of(count_words, load_python_source(1_000_000))
    fast, merges = seconds_of(learn_merges, words, counts, 744)
    print(f"1 MB: {cutting:.2f} s to cut and count the words, {fast:.2f} s to learn 744 merges")
    pairs, visited = Pairs(words, counts), []
    for k, pair in enumerate(merges):
        visited.append(len(pairs.where[pair]))
        merge_everywhere(pairs, pair, 256 + k)
    fig, ax = plt.subplots(figsize=(5, 3))
    ax.loglog(range(1, 745), visited, ".", markersize=3, label="visited by the merge")
    ax.axhline(len(words), linestyle="--", color="grey", label="visited by learn_slowly")
    ax.set(xlabel="merge", ylabel="distinct words")
    ax.legend(loc="lower left")
    share = sum(visited) / len(visited) / len(words)
    print(f"a merge visits {share:.1%} of the {len(words):,} distinct words on average")
    show(fig, alt=f"Words that each merge visits, {share:.1%} of all on average; a line for all")


if __name__ == "__main__":
    analyze_fast_training()

# %% [markdown]
r"""
A merge that visits one word in a hundred could be a hundred times faster. Where the printed factor is smaller than one over the printed share, you see what
the books themselves cost: tuples, sets, a heap full of old entries, and all pairs counted once at the start, which few merges cannot pay for.
The library `tokenizers` keeps the same books in Rust, with the same rule for ties; `python -m benchmarks --only BPE` sets your trainer beside it.

## Cut a new text

The merges are learnt. How is a word cut that was not in the text? *As if it had been there*: the merges run over it in the order in which they were learnt. So
look for the pair with the lowest number among all pairs of the word, merge it, and look again, until no pair is left that was ever merged.

```
256 = an    257 = ba                 in the order learnt     b|an|a|s
"banas"                              longest piece first     ba|n|a|s      not what training did
```
"""


# %% nbgrader={"grade": false, "grade_id": "encode-word", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def encode_word(ids: Sequence[int], ranks: dict) -> list[int]:
    """Cut one word as the training would have.

    Args:
        ids: the bytes of the word; left as they are.
        ranks: pair -> id of the token that it becomes; learnt earlier means lower.

    Returns:
        The ids of its tokens.

    TODO: merge the pair that was learnt first, again and again.
    APPROACH: 1. the rank of each pair of neighbours, `inf` where there is none  2. the lowest; stop
        if it is inf  3. the first place where it stands becomes one token  4. the ranks anew
    EXAMPLE:
        >>> encode_word(list(b"banas"), {(97, 110): 256, (98, 97): 257})
        [98, 256, 97, 115]

    HINT: `ranks.get(pair, inf)`, `min(..., default=inf)`; `ids[2:4] = [256]` replaces a slice. To
        work all ranks out again is right; only those beside the merge have changed.
    """
    ### BEGIN SOLUTION
    ids = list(ids)
    found = [ranks.get(pair, inf) for pair in pairwise(ids)]
    while found and (lowest := min(found)) < inf:
        place = found.index(lowest)
        ids[place : place + 2] = [lowest]
        del found[place]  # only the pairs on its left and right are others now
        if place:
            found[place - 1] = ranks.get((ids[place - 1], lowest), inf)
        if place < len(found):
            found[place] = ranks.get((lowest, ids[place + 1]), inf)
    return ids
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-encode-word", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_unit_encode_word():
    """The drawing, merges of merges, and a word that nothing fits."""
    ranks = {(97, 110): 256, (98, 97): 257}
    check_equal(lambda: encode_word(list(b"banas"), ranks), [98, 256, 97, 115])
    check_equal(lambda: encode_word(list(b"bab"), ranks), [257, 98])
    check_equal(lambda: encode_word(list(b"xyz"), ranks), [120, 121, 122])
    ### BEGIN HIDDEN TESTS
    ranks = {(97, 110): 256, (98, 97): 257, (256, 97): 258, (98, 256): 259, (259, 258): 260}
    word = list(b"nbananabanban")
    check_equal(lambda: encode_word(word, ranks), [110, 260, 259, 259])
    check_equal(lambda: [encode_word(word, ranks), word][1], list(b"nbananabanban"))
    check_equal(lambda: [encode_word([], ranks), encode_word([98], ranks)], [[], [98]])
    check_equal(lambda: encode_word(list(b"aaaaa"), {(97, 97): 256, (256, 256): 257}), [257, 97])
    check_equal(lambda: encode_word(list(b"abc"), {(98, 99): 256, (97, 98): 257}), [97, 256])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_encode_word()

# %% [markdown]
r"""
Each merge looks through the whole word again, so a word twice as long costs four times as much. That is what the 40 in the pattern is for: a megabyte without a space must not stop the machine.

For the rest, texts help: they repeat themselves. Of all the words in some megabytes of Python, how many are new when they come: a half, a tenth, a twentieth? (A cell below counts them.)
Each needs `encode_word` once; then its ids can wait in a dictionary. Python has the very place for that: a dict calls its own `__missing__` when a key is not there.
"""


# %% nbgrader={"grade": false, "grade_id": "word-cache", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class WordCache(dict):
    """word -> list of its ids; a word that is asked for the first time is cut then.

    Args:
        ranks: what encode_word cuts by.
        most: how many words it keeps; when it is full it forgets all of them and begins again.

    TODO: cut the word, keep its ids, return them.
    APPROACH: 1. clear it if it holds `most` words  2. encode_word on the bytes of the word  3. keep
        and return the ids
    EXAMPLE:
        >>> cache = WordCache({(97, 110): 256})
        >>> cache["ana"], len(cache)
        ([256, 97], 1)

    HINT: `self[word] = ids` keeps them, as in any dict.
    """

    def __init__(self, ranks: dict, most: int = 200_000) -> None:
        super().__init__()
        self.ranks, self.most = ranks, most

    def __missing__(self, word: str) -> list[int]:
        ### BEGIN SOLUTION
        if len(self) >= self.most:
            self.clear()
        ids = self[word] = encode_word(list(word.encode()), self.ranks)
        return ids
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-word-cache", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_word_cache():
    """The first time and the second, and a cache that is full."""
    cache = WordCache({(97, 110): 256}, most=2)
    check_equal(lambda: [cache["ana"], cache["ana"]], [[256, 97], [256, 97]])
    check_equal(lambda: list(cache), ["ana"])
    check_equal(lambda: [cache["n"], cache["an"], list(cache)], [[110], [256], ["an"]])
    ### BEGIN HIDDEN TESTS
    other = WordCache({(195, 169): 256, (256, 256): 257}, most=3)
    check_equal(lambda: other["éé"], [257])
    check_equal(lambda: [other[w] for w in ("a", "éa", "a", "éé")], [[97], [256, 97], [97], [257]])
    check_equal(lambda: sorted(other), ["a", "éa", "éé"])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_word_cache()

# %% [markdown]
r"""
## Marks that are no text

Models need a few tokens that no text contains: "here a document ends". They are written `<|endoftext|>`, have ids of their own behind all others, and are
never cut. And now think of somebody who *types* `<|endoftext|>` into a chat. If that became the mark, a user could end the document and start another in the
name of somebody else. So a mark is made only where the caller says so; otherwise it is thirteen characters like others.

`split_special` finds the marks that are allowed: text, mark, text, mark, ..., text. When one mark begins like another, the longer one is meant.
"""


# %% nbgrader={"grade": false, "grade_id": "split-special", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
def split_special(text: str, special: Sequence[str]) -> list[str]:
    """Cut out the marks of a text.

    Args:
        text: anything.
        special: the marks to look for, without an empty one.

    Returns:
        An odd number of pieces: at 0, 2, 4, ... plain text, perhaps empty; at 1, 3, ... a mark.

    TODO: the pieces; without marks to look for, the whole text is the only piece.
    APPROACH: 1. one pattern for all marks, longest first, each escaped  2. re.split keeps what
        stands in a group: `re.split("(b)", "abc")` is ['a', 'b', 'c']
    EXAMPLE:
        >>> split_special("one<|end|>two", ["<|end|>"])
        ['one', '<|end|>', 'two']

    HINT: in a pattern `|` means "or"; `re.escape(mark)` takes that meaning away.
    """
    ### BEGIN SOLUTION
    if not special:
        return [text]
    longest_first = sorted(special, key=len, reverse=True)
    return re.split("(" + "|".join(map(re.escape, longest_first)) + ")", text)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-split-special", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_unit_split_special():
    """One mark, marks side by side, and none."""
    check_equal(lambda: split_special("one<|end|>two", ["<|end|>"]), ["one", "<|end|>", "two"])
    check_equal(lambda: split_special("<a><b>", ["<b>", "<a>"]), ["", "<a>", "", "<b>", ""])
    check_equal(lambda: split_special("one<|end|>two", []), ["one<|end|>two"])
    ### BEGIN HIDDEN TESTS
    check_equal(lambda: split_special("a|b", ["|"]), ["a", "|", "b"])
    check_equal(lambda: split_special("", ["."]), [""])
    check_equal(lambda: split_special("x.y*", [".", "*"]), ["x", ".", "y", "*", ""])
    check_equal(lambda: split_special("-<e>>-", ["<e>", "<e>>"]), ["-", "<e>>", "-"])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_split_special()

# %% [markdown]
r"""
## The tokenizer

One thing before you put it together. The way back looks like a loop over ids, each to its text. But `猫` has three bytes, and a token may end after the first of
them: half a character is no text. What do you have to join, then, and when do you decode? And where a model has
written half a character and stopped, `errors="replace"` puts the sign � there instead of an exception.

The folded cell is what a class needs around that: it saves the tokenizer as JSON (marks and merges; all else follows from them), reads it back, refuses a file that is damaged or of another
version, and checks what the methods are given.
"""

# %% jupyter={"source_hidden": true} nbgrader={"grade": false, "grade_id": "given-saved", "locked": true, "schema_version": 3, "solution": false, "task": false}
#| export
FORMAT, VERSION = "tinytorch BPE tokenizer", 1


class SavedAsJson:
    """Save a tokenizer in a file, and read it back."""

    def save(self, path: str | Path) -> None:
        """Write marks and merges as JSON; a file that was there stays whole until the new one is.

        Example:
            >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "bytes.json"
            >>> BPETokenizer().save(path)
            >>> BPETokenizer.load(path).vocab_size
            256
        """
        facts = {"format": FORMAT, "version": VERSION}
        facts |= {"special_tokens": self.special_tokens, "merges": self.merges}
        path = Path(path)
        unfinished = path.with_name(path.name + ".unfinished")
        unfinished.write_text(json.dumps(facts) + "\n", encoding="utf-8")
        os.replace(unfinished, path)

    @classmethod
    def load(cls, path: str | Path) -> "BPETokenizer":
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is no tokenizer, is damaged, or has another version.
        """
        try:
            facts = json.loads(Path(path).read_text(encoding="utf-8"))
        except (ValueError, RecursionError):  # not UTF-8, or not JSON
            facts = None
        if not isinstance(facts, dict) or facts.get("format") != FORMAT:
            raise ValueError(f"{path} is no saved tokenizer, or only a part of one.")
        if facts.get("version") != VERSION:
            raise ValueError(f"{path} has version {facts.get('version')!r}, and this TinyTorch "
                             f"reads version {VERSION}: train anew.")
        problem = damage(facts)
        if problem:
            raise ValueError(f"{path} is damaged: {problem}. Take another copy, or train anew.")
        tokenizer = cls(facts["special_tokens"])
        tokenizer.set_merges([tuple(pair) for pair in facts["merges"]])
        return tokenizer


def damage(facts: dict) -> str:
    """What is wrong with the marks or merges of a file, in words; "" if nothing is."""
    special, merges = facts.get("special_tokens"), facts.get("merges")
    if not isinstance(special, list) or not isinstance(merges, list):
        return "special_tokens and merges are not both lists"
    try:
        check_special(special)
    except (TypeError, ValueError) as error:
        return str(error).rstrip(".")
    for k, pair in enumerate(merges):
        known = range(256 + k)  # a merge joins what was there before it
        if not isinstance(pair, list) or len(pair) != 2:
            return f"merge {k} is no pair"
        if not all(type(number) is int and number in known for number in pair):
            return f"merge {k} joins {pair}, and not two of the {256 + k} tokens before it"
    if len({tuple(pair) for pair in merges}) < len(merges):
        return "a pair is merged twice"
    return ""


def check_special(special: Sequence[str]) -> list[str]:
    """The marks as a list.

    Raises:
        TypeError: one string or a set instead of a list of them, or not strings.
        ValueError: an empty one, or one that is there twice.
    """
    if isinstance(special, set | frozenset):
        raise TypeError("special tokens are a list: a set has no order, and ids would vary.")
    if isinstance(special, str):
        raise TypeError(f"special tokens are a list of strings: write [{special!r}].")
    special = list(special)
    for mark in special:
        check_text(mark)
    if "" in special or len(set(special)) < len(special):
        raise ValueError(f"special tokens are distinct and not empty, unlike {special}.")
    return special


def check_allowed(allowed: Sequence[str] | str, special: list[str]) -> list[str]:
    """The marks that may be made: all of them for "all".

    Raises:
        ValueError: one is no mark of this tokenizer.
    """
    if isinstance(allowed, str):
        if allowed == "all":
            return special
        raise ValueError(f'allowed_special is a list of marks or "all": write [{allowed!r}].')
    strangers = set(allowed) - set(special)
    if strangers:
        raise ValueError(f"{sorted(strangers)} are no special tokens of this tokenizer: it has "
                         f"{special}.")
    return list(allowed)


def room_for_merges(vocab_size: int, special: list[str]) -> int:
    """How many merges fit into a vocabulary beside the bytes and the marks.

    Raises:
        TypeError: vocab_size is no whole number.
        ValueError: not even bytes and marks fit.
    """
    if isinstance(vocab_size, bool) or not isinstance(vocab_size, int | np.integer):
        raise TypeError(f"vocab_size is a whole number, not {vocab_size!r}.")
    least = 256 + len(special)
    if vocab_size < least:
        raise ValueError(f"a vocabulary of {vocab_size} has no room for 256 bytes and "
                         f"{len(special)} special tokens: {least} at least.")
    return int(vocab_size) - least


# %% nbgrader={"grade": false, "grade_id": "bpe-tokenizer", "locked": false, "schema_version": 3, "solution": true, "task": false}
#| export
class BPETokenizer(SavedAsJson):
    """Bytes, and pairs of them that were merged: it can write every text.

    Ids: 0 to 255 are the bytes, then come the merges in the order learnt, then the special tokens.

    Args:
        special_tokens: marks such as "<|endoftext|>".

    TODO: train, encode and decode with the parts above.
    APPROACH: 1. train: count_words of the plain pieces, learn_merges, set_merges  2. encode: split
        off the marks; for each word of a plain piece the ids that `self.known` has, for a mark its
        id  3. decode: bytes first, text last
    EXAMPLE:
        >>> tokenizer = BPETokenizer().train("banana bandana banana", 259)
        >>> tokenizer.encode("bananas").tolist()
        [257, 258, 115]

    HINT: `ids += more` extends a list; `self.tokens[i]` are the bytes of token i, marks included.
    """

    def __init__(self, special_tokens: Sequence[str] = ()) -> None:
        self.special_tokens = check_special(special_tokens)
        self.set_merges([])

    def set_merges(self, merges: list[tuple[int, int]]) -> None:
        """Take these merges, and all that follows from them."""
        self.merges = merges
        self.ranks = {pair: 256 + k for k, pair in enumerate(merges)}
        self.tokens = token_bytes(merges) + [mark.encode() for mark in self.special_tokens]
        self.known = WordCache(self.ranks)

    @property
    def vocab_size(self) -> int:
        """How many tokens it has: bytes, merges and marks."""
        return len(self.tokens)

    def train(self, text: str, vocab_size: int) -> "BPETokenizer":
        """Learn merges until there are vocab_size tokens or no pair is left; returns itself.

        Special tokens in the text are cut out: no merge is learnt from them.
        """
        check_text(text)
        most = room_for_merges(vocab_size, self.special_tokens)
        ### BEGIN SOLUTION
        words, counts = count_words(*split_special(text, self.special_tokens)[::2])
        self.set_merges(learn_merges(words, counts, most))
        ### END SOLUTION
        return self

    def encode(self, text: str, allowed_special: Sequence[str] | str = ()) -> np.ndarray:
        """The ids (T,) of a text; allowed_special: marks that become one token, or "all"."""
        check_text(text)
        allowed = check_allowed(allowed_special, self.special_tokens)
        first = 256 + len(self.merges)  # id of the first mark
        ids = []
        ### BEGIN SOLUTION
        for place, piece in enumerate(split_special(text, allowed)):
            if place % 2:
                ids.append(first + self.special_tokens.index(piece))
            else:
                for word in WORDS.findall(piece):
                    ids += self.known[word]
        ### END SOLUTION
        return np.array(ids, dtype=np.intp)

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        """The text of ids (T,); bytes that are no text become the sign for that."""
        known = check_ids(ids, self.vocab_size)  # a list
        ### BEGIN SOLUTION
        written = b"".join(self.tokens[number] for number in known)
        return written.decode("utf-8", errors="replace")
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "test-bpe-tokenizer", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
def test_unit_bpe_tokenizer():
    """There and back, in more than one alphabet, with and without marks."""
    text = "banana bandana banana"
    tokenizer = BPETokenizer(["<|end|>"]).train(text, 260)
    check_equal(lambda: tokenizer.merges, [(97, 110), (98, 256), (256, 97)])
    check_equal(lambda: tokenizer.encode("bananas").tolist(), [257, 258, 115])
    check_equal(lambda: tokenizer.decode([257, 258, 115]), "bananas")
    check_equal(lambda: tokenizer.encode("a<|end|>", allowed_special="all").tolist(), [97, 259])
    check_equal(lambda: tokenizer.encode("<|end|>").tolist(), list(b"<|end|>"))
    check_equal(lambda: tokenizer.decode(tokenizer.encode("naïve 猫\n🐈")), "naïve 猫\n🐈")
    ### BEGIN HIDDEN TESTS
    check_equal(lambda: tokenizer.decode([97, 259, 98]), "a<|end|>b")
    check_equal(lambda: tokenizer.decode([231, 140, 171, 231]), "猫\ufffd")
    check_equal(lambda: [tokenizer.encode("").shape, tokenizer.decode([])], [(0,), ""])
    marked = BPETokenizer(["<<a", "<<b"]).train("xy<<axy<<bzq<<azq<<a", 300)
    check_equal(lambda: marked.merges, [(120, 121), (122, 113)])
    check_equal(lambda: marked.encode("<<bxy<<a", ["<<b"]).tolist(), [259, 256, 60, 60, 97])
    check_equal(lambda: marked.encode("<<b xy<<a", ["<<a", "<<b"]).tolist(), [259, 32, 256, 258])
    check_equal(lambda: BPETokenizer().train("a. a. a.", 300).merges, [(32, 97)])
    check_equal(lambda: [marked.encode("xy zq").tolist() for _ in "12"], [[256, 32, 257]] * 2)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unit_bpe_tokenizer()

# %% [markdown]
r"""
## Measure: what does it cost, and what does it save?

Three predictions. How much faster is `encode` than cutting every word anew, and how much faster the second time? If a vocabulary of 1,000 writes a text of code in
$n$ tokens, how many does one of 4,000 need: a quarter? And what does a Greek sentence cost a tokenizer that has seen nothing but Python?
"""


# %%
def analyze_encode():
    """Megabytes a second on new text: without the cache, the first time, the second time."""
    text = load_python_source(4_500_000)
    tokenizer = BPETokenizer().train(text[:1_000_000], 1000)
    fresh = text[1_000_000:]
    megabytes = len(fresh.encode()) / 1e6
    part = fresh[:300_000]
    anew, _ = seconds_of(
        lambda: [encode_word(list(w.encode()), tokenizer.ranks) for w in WORDS.findall(part)]
    )
    first, ids = seconds_of(tokenizer.encode, fresh)
    second, _ = seconds_of(tokenizer.encode, fresh)
    cutting, words = seconds_of(WORDS.findall, fresh)
    back, same = seconds_of(tokenizer.decode, ids)
    assert same == fresh, "the round trip lost something"
    seconds = {"every word anew": anew * megabytes / 0.3, "first time": first}
    for name, taken in (seconds | {"second time": second, "decode": back}).items():
        print(f"{name:16} {megabytes / taken:5.1f} MB/s")
    print(f"{len(words):,} words, {len(set(words)):,} of them distinct; ", end="")
    print(f"the pattern alone takes {cutting / second:.0%} of the second time")
    memory = peak_bytes(tokenizer.encode, part) / len(part.encode())
    print(f"memory while it runs: {memory:.0f} bytes per byte of text")


if __name__ == "__main__":
    analyze_encode()


# %%
def analyze_vocabulary():
    """Bytes per token by vocabulary, on the text that was learnt from and on another."""
    text = load_python_source(1_200_000)
    seen, fresh = text[:300_000], text[-100_000:]
    merges = BPETokenizer().train(text[:1_000_000], 4000).merges
    sizes, rates = [256, 400, 600, 1000, 2000, 4000], {"learnt from": [], "new": []}
    for size in sizes:
        tokenizer = BPETokenizer()
        tokenizer.set_merges(merges[: size - 256])
        for name, part in zip(rates, (seen, fresh), strict=True):
            rates[name].append(len(part.encode()) / len(tokenizer.encode(part)))
    fig, ax = plt.subplots(figsize=(5, 3))
    for marker, (name, values) in zip("os", rates.items(), strict=True):
        ax.semilogx(sizes, values, marker=marker, label=name)
    ax.set(xlabel="vocabulary", ylabel="bytes per token", ylim=(0, None))
    ax.set_xticks(sizes, [str(size) for size in sizes])
    ax.minorticks_off()
    ax.legend()
    at = dict(zip(sizes, rates["new"], strict=True))
    print("new text, bytes per token:", {size: round(rate, 2) for size, rate in at.items()})
    print(f"4,000 tokens instead of 1,000: {at[1000] / at[4000]:.0%} of the length")
    alt = f"Bytes per token against the vocabulary, logarithmic: up to {at[4000]:.1f} on new text"
    show(fig, alt=alt)


if __name__ == "__main__":
    analyze_vocabulary()


# %%
def analyze_languages():
    """The same sentence in five languages, cut by a tokenizer that learnt from Python's source."""
    tokenizer = BPETokenizer().train(load_python_source(1_000_000), 1000)
    for name, text in {
        "Python": "for cat in house: feed(cat)",
        "English": "The cat returned to its house.",
        "German": "Die Katze kehrte in ihr Haus zurück.",
        "Greek": "Η γάτα επέστρεψε στο σπίτι της.",
        "Japanese": "猫は家に帰りました。",
    }.items():
        ids = tokenizer.encode(text)
        show_tokens([tokenizer.tokens[i] for i in ids], caption=f"{name}: {len(ids)} tokens")
        each = len(ids) / len(text)
        print(f"{name:8} {len(text):2} characters, {len(ids):2} tokens: {each:.2f} a character")


if __name__ == "__main__":
    analyze_languages()

# %% [markdown]
r"""
Where does the time go? If the printed share of the pattern is near a half or above, your code is no longer what bounds `encode`: the rest is one look into a dictionary per word, and a list of ids. To be
faster still, one would have to leave Python's strings. The first time pays for each distinct word once, so the longer the text, the nearer it comes to the second.

A larger vocabulary saves less and less, for each new token is rarer than the one before; and each brings a row of weights, which must be learnt from few examples. What is
rare in the training text is cut to pieces, and whoever writes it pays per token: in money, in time, in room. It is so with large models too (Petrov et al., *Language model tokenizers introduce
unfairness between languages*, 2023).

## The whole module

A tokenizer for a text of several documents: learn, save, load, and read everything back.
"""


# %% nbgrader={"grade": true, "grade_id": "test-module-tokenization", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
def test_module():
    """Learn from two documents, save and load; nothing is lost on the way there and back."""
    documents = [load_python_source(20_000), "Η γάτα, 猫, and 👩\u200d🚀: cafe\u0301\r\n\t" * 3]
    text = "<|endoftext|>".join(documents)
    tokenizer = BPETokenizer(["<|endoftext|>"]).train(text, 400)
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/tokenizer.json"
        tokenizer.save(path)
        loaded = BPETokenizer.load(path)
    ids = tokenizer.encode(text, allowed_special="all")
    check_equal(lambda: loaded.encode(text, allowed_special="all").tolist(), ids.tolist())
    check_equal(lambda: loaded.decode(ids) == text, True)
    check_equal(lambda: (loaded.vocab_size, ids.tolist().count(399)), (400, 1))
    print(f"{len(text.encode()):,} bytes in {len(ids):,} tokens")
    ### BEGIN HIDDEN TESTS
    check_equal(lambda: len(ids) < 0.6 * len(text.encode()), True)
    check_equal(lambda: tokenizer.encode(text).tolist().count(399), 0)
    check_equal(lambda: tokenizer.decode(tokenizer.encode(text)) == text, True)
    characters = CharTokenizer().train(text)
    check_equal(lambda: characters.decode(characters.encode(documents[1])) == documents[1], True)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_module()

# %% [markdown]
r"""
**Question.** A model that was trained on tokens is asked how often the letter r stands in "strawberry", and is wrong, though it writes whole essays. What did it see of the word? Name one change
of the tokenizer that would help, and what it would cost.
"""

# %% [markdown] nbgrader={"grade": true, "grade_id": "q-letters", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
r"""
It saw two or three numbers, such as the tokens for " straw" and "berry", and no letter: that token 4,711 contains an r is nowhere in the input, so it has to be learnt, token by token, from texts that spell
words. With characters or bytes as tokens it would see every letter. But the sequence would be three or four times as long: as many more steps to compute, and as much less text in a context of fixed length.
"""

# %% [markdown]
r"""
**To think about.** Two tokenizers learn from the same text, yours with 1,000 tokens and a friend's with 4,000. Which of your merges does your friend have as well? Which line of `learn_merges` says so?

Your texts are rows of integers now, and integer 300 is not a little more than integer 299. **Module 11** gives each of them a place in space.
"""
