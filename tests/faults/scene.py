"""Where a fault happens: a sender's Postfix, the filtering Postfix, the daemon, and two mailboxes.

    smtp-source -> upstream (retries within seconds) -> mta + daemon -> mailbox
                                                          | hold, outbox -> notices

Spam is held and its recipient told by e-mail; all other mail is delivered with `X-Filtered: yes`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from pyquarantine_core.spool import Spool
from pyquarantine_core.testing.daemon import Daemon, DaemonFailed, write_config
from pyquarantine_core.testing.postfix import Postfix
from pyquarantine_core.testing.processes import wait_until
from pyquarantine_core.testing.sink import SmtpSink
from pyquarantine_core.undelivered import OutboxQuery, retry

from .processes import descendants, has_open

FILTERED = b"X-Filtered: yes"
SPAM = "spam"
"""The subject, and the local part of the sender, of mail to be held."""
IMPATIENT = {
    "minimal_backoff_time": "1s",
    "maximal_backoff_time": "2s",
    "queue_run_delay": "1s",
    "initial_destination_concurrency": "20",
    "message_size_limit": "0",
    "mailbox_size_limit": "0",
}
START_TIMEOUT = 60.0
SETTLE_TIMEOUT = 90.0
"""Seconds after a fault within which all mail must have arrived somewhere."""
FLUSH_AGAIN = 0.5
"""Seconds between two flushes: what is tried takes a moment."""


class Stalled(RuntimeError):  # noqa: N818 - the name says what happened
    """What was waited for did not happen."""


class Scene:
    """All that mail passes through; a context manager.

    Before it starts, a fault may change `config` and the environment, and put on `running` what is
    to end with it.

    Attributes:
        directory: holds `hold`, the quarantine's storage; `outbox`; `pyquarantine.conf`.
        config: of the daemon.
        running: ended in reverse, at the end.
        daemon: the running one; another one after a restart.
        log: of the daemons before.
        upstream: the sender's Postfix.
        mta: the Postfix with the filter.
        mailbox: gets what is delivered.
        notices: gets the notifications.
    """

    def __init__(self) -> None:
        self.running = contextlib.ExitStack()
        self.directory = Path(
            self.running.enter_context(tempfile.TemporaryDirectory(prefix="faults-"))
        )
        self.mailbox = self.running.enter_context(SmtpSink())
        self.notices = self.running.enter_context(SmtpSink())
        self.config = _config(self.directory, self.notices.port)
        self.log = ""
        self._socket = "inet:0@127.0.0.1"
        self._logs: dict[str, Callable[[], str]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.running.close()

    @property
    def hold(self) -> Path:
        return self.directory / "hold"

    @property
    def outbox(self) -> Path:
        return self.directory / "outbox"

    @property
    def config_path(self) -> Path:
        return self.directory / "pyquarantine.conf"

    def set_environment(self, name: str, value: str) -> None:
        """Set a variable for the daemon, until the end of the scene."""
        before = os.environ.get(name)
        os.environ[name] = value

        def reset() -> None:
            if before is None:
                del os.environ[name]
            else:
                os.environ[name] = before

        self.running.callback(reset)

    def start(self) -> None:
        """Start the daemon and both Postfixes."""
        write_config(self.config_path, self.config)
        self.start_daemon()
        self.running.callback(self._end_daemon)
        self._socket = self.daemon.address
        self.mta = Postfix(self.mailbox.port, self.daemon.address, settings=IMPATIENT)
        self._logs["mta"] = self.mta.log
        self.running.enter_context(self.mta)
        self.upstream = Postfix(self.mta.port, settings=IMPATIENT)
        self._logs["upstream"] = self.upstream.log
        self.running.enter_context(self.upstream)

    def logs(self) -> dict[str, str]:
        """What those who take part have logged, by name."""
        return {name: log() for name, log in self._logs.items()}

    def pyquarantine(self, *arguments: str) -> bytes:
        """What a command that must succeed prints."""
        write_config(self.config_path, self.config)
        program = Path(sys.executable).with_name("pyquarantine")
        return subprocess.run(
            [program, "-c", self.config_path, *arguments], check=True, stdout=subprocess.PIPE
        ).stdout

    def held(self) -> Counter[str]:
        """How often the quarantine has a message for each recipient."""
        listed = json.loads(self.pyquarantine("quarantine", "hold", "list", "--json"))
        return Counter(recipient for entry in listed for recipient in entry["recipients"] or ())

    def leftovers(self) -> list[str]:
        """Files that were not finished, in storage and outbox."""
        hidden = [*self.hold.glob(".*"), *self.outbox.glob(".[0-9]*")]
        return sorted(path.name for path in hidden if path.is_file())

    # -- the daemon ----------------------------------------------------------------------------

    def start_daemon(self) -> None:
        """Start a daemon, again and again until it serves, as an init system does."""

        def started() -> bool:
            self.daemon = Daemon(self.config_path, self._socket)
            self._logs["daemon"] = lambda: self.log + self.daemon.log
            try:
                self.daemon.start()
            except DaemonFailed:
                self.log += self.daemon.log
                return False
            return True

        if not wait_until(started, START_TIMEOUT):
            raise Stalled(f"the daemon does not start:\n{self.log}")

    def stop_daemon(self) -> None:
        """Stop it with SIGTERM.

        Raises:
            Stalled: it ended with another status than 0.
        """
        status = self.daemon.stop()
        self.log += self.daemon.log
        if status != 0:
            raise Stalled(f"the daemon ended with status {status}")

    def crash_daemon(self) -> None:
        """Kill the supervisor, then what it leaves, as systemd does (KillMode=mixed)."""
        family = descendants(self.daemon.pid)
        for pid in (self.daemon.pid, *family):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.daemon.stop()
        self.log += self.daemon.log

    def processes(self) -> list[int]:
        """All of the daemon's, the supervisor first."""
        return [self.daemon.pid, *descendants(self.daemon.pid)]

    def senders(self) -> list[int]:
        """Those that deliver, or ask to deliver, what is in the outbox."""
        lock = self.outbox / ".sender"
        return [pid for pid in self._leaves() if has_open(pid, lock)]

    def workers(self) -> list[int]:
        """Those that serve the MTA, as far as they have begun to."""
        senders = self.senders()
        return [pid for pid in self._leaves() if pid not in senders]

    def generations(self) -> list[int]:
        return self.daemon.generations()

    def _end_daemon(self) -> None:
        self.daemon.stop()

    def _leaves(self) -> list[int]:
        try:
            return self.daemon.workers()
        except FileNotFoundError:  # a generation has ended meanwhile
            return []

    # -- the mail --------------------------------------------------------------------------------

    def under_way(self) -> int:
        """How many messages are in both queues."""
        return len(self.upstream.queue()) + len(self.mta.queue())

    def deferrals(self) -> int:
        """How often a delivery from upstream was put off."""
        return self.upstream.log().count("status=deferred")

    def wait_for_deferrals(self, count: int) -> None:
        """Wait until so many more deliveries were put off: the fault is felt."""
        before = self.deferrals()
        self.wait_for(lambda: self.deferrals() >= before + count, f"{count} deferrals")

    def wait_for(self, condition: Callable[[], bool], what: str, timeout: float = 60.0) -> None:
        """Wait for a condition.

        Raises:
            Stalled: it does not hold in time (seconds).
        """
        if not wait_until(condition, timeout):
            raise Stalled(f"waited {timeout:.0f} s in vain for {what}")

    def settle(self) -> None:
        """Flush queues and outbox until all is delivered, held or failed for good.

        Raises:
            Stalled: mail or notifications are still under way after `SETTLE_TIMEOUT`.
        """
        spool = Spool(self.outbox)
        deadline = time.monotonic() + SETTLE_TIMEOUT
        # In the order in which mail passes, so that none is overlooked on its way.
        while (messages := self.under_way()) or spool.waiting() or spool.failed():
            if time.monotonic() > deadline:
                left = f"{messages} messages, {len(spool.waiting())} notifications"
                raise Stalled(f"{left} are under way {SETTLE_TIMEOUT:.0f} s after the fault")
            self.upstream.flush()
            self.mta.flush()
            retry(spool, OutboxQuery())
            time.sleep(FLUSH_AGAIN)
        self.mta.wait_until_idle()


def _config(directory: Path, notices: int) -> dict[str, Any]:
    template = directory / "template"
    template.write_text("<p>Held: {SUBJECT}</p>")
    server: Mapping[str, object] = {"smtp_host": "127.0.0.1", "smtp_port": notices}
    return {
        "workers": 2,
        "outbox": f"{directory}/outbox",
        "outbox_minimal_backoff": 1,
        "outbox_maximal_backoff": 2,
        "storages": {"hold": {"type": "file", "directory": f"{directory}/hold"}},
        "notifications": {
            "tell": {
                "type": "email",
                **server,
                "envelope_from": "filter@example.org",
                "from_header": "filter@example.org",
                "subject": "{SUBJECT}",
                "template": str(template),
            }
        },
        "rules": [
            {
                "name": "held",
                "conditions": {"headers": [f"^Subject: {SPAM}$"]},
                "actions": [
                    {
                        "name": "hold",
                        "type": "quarantine",
                        "options": {
                            "storage": "hold",
                            "notification": "tell",
                            "milter_action": "DISCARD",
                            **server,
                        },
                    }
                ],
            },
            {
                "name": "delivered",
                "actions": [
                    {
                        "name": "mark",
                        "type": "add_header",
                        "options": {"field": "X-Filtered", "value": "yes"},
                    }
                ],
            },
        ],
    }
