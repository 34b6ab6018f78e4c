"""What `make bench` measures is done: each work ends as it says, in one round trip or two."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import filters
from benchmarks.load import Load
from benchmarks.works import Work, works


@pytest.mark.parametrize("work", works(), ids=lambda work: str(work.name))
def test_a_work_is_done(work: Work, tmp_path: Path) -> None:
    running = filters.ours(tmp_path, work.config)
    work.prepare(tmp_path / "ours")
    with running:
        outcome = Load(running.address, work.mail, 2, 4).run()
    assert outcome.verdicts == {work.verdict}
    assert len(outcome.latencies) == 4
    assert outcome.round_trips <= 2
