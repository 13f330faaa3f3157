"""`tito lint`: do the sources keep the rules of the course?"""

import typer

from tito.commands import MAINTAINER, ModuleNames, written_modules
from tito.course import Course
from tito.registry import MODULES, Module


def register(app: typer.Typer) -> None:
    """Add `tito lint`."""
    app.command("lint", rich_help_panel=MAINTAINER)(lint)


def lint(modules: ModuleNames = None) -> None:
    """Check teaching sources against the rules of the course; exit 1 when one is broken."""
    from tito.console import out
    from tito.course import find_course
    from tito.lint import lint as lint_module

    course = find_course()
    chosen = written_modules(course, modules)
    errors = 0
    for module in chosen:
        for finding in lint_module(course, module):
            errors += not finding.warning
            kind = "warning: " if finding.warning else ""
            line = f"{module.source}:{finding.line}: {finding.rule}: {kind}{finding.message}"
            out().print(line, markup=False)
    errors += _print_shares(course, chosen)
    out().print(f"sources: {len(chosen)}, errors: {errors}")
    if errors:
        raise typer.Exit(1)


def _print_shares(course: Course, modules: list[Module]) -> int:
    """Show what the lines are for; return how many modules leave the student too little to write."""
    from rich.table import Table

    from tito.console import out
    from tito.lint.shares import PROSE_AT_MOST, TESTS_AT_MOST, WRITTEN_AT_LEAST, WRITTEN_OVERALL, shares
    from tito.lint.source import read_source

    heads = [
        "lines",
        f"prose <= {PROSE_AT_MOST} %",
        f"tests <= {TESTS_AT_MOST} %",
        f"student writes >= {WRITTEN_AT_LEAST} % of the open code",
        "of all exported code",
    ]
    table = Table(title="What the lines are for", title_justify="left")
    table.add_column("module")
    for name in heads:
        table.add_column(name, justify="right")
    found = {module.folder: shares(read_source(course, module)) for module in modules}
    for folder, share in found.items():
        whole = 100 * share.written / max(share.exported, 1)
        table.add_row(folder, str(share.lines), *(f"{p:.0f}" for p in (share.prose, share.tests, share.share, whole)))
    out().print(table)
    written, standing_open = (sum(getattr(share, name) for share in found.values()) for name in ("written", "open"))
    overall = 100 * written / max(standing_open, 1)
    out().print(f"overall the student writes {overall:.0f} % of the open exported code (at least {WRITTEN_OVERALL})")
    little = [folder for folder, share in found.items() if share.share < WRITTEN_AT_LEAST]
    for folder in little:
        out().print(f"{folder}: the student writes less than {WRITTEN_AT_LEAST} % of the open code")
    return len(little) + (len(found) == len(MODULES) and overall < WRITTEN_OVERALL)
