"""What a module page needs besides the framework: checks that explain themselves, timings, figures.

Nothing here is exported into `tinytorch`; the notebooks import it for tests and measurements only. Imported in a
notebook, it makes the notebook speak plainly about failing and passed tests (docs/decisions/0010).
"""

from tito.lab.checks import check_close, check_equal, check_raises, check_without
from tito.lab.data import load_digits
from tito.lab.figures import show
from tito.lab.graph import draw_graph
from tito.lab.shell import current_shell, speak_in
from tito.lab.timing import Timing, bench, compare, peak_bytes

__all__ = [
    "Timing",
    "bench",
    "check_close",
    "check_equal",
    "check_raises",
    "check_without",
    "compare",
    "draw_graph",
    "load_digits",
    "peak_bytes",
    "show",
]

if (shell := current_shell()) is not None:
    speak_in(shell)
