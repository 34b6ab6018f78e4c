"""The short form of `make faults`: processes are killed under load, and no message is lost."""

from __future__ import annotations

from pathlib import Path

from ..faults.kills import KillEach
from ..faults.run import run


def test_a_worker_a_generation_and_the_outbox_sender_are_killed(tmp_path: Path) -> None:
    outcome = run(KillEach(), "any", tmp_path)
    assert outcome.complaints == ()
    assert outcome.tally is not None
    assert outcome.tally.messages == outcome.tally.delivered + outcome.tally.held >= 80
