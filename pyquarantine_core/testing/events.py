"""The points of an SMTP session at which an MTA asks a filter, and what it sends there."""

from __future__ import annotations

import enum
import ipaddress
import struct
from dataclasses import dataclass

from pyquarantine_core.testing.mail import canonical
from pyquarantine_core.testing.protocol import Command, Steps, strings


class Stage(enum.Enum):
    """The point of an SMTP session at which a filter is asked."""

    CONNECT = "connect"
    HELO = "helo"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    HEADER = "header"
    EOH = "eoh"
    BODY = "body"
    EOM = "eom"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Event:
    """How a stage goes over the wire.

    Attributes:
        command: The packet to send.
        not_sent: The step by which a filter keeps the packet back.
        no_reply: The step by which it spares the reply.
        macros: Those of Postfix's milter_*_macros setting.
        macro_stage: The number (SMFIM_*) under which a filter may ask for other macros.
    """

    command: Command
    not_sent: Steps
    no_reply: Steps
    macros: tuple[str, ...]
    macro_stage: int


EVENTS = {
    Stage.CONNECT: Event(
        Command.CONNECT,
        Steps.NOCONNECT,
        Steps.NR_CONN,
        ("j", "{daemon_name}", "{daemon_addr}", "v", "_"),
        0,
    ),
    Stage.HELO: Event(Command.HELO, Steps.NOHELO, Steps.NR_HELO, (), 1),
    Stage.MAIL: Event(
        Command.MAIL,
        Steps.NOMAIL,
        Steps.NR_MAIL,
        (
            *("i", "{auth_type}", "{auth_authen}", "{auth_author}"),
            *("{mail_addr}", "{mail_host}", "{mail_mailer}"),
        ),
        2,
    ),
    Stage.RCPT: Event(
        Command.RCPT,
        Steps.NORCPT,
        Steps.NR_RCPT,
        ("i", "{rcpt_addr}", "{rcpt_host}", "{rcpt_mailer}"),
        3,
    ),
    Stage.DATA: Event(Command.DATA, Steps.NODATA, Steps.NR_DATA, ("i",), 4),
    Stage.HEADER: Event(Command.HEADER, Steps.NOHDRS, Steps.NR_HDR, ("i",), 6),
    Stage.EOH: Event(Command.EOH, Steps.NOEOH, Steps.NR_EOH, ("i",), 6),
    Stage.BODY: Event(Command.BODY, Steps.NOBODY, Steps.NR_BODY, ("i",), 5),
    Stage.EOM: Event(Command.BODYEOB, Steps(0), Steps(0), ("i",), 5),
    Stage.UNKNOWN: Event(Command.UNKNOWN, Steps.NOUNKNOWN, Steps.NR_UNKN, (), -1),
}


def client_data(host: str, address: str | None, port: int) -> bytes:
    """The data of CONNECT: host name, address family, and by family a port and an address.

    Raises:
        ValueError: The address is neither an IP address, nor `unix`, nor None.
    """
    if address is None:
        return strings(host) + b"U"
    if address == "unix":
        family, port = b"L", 0
    else:
        family = b"4" if ipaddress.ip_address(address).version == 4 else b"6"
    return strings(host) + family + struct.pack("!H", port) + strings(address)


def address_macros(kind: str, argument: str) -> dict[str, str]:
    """The macros {mail_*} or {rcpt_*} of an SMTP argument, as if its domain took its own mail."""
    address = canonical(argument).lower()
    host = address.rpartition("@")[2]
    return {f"{{{kind}_addr}}": address, f"{{{kind}_host}}": host, f"{{{kind}_mailer}}": "smtp"}
