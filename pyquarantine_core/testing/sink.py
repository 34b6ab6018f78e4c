"""An SMTP server that keeps every message byte for byte and fails when it is told to.

Built on aiosmtpd, whose server runs in a thread of its own; everything here may be called from any
thread.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
import tempfile
import threading
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from pyquarantine_core.testing.processes import PATIENCE
from pyquarantine_core.testing.sockets import free_port

_UNLIMITED = 1 << 30


@dataclass(frozen=True)
class Received:
    """A message as it came in.

    Attributes:
        sender: The envelope sender without angle brackets, empty for the null sender.
        recipients: The envelope recipients without angle brackets.
        content: What DATA carried, dots unstuffed and nothing else changed.
        mail_options: The ESMTP parameters of MAIL FROM, in upper case.
        tls: Whether it came over TLS.
    """

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    mail_options: tuple[str, ...]
    tls: bool


class SmtpSink:
    """An SMTP server on 127.0.0.1; use it as a context manager, or call `start` and `stop`.

    How it fails may be set at any time, and holds until it is set otherwise:

    Attributes:
        port: The TCP port, once started.
        refuse_sender: The reply to MAIL FROM, such as `550 5.7.1 no`; empty: it is taken.
        refuse_recipients: By recipient, the reply to RCPT TO.
        refuse_data: The reply at the end of DATA, which loses the message; empty: it is kept.
        drop_after_data: Whether to cut the connection at the end of DATA, losing the message.
        hold_answers: Whether to keep clients waiting for the answer to a message that is taken.
        drop_at: The command at which to cut it: EHLO, MAIL, RCPT or DATA (before the content);
            empty: none.
        drops_left: How often it still cuts it at `drop_at`; None: always.
        drop_before_reply: Whether to keep the message and cut it then, before the answer.
        messages_per_connection: How many it takes on one; the next gets 421. 0: no limit.
        on_message: Called with each message that was taken, before the answer, on a thread of
            the sink.

    Args:
        eight_bit_mime: Whether to announce 8BITMIME (RFC 6152), which SMTPUTF8 implies.
        smtputf8: Whether to announce and to take SMTPUTF8 (RFC 6531).
        starttls: Whether to offer STARTTLS, with a self-signed certificate made by openssl(1).
    """

    def __init__(
        self, *, eight_bit_mime: bool = True, smtputf8: bool = True, starttls: bool = False
    ) -> None:
        self.port = 0
        self.refuse_sender = ""
        self.refuse_recipients: dict[str, str] = {}
        self.refuse_data = ""
        self.drop_after_data = False
        self.hold_answers = False
        self.drop_at = ""
        self.drops_left: int | None = None
        self.drop_before_reply = False
        self.messages_per_connection = 0
        self.on_message: Callable[[Received], object] = lambda _: None
        self._eight_bit_mime = eight_bit_mime
        self._smtputf8 = smtputf8
        self._starttls = starttls
        self._received: list[Received] = []
        self._failures = 0
        self._connections = 0
        self._changed = threading.Condition()
        self._controller: _Controller | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    @property
    def received(self) -> tuple[Received, ...]:
        """The messages taken so far, oldest first."""
        with self._changed:
            return tuple(self._received)

    @property
    def failures(self) -> int:
        """How often it has failed as it was told to."""
        with self._changed:
            return self._failures

    @property
    def connections(self) -> int:
        """How many connections have been made to it."""
        with self._changed:
            return self._connections

    def start(self) -> Self:
        """Listen on a free port; after a `stop`, on the same one as before."""
        tls = _self_signed_context() if self._starttls else None
        self._controller = _Controller(self, smtputf8=self._smtputf8, tls=tls)
        self._controller.start()  # which makes a connection
        self._connections = 0
        self.port = self._controller.port
        return self

    def stop(self) -> None:
        """Cut every connection and stop listening; what was received stays."""
        if self._controller:
            self._controller.stop()
            self._controller = None

    def wait_for(self, count: int, timeout: float = PATIENCE) -> tuple[Received, ...]:
        """Wait until `count` messages have been taken, and return them all.

        Raises:
            TimeoutError: There are fewer after `timeout` seconds.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._received) >= count, timeout):
                raise TimeoutError(f"{len(self._received)} of {count} messages came: {self}")
            return tuple(self._received)

    def wait_for_failures(self, count: int, timeout: float = PATIENCE) -> None:
        """Wait until it has failed `count` times as it was told to.

        Raises:
            TimeoutError: It has not after `timeout` seconds.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._failures >= count, timeout):
                raise TimeoutError(f"failed {self._failures} of {count} times")

    def wait_until(self, condition: Callable[[], bool], timeout: float = PATIENCE) -> None:
        """Wait until a condition on this sink holds.

        Raises:
            TimeoutError: It does not after `timeout` seconds.
        """
        with self._changed:
            if not self._changed.wait_for(condition, timeout):
                raise TimeoutError(f"{len(self._received)} messages, {self._failures} failures")

    def clear(self) -> None:
        """Forget messages, failures and connections, not the way to fail."""
        with self._changed:
            self._received.clear()
            self._failures = 0
            self._connections = 0

    # What follows is called by aiosmtpd (its "handler hooks").

    async def handle_EHLO(  # noqa: N802 - aiosmtpd finds it by this name
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,  # noqa: ARG002 - aiosmtpd passes it
        hostname: str,
        responses: list[str],
    ) -> list[str]:
        await self._drop(server, at="EHLO")
        session.host_name = hostname
        unwanted = ("AUTH",) if self._eight_bit_mime else ("AUTH", "8BITMIME")
        return [line for line in responses if not line[4:].startswith(unwanted)]

    async def handle_MAIL(  # noqa: N802
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        await self._drop(server, at="MAIL")
        taken = getattr(session, "taken", 0)
        if self.messages_per_connection and taken >= self.messages_per_connection:
            return self._fail("421 4.7.0 too many messages")
        if self.refuse_sender:
            return self._fail(self.refuse_sender)
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802
        self,
        server: SMTP,
        session: Session,  # noqa: ARG002
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        await self._drop(server, at="RCPT")
        if reply := self.refuse_recipients.get(address):
            return self._fail(reply)
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if self.drop_after_data:
            await self._cut(server)
        if self.refuse_data:
            return self._fail(self.refuse_data)
        if not isinstance(envelope.content, bytes):
            raise TypeError("aiosmtpd decoded the content")
        sender = envelope.mail_from or ""
        message = Received(
            sender="" if sender == "<>" else sender,
            recipients=tuple(envelope.rcpt_tos),
            content=envelope.content,
            mail_options=tuple(envelope.mail_options),
            tls=session.ssl is not None,
        )
        with self._changed:
            self._received.append(message)
            self._changed.notify_all()
        while self.hold_answers:
            await asyncio.sleep(0.01)
        session.taken = getattr(session, "taken", 0) + 1  # type: ignore[attr-defined] # ours
        self.on_message(message)
        if self.drop_before_reply:
            await self._cut(server)
        return "250 2.0.0 OK"

    def _connected(self) -> None:
        with self._changed:
            self._connections += 1

    async def _drop(self, server: SMTP, *, at: str) -> None:
        if self.drop_at == at and self.drops_left != 0:
            if self.drops_left is not None:
                self.drops_left -= 1
            await self._cut(server)

    async def _cut(self, server: SMTP) -> None:
        self._fail("")
        assert isinstance(server.transport, asyncio.Transport)
        server.transport.abort()
        # The lost connection cancels this task.
        await asyncio.get_running_loop().create_future()

    def _fail(self, reply: str) -> str:
        with self._changed:
            self._failures += 1
            self._changed.notify_all()
        return reply


class _Server(SMTP):
    """aiosmtpd without its limits on the length of commands and lines."""

    command_size_limit = _UNLIMITED
    line_length_limit = _UNLIMITED

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 - as aiosmtpd calls it
        await self.event_handler._drop(self, at="DATA")
        await super().smtp_DATA(arg)


class _Controller(Controller):
    """Runs the server in a thread."""

    def __init__(self, sink: SmtpSink, *, smtputf8: bool, tls: ssl.SSLContext | None) -> None:
        self._connected = sink._connected
        self._listener = _listener(sink.port)
        self._smtputf8 = smtputf8
        self._tls = tls
        super().__init__(sink, hostname="127.0.0.1", port=self._listener.getsockname()[1])

    def factory(self) -> SMTP:
        self._connected()
        server = _Server(
            self.handler,
            hostname="sink.example",
            data_size_limit=None,
            loop=self.loop,
            enable_SMTPUTF8=self._smtputf8,
            tls_context=self._tls,
        )
        server.command_size_limits = defaultdict(lambda: _UNLIMITED)
        return server

    def stop(self, no_assert: bool = False) -> None:
        """Let go of all connections first, so that no task is left when the loop ends."""
        asyncio.run_coroutine_threadsafe(self._end_sessions(), self.loop).result()
        super().stop(no_assert)

    def _create_server(self) -> Awaitable[asyncio.AbstractServer]:
        return self.loop.create_server(self._factory_invoker, sock=self._listener)

    async def _end_sessions(self) -> None:
        sessions = asyncio.all_tasks() - {asyncio.current_task()}
        for session in sessions:
            session.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)


def _self_signed_context() -> ssl.SSLContext:
    with tempfile.TemporaryDirectory() as directory:
        certificate, key = (Path(directory) / name for name in ("certificate.pem", "key.pem"))
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt"),
                *("ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"),
                *("-subj", "/CN=sink.example", "-keyout", key, "-out", certificate),
            ],
            check=True,
            capture_output=True,
        )
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
        return context


def _listener(port: int) -> socket.socket:
    """Listens at this port, or at any (0) that no outgoing connection takes after a `stop`."""
    while True:
        try:
            return socket.create_server(("127.0.0.1", port or free_port()))
        except OSError:  # somebody else was faster
            if port:
                raise
