"""Zips in an inbox: of a class, of a student, inside each other, and such as should not be."""

import stat
import struct
import zipfile
from zoneinfo import ZoneInfo

import pytest
from inboxes import content, make_zip, put, stamp

from tito.engine.reading import MAX_BYTES
from tito.grading.collect import archives, collect
from tito.grading.collect import inbox as walk

KIT = {"tinytorch-kit/nbgrader_config.py": "", "tinytorch-kit/README.md": "r", "tinytorch-kit/tito/cli.py": ""}


def zipped(tmp_path, files, **options):
    return make_zip(tmp_path / "inner" / "x.zip", files, **options).read_bytes()


def left(report):
    return {entry.label: entry.reason for entry in report.left_over}


def test_zip_of_a_class_and_zips_of_students(empty, inbox):
    make_zip(inbox.with_suffix(".zip"), {"ann/tensor.ipynb": "A", "bob_tensor.ipynb": "B"})
    assert collect(empty, inbox.with_suffix(".zip")).taken == [("ann", "01_tensor"), ("bob", "01_tensor")]
    make_zip(inbox / "cat.zip", {"01_tensor/tensor.ipynb": "C", "work/02_activations/activations.ipynb": "D"})
    assert collect(empty, inbox).taken == [("cat", "01_tensor"), ("cat", "02_activations")]
    assert content(empty, "cat", "02_activations") == "D"


def test_one_students_zip_as_the_inbox(empty, tmp_path):
    assert collect(empty, make_zip(tmp_path / "ann.zip", {"tensor.ipynb": "A"})).taken == [("ann", "01_tensor")]


@pytest.mark.parametrize("top", ["tinytorch-kit", "my things"])
def test_two_zipped_kits_do_not_collide(empty, inbox, top):
    for student in ("ann", "bob"):
        make_zip(inbox / f"{student}.zip", {f"{top}/work/01_tensor/tensor.ipynb": student})
    report = collect(empty, inbox)
    if top == "my things":
        assert (report.taken, len(report.left_over)) == ([], 2), "without a roster it may be the name of a student"
    else:
        assert [content(empty, student) for student in ("ann", "bob")] == ["ann", "bob"]


def test_with_a_roster_the_owner_of_a_kit_is_who_is_named_around_it(rostered, inbox, tmp_path):
    kit = zipped(tmp_path, {"my things/work/01_tensor/tensor.ipynb": "K"})
    make_zip(inbox / "ada.zip", {"my things/work/01_tensor/tensor.ipynb": "A"})
    put(inbox, "Jane Doe_1_assignsubmission_file_/tinytorch-kit.zip", kit)
    make_zip(inbox / "submissions.zip", {"obrienben_102_5_tinytorch-kit.zip": kit})
    assert [s for s, _ in collect(rostered, inbox).taken] == ["ada", "ben", "jdoe"]
    assert [content(rostered, s) for s in ("ada", "ben", "jdoe")] == ["A", "K", "K"]


def test_the_rest_of_a_kit_is_left_aside(empty, inbox):
    empty.release.joinpath("02_activations").mkdir(parents=True)
    empty.release.joinpath("02_activations", "activations.ipynb").write_text("blank")
    notebooks = {
        "work/01_tensor/tensor.ipynb": "mine",
        "release/01_tensor/tensor.ipynb": "blank 1",
        "release/02_activations/activations.ipynb": "blank",
        "release/03_layers/layers.ipynb": "written in the wrong place?",
        "work/01_tensor/scratch.ipynb": "{}",
    }
    make_zip(inbox / "ann.zip", KIT | {f"tinytorch-kit/{name}": text for name, text in notebooks.items()})
    report = collect(empty, inbox)
    assert (report.taken, content(empty, "ann")) == ([("ann", "01_tensor")], "mine")
    assert set(left(report)) == {
        "ann.zip: tinytorch-kit/release/03_layers/layers.ipynb",
        "ann.zip: tinytorch-kit/work/01_tensor/scratch.ipynb",
    }
    assert len(report.listed) == 7


def test_zip_slip(empty, inbox):
    names = ["../../evil/tensor.ipynb", "/evil/tensor.ipynb", "..\\evil\\tensor.ipynb", "a/../../tensor.ipynb"]
    names += ["C:/evil/tensor.ipynb", "C:\\evil\\tensor.ipynb"]
    make_zip(inbox / "x.zip", dict.fromkeys(names, "E"))
    report = collect(empty, inbox)
    assert report.taken == []
    assert list(left(report).values()) == ["its name points outside of the zip"] * 6
    assert not empty.submitted.exists()


def test_dates_are_read_in_the_zone_that_is_named(empty, inbox):
    make_zip(inbox / "ann.zip", {"tensor.ipynb": "A"}, (2026, 7, 1, 12, 0, 0))
    collect(empty, inbox, zone=ZoneInfo("Asia/Tokyo"))
    assert stamp(empty, "ann") == "2026-07-01 03:00:00.000000 UTC"


def test_without_a_zone_dates_are_this_computers(empty, inbox, monkeypatch):
    import time

    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        make_zip(inbox / "ann.zip", {"tensor.ipynb": "A"}, (2026, 7, 1, 12, 0, 0))
        collect(empty, inbox)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert stamp(empty, "ann") == "2026-07-01 16:00:00.000000 UTC"


def with_raw_date(data, date):
    """The zip with other bits where its only entry has time and date, in both headers."""
    raw = bytearray(data)
    for signature, offset in ((b"PK\x03\x04", 10), (b"PK\x01\x02", 12)):
        struct.pack_into("<I", raw, raw.index(signature) + offset, date)
    return bytes(raw)


@pytest.mark.parametrize("date", [0, 0xFFFFFFFF, 0x00210000], ids=["zero", "month 15", "1 January 1980"])
def test_impossible_dates_stop_nobody_and_count_as_the_zips_own(empty, inbox, tmp_path, date):
    put(inbox, "ann.zip", with_raw_date(zipped(tmp_path, {"tensor.ipynb": "A"}), date))
    make_zip(inbox / "bob.zip", {"tensor.ipynb": "B"})
    assert [s for s, _ in collect(empty, inbox).taken] == ["ann", "bob"]
    assert stamp(empty, "ann") == "2023-11-14 22:13:20.000000 UTC"


def test_zips_in_zips_are_opened_up_to_a_depth(empty, inbox, tmp_path):
    data = zipped(tmp_path, {"tensor.ipynb": "deep"})
    for _ in range(archives.MAX_DEPTH):
        data = zipped(tmp_path, {"submission.zip": data})
    put(inbox, "ann.zip", data)
    assert collect(empty, inbox).taken == [("ann", "01_tensor")]
    put(inbox, "bob.zip", zipped(tmp_path, {"submission.zip": data}))
    report = collect(empty, inbox)
    assert report.taken == []
    assert list(left(report).values()) == ["a zip inside 4 others is not opened"]


def test_the_number_and_the_size_of_inner_zips_are_bounded(empty, inbox, tmp_path, monkeypatch):
    inner = zipped(tmp_path, {"tensor.ipynb": "A" * 400})
    monkeypatch.setattr(walk, "MAX_INNER", 2)
    make_zip(inbox / "class.zip", {f"s{n}/x.zip": inner for n in range(3)})
    assert left(collect(empty, inbox)) == {"class.zip: s2/x.zip": "more than 2 zips inside one"}
    monkeypatch.setattr(archives, "MAX_INNER_BYTES", 100)
    monkeypatch.setattr(archives, "CHUNK", 64)
    assert set(left(collect(empty, inbox)).values()) >= {"it has more than 0 MB"}


def test_the_number_of_files_in_a_zip_is_bounded(empty, inbox, monkeypatch):
    monkeypatch.setattr(archives, "MAX_ENTRIES", 3)
    make_zip(inbox / "ann.zip", {"tensor.ipynb": "A", "b": "", "c": ""})
    make_zip(inbox / "bob.zip", {"tensor.ipynb": "B", "b": "", "c": "", "d": ""})
    report = collect(empty, inbox)
    assert report.taken == [("ann", "01_tensor")]
    assert left(report)["bob.zip"] == "it holds more than 3 files"


def test_of_a_file_that_says_it_is_small_only_5_mb_are_unpacked(empty, inbox, monkeypatch):
    """zipfile itself stops at the size that is written down; the limit must hold when it does not."""
    asked = []

    class Endless:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def read(self, size=-1):
            asked.append(size)
            return b"0" * size

    make_zip(inbox / "ann.zip", {"tensor.ipynb": "A"})
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_: Endless())
    assert left(collect(empty, inbox))["ann.zip: tensor.ipynb"].endswith("it unpacks to more than it says")
    assert asked == [MAX_BYTES + 1]


def test_a_link_in_a_zip_is_refused(empty, inbox):
    with zipfile.ZipFile(inbox / "ann.zip", "w") as archive:
        for name in ("tensor.ipynb", "folder.zip"):
            link = zipfile.ZipInfo(name, (2026, 10, 1, 12, 0, 0))
            link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
            archive.writestr(link, "/etc/passwd")
    report = collect(empty, inbox)
    assert "symbolic link" in left(report)["ann.zip: tensor.ipynb"]
    assert "ann.zip: folder.zip" in left(report)
    assert "/etc/passwd" not in content(empty, "ann")


def test_entries_of_one_name_are_all_looked_at(empty, inbox):
    with zipfile.ZipFile(inbox / "ann.zip", "w") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        for text in ("first", "second"):
            archive.writestr(zipfile.ZipInfo("tensor.ipynb", (2026, 10, 1, 12, 0, 0)), text)
    report = collect(empty, inbox)
    assert content(empty, "ann") == "first"
    assert [path.read_text() for path in empty.history.rglob("*.ipynb")] == ["second"]
    assert list(left(report)) == ["ann.zip: tensor.ipynb (entry 2 of this name)"]


def damaged(data):
    place = data.index(b"the content")
    return data[:place] + b"THE" + data[place + 3 :]


def encrypted(data):
    raw = bytearray(data)
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.index(signature) + offset] |= 1
    return bytes(raw)


def unknown_method(data):
    raw = bytearray(data)
    for signature, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        raw[raw.index(signature) + offset] = 99
    return bytes(raw)


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (damaged, "it cannot be unpacked (Bad CRC-32"),
        (encrypted, "it is locked with a password"),
        (unknown_method, "it cannot be unpacked (That compression"),
    ],
)
def test_a_damaged_member_is_listed_and_costs_nobody_else(empty, inbox, tmp_path, harm, reason):
    put(inbox, "ann.zip", harm(zipped(tmp_path, {"tensor.ipynb": "the content"})))
    make_zip(inbox / "bob.zip", {"tensor.ipynb": "B"})
    report = collect(empty, inbox)
    assert ("bob", "01_tensor") in report.taken
    assert f"ann, 01_tensor: {reason}" in left(report)["ann.zip: tensor.ipynb"]


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 nonsense", b"Rar!\x1a\x07\x00"])
def test_a_damaged_zip_is_listed(empty, inbox, data):
    put(inbox, "bad.zip", data)
    assert "it is not a readable zip" in left(collect(empty, inbox))["bad.zip"]


def test_few_zips_are_open_at_a_time(empty, inbox, monkeypatch):
    for number in range(3 * archives.KEPT_OPEN):
        make_zip(inbox / f"s{number}.zip", {"tensor.ipynb": str(number)})
    most = []
    close = archives.Archives._close_oldest
    monkeypatch.setattr(archives.Archives, "_close_oldest", lambda self: (most.append(len(self._open)), close(self)))
    assert len(collect(empty, inbox).taken) == 3 * archives.KEPT_OPEN
    assert max(most) == archives.KEPT_OPEN + 1
