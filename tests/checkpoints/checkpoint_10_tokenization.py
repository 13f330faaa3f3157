"""A student can write any text as few numbers, and have the text back to the letter, words never met included."""

from tinytorch.text import BPETokenizer
from tito.lab import load_python_source


def test_texts_become_fewer_numbers_and_come_back():
    text = load_python_source(60_000)
    tokenizer = BPETokenizer().train(text[:40_000], vocab_size=512)
    for unseen in (text[40_000:], "def façade(größe): return '東京 🙂'"):
        ids = tokenizer.encode(unseen)
        assert tokenizer.decode(ids) == unseen
        assert max(ids) < 512
    assert len(tokenizer.encode(text[40_000:])) < 0.6 * len(text[40_000:].encode())
