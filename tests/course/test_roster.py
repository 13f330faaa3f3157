"""A CSV file of any platform becomes nbgrader's student table; importing twice changes nothing, nobody is removed."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inboxes import content, earlier, put, snapshot

from tito.errors import CourseError
from tito.grading.collect import collect
from tito.grading.gradebook import open_gradebook
from tito.grading.roster import Imported, Student, all_students, import_roster, read_file, safe_id
from tito.grading.strays import strays

ADA = Student("ada", "Ada", "Lovelace", "ada@example.org", "101")

PLAIN = "id,first_name,last_name,email,lms_user_id\nada,Ada,Lovelace,ada@example.org,101\n"
CANVAS = """Student,ID,SIS User ID,SIS Login ID,Section,HW 1 (99)
    Points Possible,,,,,10
"Lovelace, Ada",101,S1,ada,Sec 1,9
"Student, Test",999,,f00,Sec 1,0
"""
MOODLE = "First name,Last name,Username,ID number,Email address\nAda,Lovelace,ada,S1,ada@example.org\n"
WORKSHEET = "Identifier,Full name,Email address,Status,Grade\nParticipant 7,Ada Lovelace,ada@example.org,,\n"
BLACKBOARD = '"Last Name","First Name","Username","Student ID","Last Access"\n"Lovelace","Ada","ada","S1","2026"\n'


def read(tmp_path, data):
    path = tmp_path / "class.csv"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return read_file(path)


@pytest.mark.parametrize(
    ("text", "student"),
    [
        (PLAIN, ADA),
        ("Student\nada\n", Student("ada")),
        ("E-Mail;Last Name;First Name\nada@example.org;Lovelace;Ada\n",
         Student("ada@example.org", "Ada", "Lovelace", "ada@example.org")),
        (CANVAS, Student("ada", "Ada", "Lovelace", "", "101")),
        (CANVAS.replace(",ada,", ",,").replace(",f00,", ",,"), Student("S1", "Ada", "Lovelace", "", "101")),
        (MOODLE, Student("ada", "Ada", "Lovelace", "ada@example.org")),
        (MOODLE.replace(",ada,", ",,"), Student("S1", "Ada", "Lovelace", "ada@example.org")),
        (WORKSHEET, Student("ada@example.org", "Ada", "Lovelace", "ada@example.org")),
        (BLACKBOARD, Student("ada", "Ada", "Lovelace")),
    ],
)  # fmt: skip
def test_columns_of_every_origin(tmp_path, text, student):
    found = read(tmp_path, text)
    assert (found.students, found.notes) == ([student], [])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_spreadsheets_save_in_many_ways(tmp_path, encoding, delimiter):
    text = "id,first_name,last_name\r\n\r\njose,José,O'Brien\r\n,,\r\n".replace(",", delimiter)
    assert read(tmp_path, text.encode(encoding)).students == [Student("jose", "José", "O'Brien")]


def test_what_cannot_be_taken_is_named_with_its_line(tmp_path):
    found = read(tmp_path, "id,first_name\nann,Ann\n\n,Nobody\nANN,Other\na/b,Slash\nCON,Device\n...,Dots\n")
    assert [student.id for student in found.students] == ["ann", "a-b", "CON_"]
    assert found.notes == [
        "Line 4 has no id and was left out.",
        "Line 5: 'ANN' is in line 2 already and was left out.",
        "Line 6: 'a/b' cannot name a folder; the id is 'a-b'.",
        "Line 7: 'CON' cannot name a folder; the id is 'CON_'.",
        "Line 8: '...' cannot name a folder and was left out.",
    ]


@pytest.mark.parametrize("text", ["", "\n\n", "section,grade\n1,2\n"])
def test_a_file_without_students_is_told(tmp_path, text):
    with pytest.raises(CourseError, match=r"No column of .* names the students"):
        read(tmp_path, text)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(CourseError, match=r"none\.csv cannot be read"):
        read_file(tmp_path / "none.csv")


@given(st.text(max_size=300))
@settings(max_examples=200)
def test_a_safe_id_names_a_folder_on_every_system_and_stays_what_it_is(text):
    safe = safe_id(text)
    assert safe_id(safe) == safe
    assert not set(safe) & set('<>:"/\\|?*\0')
    assert len(safe) <= 101
    assert not safe.startswith(".") and not safe.endswith((".", " "))
    assert safe.split(".")[0].upper() not in {"CON", "PRN", "AUX", "NUL", "COM1", "LPT9"}


@given(st.binary(max_size=400))
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_read_or_refused_in_a_sentence(tmp_path, data):
    try:
        found = read(tmp_path, b"id,email\n" + data)
    except CourseError:
        return
    assert len({student.id.casefold() for student in found.students}) == len(found.students)


def test_import_adds_updates_and_removes_nobody(rostered):
    before = all_students(rostered)
    assert import_roster(rostered, before) == Imported(new=0, changed=0, same=len(before))
    changes = [Student("ada", email="new@example.org"), Student("zoe", "Zoe", "Zhu")]
    assert import_roster(rostered, changes) == Imported(new=1, changed=1, same=0)
    after = {student.id: student for student in all_students(rostered)}
    assert after["ada"] == Student("ada", "Ada", "Lovelace", "new@example.org", "101"), "what is empty stays"
    assert set(after) == {student.id for student in before} | {"zoe"}
    with open_gradebook(rostered) as gradebook:
        assert gradebook.find_student("zoe").last_name == "Zhu"


def test_folders_from_before_the_roster_are_told_with_what_to_do(empty, inbox):
    """Without a roster Moodle's name and number are the id; nothing is renamed without the instructor."""
    put(inbox, "Ada Lovelace_4711_assignsubmission_file_/tensor.ipynb", "one", 1_700_000_000)
    put(inbox, "ben/tensor.ipynb", "three")
    put(inbox, "xyz/tensor.ipynb", "four")
    collect(empty, inbox)
    put(inbox, "Ada Lovelace_4711_assignsubmission_file_/tensor.ipynb", "two", 1_700_000_001)
    collect(empty, inbox)
    before = snapshot(empty)
    students = [Student("ada", "Ada", "Lovelace"), Student("ben"), Student("cleo")]
    import_roster(empty, students)
    first = "Ada Lovelace_4711"
    assert strays(empty, students) == [
        f"submitted/{first} is nobody on the roster; it seems to be ada's: rename submitted/{first} to submitted/ada "
        f"and submitted/.history/{first} to submitted/.history/ada, and grade again.",
        "submitted/xyz is nobody on the roster: rename it to the owner's id, or add the student to the roster.",
    ]
    assert snapshot(empty) == before
    for folder in (empty.submitted, empty.history):
        (folder / first).rename(folder / "ada")
    assert [told.partition(" is ")[0] for told in strays(empty, students)] == ["submitted/xyz"]
    assert collect(empty, inbox).taken == []
    assert (content(empty, "ada"), earlier(empty, "ada")) == ("two", ["one"])


def test_who_has_two_folders_is_told_to_collect_again(empty, inbox):
    put(inbox, "ada/tensor.ipynb", "one")
    put(inbox, "Ada_Lovelace/tensor.ipynb", "two")
    collect(empty, inbox)
    import_roster(empty, [Student("ada", "Ada", "Lovelace")])
    (told,) = strays(empty, [])
    assert told.endswith("seems to be ada's, who has a folder too: collect the same inbox again, then remove it.")
