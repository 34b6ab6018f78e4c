"""The milter protocol on the wire, version 6, as an MTA sees it.

A packet is a length (four bytes, big-endian, counting what follows), one byte that says what it is,
and data whose strings end in a NUL. Names and numbers are those of sendmail's libmilter/mfdef.h and
libmilter/mfapi.h, without their prefixes SMFIC_, SMFIR_, SMFIP_ and SMFIF_.
"""

from __future__ import annotations

import enum
import socket
import struct
from dataclasses import dataclass
from typing import Self

VERSION = 6
CHUNK_SIZE = 65535
"""The most bytes of a body in one packet (MILTER_CHUNK_SIZE)."""


class ConnectionLost(ConnectionError):  # noqa: N818 - the name says what happened
    """The filter closed the connection, or let go of it, in the middle of a conversation."""


class ProtocolError(RuntimeError):
    """The filter answered something that it may not answer at this point."""


class Command(enum.Enum):
    """What the MTA sends (SMFIC_*)."""

    ABORT = b"A"
    BODY = b"B"
    CONNECT = b"C"
    MACRO = b"D"
    BODYEOB = b"E"
    HELO = b"H"
    QUIT_NC = b"K"
    HEADER = b"L"
    MAIL = b"M"
    EOH = b"N"
    OPTNEG = b"O"
    QUIT = b"Q"
    RCPT = b"R"
    DATA = b"T"
    UNKNOWN = b"U"


class Reply(enum.Enum):
    """What the filter sends (SMFIR_*)."""

    ADDRCPT = b"+"
    DELRCPT = b"-"
    ADDRCPT_PAR = b"2"
    SHUTDOWN = b"4"
    OPTNEG = b"O"
    ACCEPT = b"a"
    REPLBODY = b"b"
    CONTINUE = b"c"
    DISCARD = b"d"
    CHGFROM = b"e"
    CONN_FAIL = b"f"
    ADDHEADER = b"h"
    INSHEADER = b"i"
    CHGHEADER = b"m"
    PROGRESS = b"p"
    QUARANTINE = b"q"
    REJECT = b"r"
    SKIP = b"s"
    TEMPFAIL = b"t"
    REPLYCODE = b"y"


class Steps(enum.IntFlag):
    """What the filter does not want to be told (NO*), does not reply to (NR_*), and extensions."""

    NOCONNECT = 0x1
    NOHELO = 0x2
    NOMAIL = 0x4
    NORCPT = 0x8
    NOBODY = 0x10
    NOHDRS = 0x20
    NOEOH = 0x40
    NR_HDR = 0x80
    NOUNKNOWN = 0x100
    NODATA = 0x200
    SKIP = 0x400
    RCPT_REJ = 0x800
    NR_CONN = 0x1000
    NR_HELO = 0x2000
    NR_MAIL = 0x4000
    NR_RCPT = 0x8000
    NR_DATA = 0x10000
    NR_UNKN = 0x20000
    NR_EOH = 0x40000
    NR_BODY = 0x80000
    HDR_LEADSPC = 0x100000
    ALL = 0x1FFFFF


class Actions(enum.IntFlag):
    """What the filter may change (SMFIF_*)."""

    ADDHDRS = 0x1
    CHGBODY = 0x2
    ADDRCPT = 0x4
    DELRCPT = 0x8
    CHGHDRS = 0x10
    QUARANTINE = 0x20
    CHGFROM = 0x40
    ADDRCPT_PAR = 0x80
    SETSYMLIST = 0x100
    ALL = 0x1FF


@dataclass(frozen=True)
class Negotiated:
    """What filter and MTA agreed on when the connection was opened.

    Attributes:
        version: The protocol version that the filter speaks.
        actions: What the filter may change.
        steps: What it is not told, does not reply to, and the extensions in use.
        macros: By stage number (SMFIM_*), the macros that the filter wants instead of the usual.
    """

    version: int
    actions: Actions
    steps: Steps
    macros: dict[int, tuple[str, ...]]

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read the data of the filter's OPTNEG packet.

        Raises:
            ProtocolError: It is too short.
        """
        if len(data) < 12:
            raise ProtocolError(f"the filter negotiates with {data!r}")
        version, actions, steps = struct.unpack("!III", data[:12])
        macros = {}
        rest = data[12:]
        while len(rest) > 4:
            names, _, following = rest[4:].partition(b"\0")
            macros[int.from_bytes(rest[:4])] = tuple(names.decode("ascii").split())
            rest = following
        return cls(version, Actions(actions), Steps(steps), macros)


def strings(*texts: str | bytes) -> bytes:
    """The texts, each ended by a NUL; `str` goes as UTF-8, surrogates as the bytes they were."""
    return b"".join(
        (text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text) + b"\0"
        for text in texts
    )


class Channel:
    """A stream of packets to and from a filter, which counts what it carries.

    What is written is held back until a reply is read or `flush` is called, as in Postfix, so that
    packets without a reply share a segment.
    """

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream
        self._input = stream.makefile("rb")
        self._output = bytearray()
        self.bytes_sent = 0
        self.round_trips = 0

    def write(self, command: Command, data: bytes = b"") -> None:
        self._output += struct.pack("!Ic", len(data) + 1, command.value) + data
        self.bytes_sent += len(data) + 5

    def flush(self) -> None:
        """Send what has been written.

        Raises:
            ConnectionLost: The filter has closed the connection.
            TimeoutError: The filter does not read.
        """
        try:
            self._stream.sendall(self._output)
        except ConnectionError as error:
            raise ConnectionLost("the filter closed the connection") from error
        self._output.clear()

    def read(self) -> tuple[Reply, bytes]:
        """Send what has been written, then wait for one packet of the filter.

        Raises:
            ConnectionLost: The filter has closed the connection.
            ProtocolError: What came is no reply of a filter.
            TimeoutError: The filter does not answer.
        """
        self.flush()
        length = int.from_bytes(self._read_exactly(4))
        if not length:
            raise ProtocolError("the filter sent an empty packet")
        packet = self._read_exactly(length)
        try:
            return Reply(packet[:1]), packet[1:]
        except ValueError as error:
            raise ProtocolError(f"the filter replied {packet[:80]!r}") from error

    def close(self) -> None:
        self._input.close()
        self._stream.close()

    def _read_exactly(self, size: int) -> bytes:
        try:
            data = self._input.read(size)
        except ConnectionError as error:
            raise ConnectionLost("the filter closed the connection") from error
        if len(data) < size:
            raise ConnectionLost("the filter closed the connection")
        return data
