"""Where log lines go: to syslog when there is one, else to standard error."""

from __future__ import annotations

import logging
import logging.handlers
import sys
from pathlib import Path
from types import TracebackType

from pyquarantine_core.printable import printable

_ExceptionInfo = (
    tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
)

SYSLOG_SOCKET = Path("/dev/log")


LONGEST_LINE = 4000
"""Characters of a message that are logged; rsyslog cuts lines at 8 kB."""


class SafeFormatter(logging.Formatter):
    """Keeps what came in a message from ending the line, steering the terminal or flooding."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        text = printable(record.message)
        if len(text) > LONGEST_LINE:
            text = f"{text[:LONGEST_LINE]}... ({len(text)} characters)"
        record.message = text
        return super().formatMessage(record)

    def formatException(self, ei: _ExceptionInfo) -> str:  # noqa: N802 - logging's name
        return "\n".join(map(printable, super().formatException(ei).splitlines()))


def set_up_logging(*, debug: bool = False, syslog: Path = SYSLOG_SOCKET) -> None:
    """Log for a daemon, to syslog if it is there. With `debug` all goes to standard error."""
    handler: logging.Handler
    if syslog.exists() and not debug and not sys.stderr.isatty():
        handler = logging.handlers.SysLogHandler(
            str(syslog), facility=logging.handlers.SysLogHandler.LOG_MAIL
        )
        handler.setFormatter(SafeFormatter("pyquarantine[%(process)d]: %(levelname)s: %(message)s"))
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(SafeFormatter("%(asctime)s [%(process)d] %(levelname)s: %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if debug else logging.INFO)


def set_level(name: str, *, debug: bool = False) -> None:
    """Log what the config's `loglevel` says; rules and actions have loggers of their own."""
    level = logging.DEBUG if debug else logging.getLevelNamesMapping()[name.upper()]
    logging.getLogger().setLevel(level)
