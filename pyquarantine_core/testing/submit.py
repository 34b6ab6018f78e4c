"""An SMTP client that sends exactly what it is told and reports every reply."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pyquarantine_core.testing.mail import Mail, bracketed, crlf
from pyquarantine_core.testing.processes import PATIENCE


@dataclass(frozen=True)
class SmtpReply:
    """A server's reply; the lines of a long one are separated by LF, the code stands apart."""

    code: int
    text: str

    @property
    def ok(self) -> bool:
        return 200 <= self.code < 400

    def __str__(self) -> str:
        return f"{self.code} {self.text}"


@dataclass(frozen=True)
class Submission:
    """The replies to one message; commands that were never sent have none.

    Attributes:
        recipients: The replies to RCPT, in the order of the recipients.
        final: The reply that decided: to the end of DATA if it got that far, else the refusal.
    """

    recipients: tuple[SmtpReply, ...]
    final: SmtpReply

    @property
    def accepted(self) -> bool:
        return self.final.ok


def submit(
    port: int,
    sender: str,
    recipients: Sequence[str],
    content: bytes,
    *,
    helo: str = "client.example",
    xclient: Mapping[str, str] | None = None,
    mail_options: Sequence[str] = (),
    smtputf8: bool = False,
    source: str = "127.0.0.1",
    timeout: float = PATIENCE,
) -> Submission:
    """Send one message to the server on 127.0.0.1; a refusal is a result, not an exception.

    Args:
        port: The server's TCP port.
        sender: The argument of MAIL FROM; missing angle brackets are added.
        recipients: The arguments of RCPT TO, sent as they are, apart from missing brackets.
        content: Headers and body; LF line ends become CRLF, dots are stuffed, all else stays.
        helo: The argument of EHLO.
        xclient: Attributes of Postfix's XCLIENT, such as ADDR and NAME, to pose as another client.
        mail_options: ESMTP parameters of MAIL FROM.
        smtputf8: Whether to add the parameter SMTPUTF8.
        source: The client's own address; any of 127.0.0.0/8 will do on Linux.
        timeout: Seconds to wait for each reply.

    Raises:
        OSError: The server cannot be reached or hangs up.
    """
    options = (*mail_options, *(("SMTPUTF8",) if smtputf8 else ()))
    mail = Mail(sender, tuple(recipients), content, mail_options=options)
    (result,) = submit_all(port, [mail], helo=helo, xclient=xclient, source=source, timeout=timeout)
    return result


def submit_all(
    port: int,
    mails: Iterable[Mail],
    *,
    helo: str = "client.example",
    xclient: Mapping[str, str] | None = None,
    source: str = "127.0.0.1",
    timeout: float = PATIENCE,
) -> list[Submission]:
    """Send messages one after the other in one session; arguments and errors as of `submit`."""
    with socket.create_connection(("127.0.0.1", port), timeout, (source, 0)) as stream:
        session = _Session(stream)
        try:
            session.begin(helo, xclient)
        except _Refused as refusal:
            results = [Submission((), refusal.reply) for _ in mails]
        else:
            results = [session.send(mail) for mail in mails]
        # RFC 5321 4.2.1: after a 421 the server closes the connection.
        if all(one.final.code != 421 for one in results):
            session.ask("QUIT")
    return results


class _Refused(Exception):  # noqa: N818 - not an error, a way out
    def __init__(self, reply: SmtpReply) -> None:
        self.reply = reply


class _Session:
    """A dialogue with a server."""

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream
        self._input = stream.makefile("rb")

    def begin(self, helo: str, xclient: Mapping[str, str] | None) -> None:
        """Greet the server, as another client if it is so wanted."""
        self.expect()
        if xclient is not None:
            self.expect(f"EHLO {helo}")
            attributes = (f"{name}={value}" for name, value in xclient.items())
            self.expect(" ".join(("XCLIENT", *attributes)))
        self.expect(f"EHLO {helo}")

    def send(self, mail: Mail) -> Submission:
        """Send a message; after a refusal the session is ready for the next one."""
        replies: tuple[SmtpReply, ...] = ()
        try:
            self.expect(" ".join((f"MAIL FROM:{bracketed(mail.sender)}", *mail.mail_options)))
            for recipient in mail.recipients:
                replies += (self.ask(f"RCPT TO:{bracketed(recipient)}"),)
            if not any(reply.ok for reply in replies):
                raise _Refused(replies[-1])
            self.expect("DATA")
            final = self.ask(_stuffed(crlf(mail.content)) + b".")
        except _Refused as refusal:
            final = refusal.reply
            if final.code != 421:
                self.ask("RSET")
        return Submission(replies, final)

    def ask(self, command: str | bytes) -> SmtpReply:
        """Send a command and read the reply; a 421 ends the session."""
        if isinstance(command, str):
            command = command.encode("utf-8", "surrogateescape")
        self._stream.sendall(command + b"\r\n")
        reply = self._read()
        if reply.code == 421:
            raise _Refused(reply)
        return reply

    def expect(self, command: str | None = None) -> None:
        """Send a command, or await the greeting; anything but success ends the session."""
        reply = self._read() if command is None else self.ask(command)
        if not reply.ok:
            raise _Refused(reply)

    def _read(self) -> SmtpReply:
        """Read a reply of one or more lines (RFC 5321 4.2.1)."""
        lines = []
        while True:
            line = self._input.readline().decode("utf-8", "surrogateescape")
            if not line.endswith("\n"):
                raise ConnectionError("the server closed the connection")
            lines.append(line[4:].rstrip("\r\n"))
            if line[3:4] != "-":
                return SmtpReply(int(line[:3]), "\n".join(lines))


def _stuffed(content: bytes) -> bytes:
    """The content with a dot before each line that begins with one (RFC 5321 4.5.2)."""
    stuffed = content.replace(b"\r\n.", b"\r\n..")
    return b"." + stuffed if stuffed.startswith(b".") else stuffed
