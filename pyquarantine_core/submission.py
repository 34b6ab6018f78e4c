"""Hands messages to an SMTP server (RFC 5321), byte for byte."""

from __future__ import annotations

import re
import smtplib
import ssl
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum

from pyquarantine_core.errors import InDoubtError, ReleaseError
from pyquarantine_core.printable import printable
from pyquarantine_core.smtp_client import SmtpClient

TIMEOUT = 60.0
"""Seconds to wait for the server at each step but the last."""
END_OF_DATA_TIMEOUT = 600.0
"""Seconds to wait for its answer to the message (RFC 5321, section 4.5.3.2.6)."""
QUIT_TIMEOUT = 5.0
"""Seconds to wait for its last word, on which nothing depends."""
SHUTTING_DOWN = 421
"""The reply with which a server ends the connection (RFC 5321, section 3.8)."""

_BARE_LF = re.compile(rb"(?<!\r)\n")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_UNFIT = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


BeforeData = Callable[[Sequence[str]], None]
"""Called before the content is sent, with the recipients that the server has agreed to; from then
on they may get it. What it raises ends the transaction."""


class Failure(Enum):
    """What it means that a server has not taken a message."""

    PERMANENT = "permanent"
    """It would refuse the same message again (a reply 5yz, RFC 5321, section 4.2.1)."""
    TEMPORARY = "temporary"
    """It may take this message later (4yz)."""
    UNREACHABLE = "unreachable"
    """It takes no message now: no connection, no answer, or 421."""


class SubmissionError(ReleaseError):
    """A server took a message for nobody.

    Attributes:
        failure: what that means.
    """

    def __init__(self, text: str, failure: Failure) -> None:
        super().__init__(text)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class _Mail:
    """A message with its envelope."""

    sender: str
    recipients: Sequence[str]
    content: bytes
    smtputf8: bool
    before_data: BeforeData


def submit(
    server: tuple[str, int],
    sender: str,
    recipients: Sequence[str],
    content: bytes,
    *,
    smtputf8: bool = False,
    before_data: BeforeData = lambda _: None,
) -> Mapping[str, str]:
    """Send one message; as `SmtpSession.send`, on a connection of its own."""
    session = SmtpSession(server)
    try:
        return session.send(sender, recipients, content, smtputf8=smtputf8, before_data=before_data)
    finally:
        session.close()


class SmtpSession:
    """A connection to a server, for one message after the other; one thread at a time.

    It is made for the first message, and made again when the server has ended it between two.

    Args:
        server: host and port.
    """

    def __init__(self, server: tuple[str, int]) -> None:
        self._server = server
        self._smtp: smtplib.SMTP | None = None
        self._offered = False

    def send(
        self,
        sender: str,
        recipients: Sequence[str],
        content: bytes,
        *,
        smtputf8: bool = False,
        before_data: BeforeData = lambda _: None,
    ) -> Mapping[str, str]:
        """Send a message in one transaction.

        Bytes stay as they are, but that a bare LF becomes CRLF. STARTTLS is used when offered,
        without asking who the server is (RFC 7435); 8BITMIME (RFC 6152) when the content has
        8-bit bytes, SMTPUTF8 (RFC 6531) when an address or the message itself needs it.

        Args:
            sender: bare address; `""` for the null sender.
            recipients: bare addresses.
            content: the message.
            smtputf8: it was received with SMTPUTF8.
            before_data: see `BeforeData`.

        Returns:
            The recipients that the server refused, each with its reply. The server has taken
            the message for all others.

        Raises:
            SubmissionError: the server took the message for nobody.
            InDoubtError: the connection was lost after `before_data`, before its answer.
            KeyboardInterrupt: somebody has; the connection is over.
        """
        if not _is_sendable(sender):
            raise _unfit(f"the sender '{printable(sender)}' is no address that can be sent")
        unfit = {one: "no address that can be sent" for one in recipients if not _is_sendable(one)}
        fit = [one for one in recipients if one not in unfit]
        if not fit:
            raise _unfit(f"'{printable(recipients[0])}' is no address that can be sent")
        try:
            return {**unfit, **self._send(_Mail(sender, fit, content, smtputf8, before_data))}
        except InDoubtError as error:
            self._hang_up()
            text = f"{error}; it may have taken the message all the same"
            raise InDoubtError(f"{self._server[0]} port {self._server[1]}: {text}") from error
        except (smtplib.SMTPException, OSError) as error:
            failure = _failure(error)
            if failure is Failure.UNREACHABLE:
                self._hang_up()
            host, port = self._server
            raise SubmissionError(f"{host} port {port}: {_reason(error)}", failure) from error
        except KeyboardInterrupt:
            self._hang_up()  # whoever is in a hurry does not wait for a last word
            raise

    def close(self) -> None:
        """End the connection, if there is one; the next message makes a new one."""
        if self._smtp is not None:
            with suppress(smtplib.SMTPException, OSError):
                self._wait_at_most(QUIT_TIMEOUT)
                self._smtp.quit()
            self._hang_up()

    def _send(self, mail: _Mail) -> Mapping[str, str]:
        """Send it where the last message went, if the server still listens there."""
        self._offered = False
        if self._smtp is not None:
            try:
                if self._smtp.rset()[0] == 250:
                    return self._transact(self._smtp, mail)
            except (smtplib.SMTPException, OSError) as error:
                if self._offered or _failure(error) is not Failure.UNREACHABLE:
                    raise
            self._hang_up()
        self._smtp = _connected(self._server)
        return self._transact(self._smtp, mail)

    def _transact(self, smtp: smtplib.SMTP, mail: _Mail) -> Mapping[str, str]:
        options = _mail_options(smtp, mail)
        _expect(smtp.docmd("MAIL", " ".join([f"FROM:<{mail.sender}>", *options])), mail.sender)
        refused = {}
        codes = set()
        for recipient in mail.recipients:
            code, reply = smtp.docmd("RCPT", f"TO:<{recipient}>")
            if code == SHUTTING_DOWN:
                raise smtplib.SMTPSenderRefused(code, reply, mail.sender)
            if code not in {250, 251}:
                codes.add(code)
                refused[recipient] = f"{code} {_text(reply)}"
        if len(refused) == len(mail.recipients):
            raise SubmissionError(
                "; ".join(f"<{address}> refused: {reply}" for address, reply in refused.items()),
                Failure.PERMANENT if min(codes) >= 500 else Failure.TEMPORARY,
            )
        self._offered = True
        mail.before_data([one for one in mail.recipients if one not in refused])
        self._send_data(smtp, mail)
        return refused

    def _send_data(self, smtp: smtplib.SMTP, mail: _Mail) -> None:
        self._wait_at_most(END_OF_DATA_TIMEOUT)
        try:
            _expect(smtp.data(_BARE_LF.sub(b"\r\n", mail.content)), mail.sender)
        except smtplib.SMTPResponseException:
            raise
        except (smtplib.SMTPException, OSError) as error:
            raise InDoubtError(_reason(error)) from error
        finally:
            self._wait_at_most(TIMEOUT)

    def _wait_at_most(self, seconds: float) -> None:
        if self._smtp is not None and self._smtp.sock is not None:
            self._smtp.sock.settimeout(seconds)

    def _hang_up(self) -> None:
        if self._smtp is not None:
            self._smtp.close()
            self._smtp = None


def _connected(server: tuple[str, int]) -> smtplib.SMTP:
    smtp = SmtpClient(*server, timeout=TIMEOUT)
    try:
        smtp.ehlo_or_helo_if_needed()
        if smtp.has_extn("starttls"):
            smtp.starttls(context=_opportunistic())
            smtp.ehlo_or_helo_if_needed()
    except BaseException:
        smtp.close()
        raise
    return smtp


def _is_sendable(address: str) -> bool:
    """Whether it ends where its angle brackets end."""
    return not _UNFIT.search(address) and not set(_QUOTED.sub("", address)) & set("<> ")


def _mail_options(smtp: smtplib.SMTP, mail: _Mail) -> list[str]:
    options = []
    if not mail.content.isascii() and smtp.has_extn("8bitmime"):
        options.append("BODY=8BITMIME")
    international = not all(address.isascii() for address in (mail.sender, *mail.recipients))
    if international and not smtp.has_extn("smtputf8"):
        raise _unfit("an address is not ASCII, and the server does not offer SMTPUTF8")
    smtputf8 = international or (mail.smtputf8 and smtp.has_extn("smtputf8"))
    smtp.command_encoding = "utf-8" if smtputf8 else "ascii"
    if smtputf8:
        options.append("SMTPUTF8")
    return options


def _opportunistic() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _expect(reply: tuple[int, bytes], sender: str) -> None:
    code, text = reply
    if code != 250:
        raise smtplib.SMTPSenderRefused(code, text, sender)


def _unfit(text: str) -> SubmissionError:
    return SubmissionError(text, Failure.PERMANENT)


def _failure(error: Exception) -> Failure:
    """What an error of smtplib or a socket means; a greeting 5yz holds for no message alone."""
    if not isinstance(error, smtplib.SMTPSenderRefused | smtplib.SMTPDataError):
        return Failure.UNREACHABLE
    if error.smtp_code == SHUTTING_DOWN or error.smtp_code < 400:
        return Failure.UNREACHABLE
    return Failure.PERMANENT if error.smtp_code >= 500 else Failure.TEMPORARY


def _reason(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        reply = error.smtp_error
        return f"{error.smtp_code} {_text(reply) if isinstance(reply, bytes) else reply}"
    reason = error.strerror if isinstance(error, OSError) else None
    return printable(reason or str(error)) or type(error).__name__


def _text(reply: bytes) -> str:
    return printable(" ".join(reply.decode("utf-8", "replace").split()))
