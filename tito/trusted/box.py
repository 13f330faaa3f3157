"""The box around student code: bubblewrap's namespaces, a read-only system, no network, none of the course's files."""

import ctypes
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tito.engine.runner import Limits
from tito.errors import CourseError

HERE = Path(__file__).parent
ENGINE = HERE.parent / "engine"
FOLDER = "/seat"  # of a seat, inside
KEPT = ("SYS_ADMIN", "SETUID", "SETGID", "SETPCAP", "KILL")  # by the nursery, which gives them up for every seat
PATIENCE = 60.0  # seconds until the nursery has loaded everything
BWRAP = "bwrap"
BUG = "This is a bug of tito: please report it."
GET_IT = "Install it (Debian, Ubuntu: apt install bubblewrap), or say --isolation=none to grade without protection."


@dataclass(frozen=True)
class Nursery:
    """The running process that forks seats, and the socket that asks it to."""

    process: "subprocess.Popen[bytes]"
    control: socket.socket
    folder: Path

    def close(self) -> None:
        """End it and everything in it."""
        self.control.close()
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def start(stack: Path, modules: dict[str, bool], given: list[str], limits: Limits, boxed: bool) -> Nursery:
    """Start a nursery whose seats import from `stack`.

    Args:
        stack: the folder of the packages.
        modules: what is loaded before the first seat, and whether it must be there.
        given: the texts of cells that every student has, parsed once for all seats.
        limits: what a seat may use.
        boxed: whether in the sandbox.

    Raises:
        CourseError: it does not start.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    folder = Path(tempfile.mkdtemp(prefix="tito-seats-"))
    place = FOLDER if boxed else str(folder)
    settings = {
        "boxed": boxed,
        "user": boxed and os.getuid() == 0,
        "modules": modules,
        "given": given,
        "folder": place,
        "stack": "/course" if boxed else str(stack),
        "engine": "/engine" if boxed else str(ENGINE),
        "limits": _numbers(limits, boxed),
    }
    script = "/trusted/nursery.py" if boxed else str(HERE / "nursery.py")
    python = [sys.executable, "-P", "-B", script, str(theirs.fileno())]
    command = [*bubblewrap(stack), *python] if boxed else python
    with tempfile.TemporaryFile() as told:
        told.write(json.dumps(settings).encode())
        told.seek(0)
        process = subprocess.Popen(
            command,
            stdin=told,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=[theirs.fileno()],
            env=_environment(place),
            start_new_session=True,
        )
    theirs.close()
    ours.settimeout(PATIENCE)
    try:
        ready = ours.recv(100)
    except TimeoutError:
        ready = b""
    if ready != b"ready":
        process.kill()
        said = (process.communicate()[1] or b"").decode(errors="replace").strip().splitlines()[-1:]
        shutil.rmtree(folder, ignore_errors=True)
        raise CourseError(f"The process for student code does not start: {' '.join(said)[:300]}", BUG)
    assert process.stderr is not None
    process.stderr.close()
    ours.settimeout(None)
    return Nursery(process, ours, folder)


def open_seat(control: socket.socket) -> socket.socket:
    """Let the nursery fork a seat, and return the link to it.

    Caller and seat take turns, so they get one processor: a question takes 10 us there, and 80 from one to the other.
    """
    processor = ctypes.CDLL(None).sched_getcpu()
    os.sched_setaffinity(0, {processor})
    ours, theirs = socket.socketpair()
    socket.send_fds(control, [str(processor).encode()], [theirs.fileno()])
    theirs.close()
    return ours


def require() -> None:
    """Make sure that the box works here.

    Raises:
        CourseError: it does not.
    """
    if reason := trouble():
        raise CourseError(f"The sandbox for student code does not work here: {reason}.", GET_IT)


@cache
def trouble() -> str:
    """Say why the box does not work here, "" when it does: found out by running it, with nothing loaded."""
    if sys.platform != "linux":
        return "it needs Linux"
    probe = [sys.executable, "-P", "-B", "/trusted/nursery.py", "probe", str(os.getuid())]
    with tempfile.TemporaryDirectory() as stack:
        command = [*bubblewrap(Path(stack)), *probe]
        try:
            tried = subprocess.run(command, capture_output=True, text=True, env=_environment(FOLDER), timeout=PATIENCE)
        except FileNotFoundError:
            return "bubblewrap is not installed"
        except subprocess.TimeoutExpired:
            return "bubblewrap does not answer"
    return " ".join(tried.stderr.strip().splitlines()[-1:])[:300] or "it ends" if tried.returncode else ""


def bubblewrap(stack: Path) -> list[str]:
    """The command that puts what follows it into the box.

    For root it makes no user namespace: the nursery then gives each seat a user of its own, for which the kernel also
    enforces the number of processes. For everyone else all are the same stranger inside.
    """
    root = os.getuid() == 0
    user = [] if root else ["--unshare-user", "--uid", "65534", "--gid", "65534"]
    # Everything else by name: the mounts below are all that there is.
    spaces = [*user, "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    powers = ["--cap-drop", "ALL", *(part for name in KEPT for part in ("--cap-add", f"CAP_{name}"))]
    system = ["--ro-bind", "/usr", "/usr"]
    for name in ("bin", "sbin", "lib", "lib32", "lib64"):
        path = Path("/", name)
        if path.is_symlink():
            system += ["--symlink", os.readlink(path), str(path)]
        elif path.is_dir():
            system += ["--ro-bind", str(path), str(path)]
    for path in (*_python(), *map(Path, ("/etc/ld.so.cache", "/etc/localtime"))):
        system += ["--ro-bind-try", str(path), str(path)]
    above = {folder for path in _python() for folder in path.parents} - {Path("/"), Path("/usr")}
    doors = [part for path in sorted(above) for part in ("--perms", "0755", "--dir", str(path))]  # else for root alone
    ours = ["--ro-bind", str(stack), "/course", "--ro-bind", str(HERE), "/trusted", "--ro-bind", str(ENGINE), "/engine"]
    files = ["--proc", "/proc", "--dev", "/dev", "--tmpfs", FOLDER]
    if Path("/tmp") not in above:
        files += ["--symlink", FOLDER, "/tmp"]
    end = ["--hostname", "box", "--remount-ro", "/", "--chdir", FOLDER]
    return [BWRAP, "--die-with-parent", "--new-session", *spaces, *powers, *doors, *system, *ours, *files, *end]


def _python() -> list[Path]:
    """The folders of the interpreter and its packages."""
    base = Path(os.path.realpath(sys.executable)).parents[1]
    places = [Path(sys.prefix).resolve(), Path(sys.prefix), Path(sys.base_prefix), base]
    return [p for p in dict.fromkeys(places) if not p.is_relative_to("/usr") and p != Path("/")]


def _numbers(limits: Limits, boxed: bool) -> dict[str, int]:
    numbers = {
        "memory": limits.memory_bytes,
        "cpu": int(limits.total_seconds) + 5,
        "file": limits.file_bytes,
        "output": limits.output_chars,
        "core": 0,
        "disk": 2 * limits.file_bytes,
        "files": 256,
    }
    return numbers | ({"processes": 64} if boxed else {})


def _environment(folder: str) -> dict[str, str]:
    """Nothing of the user's own settings."""
    return {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"]),
        "PYTHONNOUSERSITE": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONUTF8": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "NBGRADER_EXECUTION": "autograde",
        "LANG": "C.UTF-8",
        "HOME": folder,
        "IPYTHONDIR": folder,
        "MPLCONFIGDIR": folder,
    }
