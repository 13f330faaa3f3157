"""Whose a file is: by the roster, by a learning platform's names, by convention; nobody is guessed."""

from zoneinfo import ZoneInfo

import pytest
from inboxes import content, make_zip, put, stamp

from tito.errors import CourseError
from tito.grading import roster
from tito.grading.collect import collect
from tito.grading.roster import Student

ATTEMPT = "attempt_2026-10-01-12-30-00"


def owners(course, inbox, *names, **options):
    """Put one file under each name, and return who was taken for the owners, and what was left over."""
    for name in names:
        put(inbox, name, f"by {name}")
    report = collect(course, inbox, **options)
    return sorted({student for student, _ in report.taken}), {e.label: e.reason for e in report.left_over}


@pytest.mark.parametrize(
    ("name", "student"),
    [
        ("ann/tensor.ipynb", "ann"),
        ("ann/01_tensor/tensor.ipynb", "ann"),
        ("ann/work/01_tensor/tensor.ipynb", "ann"),
        ("ann/tinytorch-kit/work/01_tensor/tensor.ipynb", "ann"),
        ("ann_tensor.ipynb", "ann"),
        ("Doe_Jane_4711_01_tensor.ipynb", "Doe_Jane_4711"),
        ("ann/tensor-Copy1.ipynb", "ann"),
        ("ann/tensor (2).ipynb", "ann"),
        ("ann/Tensor - Copy.IPYNB", "ann"),
        ("ann/tensor.ipynb.json", "ann"),
        ("ann@example.org/01_tensor.ipynb", "ann@example.org"),
        ("O'Brien/tensor.ipynb", "O'Brien"),
        ("Doe, John/tensor.ipynb", "Doe, John"),
        ("Jose\u0301_tensor.ipynb", "José"),
        ("李雷_tensor.ipynb", "李雷"),
        ("doejane_12345_678901_tensor.ipynb", "doejane_12345"),
        ("doejane_LATE_12345_678901_tensor-2.ipynb", "doejane_12345"),
        ("Jane Doe_123456_assignsubmission_file_/tensor.ipynb", "Jane Doe_123456"),
        ("Jane Doe_123456_assignsubmission_file/sub/tensor.ipynb", "Jane Doe_123456"),
        ("Jane Doe_123456_assignsubmission_file_tensor.ipynb", "Jane Doe_123456"),
        (f"Homework 1_jdoe_{ATTEMPT}_tensor.ipynb", "jdoe"),
        (f"01_tensor_jdoe_{ATTEMPT}_tensor.ipynb", "jdoe"),
    ],
)
def test_understood_without_a_roster(empty, inbox, name, student):
    assert owners(empty, inbox, name) == ([student], {})
    assert content(empty, student) == f"by {name}"


@pytest.mark.parametrize(
    "name",
    [
        "tensor.ipynb",
        "ann/notes.txt",
        "ann/other.ipynb",
        "a*b/tensor.ipynb",
        "_tensor.ipynb",
        "-x/tensor.ipynb",
        "CON/tensor.ipynb",
        "ann./tensor.ipynb",
        "section1/ada/tensor.ipynb",
        "ann/my_tensor.ipynb",
        f"Home_work_jdoe_{ATTEMPT}_tensor.ipynb",
        "x" * 150 + "/tensor.ipynb",
    ],
)
def test_not_guessed_without_a_roster(empty, inbox, name):
    taken, left = owners(empty, inbox, name)
    assert (taken, list(left)) == ([], [name])
    assert not empty.submitted.exists()


def test_a_folder_of_students_is_no_student(empty, inbox):
    assert owners(empty, inbox, "section1/ada/tensor.ipynb", "section1/ben/tensor.ipynb") == (["ada", "ben"], {})


def test_a_stray_notebook_beside_students_belongs_to_nobody(empty, inbox):
    names = ("s/tensor.ipynb", "s/ada/tensor.ipynb", "s/ben/tensor.ipynb")
    assert owners(empty, inbox, *names) == ([], dict.fromkeys(names, "its path names no student"))


def test_one_name_in_two_places_may_be_two_students(empty, inbox):
    names = [f"section{number}/{student}/tensor.ipynb" for number in (1, 2) for student in ("ada", f"ben{number}")]
    taken, left = owners(empty, inbox, *names)
    assert taken == ["ben1", "ben2"]
    assert set(left) == {"section1/ada/tensor.ipynb", "section2/ada/tensor.ipynb"}


def test_names_that_differ_in_capitals_only_would_share_a_folder_on_windows(empty, inbox):
    taken, left = owners(empty, inbox, "Ann/tensor.ipynb", "ann/activations.ipynb", "bob/tensor.ipynb")
    assert (taken, len(left)) == (["bob"], 2)


@pytest.mark.parametrize(
    ("name", "student"),
    [
        ("section1/ada/tensor.ipynb", "ada"),
        ("ADA/tensor.ipynb", "ada"),
        ("week 3/group b/Ada Lovelace/tensor.ipynb", "ada"),
        ("Lovelace, Ada/tensor.ipynb", "ada"),
        ("Ada_Lovelace_101_tensor.ipynb", "ada"),
        ("section1/ada_tensor.ipynb", "ada"),
        ("OBrien, Ben/tensor.ipynb", "ben"),
        ("ben@example.org/my_tensor.ipynb", "ben"),
        ("jane.doe_tensor.ipynb", "jdoe"),
        ("Jose Roe/tensor.ipynb", "j_roe"),
        ("李雷/tensor.ipynb", "lilei@example.org"),
        ("lilei/tensor.ipynb", "lilei@example.org"),
        ("smith-jones mary ann_tensor.ipynb", "mas"),
        ("doejane_12345_678901_tensor.ipynb", "jdoe"),
        ("doejane_LATE_12345_678901_tensor-2.ipynb", "jdoe"),
        ("doejane_99999_678901_tensor.ipynb", "jdoe"),
        ("obrienben_102_678901_ada_tensor.ipynb", "ben"),
        ("smithjonesmaryann_5_678901_tensor.ipynb", "mas"),
        ("roejosé_5_678901_tensor.ipynb", "j_roe"),
        ("mustermannmax_108_678901_tensor.ipynb", "max2"),
        ("Jane Doe_999_assignsubmission_file_/tensor.ipynb", "jdoe"),
        ("Ben OBrien_999_assignsubmission_file_tensor.ipynb", "ben"),
        ("李 雷_101_assignsubmission_file_/tensor.ipynb", "lilei@example.org"),
        (f"Homework_1_jdoe_{ATTEMPT}_tensor.ipynb", "jdoe"),
        (f"Homework_1_j_roe_{ATTEMPT}_tensor.ipynb", "j_roe"),
        (f"Week 1_lilei@example.org_{ATTEMPT}_tensor.ipynb", "lilei@example.org"),
    ],
)
def test_understood_with_a_roster(rostered, inbox, name, student):
    assert owners(rostered, inbox, name) == ([student], {})


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("zoe/tensor.ipynb", "'zoe' is nobody on the roster"),
        ("zoe_5_678901_tensor.ipynb", "'zoe' is nobody on the roster"),
        ("ada/ben_tensor.ipynb", "it names more than one student: ada, ben"),
        ("Max Mustermann/tensor.ipynb", "it names more than one student: max1, max2"),
        ("mustermannmax_5_678901_tensor.ipynb", "it names more than one student: max1, max2"),
        ("doejane_101_678901_tensor.ipynb", "it names more than one student: ada, jdoe"),
        ("ada-marie/tensor.ipynb", "'ada-marie' is nobody on the roster"),
        ("tensor.ipynb", "its path names no student"),
    ],
)
def test_not_guessed_with_a_roster(rostered, inbox, name, reason):
    assert owners(rostered, inbox, name) == ([], {name: reason})


def test_blackboard_notes_are_left_aside_and_its_dates_are_read(rostered, inbox):
    early, late = (f"HW_jdoe_attempt_2026-10-0{day}-12-30-00" for day in (1, 2))
    names = (f"{late}_tensor.ipynb", f"{late}.txt", f"{early}_tensor.ipynb", f"{early}.txt")
    assert owners(rostered, inbox, *names, zone=ZoneInfo("Europe/Berlin")) == (["jdoe"], {})
    assert content(rostered, "jdoe") == f"by {late}_tensor.ipynb"
    assert stamp(rostered, "jdoe") == "2026-10-02 10:30:00.000000 UTC"


def test_who_was_only_graded_is_no_roster(empty, inbox, monkeypatch):
    monkeypatch.setattr(roster, "all_students", lambda course: [Student("ann")])
    put(empty.submitted, "ann/01_tensor/tensor.ipynb")
    assert owners(empty, inbox, "bob/tensor.ipynb") == (["bob"], {})
    monkeypatch.setattr(roster, "all_students", lambda course: [Student("ann"), Student("cat")])
    assert owners(empty, inbox, "bob/tensor.ipynb")[0] == [], "cat has not handed in: somebody put her there"


def write_map(tmp_path, *lines):
    return put(tmp_path, "map.csv", "\n".join(lines))


def test_a_map_says_whose_a_file_is(rostered, inbox, tmp_path):
    make_zip(inbox / "upload17.zip", {"tensor.ipynb": "Z", "README.md": "r"})
    rows = ("file,student,module", "hw*.ipynb,ada,1", "hw1.ipynb,ben,01_tensor", "upload17.zip,jdoe", "b/*,mas")
    names = ("hw1.ipynb", "hw2.ipynb", "b/activations.ipynb")
    taken, left = owners(rostered, inbox, *names, map_file=write_map(tmp_path, *rows))
    assert (taken, list(left)) == (["ada", "ben", "jdoe", "mas"], ["upload17.zip: README.md"])
    assert [content(rostered, s) for s in ("ada", "ben", "jdoe")] == ["by hw2.ipynb", "by hw1.ipynb", "Z"]


@pytest.mark.parametrize(
    ("line", "problem"),
    [("x.ipynb,zoe", "'zoe' is not on the roster"), ("x.ipynb", "lacks"), ("x.ipynb,ada,99", "no module '99'")],
)
def test_a_wrong_map_is_told_with_its_line(rostered, inbox, tmp_path, line, problem):
    with pytest.raises(CourseError, match=problem):
        collect(rostered, inbox, write_map(tmp_path, "a.ipynb,ada", line))


def test_without_a_roster_a_map_names_folders(empty, inbox, tmp_path):
    with pytest.raises(CourseError, match=r"Line 1 of .*'\.\./x' cannot name a folder"):
        collect(empty, inbox, write_map(tmp_path, "a.ipynb,../x"))
    with pytest.raises(CourseError, match="cannot be read"):
        collect(empty, inbox, tmp_path / "none.csv")
