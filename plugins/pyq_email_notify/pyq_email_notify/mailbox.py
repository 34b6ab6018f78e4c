"""Who a message says it is from, and who its notification says it is from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from pyq_email_notify.template import fill
from pyq_email_notify.wording import one_line, with_ascii_domains
from pyquarantine_core.header_text import decode_value

MAX_NAME = 200
"""Characters of a display name (the rest is cut)."""
MAX_ADDRESS = 320
"""Characters of an address (RFC 5321, section 4.5.3.1: 64, `@` and 255)."""
MAX_RAW = 64 * 1024
"""Bytes of a From header that are looked at; MTAs cut headers before."""

_ANGLE_AT_END = re.compile(r"<([^<>]*)>[^<>]*$")
_MAILBOX = re.compile(rb'((?:"(?:[^"\\]|\\.)*+"|[^"<])*+)<([^<>]*)>', re.DOTALL)
_ANGLE = re.compile(rb"(.*)<([^<>]*)>", re.DOTALL)
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*+)"', re.DOTALL)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_COMMENT = re.compile(rb"\([^()]*\)")
_SPECIAL = re.compile(r'(["\\])')
_LOCAL_PART = r"""(?:"(?:[!#-\[\]-~ ]|\\[ -~])*"|[!#-'*+\-./0-9=?A-Z^-~]+)"""
_DOMAIN = r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?"
_ADDRESS = re.compile(f"{_LOCAL_PART}@{_DOMAIN}")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A mailbox of a header (RFC 5322, section 3.4).

    Attributes:
        name: the display name, decoded, on one line; may be empty.
        address: empty if there is none that can be written in ASCII.
    """

    name: str
    address: str

    @classmethod
    def from_header(cls, raw: bytes) -> Self:
        """The first mailbox of an address header.

        The address is taken from the bytes as they stand: encoded words are decoded only in the
        name, so that none can pretend to be an address.
        """
        raw = raw[:MAX_RAW]
        found = _MAILBOX.match(raw) or _ANGLE.match(raw)
        if found is None:
            address = _as_it_stands(_COMMENT.sub(b"", raw.partition(b",")[0]))
            return cls("" if address else _words(raw), address)
        return cls(_words(found[1]), _as_it_stands(found[2]))

    def written(self) -> str:
        """As a header has it, the name in quotes."""
        if not self.name:
            return f"<{self.address}>"
        quoted = _SPECIAL.sub(r"\\\1", self.name)
        return f'"{quoted}" <{self.address}>'


def shown(value: str, mailbox: Mailbox) -> str:
    """A From header to be shown: however long its display name, the address stands beside it.

    Args:
        value: the header, decoded.
        mailbox: its first one.
    """
    address = mailbox.address
    if not address and (found := _ANGLE_AT_END.search(value)):
        address = found[1]
    line = one_line(value, MAX_RAW)
    if not address or len(line) <= MAX_NAME + len(address):
        return with_ascii_domains(line)
    name = one_line(value, MAX_NAME)
    return with_ascii_domains(f"{name} <{one_line(address, MAX_ADDRESS)}>")


def is_address(text: str) -> bool:
    """Whether it is an address in ASCII that can stand in a header (RFC 5321, section 4.1.2)."""
    return len(text) <= MAX_ADDRESS and _ADDRESS.fullmatch(text) is not None


def notifying_mailbox(template: str, original: Mailbox, fallback: str) -> Mailbox:
    """Who a notification is from.

    Args:
        template: `from_header` of the config, where {FROM} is the original's mailbox.
        original: what that is.
        fallback: the address where the template comes to none.
    """
    if template.strip() == "{FROM}":
        name = original.name or ("" if original.address else fallback)
        return Mailbox(name, original.address or fallback)
    named = one_line(original.name, MAX_NAME)
    whole = " ".join(filter(None, (named, f"<{original.address}>" * bool(original.address))))
    own = Mailbox.from_header(template.encode())
    address = own.address or _address_in(template, original)
    limit = len(own.name) + len(whole)
    return Mailbox(one_line(fill(own.name, {"FROM": whole}), limit), address or fallback)


def _address_in(template: str, original: Mailbox) -> str:
    """The original's address, where the template has {FROM} in the place of an address."""
    return original.address if template.rstrip().endswith("<{FROM}>") else ""


def _as_it_stands(raw: bytes) -> str:
    """These bytes if they are an address, else nothing."""
    text = raw.decode("latin-1").strip()
    return text if is_address(text) else ""


def _words(raw: bytes) -> str:
    """The text of a phrase, quoted strings without their quotes."""
    plain = _QUOTED.sub(lambda found: _ESCAPED.sub(rb"\1", found[1]), raw)
    return one_line(decode_value(plain), MAX_NAME)
