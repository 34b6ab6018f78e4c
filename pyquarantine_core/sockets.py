"""The address an MTA connects to: `unix:PATH`, `inet:PORT@HOST`, `inet6:PORT@HOST`."""

from __future__ import annotations

import errno
import grp
import os
import secrets
import socket
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pyquarantine_core.errors import ConfigError, ListenError

LONGEST_PATH = 107
"""Bytes of a unix socket's path (unix(7), without the last NUL)."""
_LAST_PORT = 65_535
BACKLOG = 128
"""Connections that may wait to be accepted (listen(2))."""


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed socket address.

    Attributes:
        family: `socket.AF_UNIX`, `AF_INET` or `AF_INET6`.
        path: of a unix socket.
        host: of the others; empty for all addresses of this machine.
        port: of the others.
    """

    family: socket.AddressFamily
    path: Path | None = None
    host: str = ""
    port: int = 0

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read an address as milters write it.

        Raises:
            ConfigError: what is wrong with it.
        """
        kind, colon, rest = text.partition(":")
        if not colon and text.startswith("/"):
            kind, rest = "unix", text
        if kind in {"unix", "local"} and rest.startswith("/"):
            return cls(socket.AF_UNIX, Path(rest))
        port, _, host = rest.partition("@")
        if kind in {"inet", "inet6"} and port.isdecimal():
            if int(port) > _LAST_PORT:
                raise ConfigError(f"{text!r} is not a socket; a port is at most {_LAST_PORT}")
            family = socket.AF_INET if kind == "inet" else socket.AF_INET6
            return cls(family, None, host.strip("[]"), int(port))
        raise ConfigError(
            f"{text!r} is not a socket; write unix:/PATH, inet:PORT@HOST or inet6:PORT@HOST"
        )


class Listener:
    """A listening socket, and the path that leads to it."""

    def __init__(self, address: Address, listening: socket.socket) -> None:
        self.address = address
        self._socket = listening
        self._inode = address.path.stat().st_ino if address.path is not None else None

    def __str__(self) -> str:
        if self.address.path is not None:
            return f"unix:{self.address.path}"
        host, port = self._socket.getsockname()[:2]
        return f"{'inet' if self.address.family == socket.AF_INET else 'inet6'}:{port}@{host}"

    def fileno(self) -> int:
        """Its descriptor."""
        return self._socket.fileno()

    def close(self) -> None:
        """Stop listening here; the path goes unless another daemon has taken it over."""
        self._socket.close()
        if self.address.path is not None:
            with suppress(FileNotFoundError):
                if self.address.path.stat().st_ino == self._inode:
                    self.address.path.unlink()


def listen(address: Address, *, mode: int | None = None, group: int | None = None) -> Listener:
    """Listen at an address.

    A unix socket is bound at a private path and renamed, so that it appears in one step with
    its permissions and no worker can unlink it. It takes the place of a stale one, never of
    another file or of a socket that is in use.

    Args:
        address: where.
        mode: permissions of a unix socket; None leaves them to the umask.
        group: number of a unix socket's group.

    Raises:
        ListenError: it cannot be listened on; why.
    """
    listener = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        if address.path is not None:
            _bind_path(listener, address.path, mode, group)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if address.family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind((address.host, address.port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        place = address.path or f"{address.host or '*'} port {address.port}"
        raise ListenError(f"cannot listen on {place}: {error.strerror or error}") from error
    listener.setblocking(False)
    return Listener(address, listener)


def _bind_path(listener: socket.socket, path: Path, mode: int | None, group: int | None) -> None:
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise OSError(errno.ENAMETOOLONG, f"the path is too long, over {LONGEST_PATH} bytes")
    _refuse_used(path)
    private = path.with_name(f".pyq-{secrets.token_hex(4)}")
    listener.bind(str(private))
    try:
        if group is not None:
            os.chown(private, -1, group)
        if mode is not None:
            private.chmod(mode)
        private.rename(path)
    except BaseException:
        private.unlink(missing_ok=True)
        raise


def _refuse_used(path: Path) -> None:
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise OSError(errno.EEXIST, "it exists and is not a socket")
        with socket.socket(socket.AF_UNIX) as client:
            client.setblocking(False)  # one whose backlog is full is in use, too
            client.connect(str(path))
    except (FileNotFoundError, ConnectionRefusedError):
        return
    except BlockingIOError:
        pass
    raise OSError(errno.EADDRINUSE, "another process listens there")


def group_id(name: str) -> int:
    """The number of a group.

    Raises:
        ConfigError: there is none of that name.
    """
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise ConfigError(f"there is no group {name!r}") from None
