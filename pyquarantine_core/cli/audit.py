"""What people change by commands: told to them, and kept in the mail log under their name."""

from __future__ import annotations

import os
import pwd
from contextlib import suppress
from pathlib import Path

import click

from pyquarantine_core.printable import printable

SYSLOG_SOCKET = Path("/dev/log")
_MAIL_INFO = 2 << 3 | 6
"""Facility and severity (RFC 3164, 4.1.1)."""
TIMEOUT = 0.5
"""Seconds that a syslogd which does not read may hold up a command; its line is lost then."""


def announce(where: str, what: str) -> None:
    """Print what has been done, and log it.

    Args:
        where: name of the quarantine or list.
        what: such as `released ID to RCPT`; printable.
    """
    click.echo(what)
    log_change(where, what)


def log_change(where: str, what: str) -> None:
    """Log what has been done, where there is a syslogd; the arguments are those of `announce`.

    What cannot be logged is done all the same.
    """
    import socket  # noqa: PLC0415 - most commands change nothing

    line = f"<{_MAIL_INFO}>pyquarantine[{os.getpid()}]: {_who()}: {printable(where)}: {what}"
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslogd:
        syslogd.settimeout(TIMEOUT)
        syslogd.connect(str(SYSLOG_SOCKET))
        syslogd.send(line.encode())


def _who() -> str:
    """Whose command it is: the account, and who became it by sudo(8)."""
    try:
        account = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        account = str(os.geteuid())
    person = os.environ.get("SUDO_USER")
    return printable(f"{person} as {account}") if person else account
