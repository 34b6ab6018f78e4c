"""How long commands take to start, beside 2.1.0."""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks import entries, filters
from benchmarks.report import Bound, Progress

RUNS = 20
ENTRIES = 10
AT_MOST = 1.2
"""Times what it takes 2.1.0."""
CONFIG = {
    "rules": [
        {
            "name": "inbound",
            "conditions": {"local": False},
            "actions": [
                {
                    "name": "spam",
                    "type": "quarantine",
                    "conditions": {"headers": ["^X-Spam: Yes"]},
                    "options": {"storage": "spam", "smtp_host": "127.0.0.1", "smtp_port": 9},
                }
            ],
        }
    ],
}


class CommandFailedError(RuntimeError):
    """A command did not do its work, so its time says nothing."""


def measure(progress: Progress) -> Iterator[Bound]:
    """Measure each command of both by turns."""
    with tempfile.TemporaryDirectory(prefix="bench") as name:
        directory = Path(name)
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(directory / "compiled")}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # both are compiled, as installed programs
        config = directory / "pyquarantine.conf"
        storage = {"type": "file", "directory": str(directory / "spam"), "metadata": True}
        config.write_text(json.dumps({"storages": {"spam": storage}, **CONFIG}))
        entries.fill(directory / "spam", ENTRIES, progress, "inbound/spam")
        commands = {
            "pyquarantine --help": ("--help",),
            "quarantine NAME list": ("-c", str(config), "quarantine", "spam", "list"),
        }
        for command, arguments in commands.items():
            programs = [
                (str(one / "pyquarantine"), *arguments)
                for one in (filters.PROGRAMS, filters.OLD_PROGRAMS)
            ]
            for program in programs:  # compiled, and in the page cache
                _run(program, environment)
            costs: list[list[tuple[float, float]]] = [[] for _ in programs]
            for run in range(RUNS):
                progress(f"{command}: run {run + 1} of {RUNS}")
                for cost, program in zip(costs, programs, strict=True):
                    cost.append(_run(program, environment))
            for kind, index in (("CPU", 0), ("wall clock", 1)):
                ours, old = (statistics.median(one[index] for one in cost) for cost in costs)
                yield Bound(f"{command}: {kind}, times old", ours / old, AT_MOST)


def _run(command: tuple[str, ...], environment: Mapping[str, str]) -> tuple[float, float]:
    """Seconds of CPU time, of all its processes, and of the clock."""
    silent = [(os.POSIX_SPAWN_OPEN, stream, os.devnull, os.O_WRONLY, 0) for stream in (1, 2)]
    began = time.perf_counter()
    process = os.posix_spawn(command[0], command, environment, file_actions=silent)
    _, status, used = os.wait4(process, 0)
    clock = time.perf_counter() - began
    if status:
        raise CommandFailedError(" ".join(command))
    return used.ru_utime + used.ru_stime, clock
