"""smtplib's client with a deadline for each reply.

smtplib gives the server that long for each packet: one that sends a byte now and then, or a reply
that never ends, would hold it for ever.
"""

from __future__ import annotations

import io
import smtplib
import socket
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class SmtpClient(smtplib.SMTP):
    """A client whose socket has a timeout, which holds for each reply as a whole."""

    def getreply(self) -> tuple[int, bytes]:
        """Read a reply.

        Raises:
            smtplib.SMTPServerDisconnected: it did not come in time, or the connection is lost.
        """
        if self.sock is not None:
            until = time.monotonic() + (self.sock.gettimeout() or 0.0)
            if self.file is None:  # at the beginning, and again with STARTTLS
                self.file = io.BufferedReader(_Replies(self.sock))
            self.file.raw.until = until
        return super().getreply()


class _Replies(io.RawIOBase):
    """What comes from a socket.

    Attributes:
        until: the deadline for all that is read (time.monotonic).
    """

    until = 0.0

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        timeout = self._connection.gettimeout()
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._connection.settimeout(left)
        try:
            return self._connection.recv_into(buffer)
        finally:
            self._connection.settimeout(timeout)
