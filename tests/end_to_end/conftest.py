"""The real daemon behind a real Postfix, and the commands an admin types."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from pyquarantine_core.testing.daemon import Daemon, write_config


class DaemonFactory(Protocol):
    """Starts the daemon on a free port with this config."""

    def __call__(self, config: Mapping[str, Any]) -> Daemon: ...


@pytest.fixture
def start_daemon(tmp_path: Path) -> Iterator[DaemonFactory]:
    """Starts daemons; at the end each must stop cleanly, and its log shows on failure."""
    with contextlib.ExitStack() as running:

        def start(config: Mapping[str, Any]) -> Daemon:
            path = write_config(tmp_path / "pyquarantine.conf", {"workers": 2} | dict(config))
            daemon = Daemon(path, "inet:0@127.0.0.1").start()

            def stop() -> None:
                status = daemon.stop()
                sys.stdout.write(daemon.log)
                assert status == 0

            running.callback(stop)
            return daemon

        yield start


@dataclass(frozen=True)
class Admin:
    """Types `pyquarantine -c FILE ...`."""

    config: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        program = Path(sys.executable).with_name("pyquarantine")
        return subprocess.run(
            [program, "-c", self.config, *arguments],
            check=False,
            capture_output=True,
            timeout=60,
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


@pytest.fixture
def admin(tmp_path: Path) -> Admin:
    """The admin of the config that `start_daemon` writes."""
    return Admin(tmp_path / "pyquarantine.conf")
