"""Where log lines go: to syslog when there is one, else to standard error."""

from __future__ import annotations

import logging
import logging.handlers
import sys
from pathlib import Path

from pyquarantine_core.printable import printable

SYSLOG_SOCKET = Path("/dev/log")


class SafeFormatter(logging.Formatter):
    """Keeps what came in a message from ending the line or steering the terminal."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        record.message = printable(record.message)
        return super().formatMessage(record)


def set_up_logging(*, debug: bool = False) -> None:
    """Log for a daemon. With `debug` everything goes to standard error."""
    handler: logging.Handler
    if SYSLOG_SOCKET.exists() and not debug and not sys.stderr.isatty():
        handler = logging.handlers.SysLogHandler(
            str(SYSLOG_SOCKET), facility=logging.handlers.SysLogHandler.LOG_MAIL
        )
        handler.setFormatter(SafeFormatter("pyquarantine[%(process)d]: %(levelname)s: %(message)s"))
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(SafeFormatter("%(asctime)s [%(process)d] %(levelname)s: %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if debug else logging.INFO)
