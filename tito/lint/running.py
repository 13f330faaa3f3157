"""The rule that has to run the source."""

import os
import subprocess
import sys
from collections.abc import Iterator

from tito.lint.source import Finding, Source

LONGEST_IMPORT = 120  # seconds, generous for a slow machine that loads matplotlib for the first time
IMPORT = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("source", sys.argv[1])
module = importlib.util.module_from_spec(spec)
sys.modules["source"] = module
spec.loader.exec_module(module)
"""


def import_is_quiet(source: Source) -> Iterator[Finding]:
    """Importing the source succeeds, prints nothing and runs no test."""
    environment = os.environ | {"MPLBACKEND": "Agg", "PYTHONPATH": str(source.course.root)}
    command = [sys.executable, "-c", IMPORT, str(source.path)]
    try:
        done = subprocess.run(
            command, cwd=source.course.root, env=environment, capture_output=True, text=True, timeout=LONGEST_IMPORT
        )
    except subprocess.TimeoutExpired:
        yield Finding(1, "import-is-quiet", f"importing it takes more than {LONGEST_IMPORT} seconds")
        return
    printed = (done.stdout + done.stderr).strip().splitlines()
    if done.returncode:
        yield Finding(1, "import-is-quiet", f"importing it fails: {printed[-1] if printed else 'no message'}")
    elif printed:
        yield Finding(1, "import-is-quiet", f"importing it prints: {printed[0][:200]}")


RULES = (import_is_quiet,)
