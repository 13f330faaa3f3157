"""The state of the files: folders, notebooks, the package."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator

from tito.course import Course
from tito.doctor.check import Check
from tito.errors import CourseError
from tito.registry import MODULES
from tito.sources.export import drift

LONGEST_IMPORT = 60  # seconds


def examine_state(course: Course) -> Iterator[Check]:
    """Yield the checks of a course's or a kit's files."""
    yield check_writable(course)
    yield from check_notebooks(course)
    yield check_package(course)
    yield check_import(course)


def check_writable(course: Course) -> Check:
    """Can the course's folders be written?"""
    folders = (
        course.root,
        course.package,
        course.source,
        course.release,
        course.autograded,
        course.feedback,
        course.state,
    )
    for folder in folders:
        if folder.is_dir():
            try:
                tempfile.TemporaryFile(dir=folder).close()
            except OSError as error:
                return Check("folders", f"{folder}: {error.strerror}", "make it writable, or free some space")
    return Check("folders", f"{course.root} can be written")


def check_notebooks(course: Course) -> Iterator[Check]:
    """Are the notebooks in source/ built from the teaching sources as they are?"""
    if course.is_kit:
        return
    from tito.sources.build import notebook_text

    missing = [f"{module.number:02d}" for module in MODULES if not course.built(module).is_file()]
    stale = []
    try:
        for module in MODULES:
            path = course.built(module)
            if path.is_file() and path.read_text(encoding="utf-8") != notebook_text(course, module):
                stale.append(f"{module.number:02d}")
    except CourseError as error:
        yield Check("notebooks", error.problem, error.cure or "run tito lint")
        return
    if stale:
        yield Check("notebooks", f"older than their sources: {', '.join(stale)}", "tito build")
    elif missing:
        yield Check("notebooks", f"not built yet: {', '.join(missing)}", "tito build", unfinished=True)
    else:
        yield Check("notebooks", f"{len(MODULES)} notebooks are up to date")


def check_package(course: Course) -> Check:
    """Is the package what its sources say? In a kit, work that is not exported yet is work in progress."""
    from tito.student.export import package_files
    from tito.student.work import written_modules

    there = written_modules(course)
    waiting = [module for module in there if course.is_kit and not course.exported(module).is_file()]
    try:
        different = drift(course, package_files(course, [module for module in there if module not in waiting]))
    except CourseError as error:
        return Check("package", error.problem, error.cure or "run tito lint")
    if different:
        return Check("package", f"not as exported: {', '.join(different)}", "tito export", unfinished=course.is_kit)
    if waiting:
        names = ", ".join(module.folder for module in waiting)
        cure = f"tito export {waiting[0].number:02d}, when its tests pass"
        return Check("package", f"not exported yet: {names}", cure, unfinished=True)
    return Check("package", f"{len(there)} of {len(MODULES)} modules are there and exported")


def check_import(course: Course) -> Check:
    """Does `import tinytorch` work, without a warning?"""
    environment = os.environ | {"PYTHONPATH": str(course.root)}
    command = [sys.executable, "-c", "import tinytorch"]
    try:
        done = subprocess.run(
            command, cwd=course.root, env=environment, capture_output=True, text=True, timeout=LONGEST_IMPORT
        )
    except subprocess.TimeoutExpired:
        return Check(
            "import tinytorch", f"takes more than {LONGEST_IMPORT} seconds", "look for a loop outside a function"
        )
    said = done.stderr.strip().splitlines()
    cure = "put the cell right, then run tito export" if done.returncode or said else ""
    message = next((line for line in said if "Warning:" in line), said[-1] if said else "works")
    return Check("import tinytorch", message, cure)
