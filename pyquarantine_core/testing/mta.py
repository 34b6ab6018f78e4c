"""An MTA's side of a milter: sends a message as Postfix 3.7 does and says what becomes of it.

It offers a filter what Postfix offers, keeps to what the two agreed on, sends the same macros at
the same points, and reads the answers as src/milter/milter8.c does. Where Postfix would log a
complaint and carry on with milter_default_action, it raises.

    result = send("unix:/run/filter.sock", Mail("<a@example.org>", ("<b@example.org>",), b"..."))
    assert result.verdict is Verdict.ACCEPT
"""

from __future__ import annotations

import contextlib
import secrets
import socket
import struct
from collections.abc import Iterator
from typing import Self

from pyquarantine_core.testing.answers import (
    CONTINUE,
    MODIFICATIONS,
    Answer,
    Verdict,
    read_answer,
    read_modification,
)
from pyquarantine_core.testing.delivery import (
    BodyReplaced,
    Delivered,
    HeaderAdded,
    HeaderChanged,
    HeaderInserted,
    Modification,
    Quarantined,
    RecipientAdded,
    RecipientDeleted,
    SenderChanged,
)
from pyquarantine_core.testing.events import EVENTS, Stage, address_macros, client_data
from pyquarantine_core.testing.mail import Header, Mail, bracketed, crlf, split
from pyquarantine_core.testing.processes import PATIENCE
from pyquarantine_core.testing.protocol import (
    CHUNK_SIZE,
    VERSION,
    Actions,
    Channel,
    Command,
    ConnectionLost,
    Negotiated,
    ProtocolError,
    Reply,
    Steps,
    strings,
)
from pyquarantine_core.testing.result import Refused, Result
from pyquarantine_core.testing.sockets import MilterSocket

__all__ = [
    "Actions",
    "BodyReplaced",
    "ConnectionLost",
    "Delivered",
    "HeaderAdded",
    "HeaderChanged",
    "HeaderInserted",
    "Mail",
    "MilterConnection",
    "ProtocolError",
    "Quarantined",
    "RecipientAdded",
    "RecipientDeleted",
    "Refused",
    "Result",
    "SenderChanged",
    "Stage",
    "Steps",
    "Verdict",
    "send",
]


class MilterConnection:
    """One connection to a filter, which stands for one SMTP client and its messages.

    Args:
        address: The filter's socket: `unix:PATH`, `inet:PORT@HOST` or `inet6:PORT@HOST`.
        steps: What to offer; less than `Steps.ALL` plays an older MTA.
        actions: What the filter may ask for.
        timeout: Seconds to wait for each answer.
    """

    def __init__(
        self,
        address: str,
        *,
        steps: Steps = Steps.ALL,
        actions: Actions = Actions.ALL,
        timeout: float = PATIENCE,
    ) -> None:
        self._socket = MilterSocket.parse(address)
        self._offered = (steps, actions)
        self._timeout = timeout
        self._macros: dict[str, str] = {}
        self._greeted = False
        self._final: tuple[Stage, Answer] | None = None

    def __enter__(self) -> Self:
        """Connect and negotiate.

        Raises:
            OSError: The filter cannot be reached, is lost (`ConnectionLost`) or silent
                (`TimeoutError`).
            ProtocolError: It asks for more than was offered.
        """
        self._channel = Channel(self.connected())
        try:
            self.negotiated = self._negotiate()
        except BaseException:
            self._channel.close()
            raise
        return self

    def connected(self) -> socket.socket:
        """A stream to the filter; a subclass may put something in between."""
        return self._socket.connect(self._timeout)

    def __exit__(self, *exc: object) -> None:
        """Say QUIT, unless the connection is no longer in use, and close."""
        # What the filter thought of the messages is known by now; it may be gone.
        with contextlib.suppress(OSError):
            if self._final is None:
                # Postfix also takes back the client's EHLO (helo_reset, smtpd.c).
                if self._greeted:
                    self._channel.write(Command.ABORT)
                self._channel.write(Command.QUIT)
                self._channel.flush()
        self._channel.close()

    def client_connects(
        self,
        host: str = "client.example",
        address: str | None = "192.0.2.1",
        port: int = 40000,
        *,
        helo: str = "client.example",
    ) -> None:
        """An SMTP client connects and greets; `send` does this by itself with these defaults.

        Args:
            host: Its host name, or its address in brackets where that is unknown.
            address: An IPv4 or IPv6 address, `unix` for a client on this machine without one,
                or None for one whose address is unknown.
            port: Its TCP port.
            helo: The argument of EHLO.
        """
        self._greeted = True
        self._macros |= {
            "j": "mta.example",
            "{daemon_name}": "mta.example",
            "{daemon_addr}": "127.0.0.1",
            "v": "Postfix 3.7.11",
            "_": f"{host} [{address or 'unknown'}]",
        }
        for stage, data in (
            (Stage.CONNECT, client_data(host, address, port)),
            (Stage.HELO, strings(helo)),
        ):
            answer = self._tell(stage, data)
            if answer.verdict:
                # Final for this client: Postfix hangs up on the filter.
                self._final = stage, answer
                return

    def unknown_command(self, command: str) -> str:
        """The client sends a command unknown to SMTP; the SMTP reply if the filter refuses it."""
        return self._tell(Stage.UNKNOWN, strings(command)).reply

    def send(self, mail: Mail) -> Result:
        """Send one message and wait for what the filter does with it.

        Raises:
            ConnectionLost: The filter closed the connection.
            ProtocolError: It answered what it may not answer.
            TimeoutError: It did not answer.
        """
        if not self._greeted:
            self.client_connects()
        channel = self._channel
        bytes_before, trips_before = channel.bytes_sent, channel.round_trips
        queue_id = mail.queue_id or secrets.token_hex(5).upper()
        refused: list[Refused] = []
        modifications: list[Modification] = []
        if self._final:
            stage, answer = self._final
        else:
            stage, answer = self._transact(mail, queue_id, refused, modifications)
            # Postfix forgets the message with an ABORT, however it ended (mail_reset, smtpd.c).
            channel.write(Command.ABORT)
            channel.flush()
        verdict = answer.verdict or Verdict.ACCEPT
        return Result(
            mail=mail,
            queue_id=queue_id,
            verdict=verdict,
            stage=stage,
            reply=answer.reply,
            refused=tuple(refused),
            modifications=tuple(modifications) if verdict is Verdict.ACCEPT else (),
            round_trips=channel.round_trips - trips_before,
            bytes_sent=channel.bytes_sent - bytes_before,
            leading_space=Steps.HDR_LEADSPC in self.negotiated.steps,
        )

    def _negotiate(self) -> Negotiated:
        steps, actions = self._offered
        self._channel.write(Command.OPTNEG, struct.pack("!III", VERSION, actions, steps))
        reply, data = self._channel.read()
        if reply is not Reply.OPTNEG:
            raise ProtocolError(f"the filter answers negotiation with {reply.name}")
        agreed = Negotiated.parse(data)
        # As numbers: a flag's complement has no bits beyond the known ones.
        excess = int(agreed.actions) & ~int(actions) or int(agreed.steps) & ~int(steps)
        if agreed.version > VERSION or excess:
            raise ProtocolError(f"the filter asks for more than was offered: {agreed}")
        return agreed

    def _transact(
        self,
        mail: Mail,
        queue_id: str,
        refused: list[Refused],
        modifications: list[Modification],
    ) -> tuple[Stage, Answer]:
        """Go through the message until the filter decides; tell at which stage it did, and how."""
        self._macros.pop("i", None)
        self._macros |= {**address_macros("mail", mail.sender), **mail.macros}
        answer = self._tell(Stage.MAIL, strings(bracketed(mail.sender), *mail.mail_options))
        if answer.verdict:
            return Stage.MAIL, answer
        for recipient in map(bracketed, mail.recipients):
            self._macros |= address_macros("rcpt", recipient)
            answer = self._tell(Stage.RCPT, strings(recipient))
            if answer.verdict in {Verdict.REJECT, Verdict.TEMPFAIL}:
                refused.append(Refused(recipient, answer.reply))
            elif answer.verdict:
                return Stage.RCPT, answer
            else:
                # The queue file is made once there is somebody to deliver to.
                self._macros["i"] = queue_id
        if len(refused) == len(mail.recipients):
            return Stage.RCPT, answer
        skipped: Stage | None = None
        for stage, data in self._content(mail):
            if stage is skipped:
                continue
            answer = self._tell(stage, data)
            if answer.verdict:
                return stage, answer
            if answer.skip:
                skipped = stage
        return Stage.EOM, self._tell(Stage.EOM, modifications=modifications)

    def _content(self, mail: Mail) -> Iterator[tuple[Stage, bytes]]:
        """The content in events, up to and without the end of the message."""
        steps = self.negotiated.steps
        headers, body = split(crlf(mail.content))
        yield Stage.DATA, b""
        if Steps.NOHDRS not in steps:
            for header in headers:
                yield Stage.HEADER, strings(header.name, self._value(header))
        if Steps.NOEOH not in steps:
            yield Stage.EOH, b""
        if Steps.NOBODY not in steps:
            for start in range(0, len(body), CHUNK_SIZE):
                yield Stage.BODY, body[start : start + CHUNK_SIZE]

    def _value(self, header: Header) -> bytes:
        if Steps.HDR_LEADSPC in self.negotiated.steps:
            return header.value
        return header.value.removeprefix(b" ")

    def _tell(
        self, stage: Stage, data: bytes = b"", modifications: list[Modification] | None = None
    ) -> Answer:
        """Tell the filter of an event and, unless it said that it has none, wait for its answer."""
        event = EVENTS[stage]
        # Postfix sends the macros of an event even when the filter does not want the event.
        names = self.negotiated.macros.get(event.macro_stage, event.macros)
        known = [(name, self._macros[name]) for name in names if name in self._macros]
        pairs = strings(*(text for pair in known for text in pair))
        self._channel.write(Command.MACRO, event.command.value + pairs)
        if event.not_sent & self.negotiated.steps:
            return CONTINUE
        self._channel.write(event.command, data)
        if event.no_reply & self.negotiated.steps:
            return CONTINUE
        self._channel.round_trips += 1
        return self._await_answer(stage, modifications)

    def _await_answer(self, stage: Stage, modifications: list[Modification] | None) -> Answer:
        while True:
            reply, data = self._channel.read()
            if reply is Reply.PROGRESS:
                continue
            if reply in MODIFICATIONS and modifications is not None:
                self._collect(reply, data, modifications)
                continue
            if reply is Reply.SKIP and Steps.SKIP not in self.negotiated.steps:
                raise ProtocolError("the filter did not negotiate SKIP")
            return read_answer(stage, reply, data)

    def _collect(self, reply: Reply, data: bytes, modifications: list[Modification]) -> None:
        if not MODIFICATIONS[reply] & self.negotiated.actions:
            raise ProtocolError(f"the filter did not ask to be allowed {reply.name}")
        modification = read_modification(reply, data)
        match modification, modifications:
            case BodyReplaced(more), [*_, BodyReplaced(content)]:
                modifications[-1] = BodyReplaced(content + more)
            case _:
                modifications.append(modification)


def send(address: str, mail: Mail, client: str | None = "192.0.2.1") -> Result:
    """Send one message on a connection of its own; see `MilterConnection` for the arguments."""
    with MilterConnection(address) as connection:
        connection.client_connects(address=client)
        return connection.send(mail)
