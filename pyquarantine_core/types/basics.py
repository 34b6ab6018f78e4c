"""The words of the trade: stages, parts, verdicts, and what conditions and actions answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, Flag, IntEnum, auto
from ipaddress import IPv4Network, IPv6Network
from typing import Any, TypeAlias

JsonSchema: TypeAlias = Mapping[str, Any]
Options: TypeAlias = Mapping[str, Any]
Network: TypeAlias = IPv4Network | IPv6Network


class Stage(IntEnum):
    """How much of a message is known. The MTA's steps, in the order it sends them."""

    CONNECT = 0
    """The client that connected."""
    ENVELOPE = 1
    """Sender and all recipients (after RCPT, before DATA)."""
    HEADERS = 2
    """All headers (end of header, EOH)."""
    BODY = 3
    """Everything (end of message, EOM)."""


class Part(Flag):
    """The parts of a message that an action may change and a condition may read."""

    NOTHING = 0
    RECIPIENTS = auto()
    HEADERS = auto()
    BODY = auto()
    VARIABLES = auto()
    """The metavariables; any action or condition may set them."""


class Verdict(Enum):
    """What the MTA is told about a message."""

    ACCEPT = "accept"
    REJECT = "reject"
    DISCARD = "discard"
    TEMPFAIL = "tempfail"


class Kind(Enum):
    """What a plugin can provide; the value is the plural that names hook and listing."""

    CONDITION = "conditions"
    ACTION = "actions"
    STORAGE = "storages"
    NOTIFICATION = "notifications"
    LIST = "lists"
    SERVICE = "services"
    COMMAND = "commands"
    FILE = "files"

    @property
    def singular(self) -> str:
        return self.value.removesuffix("s")

    @property
    def hook(self) -> str:
        return f"pyquarantine_{self.value}"


@dataclass(frozen=True, slots=True)
class Decision:
    """An action's word that the rules end here, and with which verdict.

    Attributes:
        verdict: what the MTA is told.
        text: of a REJECT, the text of the SMTP reply; its code is `554 5.7.0` (RFC 5321, 3463).
    """

    verdict: Verdict
    text: str = ""


@dataclass(frozen=True, slots=True)
class Match:
    """What a condition found.

    Attributes:
        matched: whether the condition holds for this message.
        reason: why, in a few words, for the log.
        groups: named groups of a regular expression that took part; they become the
            metavariables `METAVAR_GROUP` when the conditions name a `metavar`.
    """

    matched: bool
    reason: str = ""
    groups: Mapping[str, str] = field(default_factory=dict)
