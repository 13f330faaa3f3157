"""Bring everything that is derived from the teaching sources and the registry up to date."""

from pathlib import Path

from tito.course import Course
from tito.errors import CourseError
from tito.files import write_atomic
from tito.registry import MODULES
from tito.sources.build import notebook_text
from tito.sources.export import exported_files
from tito.sources.readme import with_modules


def derived_files(course: Course) -> dict[Path, str]:
    """Return path -> text of every derived file: the notebooks in source/, the package, the README with its table.

    Raises:
        CourseError: this is a kit, or a teaching source is missing or broken.
    """
    if course.is_kit:
        raise CourseError("A student kit has nothing to bring up to date.", "Run `tito export` to renew your package.")
    readme = course.root / "README.md"
    return {
        **{course.built(module): notebook_text(course, module) for module in MODULES},
        **{course.package / name: text for name, text in exported_files(course, MODULES).items()},
        readme: with_modules(readme.read_text(encoding="utf-8")),
    }


def sync(course: Course) -> list[Path]:
    """Write the derived files that are not as they should be, once all of them are known to be good.

    Returns:
        The files that changed.

    Raises:
        CourseError: this is a kit, or a teaching source is missing or broken; then nothing is written.
    """
    files = derived_files(course)
    changed = [path for path, text in files.items() if not path.is_file() or path.read_bytes() != text.encode()]
    for path in changed:
        write_atomic(path, files[path])
    return changed
