"""What a filter asks an MTA to change at the end of a message, and what comes of it.

Applied as Postfix 3.7 does (src/cleanup/cleanup_milter.c), down to the requests that it ignores:

* A header's index counts the headers of its name, in any case, from 1; 0 means 1. Changing one
  that is not there appends it, deleting it does nothing. After a deletion the later ones move up.
* An inserted header's index counts all headers from 0, Postfix's own Received first. That one is
  hidden from the filter otherwise, and it is not in what this module returns.
* A recipient is deleted only by the spelling of its RCPT argument without brackets and source
  route; case, and a dot at the end, make a difference.
* A recipient is told apart from the others by its RCPT argument, in any case; one that the filter
  adds only from others that it added. So a message may go to an address twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pyquarantine_core.testing.mail import (
    Header,
    Mail,
    bracketed,
    canonical,
    crlf,
    split,
    unadorned,
    unrouted,
)


@dataclass(frozen=True)
class HeaderAdded:
    """A header at the end of the headers (smfi_addheader)."""

    name: str
    value: bytes


@dataclass(frozen=True)
class HeaderInserted:
    """A header before the one that is at `index` now (smfi_insheader)."""

    index: int
    name: str
    value: bytes


@dataclass(frozen=True)
class HeaderChanged:
    """Another value for the `index`th header of this name, empty to delete it (smfi_chgheader)."""

    index: int
    name: str
    value: bytes


@dataclass(frozen=True)
class BodyReplaced:
    """Another body, its chunks put together (smfi_replacebody)."""

    content: bytes


@dataclass(frozen=True)
class RecipientAdded:
    """One more recipient (smfi_addrcpt, smfi_addrcpt_par)."""

    recipient: str
    options: str = ""


@dataclass(frozen=True)
class RecipientDeleted:
    """A recipient to be left out (smfi_delrcpt)."""

    recipient: str


@dataclass(frozen=True)
class SenderChanged:
    """Another envelope sender (smfi_chgfrom)."""

    sender: str
    options: str = ""


@dataclass(frozen=True)
class Quarantined:
    """The MTA shall hold the message in its own queue (smfi_quarantine)."""

    reason: str


Modification = (
    HeaderAdded
    | HeaderInserted
    | HeaderChanged
    | BodyReplaced
    | RecipientAdded
    | RecipientDeleted
    | SenderChanged
    | Quarantined
)


@dataclass(frozen=True)
class Delivered:
    """A message as the next MTA gets it: addresses without brackets, content with CRLF."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes


def deliver(
    mail: Mail,
    recipients: Iterable[str],
    modifications: Iterable[Modification],
    *,
    leading_space: bool,
) -> Delivered | None:
    """Apply the modifications in their order.

    Args:
        mail: What was sent.
        recipients: Those of its recipients that were not refused.
        modifications: What the filter asked for.
        leading_space: Whether new header values bring the space after the colon (HDR_LEADSPC).

    Returns:
        The result, or None when no recipient is left or the message is held.
    """
    message = _Message(mail, recipients, b"" if leading_space else b" ")
    for modification in modifications:
        message.apply(modification)
    return message.delivered()


class _Message:
    """A message in the making."""

    def __init__(self, mail: Mail, recipients: Iterable[str], space: bytes) -> None:
        headers, self._body = split(crlf(mail.content))
        self._own = Header(b"Received:")
        self._headers = [self._own, *headers]
        self._space = space
        self._sender = mail.sender
        self._recipients = _distinct(map(bracketed, recipients))
        self._added: list[str] = []
        self._held = False

    def apply(self, modification: Modification) -> None:
        match modification:
            case HeaderAdded(name, value):
                self._headers.append(self._header(name, value))
            case HeaderInserted(index, name, value):
                self._headers.insert(index, self._header(name, value))
            case HeaderChanged(index, name, value):
                self._change(index, name, value)
            case BodyReplaced(content):
                self._body = crlf(content)
            case RecipientAdded(recipient):
                self._added.append(recipient)
            case RecipientDeleted(recipient):
                spelling = unadorned(_unbracketed(recipient))
                kept = [to for to in self._recipients if unadorned(unrouted(to)) != spelling]
                self._recipients = kept
                self._added = [to for to in self._added if _unbracketed(to) != spelling]
            case SenderChanged(sender):
                self._sender = sender
            case Quarantined():
                self._held = True

    def delivered(self) -> Delivered | None:
        recipients = (*self._recipients, *_distinct(self._added))
        if not recipients or self._held:
            return None
        headers = (header.raw + b"\r\n" for header in self._headers if header is not self._own)
        return Delivered(
            sender=canonical(self._sender),
            recipients=tuple(map(canonical, recipients)),
            content=b"".join((*headers, b"\r\n", self._body)),
        )

    def _change(self, index: int, name: str, value: bytes) -> None:
        wanted = name.encode("utf-8", "surrogateescape").lower()
        positions = [
            position
            for position, header in enumerate(self._headers)
            if header.name.lower() == wanted and header is not self._own
        ]
        found = positions[max(index, 1) - 1 :]
        if found and value:
            self._headers[found[0]] = self._header(name, value)
        elif found:
            del self._headers[found[0]]
        elif value:
            self._headers.append(self._header(name, value))

    def _header(self, name: str, value: bytes) -> Header:
        first, *more = value.split(b"\n")
        folded = (line if line.startswith((b" ", b"\t")) else b"\t" + line for line in more)
        raw_name = name.encode("utf-8", "surrogateescape")
        return Header(raw_name + b":" + self._space + b"\r\n".join((first, *folded)))


def _unbracketed(address: str) -> str:
    return address.removeprefix("<").removesuffix(">")


def _distinct(recipients: Iterable[str]) -> list[str]:
    """The recipients, of those that differ in case alone the first."""
    by_address: dict[str, str] = {}
    for recipient in recipients:
        by_address.setdefault(_unbracketed(recipient).lower(), recipient)
    return list(by_address.values())
