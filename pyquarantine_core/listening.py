"""How libmilter, which only opens sockets itself, comes to listen on one that is open already."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import tempfile

from pyquarantine_core import milter


def give_to_libmilter(inherited: int, rules: milter.Filter) -> int:
    """Make libmilter listen on an inherited socket, which is closed; returns its own descriptor.

    libmilter only opens sockets itself: it gets a private one, which is then replaced. The
    socket is non-blocking, for a worker that loses the race for a connection must not wait in
    accept().
    """
    with socket.socket(fileno=os.dup(inherited)) as listener:
        family = listener.family
    before = _sockets()
    with tempfile.TemporaryDirectory() as directory:
        private = {
            socket.AF_UNIX: f"unix:{directory}/milter",
            socket.AF_INET: "inet:0@127.0.0.1",
            socket.AF_INET6: "inet6:0@::1",
        }
        milter.prepare(rules, private[family])
        (descriptor,) = _sockets() - before
    os.dup2(inherited, descriptor, inheritable=False)  # nor for children of plugins
    os.close(inherited)
    os.set_blocking(descriptor, False)
    return descriptor


def _sockets() -> set[int]:
    """The descriptors of this process that are sockets."""
    found = set()
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - descriptors, not paths
        with contextlib.suppress(OSError):  # the listing's own descriptor is gone by now
            if stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                found.add(int(name))
    return found


def stop_listening(descriptor: int) -> None:
    """Put a socket that nobody can reach in the place of the listening one."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as nobody:
        nobody.bind("")
        nobody.listen()
        nobody.setblocking(False)
        if nobody.fileno() != descriptor:  # libmilter has not closed it itself
            os.dup2(nobody.fileno(), descriptor, inheritable=False)
