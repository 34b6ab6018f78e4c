"""Envelope addresses (RFC 5321): as the MTA passes them, and as rules and people see them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from string import ascii_lowercase, ascii_uppercase

_ODD = r"\s\"\\()<>\[\],;:@%!\x00-\x1f\x7f"
_PLAIN = re.compile(rf"<?([^{_ODD}]+@[^{_ODD}.]+\.[^{_ODD}]*[^{_ODD}.])>?")
"""An address that no MTA would take for another one."""
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"(@.*)', re.DOTALL)
_DOT_ATOM = re.compile(rf"[^{_ODD}.]+(?:\.[^{_ODD}.]+)*")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_TO_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)


def bare_address(argument: str) -> str:
    """The mailbox in an argument of MAIL or RCPT: `user@example.org`, `""` for the null sender.

    Angle brackets, a source route (`<@relay:user@example.org>`, RFC 5321 appendix C) and dots
    after the domain go, as the MTA takes them off too; spelling stays.
    """
    address = argument.strip()
    if address.startswith("<") and address.endswith(">"):
        address = address[1:-1].strip()
    if address.startswith("@") and ":" in address:
        address = address.partition(":")[2]
    if "@" in address and not address.endswith('"'):
        address = address.rstrip(".")
    return address


def plain_address(argument: str) -> str | None:
    """The mailbox in an argument of MAIL or RCPT that is plainly `user@example.org`, else None."""
    plain = _PLAIN.fullmatch(argument)
    return None if plain is None else plain[1]


def mailbox(argument: str, resolved: str | None = None) -> str:
    """The mailbox that an argument of MAIL or RCPT leads to, as rules and people are to see it.

    MTAs take many spellings for one mailbox: to Postfix `<"user"@example.org>`,
    `<user(x)@example.org>`, `<example.org!user>` and `<user>` all are `user@example.org`, and a
    rule for that address must see them alike. So what is not plainly `user@example.org` is seen as
    the MTA has resolved it, or without needless quotes (RFC 5321, section 4.1.2) where it does not
    say.

    Args:
        argument: as the client sent it.
        resolved: the macro `{mail_addr}` or `{rcpt_addr}`; None when it was not sent.
    """
    plain = plain_address(argument)
    if plain is not None:
        return plain
    address = bare_address(argument)
    if not address or _PLAIN.fullmatch(address):
        return address
    known = resolved or ""
    if "@" in known and folded(known) != folded(address):  # sendmail names local users alone
        address = bare_address(known)
    return _unquoted(address)


def _unquoted(address: str) -> str:
    quoted = _QUOTED.fullmatch(address)
    local = _ESCAPED.sub(r"\1", quoted[1]) if quoted else ""
    return f"{local}{quoted[2]}" if quoted and _DOT_ATOM.fullmatch(local) else address


def folded(address: str) -> str:
    """A bare address for comparison: ASCII letters in lower case.

    Other letters stay: `straße@` and `strasse@` are two mailboxes (RFC 6530, section 10.1).
    """
    return address.translate(_TO_LOWER)


def same_address(one: str, other: str) -> bool:
    """Whether two bare addresses are one mailbox to us: the case of ASCII letters is ignored."""
    return folded(one) == folded(other)


def any_like(addresses: Iterable[str], patterns: Iterable[str]) -> bool:
    """Whether one of the addresses is one of the patterns: `*` stands for anything, case aside."""
    known = tuple(patterns)
    return any(
        same_address(address, pattern) or fnmatchcase(address.casefold(), pattern.casefold())
        for address in addresses
        for pattern in known
    )


@dataclass(frozen=True, slots=True)
class Recipient:
    """A recipient of the envelope.

    Attributes:
        address: bare, in the sender's spelling if that is plain (`mailbox`).
        forms: every spelling by which the MTA may know it: the argument of RCPT, and
            the macro `{rcpt_addr}`. Postfix's `delrcpt` silently ignores any other.
    """

    address: str
    forms: tuple[str, ...] = ()

    @classmethod
    def from_mta(cls, argument: str, resolved: str | None = None) -> Recipient:
        """From the argument of RCPT and the macro `{rcpt_addr}` (None when it was not sent)."""
        forms = dict.fromkeys([argument, f"<{resolved}>"] if resolved else [argument])
        return cls(mailbox(argument, resolved), tuple(forms))
