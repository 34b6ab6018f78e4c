from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pytest
from pyq_file_storage.storage import FileStorage

from pyquarantine_core.errors import EntryNotFoundError, StorageError
from pyquarantine_core.testing.disks import disk_of

from .files import names

if TYPE_CHECKING:
    from .conftest import MakeMessage, Store


def test_keep_only_rewrites_the_recipients_and_nothing_else(
    storage: FileStorage, directory: Path, mail: MakeMessage, store: Store
) -> None:
    entry_id = store(storage, mail(("Subject", b" \xff")))
    path = directory / f"{entry_id}.metadata"
    stored = {**json.loads(path.read_bytes()), "of a later version": [1, {"x": None}]}
    path.write_text(json.dumps(stored))
    with storage.claim(entry_id) as claim:
        claim.keep_only(("two@example.org",))
        assert claim.entry.recipients == ("two@example.org",)
    assert storage.metadata(entry_id) == {**stored, "recipients": ["two@example.org"]}
    assert names(directory) == [entry_id, path.name]


def test_keep_only_keeps_mode_and_owner(
    storage: FileStorage, directory: Path, mail: MakeMessage, store: Store
) -> None:
    entry_id = store(storage, mail())
    path = directory / f"{entry_id}.metadata"
    path.chmod(0o664)
    if os.geteuid() == 0:
        os.chown(path, 1234, 2345)
    before = path.stat()
    with storage.claim(entry_id) as claim:
        claim.keep_only(("one@example.org",))
    after = path.stat()
    assert after.st_ino != before.st_ino
    assert (after.st_mode, after.st_uid, after.st_gid) == (
        before.st_mode,
        before.st_uid,
        before.st_gid,
    )


@pytest.mark.parametrize("metadata", [True, False])
def test_delete_removes_all_files_and_the_next_claim_finds_none(
    storage: FileStorage, directory: Path, mail: MakeMessage, store: Store, metadata: bool
) -> None:
    entry_id = store(storage, mail(), metadata=metadata)
    with storage.claim(entry_id) as claim:
        claim.delete()
    assert names(directory) == []
    with pytest.raises(EntryNotFoundError), storage.claim(entry_id):
        pass


def test_recipients_that_are_not_known_cannot_be_reduced(
    storage: FileStorage, directory: Path, mail: MakeMessage, store: Store
) -> None:
    entry_id = store(storage, mail(), metadata=False)
    with (
        storage.claim(entry_id) as claim,
        pytest.raises(StorageError, match=f"recipients of {entry_id} are not known"),
    ):
        claim.keep_only(("one@example.org",))
    assert names(directory) == [entry_id]


def test_an_update_that_fails_leaves_the_entry_as_it_was(
    storage: FileStorage, directory: Path, mail: MakeMessage, store: Store
) -> None:
    recipients = tuple(f"{number}@example.org" for number in range(1000))
    entry_id = store(storage, mail(recipients=recipients))
    with storage.claim(entry_id) as claim:
        with disk_of(5000), pytest.raises(StorageError, match=f"^cannot change {entry_id}: "):
            claim.keep_only(recipients[1:])
        assert claim.entry.recipients == recipients
    assert storage.get(entry_id).recipients == recipients
    assert names(directory) == [entry_id, f"{entry_id}.metadata"]


def test_what_a_killed_update_left_does_not_stop_the_next(
    storage: FileStorage, directory: Path, mail: MakeMessage, store: Store
) -> None:
    entry_id = store(storage, mail())
    (directory / f".{entry_id}.metadata.new").write_text("{")
    with storage.claim(entry_id) as claim:
        claim.keep_only(("two@example.org",))
    assert storage.get(entry_id).recipients == ("two@example.org",)
    assert names(directory) == [entry_id, f"{entry_id}.metadata"]


def test_what_is_raised_within_a_claim_comes_out_as_it_is_and_ends_it(
    storage: FileStorage, directory: Path, mail: MakeMessage, store: Store
) -> None:
    entry_id = store(storage, mail())
    with pytest.raises(ConnectionRefusedError), storage.claim(entry_id):
        raise ConnectionRefusedError
    with (directory / entry_id).open() as data:
        fcntl.flock(data, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.parametrize("replaced", [True, False])
def test_an_entry_that_goes_while_its_claim_waits_is_not_found(
    storage: FileStorage,
    directory: Path,
    mail: MakeMessage,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    replaced: bool,
) -> None:
    entry_id = store(storage, mail())
    lock = fcntl.flock

    def lock_late(file: IO[bytes], how: int) -> None:
        (directory / entry_id).unlink()
        if replaced:
            (directory / entry_id).write_bytes(b"another")
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", lock_late)
    with pytest.raises(EntryNotFoundError), storage.claim(entry_id):
        pass
