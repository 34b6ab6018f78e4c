"""Filters that break the protocol are found out."""

from __future__ import annotations

import socket
import struct
import threading
from typing import TYPE_CHECKING

import pytest

from pyquarantine_core.testing.mta import (
    Actions,
    ConnectionLost,
    Mail,
    MilterConnection,
    ProtocolError,
    Steps,
)
from pyquarantine_core.testing.protocol import VERSION, Negotiated

if TYPE_CHECKING:
    from collections.abc import Iterator

MAIL = Mail("a@example.org", ("<u@example.org>",), b"Subject: x\n\nbody\n")
AGREED = b"O" + struct.pack("!III", 6, Actions.ADDHDRS, Steps.NOCONNECT | Steps.NOHELO)


def packet(data: bytes) -> bytes:
    return struct.pack("!I", len(data)) + data


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def converse(listener: socket.socket, *answers: bytes) -> None:
    """Send a message to a filter that says these things, whatever it hears, and hangs up."""

    def say() -> None:
        stream, _ = listener.accept()
        with stream:
            stream.sendall(b"".join(answers))
            stream.shutdown(socket.SHUT_WR)
            while stream.recv(65536):
                pass

    filtering = threading.Thread(target=say)
    filtering.start()
    try:
        with MilterConnection(f"inet:{listener.getsockname()[1]}@127.0.0.1") as connection:
            connection.send(MAIL)
    finally:
        filtering.join()


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (b"", "empty packet"),
        (b"?", "replied"),
        (b"s", "SKIP"),
        (b"hX\0 1\0", "ADDHEADER at mail"),
        (b"yno code", "no reply of SMTP"),
        (b"y250 2.0.0 ok\0", "no reply of SMTP"),
    ],
)
def test_an_answer_that_may_not_be_given(
    listener: socket.socket, answer: bytes, complaint: str
) -> None:
    with pytest.raises(ProtocolError, match=complaint):
        converse(listener, packet(AGREED), packet(answer))


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (b"m\0\0\0\1X\0 1\0", "did not ask"),
        (b"hX\0", "ADDHEADER with"),
        (b"hX\0 1", "ADDHEADER with"),
    ],
)
def test_a_change_that_may_not_be_made(
    listener: socket.socket, answer: bytes, complaint: str
) -> None:
    # MAIL, RCPT, DATA, header, EOH and body come before the end.
    before = [packet(b"c")] * 6
    with pytest.raises(ProtocolError, match=complaint):
        converse(listener, packet(AGREED), *before, packet(answer))


@pytest.mark.parametrize(
    "negotiation",
    [
        b"c",
        b"O\0\0\0\6",
        b"O" + struct.pack("!III", 7, 0, 0),
        b"O" + struct.pack("!III", 6, 0x10000, 0),
        b"O" + struct.pack("!III", 6, 0, 0x40000000),
    ],
)
def test_a_negotiation_that_cannot_be(listener: socket.socket, negotiation: bytes) -> None:
    with pytest.raises(ProtocolError):
        converse(listener, packet(negotiation))


@pytest.mark.parametrize("said", [b"", b"\0\0", packet(AGREED), packet(AGREED) + b"\0\0\0\5c"])
def test_a_filter_that_hangs_up(listener: socket.socket, said: bytes) -> None:
    with pytest.raises(ConnectionLost):
        converse(listener, said)


def test_a_filter_may_ask_for_other_macros() -> None:
    data = struct.pack("!III", VERSION, 0, 0) + b"\0\0\0\3i {rcpt_addr}\0" + b"\0\0\0\5\0"
    assert Negotiated.parse(data).macros == {3: ("i", "{rcpt_addr}"), 5: ()}
