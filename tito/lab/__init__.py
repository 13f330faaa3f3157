"""What a module page needs besides the framework: checks that explain themselves, timings, figures.

Nothing here is exported into `tinytorch`; the notebooks import it for tests and measurements only. Imported in a
notebook, it makes the notebook speak plainly about failing and passed tests (docs/decisions/0010).
"""

from tito.lab.checks import check_close, check_equal, check_raises, check_without
from tito.lab.data import load_digits, load_python_source
from tito.lab.figures import show
from tito.lab.graph import draw_graph
from tito.lab.shell import current_shell, speak_in
from tito.lab.timing import Timing, bench, compare, peak_bytes
from tito.lab.tokens import show_tokens

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
    "load_python_source",
    "peak_bytes",
    "show",
    "show_tokens",
]

if (shell := current_shell()) is not None:
    speak_in(shell)
