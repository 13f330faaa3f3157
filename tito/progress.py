"""How far long work is: a bar on a terminal, lines in a log."""

import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

EVERY = 30.0  # seconds between two lines


class Bar(Progress):
    """What is done, of how many, and the time that is left."""

    def __init__(self, console: Console) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        super().__init__(*columns, console=console, transient=True)
        self._said = time.monotonic()

    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        """Note what is done."""
        super().advance(task_id, advance)
        if not self.console.is_terminal and time.monotonic() - self._said >= EVERY:
            self._said = time.monotonic()
            task = next(task for task in self.tasks if task.id == task_id)
            left = "" if task.time_remaining is None else f"; about {task.time_remaining / 60:.0f} min left"
            done = f"{task.completed:.0f} of {task.total:.0f}"
            self.console.print(f"{task.description} {done}{left}".strip(), markup=False)
