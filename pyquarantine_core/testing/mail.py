"""A message with its envelope, as a client hands it to an MTA."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_ADDRESS_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\([^()]*\)|\s+|[^"\s(]+|.')
_ANGLE = re.compile(r"<([^<>]*)>?$")
_ESCAPED = re.compile(r"\\(.)")
_DOT_ATOM = re.compile(r"[^\s\"\\()<>\[\],;:@.]+(?:\.[^\s\"\\()<>\[\],;:@.]+)*")
_HEADER = re.compile(rb"([!-9;-~]+)[ \t]*:")
_DROPPED = frozenset({b"bcc", b"resent-bcc", b"return-path", b"content-length"})
"""Headers that Postfix takes out before a filter sees them (message_drop_headers, postconf(5))."""


@dataclass(frozen=True)
class Mail:
    """A message to be sent.

    Attributes:
        sender: The argument of MAIL FROM, such as `<a@example.org>` or `<>`; missing angle brackets
            are added.
        recipients: The arguments of RCPT TO, each as above and otherwise passed on as they are.
        content: Headers, empty line, body. Line ends may be LF or CRLF and are sent as CRLF;
            any other byte is sent as it is, a bare CR too, which recent Postfix makes a space first
            (cleanup_replace_stray_cr_lf).
        queue_id: Postfix's name for the message, macro {i}; empty: a new one is made up.
        mail_options: ESMTP parameters of MAIL FROM, such as `BODY=8BITMIME`.
        macros: More macros that the filter gets with MAIL, such as {auth_authen}.
    """

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    queue_id: str = ""
    mail_options: tuple[str, ...] = ()
    macros: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Header:
    """One header field as it stands in a message.

    Attributes:
        raw: Name, colon and value, folded lines included, without the last line end; lines within
            are separated by CRLF.
    """

    raw: bytes

    @property
    def name(self) -> bytes:
        return self.raw.partition(b":")[0]

    @property
    def value(self) -> bytes:
        """What follows the colon, with its leading space; folds are LF, as filters get them."""
        return self.raw.partition(b":")[2].replace(b"\r\n", b"\n")


def bracketed(address: str) -> str:
    """The address as an SMTP argument: in angle brackets."""
    return address if address.startswith("<") else f"<{address}>"


def unrouted(argument: str) -> str:
    """The address in an SMTP argument, without brackets and source route (RFC 5321 4.1.1.3)."""
    address = argument.removeprefix("<").removesuffix(">")
    return address.partition(":")[2] if address.startswith("@") else address


def canonical(argument: str) -> str:
    """The address that Postfix delivers to, where it has a domain.

    As `unadorned`, a `host!user` turned around, and without a dot after the domain.
    """
    address = unadorned(unrouted(argument))
    host, bang, user = address.partition("!")
    return f"{user}@{host}" if bang and "@" not in address else address.removesuffix(".")


def unadorned(address: str) -> str:
    """An address without comments, blanks and needless quotes; of `name <address>` the latter."""
    tokens = _ADDRESS_TOKEN.findall(address)
    plain = "".join(one for one in tokens if not one.startswith("(") and not one.isspace())
    inner = _ANGLE.search(plain)
    local, at, domain = (inner[1] if inner else plain).rpartition("@")
    if local.startswith('"'):
        content = _ESCAPED.sub(r"\1", local[1:-1])
        local = content if _DOT_ATOM.fullmatch(content) else local
    return f"{local}{at}{domain}"


def crlf(content: bytes) -> bytes:
    """The content with CRLF for every LF or CRLF, and at its end; a bare CR stays."""
    content = content.replace(b"\r\n", b"\n")
    if content and not content.endswith(b"\n"):
        content += b"\n"
    return content.replace(b"\n", b"\r\n")


def split(content: bytes) -> tuple[list[Header], bytes]:
    """Headers and body of a message with CRLF line ends.

    The body begins after the first empty line or, as Postfix has it, with the first line that is
    neither a header nor the continuation of one. Headers that Postfix drops are left out, and what
    follows a NUL in a line of a header.
    """
    raw_headers: list[bytes] = []
    start = 0
    while start < len(content):
        end = content.find(b"\r\n", start)
        line, nul, _ = content[start:end].partition(b"\0")
        if line.startswith((b" ", b"\t")) and raw_headers:
            raw_headers[-1] += b"\r\n" + line
        elif header := _HEADER.match(line):
            # Blanks before the colon are lost, as in Postfix.
            raw_headers.append(header[1] + b":" + line[header.end() :])
        else:
            start = start if line or nul else end + 2
            break
        start = end + 2
    headers = (Header(raw) for raw in raw_headers)
    return [header for header in headers if header.name.lower() not in _DROPPED], content[start:]
