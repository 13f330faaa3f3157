"""What students receive of the real course holds no answer."""

from tito.registry import MODULES
from tito.release.kit import make_kit
from tito.release.leaks import gather_secrets
from tito.release.notebooks import check_public


def test_releases_and_kit_give_nothing_away(real_course):
    for module in MODULES:
        assert real_course[module].release.is_file()
    course = real_course.course
    check_public(gather_secrets(course, MODULES), course.release)
    assert make_kit(course).is_file()
