"""nbgrader's settings of the course: one file, for its commands and for ours."""

from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from tito.course import Course
from tito.errors import CourseError

FILE = "nbgrader_config.py"


def nbgrader_config(course: Course) -> Config:
    """Return the course's nbgrader settings, rooted in the course wherever the command was started.

    Raises:
        CourseError: the file cannot be run.
    """
    try:
        config: Config = PyFileConfigLoader(FILE, path=str(course.root)).load_config()
    except Exception as error:  # the file is Python: it may raise anything
        reason = f"{type(error).__name__}: {error}"
        raise CourseError(f"{FILE} cannot be used: {reason}.", "Put that line of it right.") from error
    config.CourseDirectory.root = str(course.root)
    config.NbGraderAPI.log_level = "ERROR"
    exchange = course.state / "exchange"  # nbgrader wants one, or complains aloud; this course does not use it
    exchange.mkdir(parents=True, exist_ok=True)
    config.Exchange.root = str(exchange)
    return config
