"""Run the worker and, when it is over, end every process that it started, in whatever session they hide.

Started as a script by `runner.py`, on Linux only. Orphans below this process become its children, so that none can get
away. Standard input is the worker's; when its other end closes, the runner is gone or has had enough.
"""

import ctypes
import os
import select
import signal
import sys
import threading

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # <linux/prctl.h>


def main(worker: list[str]) -> None:
    """Run the command `worker` to its end, or to the end of standard input."""
    prctl = ctypes.CDLL(None).prctl
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    child = os.fork()
    if child == 0:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        os.execv(worker[0], worker)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the worker alone speaks to the runner
    threading.Thread(target=_end_with_input, args=(child,), daemon=True).start()
    while os.waitpid(-1, 0)[0] != child:
        continue  # an orphan that ended by itself
    end_children()


def _end_with_input(child: int) -> None:
    closed = select.poll()
    closed.register(0, 0)  # no event but the end: the content is the worker's
    closed.poll()
    os.kill(child, signal.SIGKILL)


def end_children() -> None:
    """Kill until nothing is left; the children of whatever dies come here."""
    while True:
        for pid in _children():
            os.kill(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _children() -> list[int]:
    found = []
    for name in os.listdir("/proc"):
        if name.isdecimal():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    parent = int(file.read().rpartition(b")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended meanwhile
            found += [int(name)] if parent == os.getpid() else []
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
