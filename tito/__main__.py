"""`python -m tito` is `tito`."""

import sys

try:
    from tito.cli import main
except ModuleNotFoundError as missing:  # before the installation, or in another Python
    sys.exit(f"Problem: The package '{missing.name}' is not installed.\nNext: Run 'python -m tito.doctor'.")

if __name__ == "__main__":
    main()
