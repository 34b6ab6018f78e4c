"""The machine loses its power right after Postfix has said that it has the message."""

from __future__ import annotations

from pathlib import Path

from pyquarantine_core.testing.daemon import write_config
from pyquarantine_core.testing.power import Disk
from pyquarantine_core.testing.pytest_plugin import PostfixFactory
from pyquarantine_core.testing.sink import SmtpSink
from pyquarantine_core.testing.submit import submit

from .conftest import Admin, DaemonFactory
from .test_recipients import SPAM, config

RECIPIENTS = ["u1@example.org", "u2@example.org"]


def test_what_was_held_is_there_when_it_is_back_and_can_be_released(
    power_disk: Disk,
    start_daemon: DaemonFactory,
    throwaway_postfix: PostfixFactory,
    smtp_sink: SmtpSink,
    tmp_path: Path,
) -> None:
    daemon = start_daemon(config(power_disk.root, smtp_sink.port, milter_action="DISCARD"))
    postfix = throwaway_postfix(daemon.address)
    assert submit(postfix.port, "a@example.net", RECIPIENTS, SPAM).accepted
    with power_disk.without_power() as root:
        found = config(root, smtp_sink.port, milter_action="DISCARD")
        admin = Admin(write_config(tmp_path / "after.conf", found))
        assert admin.out("check") == b"nothing is wrong\n"
        (entry,) = admin.held("hold")
        assert entry["recipients"] == RECIPIENTS
        admin.out("quarantine", "hold", "release", "-a", entry["id"])
        assert admin.held("hold") == []
    (released,) = smtp_sink.received
    assert released.recipients == tuple(RECIPIENTS)
    assert released.content.endswith(SPAM.replace(b"\n", b"\r\n"))
