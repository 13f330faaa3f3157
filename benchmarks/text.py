"""Byte-pair encoding on the source of the standard library, against the library `tokenizers` (Rust) on one thread."""

from typing import Any

from benchmarks.contenders import tokenizers_or_none
from benchmarks.harness import Steps, Workload
from tinytorch.text import BPETokenizer
from tinytorch.text.tokenization import WORDS
from tito.lab import load_python_source

SIZE, VOCABULARY = 1_000_000, 1000


def byte_characters() -> list[str]:
    """The character that stands for each byte in the library's byte-level vocabularies (GPT-2's table)."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return [chr(256 + others.index(byte)) if byte in others else chr(byte) for byte in range(256)]


def their_tokenizer(library: Any, ours: BPETokenizer) -> Any:
    """A tokenizer of theirs that cuts words as ours does, with our merges."""
    characters = byte_characters()
    names = ["".join(characters[byte] for byte in token) for token in ours.tokens]
    pairs = [(names[left], names[right]) for left, right in ours.merges]
    model = library.models.BPE(vocab={name: number for number, name in enumerate(names)}, merges=pairs)
    theirs = library.Tokenizer(model)
    before = library.pre_tokenizers
    words = before.Split(library.Regex(WORDS.pattern), "isolated")
    theirs.pre_tokenizer = before.Sequence([words, before.ByteLevel(add_prefix_space=False, use_regex=False)])
    return theirs


def train() -> Steps:
    """Both learn a vocabulary of 1,000 from 1 MB; a step returns its size."""
    text = load_python_source(SIZE)
    steps: Steps = {"tinytorch": lambda: BPETokenizer().train(text, VOCABULARY).vocab_size}
    if library := tokenizers_or_none():

        def theirs() -> int:
            tokenizer = their_tokenizer(library, BPETokenizer())
            alphabet = library.pre_tokenizers.ByteLevel.alphabet()
            trainer = library.trainers.BpeTrainer(
                vocab_size=VOCABULARY, min_frequency=2, initial_alphabet=alphabet, show_progress=False
            )
            tokenizer.train_from_iterator([text], trainer)
            return int(tokenizer.get_vocab_size())

        steps["tokenizers"] = theirs
    return steps


def encode(again: bool) -> Steps:
    """Both cut 1 MB that neither learnt from, with the same merges; a step returns the number of tokens."""
    text = load_python_source(2 * SIZE)
    fresh, ours = text[SIZE:], BPETokenizer().train(text[:SIZE], VOCABULARY)

    def tinytorch() -> int:
        if not again:
            ours.known.clear()
        return len(ours.encode(fresh))

    steps: Steps = {"tinytorch": tinytorch}
    if library := tokenizers_or_none():
        known = their_tokenizer(library, ours)

        def theirs() -> int:
            tokenizer = known if again else their_tokenizer(library, ours)
            return len(tokenizer.encode(fresh).ids)

        steps["tokenizers"] = theirs
    return steps


WORKLOADS = [
    Workload("BPE: learn 1,000 tokens from 1 MB, against tokenizers", 4, train, rounds=5, against="tokenizers"),
    Workload("BPE: encode 1 MB of new words (5 MB/s are 200 ms)", None, lambda: encode(False), 9, against="tokenizers"),
    Workload("BPE: encode 1 MB of known words", None, lambda: encode(True), 9, against="tokenizers"),
]
