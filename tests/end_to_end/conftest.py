"""The real daemon behind a real Postfix, and the commands an admin types."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from pyquarantine_core.testing.processes import PATIENCE
from pyquarantine_core.testing.pytest_plugin import DaemonFactory
from pyquarantine_core.testing.sink import SmtpSink

from .sendmail import Sendmail

__all__ = ["Admin", "DaemonFactory", "SendmailFactory"]


class SendmailFactory(Protocol):
    """Starts a sendmail with this filter, whose mail ends in the test's `smtp_sink`."""

    def __call__(self, milter: str, *, aliases: str = "", settings: str = "") -> Sendmail: ...


@pytest.fixture
def throwaway_sendmail(smtp_sink: SmtpSink) -> Iterator[SendmailFactory]:
    """Starts sendmails for `daemon.address`; their traffic shows on failure."""
    with contextlib.ExitStack() as running:

        def start(milter: str, *, aliases: str = "", settings: str = "") -> Sendmail:
            sendmail = Sendmail(smtp_sink.port, milter, aliases=aliases, settings=settings)
            running.enter_context(sendmail)
            running.callback(lambda: sys.stdout.write(sendmail.traffic))
            return sendmail

        yield start


@dataclass(frozen=True)
class Admin:
    """Types `pyquarantine -c FILE ...`."""

    config: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            self._command(*arguments), check=False, capture_output=True, timeout=PATIENCE
        )

    def begin(self, *arguments: str) -> subprocess.Popen[bytes]:
        """The same, without waiting for its end."""
        return subprocess.Popen(
            self._command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def out(self, *arguments: str) -> bytes:
        """What a command that must succeed prints."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def held(self, quarantine: str) -> list[dict[str, Any]]:
        """The listing of a quarantine."""
        entries: list[dict[str, Any]] = json.loads(
            self.out("quarantine", quarantine, "list", "--json")
        )
        return entries

    def _command(self, *arguments: str) -> list[str | Path]:
        program = Path(sys.executable).with_name("pyquarantine")
        return [program, "-c", self.config, *arguments]


@pytest.fixture
def admin(tmp_path: Path) -> Admin:
    """The admin of the config that `start_daemon` writes."""
    return Admin(tmp_path / "pyquarantine.conf")
