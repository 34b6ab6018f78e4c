"""What tests of the index share: searches, and what other programs do to a directory."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from pyq_file_storage.storage import FileStorage

from pyquarantine_core.types import Query

FOREIGN = "20200101000000_FOREIGN"
TO_ONE = Query(recipients=("one@example.org",))


def found(storage: FileStorage, query: Query = TO_ONE) -> list[str]:
    return [entry.id for entry in storage.find(query)]


def put(directory: Path, name: str, recipient: str = "one@example.org") -> str:
    """An entry that another program writes."""
    metadata: dict[str, Any] = {"mailfrom": "a@example.org", "recipients": [recipient]}
    (directory / f"{name}.metadata").write_text(json.dumps(metadata))
    (directory / name).write_text("mail")
    return name


def later(directory: Path) -> None:
    """So long after the last change that nobody can be at work with it any more."""
    long_ago = time.time_ns() - 60 * 1_000_000_000
    os.utime(directory, ns=(long_ago, long_ago))


@contextmanager
def nothing_noticed(directory: Path) -> Iterator[None]:
    """What happens meanwhile leaves no trace, as if it were amid a change of ours."""
    before = directory.stat().st_mtime_ns
    yield
    os.utime(directory, ns=(before, before))
    with closing(sqlite3.connect(directory / ".index" / "index.sqlite")) as database, database:
        database.execute("UPDATE state SET touched = ?", (directory.stat().st_ctime_ns,))
