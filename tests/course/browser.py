"""A notebook in a real browser without a screen."""

import re
import shutil

from playwright.sync_api import Locator, Page, expect

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
LAPTOP = {"width": 1366, "height": 768}
PATIENCE = 90_000  # milliseconds: a kernel may start slowly on a busy machine
NUMBERED = re.compile(r"\[\d+\]:")  # the prompt of a cell that has run


class Notebook:
    """An open notebook, as a student handles it: by looking, clicking and typing."""

    def __init__(self, page: Page, address: str) -> None:
        """Open it, and wait until it is drawn and its kernel is ready."""
        self.page = page
        page.set_default_timeout(PATIENCE)
        page.goto(address)
        page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()
        # Before there is a kernel the page calls it idle too, and then drops without a word what is asked of it.
        expect(page.locator(".jp-Toolbar-kernelName")).not_to_have_text("No Kernel", timeout=PATIENCE)
        self._idle()

    def cell(self, text: str) -> Locator:
        """The code cell in which `text` stands."""
        return self.page.locator(".jp-CodeCell", has=self.page.locator(".cm-content", has_text=text))

    def run_above(self, text: str) -> None:
        """Run all cells above one, and see that the page did."""
        self.cell(text).locator(".cm-content").click()
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.get_by_role("menuitem", name="Run All Above Selected Cell").click()
        expect(self.page.locator(".jp-CodeCell .jp-InputPrompt").first).to_have_text(NUMBERED, timeout=PATIENCE)
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
        expect(prompt).to_have_text(NUMBERED, timeout=PATIENCE)
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
