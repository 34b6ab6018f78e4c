"""Where a milter listens, in the spelling of libmilter's smfi_setconn()."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True)
class MilterSocket:
    """The address of a filter: a path (`unix`), or a host and a port (`inet`, `inet6`)."""

    family: socket.AddressFamily
    path: str = ""
    host: str = ""
    port: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `unix:PATH`, `local:PATH`, `inet:PORT@HOST` or `inet6:PORT@HOST`.

        The host may stand in brackets; without one it is the loopback address.

        Raises:
            ValueError: The text has none of these forms.
        """
        kind, _, rest = text.partition(":")
        if kind in {"unix", "local"} and rest:
            return cls(socket.AF_UNIX, path=rest)
        port, _, host = rest.partition("@")
        if kind in {"inet", "inet6"} and port.isdecimal():
            family, loopback = (
                (socket.AF_INET, "127.0.0.1") if kind == "inet" else (socket.AF_INET6, "::1")
            )
            return cls(family, host=host.strip("[]") or loopback, port=int(port))
        raise ValueError(f"{text!r} is not unix:PATH, inet:PORT@HOST or inet6:PORT@HOST")

    def connect(self, timeout: float) -> socket.socket:
        """Open a stream to the filter; every later wait on it is limited to `timeout` seconds.

        Raises:
            OSError: Nobody listens there, or not within the time.
        """
        stream = socket.socket(self.family, socket.SOCK_STREAM)
        stream.settimeout(timeout)
        try:
            stream.connect(self.path or (self.host, self.port))
        except BaseException:
            stream.close()
            raise
        if not self.path:
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return stream

    def for_postfix(self) -> str:
        """The same address as Postfix's smtpd_milters wants it (MILTER_README)."""
        if self.path:
            return f"unix:{Path(self.path).absolute()}"
        host = f"[{self.host}]" if self.family == socket.AF_INET6 else self.host
        return f"inet:{host}:{self.port}"


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nobody listens on at the moment.

    It is drawn at random from below the range that systems take for outgoing connections, so that
    several test runs on one machine seldom meet; who binds it must still be ready to ask again.
    """
    while True:
        port = random.randrange(10_000, 32_000)
        if is_free(port):
            return port


@contextmanager
def refusing_port() -> Iterator[int]:
    """A TCP port of 127.0.0.1 at which nobody answers, and nobody can begin to until the end."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def is_free(port: int) -> bool:
    """Whether a server could listen on this TCP port of 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
