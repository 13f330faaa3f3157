"""A PostgreSQL server of a test's own, from Debian's package, without a port: it listens on a socket in its folder."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
OWNER = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.name == "posix" and os.getuid() == 0 else {}
STARTS = 30  # seconds


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """Start one that keeps everything in `folder`, and yield nbgrader's `db_url` for an empty database in it."""
    folder.mkdir()
    if OWNER:  # it refuses to run as root
        shutil.chown(folder, "postgres")
    data, programs = folder / "data", PROGRAMS[-1]
    make = [
        programs / "initdb",
        "--no-sync",
        "-A",
        "trust",
        "-U",
        "course",
        "-E",
        "UTF8",
        "--locale=C.UTF-8",
        "-D",
        data,
    ]
    subprocess.run(make, check=True, stdout=subprocess.DEVNULL, cwd=folder, **OWNER)
    with (folder / "log").open("w") as log:
        start = [programs / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"]
        process = subprocess.Popen(start, stderr=log, cwd=folder, **OWNER)
    try:
        _wait([programs / "pg_isready", "-q", "-h", folder], folder / "log")
        yield f"postgresql+psycopg://course@/postgres?host={folder}"
    finally:
        process.terminate()
        process.wait(STARTS)


def _wait(asks: list[str | Path], log: Path) -> None:
    end = time.monotonic() + STARTS
    while subprocess.run(asks, check=False).returncode:
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.05)
