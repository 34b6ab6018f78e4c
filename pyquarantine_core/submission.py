"""Hands stored messages to an SMTP server (RFC 5321), byte for byte."""

from __future__ import annotations

import re
import smtplib
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress

from pyquarantine_core.errors import ReleaseError
from pyquarantine_core.printable import printable

TIMEOUT = 60.0
"""Seconds to wait for the server at each step but the last."""
END_OF_DATA_TIMEOUT = 600.0
"""Seconds to wait for its answer to the message (RFC 5321, section 4.5.3.2.6)."""

_BARE_LF = re.compile(rb"(?<!\r)\n")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_UNFIT = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


def submit(
    server: tuple[str, int],
    sender: str,
    recipients: Sequence[str],
    content: bytes,
    *,
    smtputf8: bool = False,
) -> Mapping[str, str]:
    """Send a message in one transaction.

    Bytes stay as they are, but that a bare LF becomes CRLF. STARTTLS is used when offered,
    without asking who the server is (RFC 7435); 8BITMIME (RFC 6152) when the content has 8-bit
    bytes, SMTPUTF8 (RFC 6531) when an address or the message itself needs it.

    Args:
        server: host and port.
        sender: bare address; `""` for the null sender.
        recipients: bare addresses.
        content: the message.
        smtputf8: it was received with SMTPUTF8.

    Returns:
        The recipients that the server refused, each with its reply. The server has taken
        the message for all others.

    Raises:
        ReleaseError: the server took the message for nobody.
    """
    if not _is_sendable(sender):
        raise ReleaseError(f"the sender '{printable(sender)}' is no address that can be sent")
    unfit = {one: "no address that can be sent" for one in recipients if not _is_sendable(one)}
    fit = [one for one in recipients if one not in unfit]
    if not fit:
        raise ReleaseError(f"'{printable(recipients[0])}' is no address that can be sent")
    try:
        return {**unfit, **_submit(server, sender, fit, content, smtputf8)}
    except (smtplib.SMTPException, OSError) as error:
        host, port = server
        raise ReleaseError(f"{host} port {port}: {_reason(error)}") from error


def _is_sendable(address: str) -> bool:
    """Whether it ends where its angle brackets end."""
    return not _UNFIT.search(address) and not set(_QUOTED.sub("", address)) & set("<> ")


def _submit(
    server: tuple[str, int],
    sender: str,
    recipients: Sequence[str],
    content: bytes,
    smtputf8: bool,
) -> Mapping[str, str]:
    smtp = smtplib.SMTP(*server, timeout=TIMEOUT)
    try:
        smtp.ehlo_or_helo_if_needed()
        if smtp.has_extn("starttls"):
            smtp.starttls(context=_opportunistic())
            smtp.ehlo_or_helo_if_needed()
        options = _mail_options(smtp, (sender, *recipients), content, smtputf8)
        _expect(smtp.docmd("MAIL", " ".join([f"FROM:<{sender}>", *options])), sender)
        refused = {}
        for recipient in recipients:
            code, reply = smtp.docmd("RCPT", f"TO:<{recipient}>")
            if code not in {250, 251}:
                refused[recipient] = f"{code} {_text(reply)}"
        if len(refused) == len(recipients):
            raise ReleaseError(
                "; ".join(f"<{address}> refused: {reply}" for address, reply in refused.items())
            )
        assert smtp.sock is not None
        smtp.sock.settimeout(END_OF_DATA_TIMEOUT)
        _expect(smtp.data(_BARE_LF.sub(b"\r\n", content)), sender)
        with suppress(smtplib.SMTPException, OSError):
            smtp.quit()
        return refused
    finally:
        smtp.close()


def _mail_options(
    smtp: smtplib.SMTP, addresses: Sequence[str], content: bytes, smtputf8: bool
) -> list[str]:
    options = []
    if not content.isascii() and smtp.has_extn("8bitmime"):
        options.append("BODY=8BITMIME")
    international = not all(address.isascii() for address in addresses)
    if international and not smtp.has_extn("smtputf8"):
        raise ReleaseError("an address is not ASCII, and the server does not offer SMTPUTF8")
    if international or (smtputf8 and smtp.has_extn("smtputf8")):
        smtp.command_encoding = "utf-8"
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


def _reason(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        reply = error.smtp_error
        return f"{error.smtp_code} {_text(reply) if isinstance(reply, bytes) else reply}"
    reason = error.strerror if isinstance(error, OSError) else None
    return printable(reason or str(error)) or type(error).__name__


def _text(reply: bytes) -> str:
    return printable(" ".join(reply.decode("utf-8", "replace").split()))
