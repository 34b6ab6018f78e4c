"""What people change by commands: told to them, and kept in the mail log under their name."""

from __future__ import annotations

import os
import pwd
import socket
from contextlib import suppress

import click

from pyquarantine_core.log import SYSLOG_SOCKET, SYSLOG_TIMEOUT
from pyquarantine_core.printable import printable

_MAIL_INFO = 2 << 3 | 6
"""Facility and severity (RFC 3164, 4.1.1)."""


def announce(where: str, what: str) -> None:
    """Log what has been done, and print it: in this order, for whoever reads it may be gone.

    Args:
        where: name of the quarantine or list.
        what: such as `released ID to RCPT`; printable.
    """
    log_change(where, what)
    click.echo(what)


def log_change(where: str, what: str) -> None:
    """Log what has been done, where there is a syslogd; the arguments are those of `announce`.

    What cannot be logged is done all the same.
    """
    line = f"<{_MAIL_INFO}>pyquarantine[{os.getpid()}]: {_who()}: {printable(where)}: {what}"
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslogd:
        syslogd.settimeout(SYSLOG_TIMEOUT)
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
