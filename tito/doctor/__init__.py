"""Look at everything that can be wrong around the course: the set-up first, then the state of the files.

`python -m tito.doctor` needs nothing but the standard library, so that it works before anything is installed.
"""

from collections.abc import Iterator

from tito.course import Course
from tito.doctor.check import Check
from tito.doctor.setup import examine_setup, is_installed


def examine(course: Course | None) -> Iterator[Check]:
    """Yield every check: without a course only those of the machine, before the installation only the set-up."""
    yield from examine_setup(course)
    if course is None:
        yield Check("course", "this folder is in no course and no kit", "change into the folder you cloned or unzipped")
    elif is_installed():
        from tito.doctor.state import examine_state  # reads notebooks, which needs the packages

        yield from examine_state(course)
