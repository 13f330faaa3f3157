"""Sort what arrived in an inbox into `submitted/`; whatever is not understood is listed, never guessed.

Names in a zip or an inbox are only read to find out whose work it is. Files are written to places made from a checked
student name and a known module, so no name can point elsewhere. No byte that was handed in is dropped: what a newer
file replaces goes to `submitted/.history`.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from tito.course import Course
from tito.errors import CourseError
from tito.grading.collect.archives import Archives
from tito.grading.collect.batch import Batch
from tito.grading.collect.inbox import Inbox, Item
from tito.grading.collect.listing import NAME_IT, Listed, write_left_over
from tito.grading.collect.mapping import Mapping, read_map
from tito.grading.collect.names import Reading, read_path
from tito.grading.collect.owners import ByConvention, ByRoster, Unclear
from tito.grading.collect.sieve import Sieve
from tito.grading.collect.store import settle
from tito.grading.lock import alone
from tito.grading.roster import read_roster
from tito.registry import Module

Pile = dict[tuple[str, str], tuple[Module, list[Item]]]


@dataclass
class Collected:
    """What `collect` did.

    taken:  (student, module folder) of new submissions.
    known:  (student, module folder) of those that were here already.
    listed: every other file, with the reason; also one that is noted as refused.
    """

    taken: list[tuple[str, str]] = field(default_factory=list)
    known: list[tuple[str, str]] = field(default_factory=list)
    listed: list[Listed] = field(default_factory=list)

    @property
    def left_over(self) -> list[Listed]:
        """The files that wait for a person."""
        return [entry for entry in self.listed if entry.hint]


def collect(course: Course, inbox: Path, map_file: Path | None = None, zone: tzinfo | None = None) -> Collected:
    """Copy submissions into `submitted/STUDENT/NN_name/name.ipynb`, the newest of each, with nbgrader's time stamp.

    Owners come from `map_file`, else from the roster, else from names such as `STUDENT/name.ipynb`,
    `STUDENT/NN_name/name.ipynb`, `STUDENT_name.ipynb`, and zips of these. Canvas's, Moodle's and Blackboard's downloads
    are understood. What is left over is kept for `tito report`.

    Args:
        zone: time zone of the dates in zips; None is this computer's.

    Raises:
        CourseError: the inbox is neither a folder nor a zip, or holds `submitted/`; `map_file` is wrong;
            or another command is at work in the course.
    """
    _check_place(course, inbox)
    report = Collected()
    with alone(course), Archives() as archives, Batch(course) as batch:
        box = Inbox(inbox, archives, datetime.now(UTC), zone)
        pile = _sort(course, box, map_file, report)
        for (student, folder), (module, items) in sorted(pile.items(), key=lambda entry: entry[0]):
            outcome = settle(course, batch, student, module, items)
            report.listed.extend(outcome.listed)
            if outcome.taken:
                (report.taken if outcome.is_new else report.known).append((student, folder))
        batch.commit()
    report.listed.sort(key=lambda entry: entry.label)
    write_left_over(course, report.left_over)
    return report


def _check_place(course: Course, inbox: Path) -> None:
    """`submitted/` is where hand-ins go to, so it cannot be where they come from."""
    here, there = inbox.resolve(), course.submitted.resolve()
    if here == there or here in there.parents or there in here.parents:
        raise CourseError(f"{inbox} holds or is the folder submitted/.", "Put what students sent into another folder.")


def _sort(course: Course, box: Inbox, map_file: Path | None, report: Collected) -> Pile:
    """Return the notebooks by student and module folder; list everything else."""
    students = read_roster(course)
    mapping = read_map(map_file, students) if map_file else Mapping()
    items = list(box.items())
    sieve = Sieve(course, items)
    pile: Pile = {}
    found: list[tuple[Item, Reading]] = []
    for item in items:
        if reason := sieve.holds_back(item):
            report.listed.append(reason)
            continue
        reading = read_path(item.parts)
        target = mapping.find(item.label, item.parts)
        module = target.module if target and target.module else reading.module
        if module is None:
            report.listed.append(Listed(item.label, "its name says no module of this course", NAME_IT))
        elif target:
            _add(pile, target.student, module, item)
        else:
            found.append((_dated(box, item, reading), reading))
    if box.is_zip and not any(reading.levels or reading.claim for _, reading in found):
        found = [(item, read_path((box.root.name, *item.parts))) for item, _ in found]
    owners = ByRoster(students) if students else ByConvention([reading for _, reading in found])
    for item, reading in found:
        try:
            student = owners.owner(reading)
        except Unclear as reason:
            report.listed.append(Listed(item.label, str(reason), reason.hint))
        else:
            assert reading.module is not None
            _add(pile, student, reading.module, item)
    report.listed.extend(box.listed)
    return pile


def _add(pile: Pile, student: str, module: Module, item: Item) -> None:
    pile.setdefault((student, module.folder), (module, []))[1].append(item)


def _dated(box: Inbox, item: Item, reading: Reading) -> Item:
    """The item with the date that Blackboard put into its name, if any."""
    moment = box.time_in_zone(*reading.claim.date) if reading.claim and reading.claim.date else None
    return replace(item, time=moment) if moment else item
