"""`python -m tito` is `tito`."""

import signal
import sys
import threading
from typing import Any


def main() -> None:
    """Run the command line; Ctrl-C ends it with one line at any moment, also while it is loaded."""
    sys.unraisablehook = _not_raised
    try:
        from tito.cli import main as command_line

        command_line()
    except ModuleNotFoundError as missing:  # before the installation, or in another Python
        sys.exit(f"Problem: The package '{missing.name}' is not installed.\nNext: Run 'python -m tito.doctor'.")
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # once is enough
        from tito.failures import INTERRUPTED

        print("Stopped.", file=sys.stderr)
        sys.exit(INTERRUPTED)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is done; Python's own end would show a traceback


def _not_raised(error: Any) -> None:
    """Where Python drops an exception, as in the callback of a weak reference, let Ctrl-C come once more."""
    if error.exc_type is KeyboardInterrupt:
        send = getattr(signal, "pthread_kill", lambda _, number: signal.raise_signal(number))  # wakes one that sleeps
        threading.Timer(0.02, send, [threading.main_thread().ident, signal.SIGINT]).start()
    else:
        sys.__unraisablehook__(error)


if __name__ == "__main__":
    main()
