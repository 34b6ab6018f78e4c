"""Pages for a browser, and the server that has them and hears whatever else is asked for."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from pyquarantine_core.testing.mail_client import parsed


@dataclass(frozen=True, slots=True)
class Page:
    """A page.

    Attributes:
        content: its HTML.
        content_type: as the header has it.
        headers: what else the server says of it.
    """

    content: bytes
    content_type: str = "text/html; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_message(
        cls, content: bytes, kind: str = "html", *, headers: Mapping[str, str] | None = None
    ) -> Self:
        """What a mail client shows of a message, read as its header says.

        Args:
            content: the message.
            kind: `html` or `plain`.
            headers: what the server says beside the type.
        """
        body = parsed(content).get_body((kind,))
        assert body is not None
        data = body.get_payload(decode=True)
        assert isinstance(data, bytes)
        return cls(data, str(body["Content-Type"]), headers or {})


class PageServer(ThreadingHTTPServer):
    """Serves pages by their paths, and keeps what it is asked for beside them.

    Attributes:
        address: its URL, ending in a slash.
        pages: what it serves.
        requests: method and URL of all else, or of what is no HTTP the host it was meant for.
        found: what was sent to `/found`.
        done: whether something was.
    """

    def __init__(self, pages: Mapping[str, Page]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.address = f"http://127.0.0.1:{self.server_port}/"
        self.pages = dict(pages)
        self.requests: list[str] = []
        self.found: list[Any] = []
        self.done = threading.Event()

    def __enter__(self) -> PageServer:
        threading.Thread(target=self.serve_forever).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: PageServer
    raw_requestline: bytes

    def do_GET(self) -> None:
        page = self.server.pages.get(self.path) if self._is_ours() else None
        if page is None:
            self._keep_request()
        self.send_response(404 if page is None else 200)
        if page is not None:
            self.send_header("Content-Type", page.content_type)
            for name, value in page.headers.items():
                self.send_header(name, value)
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

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse a request; one that is no HTTP is that of TLS, and names its server, too."""
        if b".example" in self.raw_requestline:
            self.server.requests.append(f"? {self.raw_requestline!r}")
        super().send_error(code, message, explain)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as it is inherited
        """Say nothing."""

    def _is_ours(self) -> bool:
        return f"http://{self.headers['Host']}/" == self.server.address

    def _keep_request(self) -> None:
        """Remember it, unless it is Chromium itself that asks."""
        host = str(self.headers["Host"])
        asked_by_pages = self._is_ours() or host.partition(":")[0].endswith(".example")
        if asked_by_pages and self.path != "/favicon.ico":
            self.server.requests.append(f"{self.command} http://{host}{self.path}")
