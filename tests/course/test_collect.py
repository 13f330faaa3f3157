"""An inbox becomes `submitted/`: the newest counts, every other byte is kept or listed, twice is as once."""

import errno
import itertools
import json
import os
from datetime import UTC, datetime

import pytest
from inboxes import content, earlier, make_zip, put, snapshot, stamp
from mini import TENSOR_MODULE

from tito.commands.report import report
from tito.engine.reading import MAX_BYTES, Unreadable, parse_submission
from tito.errors import CourseError
from tito.grading.collect import collect
from tito.grading.collect.batch import Batch
from tito.grading.collect.listing import left_over
from tito.grading.lock import alone


def reasons(report):
    return {entry.label: entry.reason for entry in report.listed}


def test_folder(empty, inbox):
    put(inbox, "ann/tensor.ipynb", "A")
    put(inbox, "bob/01_tensor/tensor.ipynb", "B")
    put(inbox, "cat_tensor.ipynb", "C")
    put(inbox, "readme.txt")
    report = collect(empty, inbox)
    assert report.taken == [("ann", "01_tensor"), ("bob", "01_tensor"), ("cat", "01_tensor")]
    assert reasons(report) == {"readme.txt": "it is not a notebook"}
    assert [content(empty, s) for s in ("ann", "bob", "cat")] == ["A", "B", "C"]
    assert stamp(empty, "ann") == "2023-11-14 22:13:20.000000 UTC"


def test_the_newest_counts_the_other_is_kept_and_a_second_collect_changes_nothing(empty, inbox):
    put(inbox, "ann/tensor.ipynb", "old", 1_700_000_000)
    put(inbox, "ann_tensor.ipynb", "new", 1_700_000_500)
    report = collect(empty, inbox)
    assert reasons(report) == {"ann/tensor.ipynb": "ann_tensor.ipynb is newer; this one is kept in the history"}
    assert report.left_over == []
    assert (content(empty, "ann"), earlier(empty, "ann")) == ("new", ["old"])
    before = snapshot(empty)
    again = collect(empty, inbox)
    assert (again.taken, again.known) == ([], [("ann", "01_tensor")])
    assert snapshot(empty) == before
    put(inbox, "ann/tensor.ipynb", "newest", 1_700_000_900)
    assert collect(empty, inbox).taken == [("ann", "01_tensor")]
    assert (content(empty, "ann"), earlier(empty, "ann")) == ("newest", ["old", "new"])


@pytest.mark.parametrize("date", [0, 1_700_000_000])
def test_other_bytes_with_the_same_date_are_a_new_submission(empty, inbox, date):
    put(inbox, "ann/tensor.ipynb", "first", date)
    collect(empty, inbox)
    put(inbox, "ann/tensor.ipynb", "second", date)
    assert collect(empty, inbox).taken == [("ann", "01_tensor")]
    assert (content(empty, "ann"), earlier(empty, "ann")) == ("second", ["first"])
    put(inbox, "ann/tensor.ipynb", "first", date)
    assert collect(empty, inbox).known == [("ann", "01_tensor")], "an inbox that was collected before"
    assert content(empty, "ann") == "second"


def test_the_same_bytes_with_another_date_are_here_already(empty, inbox):
    put(inbox, "ann/tensor.ipynb", "same", 1_700_000_000)
    collect(empty, inbox)
    before = snapshot(empty)
    put(inbox, "ann/tensor.ipynb", "same", 1_700_009_999)
    assert collect(empty, inbox).known == [("ann", "01_tensor")]
    assert snapshot(empty) == before


def test_a_tie_in_one_inbox_goes_to_the_first_by_name_and_the_other_is_kept_and_told(empty, inbox):
    put(inbox, "ann_tensor.ipynb", "by name second")
    put(inbox, "ann/tensor.ipynb", "by name first")
    for _ in range(2):
        report = collect(empty, inbox)
        assert content(empty, "ann") == "by name first"
        assert earlier(empty, "ann") == ["by name second"]
        (entry,) = report.left_over
        assert (entry.label, "same date as ann/tensor.ipynb" in entry.reason) == ("ann_tensor.ipynb", True)


def test_an_older_file_of_a_later_inbox_is_kept_and_replaces_nothing(empty, inbox):
    put(inbox, "ann/tensor.ipynb", "new", 1_700_000_500)
    collect(empty, inbox)
    put(inbox, "ann/tensor.ipynb", "old", 1_700_000_000)
    report = collect(empty, inbox)
    assert "has handed in a newer 01_tensor" in reasons(report)["ann/tensor.ipynb"]
    assert (content(empty, "ann"), earlier(empty, "ann")) == ("new", ["old"])


def test_going_back_to_an_earlier_version_counts(empty, inbox):
    for time, text in enumerate(("one", "two", "one"), 1_700_000_000):
        put(inbox, "ann/tensor.ipynb", text, time)
        assert collect(empty, inbox).taken == [("ann", "01_tensor")]
    assert (content(empty, "ann"), earlier(empty, "ann")) == ("one", ["two"])


REPLACE = os.replace


class Killed(BaseException):
    """As if the machine stopped."""


@pytest.mark.parametrize("history", [("one", "two"), ("one", "two", "one")], ids=["replace", "go back"])
def test_a_kill_at_any_write_is_put_right_by_running_again(empty, inbox, monkeypatch, history):
    """Whatever was written when it stopped, nothing is lost, and the second run ends where one alone would have."""
    for stop in itertools.count():
        student = f"s{stop}"
        for time, text in enumerate(history, 1_700_000_000):
            put(inbox, f"{student}/tensor.ipynb", text, time)
            left = iter(range(stop))

            def replace_until_killed(fresh, path, left=left):
                if next(left, None) is None:
                    raise Killed
                REPLACE(fresh, path)

            is_last = time == 1_700_000_000 + len(history) - 1
            monkeypatch.setattr(os, "replace", replace_until_killed if is_last else REPLACE)
            try:
                collect(empty, inbox)
                was_killed = False
            except Killed:
                was_killed = True
        saved = [p.read_text() for p in empty.submitted.rglob("*.ipynb") if student in p.parts]
        assert set(history[:-1]) <= set(saved)
        monkeypatch.setattr(os, "replace", REPLACE)
        collect(empty, inbox)
        assert content(empty, student) == history[-1]
        assert earlier(empty, student) == [text for text in history[:-1] if text != history[-1]]
        assert stamp(empty, student) == f"2023-11-14 22:13:2{len(history) - 1}.000000 UTC"
        if not was_killed:
            break
    assert stop == 4, "history, time stamp, notebook; and the list of what is left over"


def test_a_class_is_written_with_one_sync(empty, inbox, monkeypatch):
    """One fsync for each file takes a minute for a class of 300 with nine modules."""
    for student in range(20):
        put(inbox, f"s{student}/tensor.ipynb", f"{student}")
    calls = []
    for name in ("sync", "fsync"):
        monkeypatch.setattr(os, name, lambda *_, name=name: calls.append(name))
    assert len(collect(empty, inbox).taken) == 20
    assert calls == ["sync", "fsync"], "the submissions together, then the list of what is left over"


def test_what_a_killed_collect_left_half_written_is_removed_by_the_next(empty, inbox):
    put(inbox, "ada/tensor.ipynb", "new")
    put(empty.submitted, ".incoming/7", "half of a noteb")
    collect(empty, inbox)
    assert sorted(snapshot(empty)) == ["submitted/ada/01_tensor/tensor.ipynb", "submitted/ada/01_tensor/timestamp.txt"]
    assert not (empty.submitted / ".incoming").exists()


def test_a_disk_that_fills_up_changes_nothing(empty, inbox, monkeypatch):
    put(inbox, "ada/tensor.ipynb", "one", 1_700_000_000)
    collect(empty, inbox)
    before = snapshot(empty)
    put(inbox, "ada/tensor.ipynb", "two", 1_700_000_001)
    put(inbox, "ben/tensor.ipynb", "three")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "sync", full)
    with pytest.raises(OSError, match="No space"):
        collect(empty, inbox)
    assert snapshot(empty) == before


def test_a_submission_without_a_readable_time_stamp_is_kept_when_it_is_replaced(empty, inbox):
    put(empty.submitted, "ann/01_tensor/tensor.ipynb", "by hand")
    put(empty.submitted, "ann/01_tensor/timestamp.txt", "")
    put(inbox, "ann/tensor.ipynb", "new")
    assert collect(empty, inbox).taken == [("ann", "01_tensor")]
    assert (content(empty, "ann"), earlier(empty, "ann")) == ("new", ["by hand"])


def test_an_empty_file_is_a_submission_like_any_other(empty, inbox):
    put(inbox, "ann/tensor.ipynb", "")
    assert collect(empty, inbox).taken == [("ann", "01_tensor")]
    put(inbox, "ann/tensor.ipynb", "more")
    collect(empty, inbox)
    assert (content(empty, "ann"), earlier(empty, "ann")) == ("more", [""])


@pytest.mark.parametrize("date", [2**40, 253_402_300_800])
def test_a_date_in_the_future_is_now_so_that_the_next_hand_in_is_newer(empty, inbox, date):
    path = put(inbox, "ann/tensor.ipynb", "from the future")
    try:
        os.utime(path, (date, date))
    except (OSError, OverflowError):
        pytest.skip("this file system has no such date")
    collect(empty, inbox)
    handed_in = datetime.strptime(stamp(empty, "ann"), "%Y-%m-%d %H:%M:%S.%f UTC").replace(tzinfo=UTC)
    assert abs((datetime.now(UTC) - handed_in).total_seconds()) < 60
    put(inbox, "ann/tensor.ipynb", "next", datetime.now(UTC).timestamp())
    collect(empty, inbox)
    assert content(empty, "ann") == "next"


def refusal(course, student):
    with pytest.raises(Unreadable) as refused:
        parse_submission(content(course, student).encode())
    return str(refused.value)


def test_refused_files_are_unreadable_not_missing(empty, inbox):
    (inbox / "big").mkdir()
    with (inbox / "big" / "tensor.ipynb").open("wb") as file:
        file.truncate(100 * 1000 * 1000)
    put(inbox, "secret")
    (inbox / "link_tensor.ipynb").symlink_to(inbox / "secret")
    make_zip(inbox / "bomb.zip", {"tensor.ipynb": b"0" * (MAX_BYTES + 1)})
    report = collect(empty, inbox)
    assert (report.taken, report.known) == ([], [])
    assert {"big/tensor.ipynb", "link_tensor.ipynb", "bomb.zip: tensor.ipynb"} <= {e.label for e in report.left_over}
    assert refusal(empty, "big").startswith("the file has 100.0 MB")
    assert "symbolic link" in refusal(empty, "link")
    assert "the limit is" in refusal(empty, "bomb")
    before = snapshot(empty)
    assert collect(empty, inbox).taken == []
    assert snapshot(empty) == before


def test_a_refused_file_replaces_nothing_and_whatever_comes_replaces_its_note(empty, inbox):
    put(inbox, "ann/tensor.ipynb", "good", 1_700_000_000)
    put(inbox, "bob/tensor.ipynb", b"0" * (MAX_BYTES + 1), 1_700_000_500)
    collect(empty, inbox)
    put(inbox, "ann/tensor.ipynb", b"0" * (MAX_BYTES + 1), 1_700_000_500)
    put(inbox, "bob/tensor.ipynb", "good", 1_700_000_000)
    assert [entry.label for entry in collect(empty, inbox).left_over] == ["ann/tensor.ipynb"]
    assert [content(empty, student) for student in ("ann", "bob")] == ["good", "good"]
    assert earlier(empty, "bob") == []


def test_linked_folders_are_not_followed(empty, inbox, tmp_path):
    put(tmp_path, "elsewhere/tensor.ipynb")
    (inbox / "ann").symlink_to(tmp_path / "elsewhere")
    report = collect(empty, inbox)
    assert (report.taken, [entry.label for entry in report.left_over]) == ([], ["ann"])


def test_hidden_files_are_left_aside_and_other_packers_are_named(empty, inbox):
    for name in (".DS_Store", "ann/.ipynb_checkpoints/tensor-checkpoint.ipynb", "__MACOSX/ann/._tensor.ipynb"):
        put(inbox, name)
    put(inbox, "ann.rar")
    report = collect(empty, inbox)
    assert (report.taken, len(report.listed)) == ([], 4)
    assert [(entry.label, entry.reason) for entry in report.left_over] == [("ann.rar", "only zips are opened")]


def test_a_name_that_cannot_be_printed_is_shown_escaped(empty, inbox):
    name = os.fsdecode(b"a\xff\x1b[31m.txt")
    put(inbox, name)
    (entry,) = collect(empty, inbox).left_over
    assert entry.label == "a\\udcff\\x1b[31m.txt"
    assert json.loads(empty.last_collect.read_text())[0]["label"] == entry.label


def test_the_report_shows_what_is_left_over_even_if_that_is_all(empty, inbox, monkeypatch, capsys):
    put(inbox, "essay.ipynb")
    collect(empty, inbox)
    monkeypatch.chdir(empty.root)
    report()
    assert capsys.readouterr().out.splitlines() == [
        "Files of the last collect that belong to nobody or could not be read: 1",
        "    essay.ipynb: its name says no module of this course",
    ]


def test_what_is_left_over_is_kept_until_the_next_collect(empty, inbox):
    assert left_over(empty) == []
    put(inbox, "mystery.ipynb")
    report = collect(empty, inbox)
    assert left_over(empty) == report.left_over != []
    (inbox / "mystery.ipynb").unlink()
    collect(empty, inbox)
    assert left_over(empty) == []


def test_the_inbox_must_be_another_folder_than_submitted(empty, inbox, tmp_path):
    with pytest.raises(CourseError, match="neither a folder nor a zip"):
        collect(empty, tmp_path / "nowhere")
    empty.submitted.mkdir()
    for wrong in (empty.submitted, empty.root, empty.history):
        with pytest.raises(CourseError, match="submitted/"):
            collect(empty, wrong)


def test_two_collects_at_once(empty, inbox):
    """The second one would clear what the first has put aside."""
    put(inbox, "ada/tensor.ipynb", "first")
    with Batch(empty) as first, alone(empty):
        first.write(empty.submission("ben", TENSOR_MODULE), b"kept")
        with pytest.raises(CourseError, match=r"Another 'tito collect', .* is running in this course\. Wait until"):
            collect(empty, inbox)
        first.commit()
    assert content(empty, "ben") == "kept"
    assert collect(empty, inbox).taken == [("ada", "01_tensor")]


def test_what_a_killed_command_was_writing_is_removed(empty, inbox):
    unfinished = (
        empty.state / ".collect.json.abc.tmp",
        empty.graded("ada", TENSOR_MODULE).with_name(".t.ipynb.x_1.tmp"),
    )
    for path in unfinished:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    collect(empty, inbox)
    assert [path for path in unfinished if path.exists()] == []
