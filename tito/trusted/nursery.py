"""Inside the box: a process that has loaded what every page imports, and forks a seat for each student.

Started as a script: `nursery.py CONTROL` with the settings on standard input, or `nursery.py probe USER`, which only
tries what a seat needs. It never runs a student's code. A message on the control socket names a processor and brings
the socket of a seat; the seat gets namespaces, a temporary folder and a user of its own.
"""

import contextlib
import ctypes
import gc
import importlib
import json
import os
import resource
import select
import signal
import socket
import sys
from typing import Any, NoReturn

NEW_MOUNTS, NEW_IPC, NEW_PROCESSES, NEW_NET = 0x00020000, 0x08000000, 0x20000000, 0x40000000  # <linux/sched.h>
NOSUID_NODEV, REMOUNT_PRIVATE = 0x6, 0x44000  # <linux/mount.h>: NOSUID | NODEV; REC | PRIVATE
PR_CAPBSET_DROP, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 24, 36, 38  # <linux/prctl.h>
FIRST_USER = 2_000_000  # of the seats, where the system lets us choose
USERS = 10_000

libc = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """Load, say that it is ready, then fork until the control socket closes."""
    sys.path.insert(0, os.path.dirname(__file__))
    if sys.argv[1] == "probe":
        sys.exit(_probe(user=sys.argv[2] == "0"))
    control = socket.socket(fileno=int(sys.argv[1]))
    settings = json.load(sys.stdin)
    sys.path[:1] = [settings["stack"], *sys.path[:1], settings["engine"]]
    for name, needed in settings["modules"].items():
        with contextlib.nullcontext() if needed else contextlib.suppress(ImportError):
            importlib.import_module(name)
    if "tito.lab.data" in sys.modules:
        with contextlib.suppress(OSError):
            sys.modules["tito.lab.data"].load_digits()  # kept, as every page reads them
    import refused  # type: ignore[import-not-found]  # noqa: F401  (loaded before any fork)
    import supervisor  # type: ignore[import-not-found]  # noqa: F401
    from seat import Seat, sit  # type: ignore[import-not-found]  # beside this file

    seat = Seat(settings["limits"]["output"])  # IPython takes a tenth of a second: once for all
    seat.warm_up(settings["given"])

    gc.collect()
    gc.freeze()  # what is loaded stays: no seat need look at it again, nor copy its pages for that
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    control.send(b"ready")
    number = 0
    while True:
        message, handles, _, _ = socket.recv_fds(control, 100, 1)
        if not message:
            os._exit(0)
        number += 1
        if os.fork() == 0:
            control.close()
            os.sched_setaffinity(0, {int(message)})
            _begin(settings, number, handles[0], lambda link, folder: sit(seat, link, folder))
        for handle in handles:
            os.close(handle)


def _probe(user: bool) -> int:
    """Try what a seat needs of the system; returns 0 when it has it."""
    _unshare()
    if child := os.fork():
        return int(os.waitpid(child, 0)[1] != 0)
    _furnish(os.getcwd(), 1 << 20)
    _become(FIRST_USER if user else None)
    return 0


def _begin(settings: dict[str, Any], number: int, handle: int, sit: Any) -> None:
    """In the child: shut the doors, then be a seat."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    folder = settings["folder"]
    if settings["boxed"]:
        _unshare()
    else:
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
        folder = os.path.join(folder, str(number))
        os.mkdir(folder)
    child = os.fork()
    if child:  # in a box it is the first of its own process namespace: its end is the end of all others there
        _attend(child, handle)
    if settings["boxed"]:
        _furnish(folder, settings["limits"]["disk"])
        _become(FIRST_USER + number % USERS if settings["user"] else None)
    _limit(settings["limits"])
    for name in ("HOME", "TMPDIR", "IPYTHONDIR", "MPLCONFIGDIR"):
        os.environ[name] = folder
    link = socket.socket(fileno=handle)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    sit(link, folder)


def _attend(child: int, handle: int) -> NoReturn:
    """Wait until the seat ends or nobody listens to it any more, then end whatever is left of it."""
    from supervisor import end_children  # in the engine's folder

    watch = select.poll()
    watch.register(os.pidfd_open(child), select.POLLIN)
    watch.register(handle, select.POLLRDHUP)
    watch.poll()
    os.kill(child, signal.SIGKILL)
    end_children()
    os._exit(0)


def _unshare() -> None:
    if libc.unshare(NEW_MOUNTS | NEW_IPC | NEW_PROCESSES | NEW_NET):
        raise OSError(ctypes.get_errno(), "unshare")
    libc.mount(b"none", b"/", None, REMOUNT_PRIVATE, None)


def _furnish(folder: str, size: int) -> None:
    """An empty folder for files, memory to share, and a view of its own processes alone."""
    _mount("tmpfs", folder, size)
    _mount("tmpfs", "/dev/shm", size)
    _mount("proc", "/proc", 0)


def _mount(kind: str, place: str, size: int) -> None:
    data = f"size={size},mode=1777".encode() if kind == "tmpfs" else None
    if libc.mount(kind.encode(), place.encode(), kind.encode(), NOSUID_NODEV, data):
        raise OSError(ctypes.get_errno(), f"mount {kind} on {place}")


def _become(user: int | None) -> None:
    """Another user where there is one, no capabilities, no calls that nobody needs, and no way back."""
    from refused import refuse  # beside this file

    for capability in range(64):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    if user is not None:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    header, none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    if libc.capset(header, none) or libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "capset")
    refuse(libc)


def _limit(limits: dict[str, int]) -> None:
    wanted = {"AS": "memory", "CPU": "cpu", "FSIZE": "file", "NPROC": "processes", "NOFILE": "files", "CORE": "core"}
    for name, key in wanted.items():
        if key in limits:
            kind = getattr(resource, f"RLIMIT_{name}")
            hard = resource.getrlimit(kind)[1]
            value = limits[key] if hard == resource.RLIM_INFINITY else min(limits[key], hard)
            resource.setrlimit(kind, (value, value))


if __name__ == "__main__":
    main()
