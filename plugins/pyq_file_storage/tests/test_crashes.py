"""Processes are killed before each step of theirs in turn: entries are whole or not there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyq_file_storage.storage import FileStorage

from pyquarantine_core.types import Fault, Query

RECIPIENTS = ("one@example.org", "two@example.org")
CONTENT = b"Subject: whole\r\n\r\nHello\r\n"
OPERATIONS = {
    "store": 8,
    "store_without_metadata": 6,
    "prepare_and_undo": 8,
    "store_and_undo": 12,
    "take_one_off": 12,
    "delete": 6,
    "mend": 40,
}
"""What is done, and the least number of steps that are known to be in it."""


def go_through(mode: str, operation: str, directory: Path, kind: str) -> Iterator[Path]:
    """The directories that are left, one for each step."""
    done = subprocess.run(
        [
            *(sys.executable, Path(__file__).with_name("crashes.py")),
            *(mode, operation, directory, kind),
        ],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    count = int(done.stdout)
    assert count >= OPERATIONS[operation]
    for number in range(1, count + 1):
        left = directory / str(number)
        os.utime(left, (0, 0))  # as if some time had passed since
        yield left


def contents(directory: Path) -> set[bytes]:
    ours = {"reasons.txt", "index.sqlite", "journal"}
    files = (one for one in directory.rglob("*") if one.is_file() and one.name not in ours)
    return {one.read_bytes() for one in files}


def read_all(storage: FileStorage, operation: str) -> list[str]:
    """The IDs of all entries, each of which is found to be whole."""
    found = list(storage.entries())
    for entry in found:
        assert storage.get(entry.id) == entry
        with storage.open_message(entry.id) as message:
            assert message.read() == CONTENT
        if operation == "store_without_metadata":
            assert entry.recipients is None
        else:
            assert (entry.sender, entry.quarantine) == ("from@example.org", "rule/action")
            assert entry.recipients in {RECIPIENTS, RECIPIENTS[:1]}
        with storage.claim(entry.id) as claim:
            assert claim.entry == entry
    for query in (Query(), Query(recipients=RECIPIENTS[:1]), Query(recipients=RECIPIENTS[1:])):
        assert list(storage.find(query)) == [one for one in found if query.matches(one)]
    return [entry.id for entry in found]


def mendable(storage: FileStorage) -> list[Fault]:
    return [one for one in storage.faults(metadata=False) if one.mend is not None]


def mend(storage: FileStorage) -> None:
    for fault in mendable(storage):
        assert fault.mend is not None
        assert fault.mend()


@pytest.mark.parametrize("kind", ["plain", "indexed"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_after_a_crash_entries_are_whole_or_absent_and_a_check_mends_the_rest(
    operation: str, kind: str, tmp_path: Path
) -> None:
    for directory in go_through("kill", operation, tmp_path, kind):
        storage = FileStorage(directory)
        entries, before = read_all(storage, operation), contents(directory)
        assert len(entries) == 1 or operation not in {"take_one_off", "mend"}
        mend(storage)
        assert mendable(storage) == []
        assert read_all(storage, operation) == entries
        assert before <= contents(directory)
        left = {one.name for one in directory.iterdir()} - {".aside", ".index"}
        assert left <= {*entries, *(f"{one}.metadata" for one in entries)}


@pytest.mark.parametrize("kind", ["plain", "indexed"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_check_at_any_moment_disturbs_no_living_process(
    operation: str, kind: str, tmp_path: Path
) -> None:
    for directory in go_through("check", operation, tmp_path, kind):
        storage = FileStorage(directory)
        expected = 0 if operation in {"delete", "store_and_undo", "prepare_and_undo"} else 1
        assert len(read_all(storage, operation)) == expected
        assert mendable(storage) == []
