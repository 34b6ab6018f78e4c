"""Entries that only a person can put right: they are found here, and left alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pyq_file_storage.directory import Directory, explained
from pyq_file_storage.entries import SUFFIX, is_entry_id, read_entry
from pyq_file_storage.leftovers import unused
from pyquarantine_core.durable import NotPlainError
from pyquarantine_core.errors import WHEN_IN_DOUBT
from pyquarantine_core.types import Entry, Fault

SAY_WHO = "release it with --from and -t, or delete it with -a"


def unclear_entries(path: Path, names: Sequence[str], *, metadata: bool) -> Iterator[Fault]:
    """Entries whose envelope is not known, and those of which a release was cut off.

    Args:
        path: of the directory.
        names: all that are in it.
        metadata: each entry should have metadata.
    """
    with explained(f"cannot check {path}"), Directory(path) as directory:
        for entry_id in sorted(filter(is_entry_id, names)):
            try:
                broken: list[str] = []
                entry = read_entry(directory, entry_id, broken)
                problem = _problem(directory, entry, broken, metadata=metadata)
            except (FileNotFoundError, NotPlainError):
                continue
            if problem:
                remedy = WHEN_IN_DOUBT if entry.in_doubt else SAY_WHO
                yield Fault(name=entry_id, problem=problem, remedy=remedy)


def _problem(directory: Directory, entry: Entry, broken: Sequence[str], *, metadata: bool) -> str:
    if broken:
        return f"has metadata that cannot be used: {broken[0].removeprefix(f'{entry.id}: ')}"
    if entry.in_doubt:
        with unused(directory, entry.id) as ours:
            cut_off = ours and bool(read_entry(directory, entry.id, []).in_doubt)
        return f"may have been sent to {', '.join(entry.in_doubt)} already" if cut_off else ""
    if metadata and not directory.exists(entry.id + SUFFIX):
        return "has no metadata: its envelope is not known"
    return ""
