from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import pytest
from pyq_file_storage.directory import Directory
from pyq_file_storage.storage import FileStorage

from pyquarantine_core.errors import StorageError

from .files import names

if TYPE_CHECKING:
    from .conftest import MakeMessage, Stage, Store

HALF = "20200101000000_HALF"
UNFINISHED = "was never finished; the MTA was not told that it is held"


def found(storage: FileStorage, *, metadata: bool = True) -> dict[str, str]:
    """By name, what is wrong and what is or can be done about it."""
    return {
        one.name: f"{one.problem}; {one.remedy}{'' if one.mend else ' (by a person)'}"
        for one in storage.faults(metadata=metadata)
    }


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """As held by a process that is at work with this data."""
    with path.open("rb") as data:
        fcntl.flock(data, fcntl.LOCK_EX)
        yield


def mend(storage: FileStorage) -> None:
    for fault in storage.faults(metadata=True):
        if fault.mend is not None:
            assert fault.mend()


def leave_half(directory: Path) -> None:
    """What a daemon leaves when it is killed before a commit."""
    for name, content in ((f".{HALF}.tmp", "half"), (f"{HALF}.metadata", "{}")):
        (directory / name).write_text(content)


def test_where_all_is_well_nothing_is_found(
    storage: FileStorage, directory: Path, mail: MakeMessage, store: Store
) -> None:
    store(storage, mail())
    for name in (".hidden", ".other.tmp", "subdirectory.metadata"):
        (directory / name).mkdir()
    assert found(storage) == {}
    assert ".aside" not in names(directory)


def test_what_was_never_finished_is_moved_aside_with_the_reason(
    storage: FileStorage, directory: Path
) -> None:
    leave_half(directory)
    assert found(storage) == {HALF: f"{UNFINISHED}; moved to {directory}/.aside"}
    assert len(names(directory)) == 2
    mend(storage)
    assert names(directory) == [".aside"]
    aside = directory / ".aside"
    assert names(aside) == [HALF, f"{HALF}.metadata", "reasons.txt"]
    assert (aside / HALF).read_text() == "half"
    assert f" {HALF}: {UNFINISHED}\n" in (aside / "reasons.txt").read_text()
    assert aside.stat().st_mode & 0o777 == 0o700
    assert found(storage) == {}
    assert list(storage.entries()) == []


def test_nothing_that_is_aside_is_overwritten(storage: FileStorage, directory: Path) -> None:
    for content in ("first", "second", "third"):
        (directory / f"{HALF}.metadata").write_text(content)
        mend(storage)
    kept = {one.name: one.read_text() for one in (directory / ".aside").glob("*metadata*")}
    name = f"{HALF}.metadata"
    assert kept == {name: "first", f"{name}.1": "second", f"{name}.2": "third"}


def test_what_is_aside_can_be_put_back_by_hand(
    storage: FileStorage, directory: Path, mail: MakeMessage, store: Store
) -> None:
    entry_id = store(storage, mail())
    entry = storage.get(entry_id)
    (directory / entry_id).rename(directory / f".{entry_id}.tmp")
    mend(storage)
    assert list(storage.entries()) == []
    for name in (f"{entry_id}.metadata", entry_id):
        (directory / ".aside" / name).rename(directory / name)
    assert list(storage.entries()) == [entry]


def test_the_daemon_moves_aside_what_is_hidden_when_it_starts_and_says_so(
    storage: FileStorage, directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    leave_half(directory)
    (directory / "20200101000000_LOST.metadata").write_text("left for a check")
    storage.set_up()
    assert names(directory) == [".aside", "20200101000000_LOST.metadata"]
    assert [one.getMessage() for one in caplog.records] == [
        f"{HALF} {UNFINISHED}; moved to {directory}/.aside"
    ]


def test_a_daemon_that_cannot_move_them_starts_all_the_same(
    storage: FileStorage, directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    leave_half(directory)
    (directory / ".aside").write_text("a file")
    storage.set_up()
    assert f"cannot move {HALF} to {directory}/.aside: Not a directory" in caplog.text
    assert (directory / f".{HALF}.tmp").read_text() == "half"
    (fault,) = storage.faults(metadata=True)
    assert fault.mend is not None
    with pytest.raises(StorageError, match="Not a directory"):
        fault.mend()


def test_what_a_living_process_writes_is_not_touched(
    storage: FileStorage, directory: Path, mail: MakeMessage, stage: Stage
) -> None:
    effect = stage(storage, mail())
    effect.prepare()
    before = names(directory)
    storage.set_up()
    assert found(storage) == {}
    assert names(directory) == before
    effect.commit()
    assert len(list(storage.entries())) == 1


def test_what_is_undone_while_a_check_looks_is_not_touched(
    storage: FileStorage,
    directory: Path,
    mail: MakeMessage,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Published when the check looks for a hidden name, hidden when it looks for a public one."""
    entry_id = store(storage, mail())
    hidden = directory / f".{entry_id}.tmp"
    (directory / f".{entry_id}.metadata.new").write_text("{")  # what the check has found
    open_file = Directory.open_file

    def undo_then_open(opened: Directory, name: str) -> BinaryIO:
        if name == entry_id:
            (directory / name).rename(hidden)
        return open_file(opened, name)

    with locked(directory / entry_id):
        monkeypatch.setattr(Directory, "open_file", undo_then_open)
        assert found(storage) == {}
    assert hidden.exists()


def test_an_update_that_a_living_command_writes_is_not_touched(
    storage: FileStorage, directory: Path, mail: MakeMessage, store: Store
) -> None:
    entry_id = store(storage, mail())
    update = directory / f".{entry_id}.metadata.new"
    with storage.claim(entry_id) as claim:
        update.write_text("{")
        claim_in_doubt = ("two@example.org",)
        assert found(storage) == {}
        claim.keep_only(("one@example.org", "two@example.org"), in_doubt=claim_in_doubt)
        assert found(storage) == {}
    assert "may have been sent to two@example.org already" in found(storage)[entry_id]


def test_a_fault_that_is_gone_meanwhile_is_not_mended(
    storage: FileStorage, directory: Path
) -> None:
    (directory / f"{HALF}.metadata").write_text("{}")
    (fault,) = storage.faults(metadata=True)
    (directory / HALF).write_text("here it comes")
    assert fault.mend is not None
    assert not fault.mend()
    assert [one.id for one in storage.entries()] == [HALF]


def test_entries_that_only_a_person_can_judge_are_named_and_stay(
    storage: FileStorage, directory: Path, mail: MakeMessage, store: Store
) -> None:
    for entry_id, metadata in (("1", None), ("2", "{"), ("3", '{"in_doubt": ["one@x"]}')):
        (directory / entry_id).write_text("mail")
        if metadata:
            (directory / f"{entry_id}.metadata").write_text(metadata)
    before = names(directory)
    unknown = "release it with --from and -t, or delete it with -a (by a person)"
    problems = found(storage)
    assert problems["1"] == f"has no metadata: its envelope is not known; {unknown}"
    assert problems["2"].startswith("has metadata that cannot be used: not JSON: ")
    assert problems["3"].startswith("may have been sent to one@x already; look in the log")
    assert set(found(storage, metadata=False)) == {"2", "3"}
    mend(storage)
    assert names(directory) == before


def test_in_doubt_is_forgotten_with_the_next_update(
    storage: FileStorage, mail: MakeMessage, store: Store
) -> None:
    entry_id = store(storage, mail())
    stored = storage.metadata(entry_id)
    recipients = ("one@example.org", "two@example.org")
    with storage.claim(entry_id) as claim:
        claim.keep_only(recipients, in_doubt=("two@example.org",))
    assert storage.get(entry_id).in_doubt == ("two@example.org",)
    with storage.claim(entry_id) as claim:
        claim.keep_only(recipients)
    assert storage.get(entry_id).in_doubt == ()
    assert json.dumps(storage.metadata(entry_id)) == json.dumps(stored)


def test_a_deleted_message_leaves_no_second_name(
    storage: FileStorage, directory: Path, mail: MakeMessage, store: Store
) -> None:
    entry_id = store(storage, mail())
    os.link(directory / entry_id, directory / f".{entry_id}.tmp")
    with storage.claim(entry_id) as claim:
        claim.delete()
    assert names(directory) == []
