"""Entries in a JSON file."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from pyquarantine_core.errors import ListError
from pyquarantine_core.list_entries import as_entry, candidates
from pyquarantine_core.types import ListEntry, ManagedList, NewListEntry, Options, Services


class JsonList(ManagedList):
    """Reads the file for each question; writers take turns, and replace it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def from_options(cls, options: Options, _services: Services) -> Self:
        return cls(Path(options["file"]))

    def covers(self, sender: str, recipient: str) -> bool:
        found = self.covering(sender, recipient)
        if found and datetime.now(UTC) - found[0].last_used > timedelta(hours=1):
            with self._changing() as entries:
                used = replace(found[0], last_used=datetime.now(UTC))
                entries[:] = [used if one.id == used.id else one for one in entries]
        return bool(found)

    def covering(self, sender: str, recipient: str) -> Sequence[ListEntry]:
        senders, recipients = candidates(sender), candidates(recipient)
        found = [one for one in self._read() if one.sender in senders]
        return sorted(
            (one for one in found if one.recipient in recipients),
            key=lambda one: (senders.index(one.sender), recipients.index(one.recipient)),
        )

    def entries(self) -> Iterator[ListEntry]:
        return iter(self._read())

    def as_kept(self, new: NewListEntry) -> NewListEntry:
        return replace(new, sender=as_entry(new.sender), recipient=as_entry(new.recipient))

    def add(self, new: NewListEntry) -> ListEntry:
        kept, now = self.as_kept(new), datetime.now(UTC)
        with self._changing() as entries:
            if any((one.sender, one.recipient) == (kept.sender, kept.recipient) for one in entries):
                raise ListError(f"there already is an entry from {kept.sender} to {kept.recipient}")
            number = max((int(one.id) for one in entries), default=0) + 1
            added = ListEntry(**asdict(kept), id=str(number), created=now, last_used=now)
            entries.append(added)
        return added

    def delete(self, entry_id: str) -> ListEntry:
        with self._changing() as entries:
            for one in entries:
                if one.id == entry_id:
                    entries.remove(one)
                    return one
        raise ListError(f"there is no entry {entry_id!r}")

    def _read(self) -> list[ListEntry]:
        if not self._path.exists():
            return []
        return [_entry(one) for one in json.loads(self._path.read_bytes())]

    @contextmanager
    def _changing(self) -> Iterator[list[ListEntry]]:
        with self._path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            entries = self._read()
            yield entries
            new = self._path.with_suffix(".new")
            new.write_text(json.dumps([asdict(one) for one in entries], default=str))
            new.replace(self._path)


def _entry(stored: dict[str, str]) -> ListEntry:
    times = {name: datetime.fromisoformat(stored[name]) for name in ("created", "last_used")}
    return ListEntry(**{**stored, **times})  # type: ignore[arg-type] # as asdict has it
