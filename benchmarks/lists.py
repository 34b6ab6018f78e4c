"""What a look-up in a long list costs, beside 2.1.0."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import filters, mail, works
from benchmarks.report import Bound, Progress

RUNS = 5
LOOKUPS = 300
AT_MOST = 1 / 5
"""Of what it costs 2.1.0, which writes `last_used` each time."""


def measure(progress: Progress) -> Iterator[Bound]:
    """Measure both by turns."""
    pythons = {"ours": Path(sys.executable), "old": filters.OLD_PROGRAMS / "python"}
    costs: dict[str, list[float]] = {name: [] for name in pythons}
    with tempfile.TemporaryDirectory(prefix="bench") as name:
        works.fill_list(Path(name))
        for run in range(RUNS):
            progress(f"look-ups in a list of {works.LIST_ENTRIES:,}: run {run + 1} of {RUNS}")
            for which, python in pythons.items():
                done = subprocess.run(
                    [
                        *(python, filters.HERE / f"lookup_{which}.py", Path(name) / "lists.db"),
                        *(mail.SENDER, mail.RECIPIENT, str(LOOKUPS)),
                    ],
                    check=True,
                    stdout=subprocess.PIPE,
                    text=True,
                )
                costs[which].append(float(done.stdout))
    ours, old = (statistics.median(costs[which]) for which in ("ours", "old"))
    yield Bound("look-up in a list, times old", ours / old, AT_MOST)
