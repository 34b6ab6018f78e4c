"""Where log lines go: to syslog when there is one, else to standard error."""

from __future__ import annotations

import contextlib
import errno
import logging
import logging.handlers
import socket
import struct
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from pyquarantine_core.printable import as_json, printable

_ExceptionInfo = (
    tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
)

SYSLOG_SOCKET = Path("/dev/log")
SYSLOG_TIMEOUT = 0.5
"""Seconds that a line waits for a syslogd that does not read; then it is tried once more."""
SYSLOG_PAUSE = 10.0
"""Seconds in which syslog is not tried again after a line could not be written."""

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
        lines = super().formatException(ei).splitlines()
        return "\n".join(f"  {printable(line)}" for line in lines)  # none looks like a log line


class JsonFormatter(logging.Formatter):
    """One JSON object a line, in printable ASCII; `fields` of a record are among its keys."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "pid": record.process,
            "message": record.getMessage()[:LONGEST_LINE],
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return as_json(entry)


class _Syslog(logging.handlers.SysLogHandler):
    """A handler that a syslogd which does not read cannot hold up: mail goes on, lines are lost.

    While none listens, standard error gets the lines.
    """

    _paused_until = 0.0
    _nobody_listens = False

    def format(self, record: logging.LogRecord) -> str:
        return f"pyquarantine[{record.process}]: {super().format(record)}"

    def emit(self, record: logging.LogRecord) -> None:
        if time.monotonic() >= self._paused_until:
            self._nobody_listens = False
            super().emit(record)
        elif self._nobody_listens:
            try:
                _write_to_standard_error(self.format(record))
            except Exception:
                self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Whatever fails here must not reach who logs: a message may be committed already."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):  # a line that cannot be made, of a plugin's
            super().handleError(record)
            return
        if error.errno != errno.EMSGSIZE:  # that line alone is too long
            self._paused_until = time.monotonic() + SYSLOG_PAUSE
        self._nobody_listens = isinstance(error, (ConnectionRefusedError, FileNotFoundError))
        line = self.format(record)
        _write_to_standard_error(
            line if self._nobody_listens else f"syslog cannot be written to; lost: {line}"
        )

    def _connect_unixsocket(self, address: str) -> None:
        super()._connect_unixsocket(address)  # type: ignore[misc] # not in the stubs
        syslogd: socket.socket = self.socket  # type: ignore[attr-defined] # likewise
        try:  # so that the kernel waits, if need be; with settimeout() each line is a poll(2) more
            syslogd.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(SYSLOG_TIMEOUT))
        except OSError:
            syslogd.settimeout(SYSLOG_TIMEOUT)


def _timeval(seconds: float) -> bytes:
    """As the system calls have it (socket(7), system_data_types(7))."""
    return struct.pack("@ll", int(seconds), round(seconds % 1 * 1_000_000))


def _write_to_standard_error(line: str) -> None:
    with contextlib.suppress(OSError):  # where syslog is gone, the journal may be gone, too
        sys.stderr.write(f"{line}\n")


def set_up_logging(
    *, debug: bool = False, as_json: bool = False, syslog: Path = SYSLOG_SOCKET
) -> None:
    """Log for a daemon, to syslog if it is there. With `debug` all goes to standard error."""
    # What no format shows need not be found out (Python's Logging HOWTO, "Optimization").
    logging.logThreads = logging.logMultiprocessing = False
    handler: logging.Handler
    if syslog.exists() and not debug and not sys.stderr.isatty():
        handler = _Syslog(str(syslog), facility=logging.handlers.SysLogHandler.LOG_MAIL)
        text = SafeFormatter("%(levelname)s: %(message)s")
    else:
        handler = logging.StreamHandler()
        text = SafeFormatter("%(asctime)s [%(process)d] %(levelname)s: %(message)s")
    handler.setFormatter(JsonFormatter() if as_json else text)
    root = logging.getLogger()
    for old in root.handlers:
        old.close()  # the socket of syslog; standard error stays open
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if debug else logging.INFO)


def say_last_words(text: str) -> None:
    """Say why the program ends on standard error, too, where the log goes elsewhere."""
    if any(isinstance(one, _Syslog) for one in logging.getLogger().handlers):
        for line in text.splitlines():
            _write_to_standard_error(printable(line))


def sanitise_last_resort() -> None:
    """Let what a command logs, to standard error, steer no terminal either."""
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(SafeFormatter("pyquarantine: %(message)s"))


def set_level(name: str, *, debug: bool = False) -> None:
    """Log what the config's `loglevel` says; rules and actions have loggers of their own."""
    level = logging.DEBUG if debug else logging.getLevelNamesMapping()[name.upper()]
    logging.getLogger().setLevel(level)
