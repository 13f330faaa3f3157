"""`python -m tito` is `tito`."""

import signal
import sys


def main() -> None:
    """Run the command line; Ctrl-C ends it with one line at any moment, also while it is loaded."""
    try:
        from tito.cli import main as command_line

        command_line()
    except ModuleNotFoundError as missing:  # before the installation, or in another Python
        sys.exit(f"Problem: The package '{missing.name}' is not installed.\nNext: Run 'python -m tito.doctor'.")
    except KeyboardInterrupt:
        from tito.failures import INTERRUPTED

        print("Stopped.", file=sys.stderr)
        sys.exit(INTERRUPTED)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is done; Python's own end would show a traceback


if __name__ == "__main__":
    main()
