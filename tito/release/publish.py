"""`tito release` as a whole: notebooks and kit are made aside, searched for answers, and only then made public."""

from collections.abc import Sequence
from pathlib import Path

from tito.course import Course
from tito.registry import MODULES, Module
from tito.release.kit import pack, publish_kit
from tito.release.leaks import check_public
from tito.release.notebooks import generate_on_trial, publish_notebooks, scratch
from tito.release.secrets import gather_secrets


def publish(course: Course, modules: Sequence[Module]) -> Path:
    """Release `modules`, and pack the kit of everything released so far.

    Until all of it is known to be good, nothing outside .tito/ changes. Then each notebook, the kit's folder and its
    zip take the place of the old ones in one rename each: a kill leaves each of them old or new.

    Returns:
        The path of the kit's zip.

    Raises:
        CourseError: a notebook is missing, nbgrader refuses it, or an answer would become public.
    """
    with scratch(course) as fresh:
        generate_on_trial(course, modules, fresh)
        pack(course, fresh)
        check_public(gather_secrets(course, MODULES), fresh.kit)
        publish_notebooks(course, modules, fresh)
        return publish_kit(course, fresh)
