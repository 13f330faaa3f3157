"""What is no text, no id, no tokenizer file: a clear error, and nothing has changed."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinytorch.core.tensor import Tensor
from tinytorch.text import BPETokenizer, CharTokenizer


@pytest.fixture
def trained():
    return BPETokenizer(["<|end|>"]).train("banana bandana banana", 260)


@pytest.fixture
def saved(trained, tmp_path):
    path = tmp_path / "tokenizer.json"
    trained.save(path)
    return path


@pytest.mark.parametrize("tokenizer", [BPETokenizer(), CharTokenizer().train("ab")], ids=["bpe", "char"])
class TestTextsAndIds:
    @pytest.mark.parametrize("text", ["\ud83d", "\udc08", "\udc08\ud83d", "\ud83d\ud83d"])
    @given(before=st.text("ab", max_size=5))
    def test_half_of_a_surrogate_pair_is_refused_with_its_place(self, tokenizer, text, before):
        with pytest.raises(ValueError, match=rf"at place {len(before)} is half of a surrogate pair"):
            tokenizer.encode(before + text + "a")

    @pytest.mark.parametrize("text", [b"ab", None, 7, ["a"]])
    def test_what_is_no_str_is_refused(self, tokenizer, text):
        with pytest.raises(TypeError, match=rf"a text is a str, not {type(text).__name__}"):
            tokenizer.encode(text)

    @pytest.mark.parametrize(
        "ids", [[1.0], np.float32([0, 1]), Tensor([1.0]), ["a"], [True], [None]], ids=lambda ids: str(ids)
    )
    def test_what_is_no_integer_is_refused(self, tokenizer, ids):
        with pytest.raises(TypeError, match="token ids are integers, not"):
            tokenizer.decode(ids)

    @pytest.mark.parametrize("ids", [5, [[0, 1], [1, 0]], np.zeros((0, 3), int)])
    def test_one_row_at_a_time(self, tokenizer, ids):
        with pytest.raises(ValueError, match=r"one row of ids, shape \(T,\), not \("):
            tokenizer.decode(ids)

    @pytest.mark.parametrize("wrong", [-1, -256, 256, 2**40])
    def test_an_unknown_id_is_named_with_its_place(self, tokenizer, wrong):
        with pytest.raises(ValueError, match=rf"there is no token {wrong}, at place 2"):
            tokenizer.decode([0, 1, wrong, wrong])

    def test_nothing_becomes_nothing(self, tokenizer):
        assert tokenizer.encode("").shape == (0,)
        assert tokenizer.encode("").dtype == np.intp
        assert tokenizer.decode([]) == tokenizer.decode(np.zeros(0, np.int32)) == ""


def test_an_unknown_character_is_named_with_its_place():
    with pytest.raises(ValueError, match="unknown character '猫' at place 3"):
        CharTokenizer().train("ab").encode("aba猫b猫")


def test_an_untrained_character_tokenizer_knows_none():
    assert CharTokenizer().vocab_size == 0
    with pytest.raises(ValueError, match="unknown character 'a' at place 0"):
        CharTokenizer().encode("a")


@pytest.mark.parametrize(
    ("size", "error", "says"),
    [
        (256, ValueError, "257 at least"),
        (0, ValueError, "no room for 256 bytes and 1 special"),
        (-5, ValueError, "no room"),
        (300.0, TypeError, "a whole number, not 300.0"),
        ("300", TypeError, "a whole number"),
        (True, TypeError, "a whole number"),
    ],
)
def test_a_vocabulary_without_room_changes_nothing(trained, size, error, says):
    before = list(trained.merges)
    with pytest.raises(error, match=says):
        trained.train("xyxyxy", size)
    assert trained.merges == before


@pytest.mark.parametrize("text", [b"bytes", "a\ud800"])
def test_what_is_no_text_is_not_learnt_from(trained, text):
    before = list(trained.merges)
    with pytest.raises((TypeError, ValueError)):
        trained.train(text, 300)
    assert trained.merges == before
    with pytest.raises((TypeError, ValueError)):
        CharTokenizer().train(text)


def test_a_vocabulary_of_bytes_is_no_error():
    assert BPETokenizer().train("aaaa", 256).merges == []
    assert BPETokenizer().train("", 300).merges == []


def test_a_word_of_a_megabyte_does_not_stop_the_machine(trained):
    text = "ba" * 500_000
    assert trained.decode(trained.encode(text)) == text


@pytest.mark.parametrize(
    ("marks", "error", "says"),
    [
        ({"<a>", "<b>"}, TypeError, "a set has no order"),
        ("<|end|>", TypeError, r"write \['<|end|>'\]"),
        ([""], ValueError, "not empty"),
        (["<a>", "<a>"], ValueError, "distinct"),
        ([b"<a>"], TypeError, "a text is a str"),
        (["\ud800"], ValueError, "surrogate"),
    ],
)
def test_marks_that_are_none(marks, error, says):
    with pytest.raises(error, match=says):
        BPETokenizer(marks)


@pytest.mark.parametrize("allowed", ["<|end|>", ["<|start|>"], "none"])
def test_only_own_marks_can_be_allowed(trained, allowed):
    with pytest.raises(ValueError, match=r"allowed_special is a list|are no special tokens of this tokenizer"):
        trained.encode("a", allowed_special=allowed)


class TestFiles:
    def test_there_and_back(self, trained, saved):
        loaded = BPETokenizer.load(str(saved))
        assert loaded.merges == trained.merges
        assert loaded.special_tokens == ["<|end|>"]
        assert loaded.encode("bananas<|end|>", "all").tolist() == trained.encode("bananas<|end|>", "all").tolist()
        assert [path.name for path in saved.parent.iterdir()] == [saved.name]

    def test_a_file_that_cannot_be_finished_leaves_the_old_one(self, saved, monkeypatch):
        before = saved.read_bytes()

        def fail(*args):
            raise OSError("no space left")

        monkeypatch.setattr("os.replace", fail)
        with pytest.raises(OSError, match="no space left"):
            BPETokenizer().save(saved)
        assert saved.read_bytes() == before

    def test_a_missing_file_says_so_itself(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            BPETokenizer.load(tmp_path / "nothing.json")

    @pytest.mark.parametrize("version", [0, 2, "1", None, 1.5])
    def test_another_version_is_named(self, saved, version):
        saved.write_text(json.dumps(json.loads(saved.read_text()) | {"version": version}))
        with pytest.raises(ValueError, match=r"tokenizer.json has version .*reads version 1"):
            BPETokenizer.load(saved)

    @pytest.mark.parametrize(
        "content", [b"", b"{", b"[]", b"null", b"{}", b"\xff\xfe", b"[" * 100_000, b'{"format": 1}']
    )
    def test_what_is_no_tokenizer(self, saved, content):
        saved.write_bytes(content)
        with pytest.raises(ValueError, match=r"tokenizer.json is no saved tokenizer"):
            BPETokenizer.load(saved)

    @given(st.data())
    def test_no_cut_file_is_read(self, tmp_path_factory, data):
        path = tmp_path_factory.mktemp("cut") / "tokenizer.json"
        BPETokenizer(["<|end|>"]).train("banana bandana banana", 260).save(path)
        whole = path.read_bytes()
        path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 2))])
        with pytest.raises(ValueError, match="no saved tokenizer"):
            BPETokenizer.load(path)

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"merges": None}, "not both lists"),
            ({"special_tokens": {}}, "not both lists"),
            ({"special_tokens": ["", "a"]}, "not empty"),
            ({"special_tokens": [1]}, "a text is a str"),
            ({"merges": [[97, 98], [97]]}, "merge 1 is no pair"),
            ({"merges": [7]}, "merge 0 is no pair"),
            ({"merges": [[97, 256]]}, r"merge 0 joins \[97, 256\]"),
            ({"merges": [[97, -1]]}, "merge 0 joins"),
            ({"merges": [[97, 98.0]]}, "merge 0 joins"),
            ({"merges": [[97, True]]}, "merge 0 joins"),
            ({"merges": [[97, 98], [97, 98]]}, "merged twice"),
        ],
    )
    def test_damage_is_described(self, saved, change, says):
        saved.write_text(json.dumps(json.loads(saved.read_text()) | change))
        with pytest.raises(ValueError, match=rf"tokenizer.json is damaged: .*{says}"):
            BPETokenizer.load(saved)
