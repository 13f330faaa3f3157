"""Set up TinyTorch on this computer: `python start.py` in the unzipped kit.

Makes `.venv`, installs the pinned packages into it and puts the first notebook into `work/`. It can be run again at any
time: what is there already is kept, and `work/` is never touched. Standard library only, and no syntax that is newer
than Python 3.6, so that an old Python gets a sentence and not a SyntaxError.
"""

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys

OLDEST_PYTHON = (3, 11)
SPACE = 1e9  # bytes: the packages take 0.55 GB, and pip needs room to unpack
KIT = os.path.dirname(os.path.abspath(__file__))
PINS = os.path.join(KIT, "requirements", "student.txt")
ENVIRONMENT = os.path.join(KIT, ".venv")
WINDOWS = os.name == "nt"
PROGRAMS = os.path.join(ENVIRONMENT, "Scripts" if WINDOWS else "bin")
PYTHON = os.path.join(PROGRAMS, "python.exe" if WINDOWS else "python")
AGAIN = "then run start.py again: it goes on where it stopped."

# What pip says when it fails, and what that means.
CAUSES = (
    (("No space left", "Errno 28", "not enough space"), "The disk is full.", "Free 1 GB, " + AGAIN),
    (
        ("CERTIFICATE_VERIFY_FAILED",),
        "Python could not verify the package index.",
        "Update Python's certificates (macOS: 'Install Certificates.command' in Python's folder), " + AGAIN,
    ),
    (
        ("getaddrinfo", "name resolution", "NewConnectionError", "Max retries", "Read timed out", "ProxyError"),
        "The package index cannot be reached.",
        "Look at your network connection, " + AGAIN,
    ),
    (("Permission denied", "Access is denied"), "A file cannot be written.", "Close JupyterLab, " + AGAIN),
    (("Long Path", "File name too long"), "The path of this folder is too long.", "Move the kit up, " + AGAIN),
)

GO_ON = """
Everything is ready. Go on in a terminal in this folder:

    {enter}
    {activate}
    tito lab 01        opens your notebook in JupyterLab
    tito check 01      runs its tests
    tito export 01     puts your code into the tinytorch package

The first two lines are also the way back in when you have closed the terminal. `tito doctor` says what is wrong when
something does not work.
"""


class Stop(Exception):
    """Something a person can put right: what is wrong, and the next step."""


def main() -> int:
    """Set everything up; return the exit code."""
    try:
        check_machine(sys.version_info[:3])
        make_environment()
        install()
        if run("-m", "tito", "start", "01"):
            raise Stop("The first notebook could not be made.", "Run start.py again.")
    except Stop as stop:
        problem, cure = stop.args
        print(f"\nProblem: {problem}\nNext: {cure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. Run start.py again: it goes on where it stopped.", file=sys.stderr)
        return 130
    enter, activate = way_in()
    print(GO_ON.format(enter=enter, activate=activate))
    return 0


def check_machine(version: "tuple[int, ...]") -> None:
    """Stop when Python, the kit or the disk cannot do."""
    if version < OLDEST_PYTHON:
        raise Stop(
            f"Python {dotted(version)} is too old: TinyTorch needs {dotted(OLDEST_PYTHON)} or newer.",
            "Get it from https://www.python.org/downloads/ and run start.py with it"
            + (": py -3 start.py" if WINDOWS else ", for example: python3.12 start.py"),
        )
    if not os.path.isfile(PINS):
        raise Stop("start.py stands alone here: the kit's other files are missing.", "Unzip the whole kit first.")
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        raise Stop(
            "This Python cannot make environments: its venv module is not complete.",
            f"On Debian and Ubuntu: sudo apt install python{dotted(version[:2])}-venv, {AGAIN}",
        )
    free = shutil.disk_usage(KIT).free
    if free < SPACE and not is_complete():
        raise Stop(f"The disk has only {free / 1e9:.1f} GB left.", "Free 1 GB, " + AGAIN)


def dotted(version: "tuple[int, ...]") -> str:
    """(3, 11) as "3.11"."""
    return ".".join(map(str, version))


def is_complete() -> bool:
    """Whether `.venv` was made in this place, and has a Python that is new enough, and pip."""
    if not os.path.isfile(PYTHON) or is_moved():
        return False
    test = f"import sys, pip; sys.exit(sys.version_info < {OLDEST_PYTHON})"
    return subprocess.call([PYTHON, "-c", test], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0


def is_moved() -> bool:
    """Whether `.venv` was made for a folder that lay elsewhere: its programs would look for themselves there."""
    try:
        with open(os.path.join(ENVIRONMENT, "pyvenv.cfg"), encoding="utf-8") as file:
            made_by = [line for line in file if line.startswith("command = ")]
    except OSError:
        return False
    place = made_by[0].partition(" --clear ")[2].strip() if made_by else ""
    return bool(place) and not (os.path.exists(place) and os.path.samefile(place, ENVIRONMENT))


def make_environment() -> None:
    """Make `.venv`, or keep the one that is there."""
    if is_complete():
        print("Keeping the environment in .venv")
        return
    print(f"Making the environment in .venv with Python {dotted(sys.version_info[:3])} ...", flush=True)
    if subprocess.call([sys.executable, "-m", "venv", "--clear", ENVIRONMENT]):
        raise Stop("The environment could not be made; the lines above say why.", "Put that right, " + AGAIN)


def install() -> None:
    """Install the pinned packages, and the kit itself: `tito` and your own `tinytorch`."""
    with open(PINS, encoding="utf-8") as pins:
        count = sum("==" in line for line in pins)
    print(f"Installing {count} packages; the first time this takes a few minutes ...")
    pip_install("-r", PINS)
    pip_install("--no-build-isolation", "--no-deps", "-e", KIT)


def pip_install(*words: str) -> None:
    """Run `pip install` in the environment, and show what it fetches."""
    command = [PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off"]
    said = []
    with subprocess.Popen(
        [*command, *words],
        cwd=KIT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as pip:
        for line in pip.stdout or ():
            said.append(line.rstrip())
            if line.startswith(("Collecting", "Installing collected")):
                print("  " + " ".join(line.split()[:3]).rstrip(",")[:70], flush=True)
    if pip.returncode:
        raise explain(said)


def explain(said: "list[str]") -> Stop:
    """What pip's lines mean to a person."""
    text = "\n".join(said)
    for signs, problem, cure in CAUSES:
        if any(sign in text for sign in signs):
            return Stop(problem, cure)
    print("\n".join(said[-15:]), file=sys.stderr)
    return Stop("pip could not install the packages.", "Send the lines above to your instructor.")


def run(*words: str) -> int:
    """Run the environment's Python in the kit; return its exit code."""
    return subprocess.call([PYTHON, *words], cwd=KIT)


def way_in() -> "tuple[str, str]":
    """The two lines that lead from a fresh terminal to a working `tito`."""
    if WINDOWS:
        return f'cd "{KIT}"', r".venv\Scripts\activate"
    return f"cd {shlex.quote(KIT)}", ". .venv/bin/activate"


if __name__ == "__main__":
    sys.exit(main())
