"""JupyterLab on a student's kit, in a real browser without a screen."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

import tito.student
from tito.course import Course

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
ROOT = Path(__file__).parents[2]
SETTINGS = Path(tito.student.__file__).with_name("jupyter_config")
LAPTOP = {"width": 1366, "height": 768}
PATIENCE = 90_000  # milliseconds: a kernel may start slowly on a busy machine


@contextmanager
def jupyter_lab(kit: Course, home: Path) -> Iterator[str]:
    """Start JupyterLab at the kit's root with a home of its own; give an address with a gap for a notebook's path."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "NBGRADER", "IPYTHON"))}
    runtime = home / "runtime"
    own |= {
        "HOME": str(home),
        "JUPYTER_RUNTIME_DIR": str(runtime),
        "JUPYTER_CONFIG_PATH": str(SETTINGS),
        "PYTHONPATH": os.pathsep.join([str(kit.root), str(ROOT)]),
        "OPENBLAS_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ServerApp.port=0", "--allow-root"]
    with open(home / "lab.log", "w") as log:
        server = subprocess.Popen(command, cwd=kit.root, env=own, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield _address(server, runtime, home / "lab.log")
    finally:
        server.terminate()
        server.wait(timeout=60)


def _address(server: subprocess.Popen, runtime: Path, log: Path) -> str:
    """Wait for the file in which a server that is ready says where it is."""
    end = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < end and server.poll() is None:
        for file in runtime.glob("jpserver-*.json"):
            facts = json.loads(file.read_text() or "{}")
            if facts:
                return f"{facts['url']}lab/tree/{{path}}?token={facts['token']}"
        time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()}")


class Notebook:
    """An open notebook, as a student handles it: by looking, clicking and typing."""

    def __init__(self, page: Page, address: str) -> None:
        """Open it, and wait until it is drawn and its kernel is ready."""
        self.page = page
        page.set_default_timeout(PATIENCE)
        page.goto(address)
        page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()
        self._idle()

    def cell(self, text: str) -> Locator:
        """The code cell in which `text` stands."""
        return self.page.locator(".jp-CodeCell", has=self.page.locator(".cm-content", has_text=text))

    def run_above(self, text: str) -> None:
        """Run all cells above one."""
        self.cell(text).locator(".cm-content").click()
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.get_by_role("menuitem", name="Run All Above Selected Cell").click()
        self._idle()

    def write(self, text: str, answer: str) -> None:
        """Replace what stands in a cell."""
        self.cell(text).locator(".cm-content").click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(answer)

    def run(self, text: str) -> str:
        """Run a cell and return what then stands below it."""
        cell = self.cell(text)
        prompt = cell.locator(".jp-InputPrompt")
        before = prompt.inner_text()
        cell.locator(".cm-content").click()
        self.page.keyboard.press("Control+Enter")
        if before.strip("[]: "):
            expect(prompt).not_to_have_text(before, timeout=PATIENCE)
        expect(prompt).to_have_text(re.compile(r"\[\d+\]:"), timeout=PATIENCE)
        self._idle()
        return "\n".join(cell.locator(".jp-OutputArea-output").all_inner_texts()).strip()

    def show_below(self, text: str) -> None:
        """Scroll until all that stands below a cell can be seen."""
        self.cell(text).locator(".jp-OutputArea-output").last.scroll_into_view_if_needed()

    def validate(self) -> str:
        """Press Validate and return the answer."""
        self.page.get_by_role("button", name="Validate").click()
        answer = self.page.locator(".jp-Dialog", has_text="Validation Results")
        answer.wait_for()
        return answer.inner_text()

    def _idle(self) -> None:
        self.page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").first.wait_for()
