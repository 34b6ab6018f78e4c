"""What people change by commands: told to them, and kept in the mail log under their name."""

from __future__ import annotations

import logging
import logging.handlers
import os
import pwd
from contextlib import suppress
from pathlib import Path

import click

from pyquarantine_core.printable import printable

SYSLOG_SOCKET = Path("/dev/log")
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
    """Log what has been done, where there is a syslogd; the arguments are those of `announce`."""
    with suppress(OSError):
        handler = _Syslog(str(SYSLOG_SOCKET), facility=_Syslog.LOG_MAIL)
        handler.ident = f"pyquarantine[{os.getpid()}]: "
        text = f"{_who()}: {printable(where)}: {what}"
        record = logging.LogRecord("", logging.INFO, "", 0, text, None, None)
        handler.handle(record)
        handler.close()


class _Syslog(logging.handlers.SysLogHandler):
    """A handler whose failures nobody sees: what was to be logged is done already."""

    def _connect_unixsocket(self, address: str) -> None:
        super()._connect_unixsocket(address)  # type: ignore[misc] # not in the stubs
        self.socket.settimeout(TIMEOUT)  # type: ignore[attr-defined] # likewise

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        pass


def _who() -> str:
    """Whose command it is: the account, and who became it by sudo(8)."""
    try:
        account = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        account = str(os.geteuid())
    person = os.environ.get("SUDO_USER")
    return printable(f"{person} as {account}") if person else account
