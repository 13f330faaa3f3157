"""What a path says: which module, and the words that may name a student.

Three learning platforms rename what they let teachers download; their names are read as they write them:

- Canvas: `SORTABLENAME_[LATE_]USERID_FILEID_UPLOAD`, the name in lower case and nothing but letters and digits, `-1`
  behind the upload's name when it was handed in again (canvas-lms, lib/content_zipper.rb).
- Moodle: `FULL NAME_NUMBER_assignsubmission_file[_]` as a folder, or the same and `_UPLOAD` as a file; the number is
  the participant's in one assignment only, and `'` is left out of names (moodle, mod/assign/classes/downloader.php).
- Blackboard: `ASSIGNMENT_USERNAME_attempt_YYYY-MM-DD-HH-MM-SS_UPLOAD`, with a note in `..._attempt_....txt`.
"""

import re
import unicodedata
from dataclasses import dataclass

from tito.course import KIT_NAME
from tito.registry import MODULES, Module

MODULE_NAMES = {word.lower(): module for module in MODULES for word in (module.folder, module.name)}
NOTEBOOK = re.compile(r"\.ipynb(\.json|\.txt)?$", re.IGNORECASE)  # some browsers add to an ending
COPY = re.compile(r"(-Copy\d*| - Copy| ?\(\d+\)|-\d{1,3})+$")  # what browsers, JupyterLab, Windows and Canvas add
STEM = re.compile(
    rf"(?:(?P<before>.+?)[_ -]+)??(?P<module>{'|'.join(map(re.escape, sorted(MODULE_NAMES, reverse=True)))})",
    re.IGNORECASE,
)
STRUCTURE = re.compile(rf"work|release|submissions?|{KIT_NAME}.*|{'|'.join(MODULE_NAMES)}", re.IGNORECASE)
CANVAS = re.compile(r"(?P<name>[^_]+)(?:_LATE)?_(?P<number>\d+)_\d+_(?P<upload>.+)")
MOODLE = re.compile(r"(?P<name>.+?)_(?P<number>\d+)_assignsubmission_file(?:_?$|_(?P<upload>.+))")
MOODLE_TEXT = re.compile(r".+?_\d+_assignsubmission_(?!file)\w+")
BLACKBOARD = re.compile(r"(?P<name>.+?)_attempt_(?P<date>\d{4}(?:-\d\d){5})(?:_(?P<upload>.+))?")


@dataclass(frozen=True)
class Claim:
    """Whose a file is by the words of a learning platform.

    name:   the student's name as the platform writes it; with Blackboard the assignment's name, "_" and the username.
    number: Canvas's user, Moodle's participant; "" with Blackboard.
    upload: what the student called the file; "" for a folder.
    date:   year to second of the attempt, Blackboard only.
    """

    platform: str
    name: str
    number: str
    upload: str
    date: tuple[int, ...] = ()


@dataclass(frozen=True)
class Reading:
    """What a path says.

    module: None when the file's name ends in no module's.
    claim:  the outermost that a platform makes.
    levels: folders, zips (with their ".zip") and what stands before the module in the file's name, outermost first.
    """

    module: Module | None
    claim: Claim | None
    levels: tuple[str, ...]


def read_path(parts: tuple[str, ...]) -> Reading:
    """Return what the path of a file says; `parts` end in the file's name."""
    *folders, name = (unicodedata.normalize("NFC", part) for part in parts)
    claims = [claim for claim in (read_claim(without_zip(part)) for part in folders) if claim]
    own = read_claim(name)
    if own and own.upload:
        claims.append(own)
        name = own.upload
    module, before = _module(name)
    levels = [part for part in folders if not STRUCTURE.fullmatch(without_zip(part))]
    return Reading(module, claims[0] if claims else None, tuple([*levels, before] if before else levels))


def is_notebook(name: str) -> bool:
    """Whether a file's name is that of a notebook."""
    return NOTEBOOK.search(name) is not None


def is_note(name: str) -> bool:
    """Whether a platform wrote the file itself, to go with a hand-in."""
    found = BLACKBOARD.fullmatch(name.removesuffix(".txt"))
    return bool(found and name.endswith(".txt") and not found["upload"])


def read_claim(text: str) -> Claim | None:
    """Return what a platform's name for a file, a zip or a folder says; None when it is no such name."""
    if found := MOODLE.fullmatch(text):
        return Claim("Moodle", found["name"], found["number"], found["upload"] or "")
    if found := BLACKBOARD.fullmatch(text):
        date = tuple(int(part) for part in found["date"].split("-"))
        return Claim("Blackboard", found["name"], "", found["upload"] or "", date)
    if found := CANVAS.fullmatch(text):
        return Claim("Canvas", found["name"], found["number"], found["upload"])
    return None


def without_zip(part: str) -> str:
    """Return a folder's or zip's name without the ending of a zip."""
    return part[:-4] if part.lower().endswith(".zip") else part


def key(text: str) -> str:
    """Return a name as it is compared: letters and digits only, without accents, case and spaces."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in plain if c.isalnum())


def _module(name: str) -> tuple[Module | None, str]:
    """The module in a file's name, and the words before it."""
    stem = COPY.sub("", NOTEBOOK.sub("", name))
    found = STEM.fullmatch(stem) if is_notebook(name) else None
    return (MODULE_NAMES[found["module"].lower()], found["before"] or "") if found else (None, "")
