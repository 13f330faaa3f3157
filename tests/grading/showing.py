"""Pages in a real browser, and a listener: what of a page is alive."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import browser
from playwright.sync_api import Dialog, Page, sync_playwright

HERE_ONLY = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"
MOMENT = 100  # milliseconds for what a page starts by itself, and for what it does when it is touched
NODES = '(document.querySelector("#notebook-container") || document.body).querySelectorAll("*")'
TOUCH = f"""() => {{
    for (const node of {NODES}) {{
        for (const name of ["mouseover", "mouseenter", "mousemove", "focus"])
            node.dispatchEvent(new MouseEvent(name, {{bubbles: true}}))
        if (node.protocol === "javascript:" || node.form || node.hasAttribute("onclick")) node.click()
    }}
}}"""
SUSPECTS = f"""() => {{
    const found = []
    const none = "script, iframe, object, embed, form, base, link, meta, style, template, video, audio, svg, math"
    for (const node of {NODES}) {{
        if (node.matches(none) || /^(javascript|vbscript|data):$/.test(node.protocol)) found.push(node.localName)
        for (const {{name, value}} of node.attributes)
            if (name.startsWith("on") || (name === "style" && /url|image|\\\\/i.test(value)))
                found.push(`${{node.localName}} ${{name}}=${{value.slice(0, 80)}}`)
    }}
    return found
}}"""


class Listener:
    """A server on this machine that notes who calls: the last part of each address."""

    def __init__(self) -> None:
        calls = self.calls = set()

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                calls.add(self.path.split("?")[0].strip("/").split("/")[0])
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Seen:
    """What one page did: `alive` says it in words, "" when nothing."""

    def __init__(self, page: Page, address: str) -> None:
        self.requests: list[str] = []
        self._dialogs: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("dialog", self._dismiss)
        page.on("popup", lambda other: self._dialogs.append(other.url))
        page.goto(address, wait_until="load")
        page.wait_for_timeout(MOMENT)
        self.title = page.title()
        self.suspects: list[str] = page.evaluate(SUSPECTS)
        self.text: str = page.locator("body").inner_text()
        self.source: str = page.content()
        page.evaluate(TOUCH)
        page.wait_for_timeout(MOMENT)
        self.marked = any(frame.evaluate("window.alive === 1") for frame in page.frames)
        self.left = page.url if page.url.partition("?")[0] != address.partition("?")[0] else ""

    def _dismiss(self, dialog: Dialog) -> None:
        self._dialogs.append(dialog.message)
        dialog.dismiss()

    def alive(self, own: set[str]) -> list[str]:
        """What there is of scripts, questions, other pages and requests but those to `own` addresses."""
        left = [f"request {url[:120]}" for url in self.requests if not url.startswith(("data:", *own))]
        flags = [*(["ran"] if self.marked else []), *([f"left for {self.left}"] if self.left else [])]
        return [*flags, *self._dialogs, *left, *self.suspects]


@contextmanager
def opened_browser() -> Iterator[Callable[[str], Seen]]:
    """A browser that reaches this machine and nothing else: a function that looks at the page of an address."""
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=browser.CHROMIUM, args=[*browser.FLAGS, HERE_ONLY]) as chromium,
    ):
        context = chromium.new_context(viewport=browser.LAPTOP)

        def look(address: str) -> Seen:
            page = context.new_page()
            try:
                return Seen(page, address)
            finally:
                page.close()

        yield look
