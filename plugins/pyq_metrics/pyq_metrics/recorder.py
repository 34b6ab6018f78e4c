"""Counts messages in one worker, in files that the metrics process adds up.

The files are those of prometheus-client's multiprocess mode, named by slot: a worker that takes
the place of another one counts on in its files, so that reloads do not pile them up and no count
ever goes down.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from prometheus_client import Counter, Histogram, values

from pyquarantine_core.types import MessageDone

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
"""Seconds."""
RESERVED = 1024 * 1024
"""Bytes of a file that have their place on the disk, enough for thousands of actions."""


class Recorder:
    """The counters of this process.

    Args:
        directory: where all workers have theirs.
        number: of the slot of this one.

    Raises:
        OSError: there is no room for the files.
    """

    def __init__(self, directory: Path, number: int) -> None:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory)
        paths = [directory / f"{kind}_{number}.db" for kind in ("counter", "histogram")]
        try:
            self._make(number, paths)
        except OSError:
            raise
        except Exception:  # whatever a crash of the machine left of the files
            for path in paths:
                path.unlink()
            self._make(number, paths)

    def _make(self, number: int, paths: Sequence[Path]) -> None:
        for path in paths:
            _reserve(path)
        values.ValueClass = values.MultiProcessValue(  # type: ignore[no-untyped-call]
            process_identifier=lambda: number
        )
        self._messages = Counter(
            "pyquarantine_messages",
            "Messages answered; stage connect: connections, whose messages are not seen",
            ["verdict", "stage"],
            registry=None,
        )
        self._rules = Counter(
            "pyquarantine_rule_matches",
            "Messages for which the conditions of a rule held",
            ["rule"],
            registry=None,
        )
        self._actions = Counter(
            "pyquarantine_actions", "Actions that ran", ["rule", "action"], registry=None
        )
        self._errors = Counter(
            "pyquarantine_errors",
            "Errors of conditions and actions, by what on_error made of them",
            ["plugin", "rule", "action", "tempfail"],
            registry=None,
        )
        self._stored = Counter("pyquarantine_stored", "Copies stored", registry=None)
        self._notified = Counter(
            "pyquarantine_notified", "Notifications put into the outbox", registry=None
        )
        self._seconds = Histogram(
            "pyquarantine_message_seconds",
            "Time spent on a message in this program",
            registry=None,
            buckets=BUCKETS,
        )

    def record(self, done: MessageDone) -> None:
        """Count a message."""
        self._messages.labels(done.verdict.value, done.stage.name.lower()).inc()
        for rule in done.rules:
            self._rules.labels(rule).inc()
        for name in done.actions:
            rule, _, action = name.partition("/")
            self._actions.labels(rule, action).inc()
        for failure in done.failures:
            rule, _, action = failure.step.partition("/")
            plugin = failure.plugin.partition(" ")[0]  # without its version
            self._errors.labels(plugin, rule, action, str(failure.tempfail).lower()).inc()
        self._stored.inc(done.stored)
        self._notified.inc(done.notified)
        self._seconds.observe(done.seconds)


def _reserve(path: Path) -> None:
    """Take the place on the disk now.

    A map of a file with holes kills who writes to it when the disk is full (SIGBUS, mmap(2)).
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, RESERVED)
    finally:
        os.close(descriptor)
