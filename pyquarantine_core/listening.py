"""How libmilter, which only opens sockets itself, comes to listen on one that is open already."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

from pyquarantine_core import milter


@dataclass(frozen=True, slots=True)
class LibmilterSocket:
    """The socket that libmilter listens on.

    Attributes:
        descriptor: by which libmilter knows it.
        place: its path or port, which the connections accepted from it have, too.
        listening: what the descriptor leads to (fstat(2)), until libmilter closes it itself.
        nobody: a socket that nobody can reach, made in time: later there may be no descriptor.
    """

    descriptor: int
    place: object
    listening: os.stat_result
    nobody: socket.socket

    @classmethod
    def take(cls, inherited: int, rules: milter.Filter) -> LibmilterSocket:
        """Make libmilter listen on an inherited socket, which is closed.

        libmilter gets a private one, which is then replaced. The socket is non-blocking, for a
        worker that loses the race for a connection must not wait in accept().
        """
        with socket.socket(fileno=os.dup(inherited)) as listener:
            family, place = listener.family, _place(listener)
        before = set(_sockets())
        with tempfile.TemporaryDirectory() as directory:
            private = {
                socket.AF_UNIX: f"unix:{directory}/milter",
                socket.AF_INET: "inet:0@127.0.0.1",
                socket.AF_INET6: "inet6:0@::1",
            }
            milter.prepare(rules, private[family])
            (descriptor,) = set(_sockets()) - before
        os.dup2(inherited, descriptor, inheritable=False)  # nor for children of plugins
        os.close(inherited)
        os.set_blocking(descriptor, False)
        nobody = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        nobody.bind("")
        nobody.listen()
        nobody.setblocking(False)
        return cls(descriptor, place, os.fstat(descriptor), nobody)

    def stop(self) -> None:
        """Listen no more: put a socket that nobody can reach in its place."""
        with contextlib.suppress(OSError):  # libmilter has closed it
            if os.path.samestat(os.fstat(self.descriptor), self.listening):
                os.dup2(self.nobody.fileno(), self.descriptor, inheritable=False)

    def connections(self) -> int:
        """How many connections of the MTA this process has, once it has stopped to listen.

        It counts descriptors, so that one just accepted, of which no callback knows yet, is
        among them.

        Raises:
            OSError: there is no descriptor left to count with.
        """
        count = 0
        for descriptor in _sockets():
            with contextlib.suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as one:
                count += _place(one) == self.place
        return count


def _place(one: socket.socket) -> object:
    name = one.getsockname()
    return name[1] if one.family in {socket.AF_INET, socket.AF_INET6} else name


def _sockets() -> Iterator[int]:
    """The descriptors of this process that are sockets."""
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - descriptors, not paths
        with contextlib.suppress(OSError):  # the listing's own descriptor is gone by now
            if stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                yield int(name)
