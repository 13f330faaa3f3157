"""The fixed rules of a module's source, each a small function that yields what breaks it."""

from tito.course import Course
from tito.lint import answers, apart, exports, metadata, rhythm, running, unit_tests
from tito.lint.source import Finding, Rule, read_source
from tito.registry import Module

RULES: tuple[Rule, ...] = (
    *metadata.RULES,
    *answers.RULES,
    *unit_tests.RULES,
    *apart.RULES,
    *exports.RULES,
    *rhythm.RULES,
    *running.RULES,
)


def lint(course: Course, module: Module) -> list[Finding]:
    """Check one module's teaching source against every rule.

    Returns:
        What breaks a rule, by line.

    Raises:
        CourseError: the source is missing or cannot be read at all.
    """
    source = read_source(course, module)
    found = [finding for rule in RULES for finding in rule(source)]
    return sorted(found, key=lambda finding: (finding.line, finding.rule, finding.message))
