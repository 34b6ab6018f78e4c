"""HTML as people see it: shown in headless Chromium, one page after the other, and looked into.

Every name on the network leads to the server of the test, which also sees whatever the pages ask
for: nothing leaves this machine.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from pyquarantine_core.testing.mail_client import parsed
from pyquarantine_core.testing.processes import lives, wait_until

TIMEOUT = 120.0
"""Seconds within which Chromium shows all pages."""

_SHOW_ALL = """<!DOCTYPE html><meta charset="utf-8"><body><script>
const look = (document, window) => { LOOK };
(async () => {
  const found = [];
  for (let number = 0; number < COUNT; number++) {
    const frame = Object.assign(document.createElement("iframe"), {width: 800, height: 600});
    if (!SCRIPTS) frame.sandbox = "allow-same-origin";
    const loaded = new Promise(done => { frame.onload = done; });
    frame.src = `/page/${number}`;
    document.body.append(frame);
    await loaded;
    try { found.push(look(frame.contentDocument, frame.contentWindow)); }
    catch (error) { found.push({error: String(error)}); }
    frame.remove();
  }
  await fetch("/found", {method: "POST", body: JSON.stringify(found)});
})();
</script>
"""


class BrowserFailed(RuntimeError):  # noqa: N818 - the name says what happened
    """Chromium is not installed, or did not show the pages."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page.

    Attributes:
        content: its HTML.
        content_type: as the header has it.
    """

    content: bytes
    content_type: str = "text/html; charset=utf-8"

    @classmethod
    def of_message(cls, content: bytes) -> Self:
        """The HTML that a mail client shows of a message, read as its header says."""
        body = parsed(content).get_body(("html",))
        assert body is not None
        data = body.get_payload(decode=True)
        assert isinstance(data, bytes)
        return cls(data, str(body["Content-Type"]))


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of pages.

    Attributes:
        found: by page, what the look into it returned.
        requests: method and URL of all that they asked servers for.
    """

    found: Mapping[str, Any]
    requests: tuple[str, ...]


def browse(pages: Mapping[str, Page], look: str, *, scripts: bool = False) -> Seen:
    """Show pages in a frame of 800 by 600 pixels, as web mail does, and look into each.

    Args:
        pages: by name.
        look: the body of a JavaScript function of a page's `document` and `window`, which returns
            what can be written as JSON. What it throws is returned as `error`.
        scripts: let scripts of pages run; web mail does not.

    Raises:
        BrowserFailed: there is no Chromium, or it has not shown all pages in time.
    """
    chromium = shutil.which("chromium")
    if chromium is None:
        raise BrowserFailed("Chromium is not installed: there is no command 'chromium'")
    script = _SHOW_ALL.replace("LOOK", look).replace("COUNT", str(len(pages)))
    start = Page(script.replace("SCRIPTS", json.dumps(scripts)).encode())
    with _Server([start, *pages.values()]) as server, tempfile.TemporaryDirectory() as profile:
        process = subprocess.Popen(
            [
                *(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
                *("--disable-background-networking", "--disable-component-update"),
                *("--remote-debugging-port=0", f"--user-data-dir={profile}"),
                *(f"--host-resolver-rules=MAP * 127.0.0.1:{server.server_port}", server.address),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            if not server.done.wait(TIMEOUT):
                raise BrowserFailed(f"Chromium has not shown {len(pages)} pages in {TIMEOUT:.0f} s")
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            wait_until(lambda: not lives(process.pid), TIMEOUT)
        return Seen(dict(zip(pages, server.found, strict=True)), tuple(server.requests))


class _Server(ThreadingHTTPServer):
    """Serves the pages, the first as `/`, and keeps what it is asked for beside them."""

    def __init__(self, pages: list[Page]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.address = f"http://127.0.0.1:{self.server_port}/"
        self.pages = {"/": pages[0]}
        self.pages |= {f"/page/{number}": page for number, page in enumerate(pages[1:])}
        self.requests: list[str] = []
        self.found: list[Any] = []
        self.done = threading.Event()

    def __enter__(self) -> _Server:
        threading.Thread(target=self.serve_forever).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        page = self.server.pages.get(self.path) if self._is_ours() else None
        if page is None:
            self._keep_request()
        self.send_response(404 if page is None else 200)
        if page is not None:
            self.send_header("Content-Type", page.content_type)
        self.end_headers()
        self.wfile.write(b"" if page is None else page.content)

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()
        if self._is_ours() and self.path == "/found":
            self.server.found = json.loads(content)
            self.server.done.set()
        else:
            self._keep_request()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as it is inherited
        """Say nothing."""

    def _is_ours(self) -> bool:
        return f"http://{self.headers['Host']}/" == self.server.address

    def _keep_request(self) -> None:
        """Remember it, unless it is Chromium itself that asks."""
        host = self.headers["Host"]
        asked_by_pages = self._is_ours() or host.partition(":")[0].endswith(".example")
        if asked_by_pages and self.path != "/favicon.ico":
            self.server.requests.append(f"{self.command} http://{host}{self.path}")
