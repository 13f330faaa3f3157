"""The notebook around this code, if there is one, and what it says by itself about errors and passed tests."""

import os
import sys
from typing import Any

from tito.lab.failures import STUDENT_ERRORS, explain
from tito.lab.passed import Tally


def current_shell() -> Any:
    """Return the IPython shell that runs this code, or None in a plain script, where IPython is not even loaded."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None


def speak_in(shell: Any) -> None:
    """Let a shell explain failing tests and, unless it is grading, say which tests passed; once is enough."""
    if hasattr(shell, "tito_tally"):
        return
    shell.tito_tally = Tally()
    shell.set_custom_exc(STUDENT_ERRORS, explain)
    if "NBGRADER_EXECUTION" not in os.environ:
        shell.events.register("post_run_cell", shell.tito_tally.after_cell)
