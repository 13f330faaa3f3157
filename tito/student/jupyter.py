"""JupyterLab as a student needs it: the whole kit on the left, the notebook in front."""

import os
import sys
from pathlib import Path
from urllib.parse import quote

from tito.course import Course
from tito.errors import CourseError
from tito.registry import Module
from tito.student.work import find_work

CONFIG = Path(__file__).with_name("jupyter_config")  # keeps nbgrader's tools for instructors out of a student's way


def lab_options(course: Course, module: Module | None) -> list[str]:
    """Return JupyterLab's command-line options.

    Raises:
        CourseError: the module has not been started, or it is not clear which of several notebooks counts.
    """
    options = [f"--ServerApp.root_dir={course.root}", "--ServerApp.log_level=WARN"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # in a container everybody is root
        options.append("--ServerApp.allow_root=True")
    if module:
        notebook, _ = find_work(course, module)
        if notebook is None:
            raise CourseError(
                f"You have not started {module.folder} yet.", f"Run 'tito start {module.number:02d}' first."
            )
        shown = notebook.relative_to(course.root).as_posix()
        options.append(f"--LabApp.default_url=/lab/tree/{quote(shown)}")
    return options


def open_lab(course: Course, module: Module | None) -> None:
    """Run JupyterLab until it is stopped; its terminals find `tito`, its kernels the student's package.

    Raises:
        CourseError: see `lab_options`.
    """
    options = lab_options(course, module)
    if course.is_kit:
        os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join([str(CONFIG), os.environ.get("JUPYTER_CONFIG_PATH", "")])
    from jupyterlab.labapp import LabApp  # type: ignore[import-untyped]  # slow to import

    print("JupyterLab opens in your browser. Stop it here with Ctrl-C.", flush=True)
    os.chdir(course.root)  # where nbgrader looks for its settings
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as grading, and as every figure of the course
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    LabApp.launch_instance(options)
