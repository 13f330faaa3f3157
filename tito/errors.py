"""The one exception that the command line shows to a person."""


class CourseError(Exception):
    """Something a user can put right: one sentence on what is wrong, one on what to do next.

    The command line prints both and exits with code 2; it never shows a traceback for this class.
    """

    def __init__(self, problem: str, cure: str = "") -> None:
        super().__init__(f"{problem} {cure}".strip())
        self.problem = problem
        self.cure = cure
