"""What a graded notebook imports and reads: the exports of the modules before it, `tito.lab`, and the data sets."""

import hashlib
import shutil
from pathlib import Path

from tito.course import Course
from tito.registry import MODULES, Module
from tito.sources.export import export


def build_stack(course: Course, module: Module, folder: Path) -> Path:
    """Fill `folder` with a `tinytorch` of only the modules before `module`, with `tito` and with `datasets/`.

    An early mistake of a student then costs no points later, and a notebook cannot import its own answer.

    Raises:
        CourseError: the source of an earlier module is missing or cannot be exported.
    """
    export(course, [earlier for earlier in MODULES if earlier.number < module.number], package=folder / "tinytorch")
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc")
    shutil.copytree(Path(__file__).parent.parent, folder / "tito", ignore=ignore)
    if (course.root / "datasets").is_dir():
        shutil.copytree(course.root / "datasets", folder / "datasets", ignore=ignore)
    return folder


def stack_digest(folder: Path) -> str:
    """Return a hash of everything in the stack that a notebook's result can depend on."""
    digest = hashlib.sha256()
    data = [path for path in (folder / "datasets").rglob("*") if path.is_file()]
    for path in sorted([*(folder / "tinytorch").rglob("*.py"), *(folder / "tito" / "lab").rglob("*.py"), *data]):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()} {len(content)}\n".encode() + content)
    return digest.hexdigest()
