"""An inbox in any usual form becomes `submitted/`; nothing leaves it, nothing is guessed."""

import os
import zipfile

import pytest

from tito.course import Course
from tito.engine.reading import MAX_BYTES, Unreadable, parse_submission
from tito.errors import CourseError
from tito.grading.collect import collect, identify


@pytest.fixture
def inbox(tmp_path):
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


@pytest.fixture
def empty(tmp_path):
    (tmp_path / "course").mkdir()
    return Course(tmp_path / "course")


def put(folder, name, text="{}", time=1_700_000_000):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (time, time))
    return path


def content(course, student, module="01_tensor"):
    return (course.submitted / student / module / f"{module[3:]}.ipynb").read_text()


@pytest.mark.parametrize(
    ("path", "student"),
    [
        ("ann/tensor.ipynb", "ann"),
        ("ann/01_tensor/tensor.ipynb", "ann"),
        ("ann/work/01_tensor/tensor.ipynb", "ann"),
        ("ann_tensor.ipynb", "ann"),
        ("Doe_Jane_4711_01_tensor.ipynb", "Doe_Jane_4711"),
        ("ann/tensor-Copy1.ipynb", "ann"),
        ("ann/tensor (2).ipynb", "ann"),
        ("ann@example.org/01_tensor.ipynb", "ann@example.org"),
    ],
)
def test_understood_names(path, student):
    found = identify(tuple(path.split("/")))
    assert found is not None
    assert (found[0], found[1].folder) == (student, "01_tensor")


@pytest.mark.parametrize(
    "path",
    [
        "tensor.ipynb",
        "ann/notes.txt",
        "ann/other.ipynb",
        "../tensor.ipynb",
        "a*b/tensor.ipynb",
        "_tensor.ipynb",
        "-x/tensor.ipynb",
    ],
)
def test_names_that_say_nothing(path):
    assert identify(tuple(path.split("/"))) is None


def test_folder(empty, inbox):
    put(inbox, "ann/tensor.ipynb", "A")
    put(inbox, "bob/01_tensor/tensor.ipynb", "B")
    put(inbox, "cat_tensor.ipynb", "C")
    put(inbox, "readme.txt")
    report = collect(empty, inbox)
    assert report.taken == [("ann", "01_tensor"), ("bob", "01_tensor"), ("cat", "01_tensor")]
    assert report.ignored == [("readme.txt", "no student and module in its name")]
    assert [content(empty, s) for s in ("ann", "bob", "cat")] == ["A", "B", "C"]
    stamp = empty.submitted / "ann" / "01_tensor" / "timestamp.txt"
    assert stamp.read_text() == "2023-11-14 22:13:20.000000 UTC"


def test_the_newest_wins_and_a_second_collect_changes_nothing(empty, inbox):
    put(inbox, "ann/tensor.ipynb", "old", 1_700_000_000)
    put(inbox, "ann_tensor.ipynb", "new", 1_700_000_500)
    assert collect(empty, inbox).ignored == [("ann/tensor.ipynb", "there is a newer one")]
    assert content(empty, "ann") == "new"
    again = collect(empty, inbox)
    assert (again.taken, again.known) == ([], [("ann", "01_tensor")])
    put(inbox, "ann/tensor.ipynb", "newest", 1_700_000_900)
    assert collect(empty, inbox).taken == [("ann", "01_tensor")]
    assert content(empty, "ann") == "newest"


def make_zip(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)


def test_zip_of_a_class_and_zips_of_students(empty, inbox):
    make_zip(inbox.with_suffix(".zip"), {"ann/tensor.ipynb": "A", "bob_tensor.ipynb": "B"})
    assert collect(empty, inbox.with_suffix(".zip")).taken == [("ann", "01_tensor"), ("bob", "01_tensor")]
    make_zip(inbox / "cat.zip", {"01_tensor/tensor.ipynb": "C", "work/02_activations/activations.ipynb": "D"})
    assert collect(empty, inbox).taken == [("cat", "01_tensor"), ("cat", "02_activations")]
    assert content(empty, "cat", "02_activations") == "D"


def test_zip_slip(empty, inbox):
    names = ["../../evil/tensor.ipynb", "/evil/tensor.ipynb", "..\\evil\\tensor.ipynb", "a/../../tensor.ipynb"]
    make_zip(inbox / "x.zip", dict.fromkeys(names, "E"))
    report = collect(empty, inbox)
    assert report.taken == []
    assert len(report.ignored) == 4
    assert not empty.submitted.exists()


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
    collect(empty, inbox)
    assert refusal(empty, "big").startswith("the file has 100.0 MB")
    assert "symbolic link" in refusal(empty, "link")
    assert "the limit is" in refusal(empty, "bomb")


def test_linked_folders_are_not_followed(empty, inbox, tmp_path):
    put(tmp_path, "elsewhere/tensor.ipynb")
    (inbox / "ann").symlink_to(tmp_path / "elsewhere")
    report = collect(empty, inbox)
    assert (report.taken, report.ignored) == ([], [("ann", "a symbolic link")])


def test_a_damaged_zip_is_listed(empty, inbox):
    (inbox / "bad.zip").write_bytes(b"PK\x03\x04 nonsense")
    assert collect(empty, inbox).ignored == [("bad.zip: ", "not a readable zip")]


def test_no_inbox(empty, tmp_path):
    with pytest.raises(CourseError, match="neither a folder nor a zip"):
        collect(empty, tmp_path / "nowhere")
