"""The process that runs a notebook: what it sees of this machine, and how it ends with everything that it started."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

WORKER = Path(__file__).with_name("worker.py")
SUPERVISOR = Path(__file__).with_name("supervisor.py")
PATIENCE = 5.0  # seconds for ending processes; after that the runner goes on without them


def start(stack: Path, folder: Path) -> "subprocess.Popen[bytes]":
    """Start a worker in `folder` that imports from `stack`; it speaks through its standard input and output."""
    worker = [sys.executable, "-P", "-B", str(WORKER)]
    supervisor = [sys.executable, "-I", "-S", "-B", str(SUPERVISOR)]  # without site-packages it starts sooner
    return subprocess.Popen(
        [*supervisor, *worker] if sys.platform == "linux" else worker,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env=_environment(stack, folder),
        start_new_session=True,
    )


def end(process: "subprocess.Popen[bytes]") -> None:
    """End the process and everything that it started, without waiting longer than `PATIENCE`."""
    with contextlib.suppress(BrokenPipeError):  # unsent data of a process that is gone
        if process.stdin:
            process.stdin.close()  # tells the supervisor to end everything below it
    if sys.platform == "linux":
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(PATIENCE)


def _environment(stack: Path, folder: Path) -> dict[str, str]:
    """Nothing of the user's own settings; the environment's programs first; one thread; figures without a screen."""
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    kept = {name: os.environ[name] for name in ("SYSTEMROOT", "WINDIR", "COMSPEC", "PATHEXT") if name in os.environ}
    own = dict.fromkeys(("HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP", "IPYTHONDIR", "MPLCONFIGDIR"), str(folder))
    jupyter = {f"JUPYTER_{kind}_DIR": str(folder) for kind in ("CONFIG", "DATA", "RUNTIME")}
    return {
        **kept,
        **own,
        **jupyter,
        "PATH": programs,
        "PYTHONPATH": str(stack),
        "PYTHONNOUSERSITE": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONUTF8": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "NBGRADER_EXECUTION": "autograde",
        "LANG": "C.UTF-8",
    }
