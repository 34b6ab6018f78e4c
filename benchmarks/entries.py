"""Directories full of entries, written as the file storage writes them, but not synced."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from benchmarks import mail
from benchmarks.report import Progress

EVERY = 2.6
"""Seconds between two of them: a million in thirty days."""
RECIPIENTS = 1000
"""Different ones; each has as many entries."""
_RARE = 100_000
"""One in so many has a sender of its own."""


def fill(directory: Path, count: int, progress: Progress, quarantine: str) -> None:
    """Make so many entries of 1 kB, the newest of a minute ago.

    Args:
        directory: where; it is made.
        count: how many.
        progress: hears how far it is.
        quarantine: RULE/ACTION that holds them.
    """
    directory.mkdir(parents=True)
    content = mail.message(1000)
    start = time.time() - 60 - count * EVERY
    for number in range(count):
        if number % 10_000 == 0:
            progress(f"filling a directory: {number:,} of {count:,}")
        _write(directory, number, start + number * EVERY, content, quarantine)


def recipient(number: int) -> str:
    """Of the entry of this number."""
    return f"user{number % RECIPIENTS}@example.org"


def _write(directory: Path, number: int, at: float, content: bytes, quarantine: str) -> None:
    moment = time.strftime("%Y%m%d%H%M%S", time.gmtime(at))
    queue_id = f"{number:010X}"
    name = f"{moment}{round(at % 1 * 1e6) % 1_000_000:06}_{queue_id}"
    path = str(directory / name)
    sender = f"rare{number}" if number % _RARE == 0 else f"sender{number % 7919}"
    metadata = {
        "mailfrom": f"{sender}@example.net",
        "recipients": [recipient(number)],
        "subject": f"Message {number} of many, with a subject as long as they are",
        "timestamp": int(at),
        "queue_id": queue_id,
        "vars": {"SPAM_SCORE": "12.3", "SPAM_ID": name, "SPAM_DATAFILE": path},
        "quarantine": quarantine,
    }
    for file, data in ((path, content), (f"{path}.metadata", json.dumps(metadata).encode())):
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(descriptor, data)
        os.close(descriptor)
