"""How `pyquarantine reload` reaches the daemon: an abstract unix socket named after the config.

It needs no directory, leaves nothing behind, and serves the daemon's own user and root alone. Any
process may take the name before the daemon does (unix(7)), so that the command looks whose it is.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import socket
import struct
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from pyquarantine_core.errors import ListenError, PyquarantineError

RELOAD = b"reload"
DONE = b"done"
_LONGEST = 65536
_WAITING = 8
SERVICE_USER = "pyquarantine"
"""As whom the service runs that `--install` installs."""


class ControlServer:
    """The daemon's end.

    Args:
        config: path of the config that the daemon runs with.
        reload: called when a reload is asked for.

    Raises:
        ListenError: another daemon runs with this config, or another process has its name.
    """

    def __init__(self, config: Path, reload: Callable[[], None]) -> None:
        self._reload = reload
        self._clients: dict[int, socket.socket] = {}
        self._waiting: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._listener.bind(_name(config))
        except OSError as error:
            self._listener.close()
            raise ListenError(
                f"another daemon runs with {config}, or a process has taken its name: "
                f"{error.strerror}"
            ) from error
        self._listener.listen(_WAITING)
        self._listener.setblocking(False)

    def descriptors(self) -> list[int]:
        """What to watch."""
        return [self._listener.fileno(), *self._clients]

    def serve(self, ready: Iterable[int]) -> None:
        """Do what is asked for on those of the descriptors that are readable."""
        for descriptor in ready:
            if descriptor == self._listener.fileno():
                self._accept()
            elif descriptor in self._clients:
                self._hear(self._clients.pop(descriptor))

    def answer(self, complaint: str, note: str = "") -> None:
        """Answer all who wait for a reload; without a complaint it is done, with a note perhaps."""
        answer = complaint or "\n".join(filter(None, (DONE.decode(), note)))
        for client in self._waiting:
            with suppress(OSError):  # it is gone
                client.send(answer.encode()[:_LONGEST])
            client.close()
        self._waiting.clear()

    def close(self) -> None:
        """Serve no more."""
        for one in (self._listener, *self._clients.values(), *self._waiting):
            one.close()

    def _accept(self) -> None:
        try:
            client, _ = self._listener.accept()
        except OSError:
            return
        if _user(client) in {0, os.getuid()}:
            client.setblocking(False)
            self._clients[client.fileno()] = client
        else:
            client.close()

    def _hear(self, client: socket.socket) -> None:
        try:
            asked = client.recv(_LONGEST)
        except OSError:
            asked = b""
        if asked == RELOAD:
            self._waiting.append(client)
            self._reload()
        else:
            client.close()


def ask_to_reload(config: Path, timeout: float) -> str:
    """Make the daemon that runs with this config reload it, and wait for the outcome.

    Args:
        config: path of the config.
        timeout: seconds.

    Returns:
        What it says about the reload, such as what takes a restart; mostly nothing.

    Raises:
        PyquarantineError: it does not run, or could not reload; why. Or what answers runs as
            somebody whose word does not count.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
        client.settimeout(timeout)
        try:
            client.connect(_name(config))
            _refuse_strangers(client, config)
            client.send(RELOAD)
            answer = client.recv(_LONGEST)
        except ConnectionRefusedError:
            raise PyquarantineError(f"no daemon runs with {config}") from None
        except TimeoutError:
            raise PyquarantineError(f"no answer within {timeout:.0f} s; see its log") from None
        except OSError as error:
            raise PyquarantineError(f"the daemon cannot be asked: {error.strerror}") from error
    if not answer:
        raise PyquarantineError("it did not answer: it is stopping, or runs as another user")
    done, _, note = answer.partition(b"\n")
    if done != DONE:
        why = answer.decode(errors="replace")
        raise PyquarantineError(f"not reloaded, nothing has changed: {why}")
    return note.decode(errors="replace")


def _name(config: Path) -> str:
    digest = hashlib.sha256(os.fsencode(config.resolve())).hexdigest()
    return f"\0pyquarantine-milter/{digest[:32]}"


def _refuse_strangers(client: socket.socket, config: Path) -> None:
    """The daemon runs as root, as the user who asks, or as that of the service."""
    user = _user(client)
    try:
        name = pwd.getpwuid(user).pw_name
    except KeyError:
        name = str(user)
    if user not in {0, os.getuid()} and name != SERVICE_USER:
        raise PyquarantineError(
            f"not asked: who listens for {config} is {name}; if the daemon runs as {name}, "
            f"reload it as {name}"
        )


def _user(client: socket.socket) -> int:
    """Who is at the other end (unix(7), SO_PEERCRED)."""
    credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    user: int = struct.unpack("3i", credentials)[1]
    return user
