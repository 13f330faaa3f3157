"""What `tito.lab` loads: little, and IPython only where it already runs."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FIGURE = "from matplotlib.figure import Figure; tito.lab.show(Figure(), alt='nothing')"


@pytest.mark.parametrize(
    ("code", "absent"), [("", ["IPython", "matplotlib", "nbformat", "traitlets"]), (FIGURE, ["IPython"])]
)
def test_a_script_loads_no_notebook(code, absent):
    code = f"import sys, tito.lab; {code or 'pass'}; print([name for name in {absent} if name in sys.modules])"
    settings = {"PYTHONPATH": str(ROOT), "MPLBACKEND": "agg", "PATH": ""}
    done = subprocess.run([sys.executable, "-c", code], env=settings, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")
