"""The service: workers count, and one process adds up and serves."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from pyq_metrics.recorder import Recorder
from pyq_metrics.slots import Slot, living
from pyquarantine_core import durable
from pyquarantine_core.errors import PyquarantineError
from pyquarantine_core.outbox import Outbox
from pyquarantine_core.types import MessageDone, Service

logger = logging.getLogger(__name__)

TRY_AGAIN = 5.0
"""Seconds between two tries to listen."""


class Metrics(Service):
    """The service `metrics`.

    Args:
        address: HOST:PORT to serve at.
        outbox: looked at when somebody asks.
    """

    def __init__(self, address: str, outbox: Outbox) -> None:
        host, _, port = address.rpartition(":")
        self._address = host.strip("[]"), int(port)
        self._outbox = outbox
        self._directory = outbox.settings.directory.parent / "metrics"
        self._slot: Slot | None = None
        self._recorder: Recorder | None = None

    def set_up(self) -> None:
        try:
            durable.make_directory(self._directory)
        except OSError as error:
            raise PyquarantineError(f"{self._directory}: {error.strerror}") from error

    def open(self) -> None:
        try:
            self._slot = Slot.claim(self._directory)
        except OSError as error:
            raise PyquarantineError(f"{self._directory}: {error.strerror}") from error
        try:
            self._recorder = Recorder(self._directory, self._slot.number)
        except OSError as error:
            logger.error("metrics: this worker counts nothing: %s: %s", self._directory, error)

    def close(self) -> None:
        self._recorder = None
        if self._slot is not None:
            self._slot.free()
            self._slot = None

    def message_done(self, done: MessageDone) -> None:
        if self._recorder is not None:
            self._recorder.record(done)

    def run(self, stopping: threading.Event) -> None:
        server = self._listen(stopping)
        if server is None:
            return
        thread = threading.Thread(target=server.serve_forever, name="http", daemon=True)
        thread.start()
        logger.info("metrics at http://%s:%d/metrics", *server.server_address[:2])
        stopping.wait()
        server.shutdown()
        server.server_close()

    def _listen(self, stopping: threading.Event) -> _Server | None:
        """Listen as soon as that is possible; None when told to stop before."""
        waiting = False
        while not stopping.is_set():
            try:
                return _Server(self._address, self._directory, self._outbox)
            except OSError as error:
                if not waiting:
                    logger.warning(
                        "metrics: cannot listen at %s port %d yet: %s", *self._address, error
                    )
                waiting = True
                stopping.wait(TRY_AGAIN)
        return None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_port = True  # a new generation listens while the old one still does

    def __init__(self, address: tuple[str, int], directory: Path, outbox: Outbox) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.directory = directory
        self.registry = CollectorRegistry()
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory)
        MultiProcessCollector(self.registry, str(directory))  # type: ignore[no-untyped-call]
        self.registry.register(_State(directory, outbox))
        super().__init__(address, _Handler)

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002
        logger.exception("metrics: a request of %s failed", client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 10

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/metrics":
            self._answer(HTTPStatus.OK, generate_latest(self.server.registry), CONTENT_TYPE_LATEST)
        elif path == "/health" and living(self.server.directory):
            self._answer(HTTPStatus.OK, b"ok\n")
        elif path == "/health":
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, b"no worker lives\n")
        else:
            self._answer(HTTPStatus.NOT_FOUND, b"there are /metrics and /health\n")

    def _answer(
        self, status: HTTPStatus, content: bytes, kind: str = "text/plain; charset=utf-8"
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_error(self, format: str, *arguments: object) -> None:  # noqa: A002 - as inherited
        logger.warning("metrics: " + format, *arguments)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - as inherited
        logger.debug("metrics: " + format, *arguments)


class _State(Collector):
    """What is not counted but looked up."""

    def __init__(self, directory: Path, outbox: Outbox) -> None:
        self._directory = directory
        self._outbox = outbox

    def collect(self) -> Iterator[Metric]:
        spool = self._outbox.spool
        # The directory is made for configs with notifications alone.
        waiting = spool.waiting() if spool.directory.is_dir() else []
        oldest = 0.0
        if waiting:
            written = datetime.strptime(waiting[0].id.partition("_")[0], "%Y%m%d%H%M%S%f")
            oldest = max(0.0, time.time() - written.replace(tzinfo=UTC).timestamp())
        for name, meaning, value in (
            ("workers", "Workers that live", living(self._directory)),
            ("outbox_items", "Notifications that wait for their delivery", len(waiting)),
            ("outbox_oldest_seconds", "Age of the oldest of them", oldest),
            ("outbox_failed", "Notifications that were moved aside", len(spool.failed())),
        ):
            yield GaugeMetricFamily(f"pyquarantine_{name}", meaning, value)
        yield CounterMetricFamily(
            "pyquarantine_outbox_dropped",
            "Notifications for which the outbox had no room",
            spool.dropped,
        )
