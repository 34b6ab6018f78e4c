from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pytest
from pyq_file_storage.storage import FileStorage

from pyquarantine_core.errors import EntryNotFoundError, StorageError

if TYPE_CHECKING:
    from .conftest import Limit, MakeMessage, Run, Store


def names(directory: Path) -> list[str]:
    return sorted(one.name for one in directory.iterdir())


def say(stream: IO[str] | None) -> None:
    assert stream is not None
    stream.write("\n")
    stream.flush()


def hear(stream: IO[str] | None) -> str:
    assert stream is not None
    return stream.readline().strip()


def test_a_claim_shows_the_entry_and_its_bytes(
    storage: FileStorage, mail: MakeMessage, store: Store
) -> None:
    entry_id = store(storage, mail())
    with storage.claim(entry_id) as claim:
        assert claim.entry == storage.get(entry_id)
        assert claim.read() == claim.read() == b"\r\nHello\r\n"


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


def test_keeping_nobody_deletes_the_entry(
    storage: FileStorage, directory: Path, mail: MakeMessage, store: Store
) -> None:
    entry_id = store(storage, mail())
    with storage.claim(entry_id) as claim:
        claim.keep_only(())
    assert names(directory) == []


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
    storage: FileStorage, directory: Path, mail: MakeMessage, store: Store, full_disk: Limit
) -> None:
    recipients = tuple(f"{number}@example.org" for number in range(1000))
    entry_id = store(storage, mail(recipients=recipients))
    with storage.claim(entry_id) as claim:
        with full_disk(5000), pytest.raises(StorageError, match=f"^cannot change {entry_id}: "):
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


# -- two at once -----------------------------------------------------------------------------

CLAIM = """
import sys
from pathlib import Path
from pyq_file_storage.storage import FileStorage
from pyquarantine_core.errors import EntryNotFoundError

directory, entry_id, todo, *mine = sys.argv[1:]
print("ready", flush=True)
sys.stdin.readline()
try:
    with FileStorage(Path(directory)).claim(entry_id) as claim:
        print("claimed", flush=True)
        if todo == "hold":
            sys.stdin.readline()
        if todo == "remove":
            claim.keep_only(tuple(one for one in claim.entry.recipients if one not in mine))
        else:
            claim.delete()
except EntryNotFoundError:
    print("not found", flush=True)
"""


def test_a_claim_is_exclusive_among_processes(
    storage: FileStorage, directory: Path, mail: MakeMessage, store: Store, run: Run
) -> None:
    entry_id = store(storage, mail())
    process = run(CLAIM, directory, entry_id, "hold")
    assert hear(process.stdout) == "ready"
    say(process.stdin)
    assert hear(process.stdout) == "claimed"
    with (directory / entry_id).open() as data, pytest.raises(BlockingIOError):
        fcntl.flock(data, fcntl.LOCK_EX | fcntl.LOCK_NB)
    say(process.stdin)
    with pytest.raises(EntryNotFoundError), storage.claim(entry_id):
        pass


def test_of_processes_that_take_off_one_recipient_each_none_undoes_another(
    storage: FileStorage, directory: Path, mail: MakeMessage, store: Store, run: Run
) -> None:
    recipients = tuple(f"{number}@example.org" for number in range(8))
    entry_id = store(storage, mail(recipients=recipients))
    processes = [run(CLAIM, directory, entry_id, "remove", one) for one in recipients]
    for process in processes:
        assert hear(process.stdout) == "ready"
    for process in processes:
        say(process.stdin)
    assert [hear(process.stdout) for process in processes] == ["claimed"] * 8
    for process in processes:
        process.wait()
    assert names(directory) == []


def test_of_processes_that_delete_one_entry_one_does(
    storage: FileStorage, directory: Path, mail: MakeMessage, store: Store, run: Run
) -> None:
    for _ in range(5):
        entry_id = store(storage, mail())
        processes = [run(CLAIM, directory, entry_id, "delete") for _ in range(4)]
        for process in processes:
            assert hear(process.stdout) == "ready"
        for process in processes:
            say(process.stdin)
        heard = sorted(hear(process.stdout) for process in processes)
        assert heard == ["claimed", *["not found"] * 3]


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
