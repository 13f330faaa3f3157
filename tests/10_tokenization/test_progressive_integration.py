"""Module 10 and the stack below it: what goes in comes out, and each merge is the best there is."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tinytorch.core.tensor import Tensor
from tinytorch.data.loader import DataLoader, TensorDataset
from tinytorch.text import BPETokenizer, CharTokenizer
from tinytorch.text.tokenization import (
    WORDS,
    Pairs,
    count_pairs,
    count_words,
    encode_word,
    learn_merges,
    merge,
    merge_everywhere,
    pop_best,
    split_special,
)

TEXTS = st.text(max_size=200)  # every character but lone surrogates
PIECES = st.sampled_from(
    [
        "a",
        "b",
        "ab",
        " ",
        "  ",
        "\n",
        "\r\n",
        "\t",
        "_",
        "7",
        "é",
        "e\u0301",
        "猫",
        "🐈",
        "👩\u200d🚀",
        "ß",
        "\u200f",
        "\x00",
    ]
)
MIXED = st.lists(PIECES, max_size=60).map("".join)  # alphabets, emoji and combining marks side by side
WORD_LISTS = st.lists(st.lists(st.integers(97, 99), max_size=12), min_size=1, max_size=8)
COUNTS = st.lists(st.integers(1, 9), min_size=8, max_size=8)

CORPUS = "the cat sat on the mat; die Katze saß da; η γάτα κάθισε; 猫が座った 🐈🐈\n    " * 3
TRAINED = BPETokenizer(["<|end|>", "<|end|>>"]).train(CORPUS, 330)


def assert_each_merge_was_the_best(merges, words, counts, most):
    """Each pair was the most frequent one, the smallest of equals; and nothing was left to merge at the end."""
    for new, pair in enumerate(merges, start=256):
        have = count_pairs(words, counts)
        assert have[pair] == max(have.values()) >= 2
        assert [other for other in have if have[other] == have[pair] and other < pair] == []
        words = [merge(word, pair, new) for word in words]
    if len(merges) < most:
        assert max(count_pairs(words, counts).values(), default=0) < 2


class TestPriorStackStillWorking:
    def test_a_tensor_refuses_to_be_an_index_of_tokens(self):
        assert Tensor([1, 2]).data.dtype == np.float32
        assert CharTokenizer().train("ab").encode("ab").dtype == np.intp


class TestModuleCore:
    @given(TEXTS | MIXED)
    def test_bytes_alone_write_every_text(self, text):
        tokenizer = BPETokenizer()
        ids = tokenizer.encode(text)
        assert ids.dtype == np.intp
        assert ids.tolist() == list(text.encode())
        assert tokenizer.decode(ids) == text

    @given(TEXTS | MIXED)
    def test_a_trained_tokenizer_loses_nothing(self, text):
        ids = TRAINED.encode(text)
        assert TRAINED.decode(ids) == text
        assert len(ids) <= len(text.encode())

    @given(MIXED.filter(bool), MIXED, st.integers(256, 300))
    def test_whatever_it_learnt_from_it_writes_everything(self, text, other, size):
        tokenizer = BPETokenizer().train(text, size)
        assert tokenizer.vocab_size <= size
        assert tokenizer.decode(tokenizer.encode(text + other)) == text + other

    @given(TEXTS.filter(bool))
    def test_characters_there_and_back(self, text):
        tokenizer = CharTokenizer().train(text)
        assert tokenizer.vocab_size == len(set(text))
        assert tokenizer.decode(tokenizer.encode(text)) == text

    @given(TEXTS | MIXED)
    def test_the_words_are_the_text(self, text):
        assert "".join(WORDS.findall(text)) == text

    @given(WORD_LISTS, COUNTS, st.integers(0, 20))
    def test_each_merge_is_the_best_there_is(self, words, counts, most):
        counts = counts[: len(words)]
        merges = learn_merges(words, counts, most)
        assert len(merges) <= most
        assert_each_merge_was_the_best(merges, words, counts, most)

    @given(WORD_LISTS, COUNTS)
    def test_the_books_are_right_after_every_merge(self, words, counts):
        books, new = Pairs(words, counts[: len(words)]), 256
        while (pair := pop_best(books.heap, books.totals)) is not None:
            merge_everywhere(books, pair, new)
            new += 1
            standing = {key: total for key, total in books.totals.items() if total}
            assert standing == count_pairs(books.words, books.counts)

    @given(WORD_LISTS, COUNTS)
    def test_a_word_of_the_training_text_is_cut_as_training_left_it(self, words, counts):
        pairs, ranks = Pairs(words, counts[: len(words)]), {}
        while (best := pop_best(pairs.heap, pairs.totals)) is not None:
            ranks[best] = 256 + len(ranks)
            merge_everywhere(pairs, best, ranks[best])
        assert [encode_word(word, ranks) for word in words] == pairs.words

    def test_training_twice_gives_the_same(self):
        again = BPETokenizer(["<|end|>", "<|end|>>"]).train(CORPUS, 330)
        assert again.merges == TRAINED.merges
        assert again.tokens == TRAINED.tokens

    def test_a_vocabulary_begins_with_every_smaller_one(self):
        assert BPETokenizer().train(CORPUS, 290).merges == BPETokenizer().train(CORPUS, 320).merges[:34]

    def test_no_token_crosses_a_word(self):
        for token in TRAINED.tokens[256 : 256 + len(TRAINED.merges)]:
            text = token.decode("utf-8", errors="ignore")
            assert len(WORDS.findall(text)) <= 1, token


class TestSpecialTokens:
    @given(st.lists(PIECES | st.sampled_from(["<|end|>", "<|end|>>"]), max_size=30).map("".join))
    def test_a_mark_is_made_only_where_it_is_allowed(self, text):
        first = 256 + len(TRAINED.merges)
        plain, marked = TRAINED.encode(text), TRAINED.encode(text, allowed_special="all")
        assert (plain < first).all()
        assert (marked >= first).sum() == len(split_special(text, TRAINED.special_tokens)) // 2
        assert TRAINED.decode(plain) == TRAINED.decode(marked) == text

    def test_one_of_two_may_be_allowed(self):
        ids = TRAINED.encode("<|end|><|end|>>", allowed_special=["<|end|>"]).tolist()
        first = 256 + len(TRAINED.merges)
        assert ids == [first, first, ord(">")]

    def test_no_merge_is_learnt_from_a_mark(self):
        tokenizer = BPETokenizer(["<|end|>"]).train("<|end|>" * 50 + "xyxy", 300)
        assert tokenizer.merges == [(120, 121), (256, 256)][: len(tokenizer.merges)]
        assert tokenizer.encode("<|end|>").tolist() == list(b"<|end|>")

    @given(st.lists(st.text("<>|.*a", min_size=1, max_size=4), max_size=4, unique=True), st.text("<>|.*a", max_size=20))
    def test_the_pieces_are_the_text_and_every_second_one_is_a_mark(self, marks, text):
        pieces = split_special(text, marks)
        assert "".join(pieces) == text
        assert set(pieces[1::2]) <= set(marks)
        assert not any(mark in piece for mark in marks for piece in pieces[::2])


class TestProgressiveStack:
    @settings(deadline=None, max_examples=20)
    @given(st.integers(1, 8), st.integers(0, 2**16))
    def test_ids_pass_a_data_loader_as_integers(self, batch, seed):
        ids = TRAINED.encode(CORPUS)
        rows = np.stack([ids[k : k + 5] for k in range(len(ids) - 4)])  # (N, 5)
        loader = DataLoader(TensorDataset(rows[:, :4], rows[:, 4]), batch, shuffle=True, generator=seed)
        for x, y in loader:
            assert x.dtype.kind == y.dtype.kind == "i"
            for row, target in zip(x, y, strict=True):
                assert TRAINED.decode([*row, target]) in CORPUS or "\ufffd" in TRAINED.decode([*row, target])

    def test_words_are_counted_over_several_texts(self):
        assert count_words("on and", " and on") == ([[111, 110], [32, 97, 110, 100], [32, 111, 110]], [1, 2, 1])
