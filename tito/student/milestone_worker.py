"""The process of one milestone: `python milestone_worker.py SCRIPT SEED RESULT [PICTURE]`.

It knows nothing of `tito`, and writes the result as JSON, because all that the script prints is for a person.
"""

import importlib.util
import json
import sys
import time
from pathlib import Path
from types import ModuleType


def load_script(path: Path) -> ModuleType:
    """Import a script by its path."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def main(script: str, seed: str, result: str, picture: str | None = None) -> None:
    """Run the script; write its shares, and the processor time of this process in seconds."""
    shares = load_script(Path(script)).run(int(seed), Path(picture) if picture else None)
    Path(result).write_text(json.dumps({"shares": shares, "seconds": time.process_time()}), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
