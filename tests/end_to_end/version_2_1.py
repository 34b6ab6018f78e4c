"""pyquarantine 2.1.0 itself, as `make test-old` installs it: its daemon and its commands."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pyquarantine_core.testing.sockets import MilterSocket, free_port

PROGRAMS = Path(sys.prefix) / "pyquarantine-2.1.0" / "bin"
START_TIMEOUT = 30.0
"""Seconds within which the daemon listens."""


@dataclass(frozen=True)
class Version21:
    """pyquarantine 2.1.0 with a config file."""

    config: Path

    def check_config(self) -> str:
        """What `pyquarantine-milter -t` prints of the config that it must accept."""
        return self._output("pyquarantine-milter", "-t")

    def out(self, *arguments: str) -> str:
        """What a command that must succeed prints, such as `quarantine NAME list`."""
        return self._output("pyquarantine", *arguments)

    @contextlib.contextmanager
    def daemon(self, address: str = "") -> Iterator[str]:
        """Runs `pyquarantine-milter`; yields the address where it listens, by default a free port.

        It freezes at the second message of which it makes a preview (lxml waits for Python's lock,
        on another thread than libmilter began with): send it one with a notification at most.
        """
        with self.config.with_suffix(".log").open("ab") as log:
            process, address = self._listening(log.fileno(), address)
            try:
                yield address
            finally:
                # Its mailer is a process of its own, and SIGTERM takes it several seconds.
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                sys.stdout.write(Path(log.name).read_text(errors="replace"))

    def _listening(self, log: int, wanted: str) -> tuple[subprocess.Popen[bytes], str]:
        for _ in range(5):
            address = wanted or f"inet:{free_port()}@127.0.0.1"
            process = subprocess.Popen(
                [PROGRAMS / "pyquarantine-milter", "-c", self.config, "-s", address],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            end = time.monotonic() + START_TIMEOUT
            while process.poll() is None and time.monotonic() < end:
                with contextlib.suppress(OSError):
                    MilterSocket.parse(address).connect(START_TIMEOUT).close()
                    return process, address
                time.sleep(0.02)
            process.kill()
            process.wait()
        raise RuntimeError("pyquarantine 2.1.0 does not listen")

    def _output(self, program: str, *arguments: str) -> str:
        done = subprocess.run(
            [PROGRAMS / program, "-c", self.config, *arguments],
            check=False,
            capture_output=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode("utf-8", "surrogateescape")
