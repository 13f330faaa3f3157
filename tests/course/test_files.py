"""Atomic writing."""

import os

import pytest

from tito import files
from tito.files import replace_folder, write_atomic


def test_text_and_bytes_are_written_and_folders_made(tmp_path):
    write_atomic(tmp_path / "a" / "b.txt", "grüße\n")
    assert (tmp_path / "a" / "b.txt").read_bytes() == "grüße\n".encode()
    write_atomic(tmp_path / "a" / "b.txt", b"\x00\xff")
    assert (tmp_path / "a" / "b.txt").read_bytes() == b"\x00\xff"
    assert os.listdir(tmp_path / "a") == ["b.txt"]


def test_a_crash_before_the_rename_keeps_the_old_file_and_leaves_no_litter(tmp_path, monkeypatch):
    path = tmp_path / "grades.csv"
    write_atomic(path, "old")

    def crash(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", crash)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["grades.csv"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_the_file_can_be_read_by_others(tmp_path):
    write_atomic(tmp_path / "a.txt", "x")
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("exchange", [files._exchange, lambda one, other: False], ids=["one step", "two renames"])
def test_a_folder_takes_the_place_of_another(tmp_path, monkeypatch, exchange):
    monkeypatch.setattr(files, "_exchange", exchange)
    for text in ("first", "second"):
        fresh = tmp_path / "fresh"
        write_atomic(fresh / f"{text}.txt", text)
        replace_folder(fresh, tmp_path / "public" / "kit")
        assert [path.name for path in tmp_path.rglob("*")] == ["public", "kit", f"{text}.txt"]
