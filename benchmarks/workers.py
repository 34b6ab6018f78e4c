"""What a second worker on a second core brings, and what memory large messages take."""

from __future__ import annotations

import os
import statistics
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks import filters, mail, works
from benchmarks.load import Load
from benchmarks.report import Bound, Progress
from pyquarantine_core.testing.mta import Mail

RUNS = 5
LEAST_SPEEDUP = 1.7
LARGE, AT_ONCE = 10_000_000, 20
MOST_MEMORY = 150.0
"""MB, of all processes together."""
LOOK_AGAIN = 0.02
"""Seconds between two looks at the memory."""


def measure(progress: Progress) -> Iterator[Bound]:
    """Measure all of it."""
    if (os.cpu_count() or 1) > 1:
        progress("two workers beside one")
        # Turned round, for every bound is one that must not be exceeded.
        yield Bound("time of two workers, of one's", 1 / _speedup(), 1 / LEAST_SPEEDUP)
    held = works.quarantines(notification="tell"), mail.with_attachment(LARGE, works.SPAM)
    edited = works.disclaimer(), mail.text_html_and_attachment(LARGE)
    for what, (config, content) in {"held and notified": held, "with a disclaimer": edited}.items():
        progress(f"memory for {AT_ONCE} messages of {LARGE // 1_000_000} MB at once, {what}")
        yield Bound(f"memory, {what}", _peak_memory(config, content) / 1e6, MOST_MEMORY, "MB")


def _speedup() -> float:
    message = Mail(mail.SENDER, (mail.RECIPIENT,), mail.html_message(38_000))
    rates: dict[int, list[float]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory(prefix="bench") as name:
        one, two = (
            filters.ours(Path(name) / str(workers), works.disclaimer(), workers=workers)
            for workers in rates
        )
        with one, two:
            for _ in range(RUNS):
                for workers, running in ((1, one), (2, two)):
                    outcome = Load(running.address, message, 8, 800).run()
                    rates[workers].append(1 / outcome.seconds)
    return statistics.median(rates[2]) / statistics.median(rates[1])


def _peak_memory(config: Mapping[str, Any], content: bytes) -> float:
    message = Mail(mail.SENDER, (mail.RECIPIENT,), content)
    peak = 0
    with (
        tempfile.TemporaryDirectory(prefix="bench") as name,
        filters.ours(Path(name), config, workers=2) as running,
    ):
        load = Load(running.address, message, AT_ONCE, AT_ONCE)
        thread = threading.Thread(target=load.run)
        thread.start()
        while thread.is_alive():
            peak = max(peak, running.memory)
            thread.join(LOOK_AGAIN)
    return peak
