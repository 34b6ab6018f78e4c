"""A sender that is killed at any moment: everybody is told, and twice only where it must be."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pyquarantine_core import config as configuration
from pyquarantine_core.sender import Sender
from pyquarantine_core.spool import Spool
from pyquarantine_core.testing.daemon import write_config
from pyquarantine_core.testing.processes import PATIENCE
from pyquarantine_core.testing.rules import rule
from pyquarantine_core.testing.sink import SmtpSink
from pyquarantine_core.types import Delivery
from pyquarantine_core.undelivered import OutboxQuery, retry

SENDER = """
import select, sys
from pathlib import Path
from pyquarantine_core import config
from pyquarantine_core.log import set_up_logging
from pyquarantine_core.sender import Sender

set_up_logging(debug=True)
loaded = config.load(Path(sys.argv[1]))
notifications = {name: one.notification for name, one in loaded.notifications.items()}

def wait(seconds, woken):
    ready, _, _ = select.select([sys.stdin, *woken], [], [], seconds)
    return sys.stdin not in ready

Sender(loaded.outbox.spool, notifications, loaded.outbox.settings).run(wait)
"""


class Killable:
    """A sender in a process of its own, beside the outbox that it empties."""

    def __init__(self, directory: Path, port: int) -> None:
        self.spool = Spool(directory / "outbox")
        (directory / "template").write_text("<p>hello</p>")
        notification = {
            "type": "email",
            "smtp_host": "127.0.0.1",
            "smtp_port": port,
            "envelope_from": "filter@example.org",
            "from_header": "{FROM}",
            "subject": "{SUBJECT}",
            "template": f"{directory}/template",
        }
        change = {"field": "X", "value": "y"}
        config: dict[str, Any] = {
            "outbox": f"{directory}/outbox",
            "notifications": {"mail": notification},
            "rules": [rule("add_header", change)],
        }
        self.config = write_config(directory / "pyquarantine.conf", config)
        configuration.load(self.config).outbox.set_up()
        self._log = (directory / "log").open("ab")
        self._process: subprocess.Popen[bytes] | None = None

    def put(self, *recipients: str) -> None:
        for recipient in recipients:
            item = Delivery("mail", recipient, b"Subject: x\r\n\r\nHello\r\n")
            (item_id,) = self.spool.stage("4XyZ", item)
            self.spool.commit(item_id)
            self.spool.conclude(item_id)

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", SENDER, self.config], stdin=subprocess.PIPE, stderr=self._log
        )

    def kill(self) -> None:
        """Kill it, at once."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)

    def end(self) -> None:
        """Wait for the end of one that was killed."""
        assert self._process is not None
        assert self._process.wait(PATIENCE) == -signal.SIGKILL
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process = None

    def finish(self) -> None:
        """Deliver all that is due, in this process."""
        config = configuration.load(self.config)
        notifications = {"mail": config.notifications["mail"].notification}
        sender = Sender(config.outbox.spool, notifications, config.outbox.settings)
        sender.start_due()
        assert sender.settle(PATIENCE)

    def close(self) -> None:
        """Its log shows on failure."""
        if self._process is not None:
            self.kill()
            self.end()
        self._log.close()
        sys.stdout.write(Path(self._log.name).read_text())


@pytest.fixture
def sender(tmp_path: Path, smtp_sink: SmtpSink) -> Iterator[Killable]:
    killable = Killable(tmp_path, smtp_sink.port)
    yield killable
    killable.close()


def told(sink: SmtpSink) -> Counter[str]:
    return Counter(one.recipients[0] for one in sink.received)


def events(sink: SmtpSink) -> int:
    """How often the sink has taken or refused something."""
    return len(sink.received) + sink.failures


def wait_for_events(sink: SmtpSink, count: int) -> None:
    sink.wait_until(lambda: events(sink) >= count)


RECIPIENTS = [f"u{number}@example.org" for number in range(12)]


@pytest.mark.parametrize("taken", [1, 5, 12])
def test_killed_between_the_servers_reply_and_its_end_one_is_told_twice(
    taken: int, sender: Killable, smtp_sink: SmtpSink
) -> None:
    smtp_sink.on_message = lambda _: sender.kill() if len(smtp_sink.received) == taken else None
    sender.put(*RECIPIENTS)
    sender.start()
    sender.end()
    assert len(smtp_sink.received) == taken
    smtp_sink.on_message = lambda _: None
    sender.finish()
    assert told(smtp_sink) == {**dict.fromkeys(RECIPIENTS, 1), RECIPIENTS[taken - 1]: 2}
    assert sender.spool.waiting() == []


def test_killed_before_the_content_was_taken_nobody_is_told_twice(
    sender: Killable, smtp_sink: SmtpSink
) -> None:
    smtp_sink.drop_at = "RCPT"
    smtp_sink.drops_left = 1
    sender.put(*RECIPIENTS)
    sender.start()
    smtp_sink.wait_for_failures(1)
    sender.kill()
    sender.end()
    retry(sender.spool, OutboxQuery())
    sender.finish()
    assert told(smtp_sink) == dict.fromkeys(RECIPIENTS, 1)


@pytest.mark.parametrize("seed", range(3))
def test_killed_again_and_again_while_the_server_refuses_some(
    seed: int, sender: Killable, smtp_sink: SmtpSink
) -> None:
    chance = random.Random(seed)
    never, later = RECIPIENTS[::4], RECIPIENTS[1::4]
    smtp_sink.refuse_recipients = dict.fromkeys(never, "550 5.1.1 unknown")
    smtp_sink.refuse_recipients |= dict.fromkeys(later, "450 4.2.1 busy")
    sender.put(*RECIPIENTS)
    kills = 0
    for _ in range(4):
        retry(sender.spool, OutboxQuery(failed=False))
        moment = events(smtp_sink) + chance.randint(1, len(later))
        sender.start()
        wait_for_events(smtp_sink, moment)
        sender.kill()
        sender.end()
        kills += 1
    smtp_sink.refuse_recipients = dict.fromkeys(never, "550 5.1.1 unknown")
    retry(sender.spool, OutboxQuery(failed=False))
    sender.finish()
    assert sender.spool.waiting() == []
    expected = set(RECIPIENTS) - set(never)
    counts = told(smtp_sink)
    assert counts.keys() == expected
    assert sum(counts.values()) - len(expected) <= kills
    failed = [sender.spool.peek(one.id, failed=True) for one in sender.spool.failed()]
    assert sorted(one.delivery.recipient for one in failed) == sorted(never)
    assert {one.error for one in failed} == {f"<{one}> refused: 550 5.1.1 unknown" for one in never}
