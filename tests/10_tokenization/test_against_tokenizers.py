"""Merges and ids against the `tokenizers` library, where its rules are ours: ties go to the pair of smaller ids."""

import sysconfig
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinytorch.text import BPETokenizer
from tinytorch.text.tokenization import WORDS, encode_word, learn_merges

tokenizers = pytest.importorskip("tokenizers")

FIRST = 0x4E00  # byte b travels as character FIRST + b, so that the library numbers bytes as we do
ALPHABET = [chr(FIRST + byte) for byte in range(256)]
WORD_LISTS = st.lists(st.lists(st.integers(97, 100), min_size=1, max_size=12), min_size=1, max_size=12)


def spelled(word):
    """The bytes of a word as the library's characters."""
    return "".join(ALPHABET[byte] for byte in word)


def their_tokenizer(merges=()):
    """A BPE of theirs over our bytes and merges; words are what stands between spaces."""
    names = list(ALPHABET)
    for left, right in merges:
        names.append(names[left] + names[right])
    vocabulary = {name: number for number, name in enumerate(names)}
    pairs = [(names[left], names[right]) for left, right in merges]
    theirs = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=vocabulary, merges=pairs))
    theirs.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    return theirs


def their_merges(words, most):
    """The pairs that they merge, as ids."""
    import json

    theirs = their_tokenizer()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=256 + most, min_frequency=2, initial_alphabet=ALPHABET, show_progress=False
    )
    theirs.train_from_iterator([" ".join(map(spelled, words))], trainer)
    vocabulary = theirs.get_vocab()
    merges = json.loads(theirs.to_str())["model"]["merges"]
    assert [vocabulary[character] for character in ALPHABET] == list(range(256))
    return [(vocabulary[left], vocabulary[right]) for left, right in merges]


@settings(deadline=None)
@given(WORD_LISTS, st.integers(0, 12))
def test_the_same_merges_with_the_same_ties(words, most):
    assert learn_merges(words, [1] * len(words), most) == their_merges(words, most)


@settings(deadline=None)
@given(WORD_LISTS, st.lists(st.integers(97, 100), min_size=1, max_size=30))
def test_a_new_word_is_cut_alike(words, word):
    merges = learn_merges(words, [1] * len(words), 20)
    ranks = {pair: 256 + k for k, pair in enumerate(merges)}
    assert encode_word(word, ranks) == their_tokenizer(merges).encode(spelled(word)).ids


def test_the_same_vocabulary_and_ids_on_real_text():
    text = (Path(sysconfig.get_path("stdlib")) / "argparse.py").read_text(encoding="utf-8")
    ours = BPETokenizer().train(text, 1000)
    words = [word.encode() for word in WORDS.findall(text)]
    assert ours.merges == their_merges(words, 744)
    assert ours.encode(text).tolist() == their_tokenizer(ours.merges).encode(" ".join(map(spelled, words))).ids
