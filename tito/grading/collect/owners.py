"""Whose is it: by a learning platform's name, by the roster, or without one by the names of folders and files.

Nothing is guessed: a path that names nobody, or two, raises `Unclear`.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from tito.grading.collect.listing import NAME_IT
from tito.grading.collect.names import MODULE_NAMES, Claim, Reading, key, without_zip
from tito.grading.roster import Student, safe_id

ENROL = "Add the student to the roster, or say whose it is: tito collect INBOX --map FILE.csv."
MAP = "Say whose it is: tito collect INBOX --map FILE.csv."
IMPORT = "Import a roster (tito roster import FILE.csv), or say whose it is: tito collect INBOX --map FILE.csv."
NAMEABLE = re.compile(r"\w[\w.@ ',+-]*")  # what may be a student's name when there is no roster to ask
Levels = tuple[str, ...]


class Unclear(Exception):
    """It cannot be said whose the file is; the message says why, `hint` what to do."""

    def __init__(self, reason: str, hint: str = IMPORT) -> None:
        super().__init__(reason)
        self.hint = hint


class ByRoster:
    """Owners by the roster: whatever in a path names a student must name the same one."""

    def __init__(self, students: Sequence[Student]) -> None:
        self._ids: dict[str, set[str]] = defaultdict(set)
        self._names: dict[str, set[str]] = defaultdict(set)
        self._numbers: dict[str, set[str]] = defaultdict(set)
        self._words: dict[str, tuple[set[str], set[str], set[str]]] = {}  # all; of the id; of the name
        for student in students:
            self._learn(student)

    def _learn(self, student: Student) -> None:
        first, last, email = student.first_name, student.last_name, student.email.casefold()
        self._ids[safe_id(student.id).casefold()].add(student.id)
        names = [email, email.partition("@")[0], *([key(first + last), key(last + first)] if first and last else [])]
        for one in filter(None, names):
            self._names[one].add(student.id)
        if student.lms_user_id:
            self._numbers[student.lms_user_id].add(student.id)
        own, name = _words(student.id), _words(f"{first} {last}") if first and last else set()
        self._words[student.id] = (own | name | _words(f"{email} {student.lms_user_id}"), own, name)

    def owner(self, reading: Reading) -> str:
        """Return the one student that a path names.

        Raises:
            Unclear: nobody, or more than one.
        """
        if reading.claim:
            found, said = self._claimed(reading.claim), reading.claim.name
        else:
            levels = [without_zip(level) for level in reading.levels]
            found, said = {one for level in levels for one in self._named(level)}, "/".join(levels)
        if len(found) > 1:
            raise Unclear(f"it names more than one student: {', '.join(sorted(found))}", MAP)
        if not found:
            raise Unclear(f"'{said}' is nobody on the roster", ENROL) if said else _nameless()
        return _folder(found.pop())

    def _claimed(self, claim: Claim) -> set[str]:
        if claim.platform == "Blackboard":
            parts = claim.name.casefold().split("_")
            tails = ("_".join(parts[start:]) for start in range(len(parts)))
            return {one for tail in tails for one in self._ids.get(tail, ())}
        by_number = self._numbers.get(claim.number, set()) if claim.platform == "Canvas" else set()
        by_name = self._names.get(key(claim.name), set())
        return by_number & by_name or by_number | by_name

    def _named(self, text: str) -> set[str]:
        """Whom one level of a path names: by id, by e-mail or name, or by several words that are all one student's."""
        folded = safe_id(text).casefold()
        if found := self._ids.get(folded) or self._names.get(folded) or self._names.get(key(text)):
            return found
        words = _words(text)
        return {
            student
            for student, (every, own, name) in self._words.items()
            if words <= every and (own <= words or (name and name <= words))
        }


class ByConvention:
    """Owners without a roster: `STUDENT/name.ipynb`, `STUDENT_name.ipynb`, `STUDENT.zip`.

    A level with several names below it holds several students and is none itself.
    """

    def __init__(self, readings: Iterable[Reading]) -> None:
        paths = {reading.levels for reading in readings if not reading.claim}
        self._whole = paths
        self._below: dict[Levels, set[str]] = defaultdict(set)
        for levels in paths:
            for depth, level in enumerate(levels):
                self._below[levels[:depth]].add(without_zip(level))
        self._seen: dict[str, set[tuple[Levels, str]]] = defaultdict(set)  # with what is around it
        for levels in paths:
            for around, name in self._candidates(levels):
                self._seen[name.casefold()].add((around, name))

    def owner(self, reading: Reading) -> str:
        """Return the one student whom a path can mean.

        Raises:
            Unclear: nobody, or more than one.
        """
        if reading.claim:
            return _folder(_claimed(reading.claim))
        names = sorted({name for _, name in self._candidates(reading.levels)})
        if not names:
            raise _nameless()
        if len(names) > 1:
            raise Unclear(f"more than one name in its path could be the student: {', '.join(names)}")
        seen = self._seen[names[0].casefold()]
        if len({around for around, _ in seen}) > 1:
            raise Unclear(f"'{names[0]}' is in more than one place, which may be two students")
        if len(spellings := {name for _, name in seen}) > 1:
            raise Unclear(f"names that differ in capitals only: {', '.join(sorted(spellings))}")
        return _folder(names[0])

    def _candidates(self, levels: Levels) -> list[tuple[Levels, str]]:
        """The names that may be the student's, each with the levels around it."""
        found: list[tuple[Levels, str]] = []
        for depth, level in enumerate(levels):
            here, name = levels[: depth + 1], without_zip(level)
            if len(self._below.get(here, ())) > 1:
                if here in self._whole:
                    return []  # a notebook beside several folders: it is nobody's, and the folders may be versions
                continue
            if name != level and found and without_zip(levels[depth - 1]) == levels[depth - 1]:
                continue  # STUDENT/anything.zip
            if all(name != other for _, other in found):
                found.append((levels[:depth], name))
        return found


def _nameless() -> Unclear:
    return Unclear("its path names no student", NAME_IT)


def _claimed(claim: Claim) -> str:
    """The id that a platform's name gives without a roster.

    Moodle's number stays in it: two students may have one name.
    """
    if claim.platform != "Blackboard":
        return f"{claim.name}_{claim.number}"
    title, _, username = claim.name.rpartition("_")
    if "_" in title and title.lower() not in MODULE_NAMES:
        raise Unclear(f"'{claim.name}' is an assignment's and a user's name, and it is unclear where one ends")
    return username


def _folder(student: str) -> str:
    """Return the id if it can name a folder."""
    if safe_id(student) != student or not NAMEABLE.fullmatch(student):
        raise Unclear(f"'{student}' cannot name a student's folder")
    return student


def _words(text: str) -> set[str]:
    return {word for word in map(key, re.split(r"[\W_]+", text)) if word}
