from __future__ import annotations

import json
import os
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pyq_file_storage import storing
from pyq_file_storage.storage import FileStorage

from pyquarantine_core.body import Body
from pyquarantine_core.errors import EntryNotFoundError, StorageError

if TYPE_CHECKING:
    from .conftest import Limit, MakeMessage, Run, Stage, Store

FOLDED = ("Subject", b" caf\xe9 \xff\n\t  folded\n \x01 oddly")
FOLDED_LINES = b"Subject: caf\xe9 \xff\r\n\t  folded\r\n \x01 oddly\r\n"


def names(directory: Path) -> list[str]:
    return sorted(one.name for one in directory.iterdir())


# -- what is stored --------------------------------------------------------------------------


def test_an_original_is_stored_byte_for_byte_whatever_the_rules_did(
    storage: FileStorage, directory: Path, mail: MakeMessage, store: Store
) -> None:
    body = bytes(range(256)) + b"\r\nno line end"
    message = mail(FOLDED, ("x-ODD", b"no space"), ("Empty", b""), body=body)
    message.add_header("X-Added", "later")
    message.replace_body(Body([b"another"]))
    entry_id = store(storage, message, original=True)
    expected = FOLDED_LINES + b"x-ODD:no space\r\nEmpty:\r\n\r\n" + body
    assert (directory / entry_id).read_bytes() == expected
    with storage.open_message(entry_id) as stored:
        assert stored.read() == expected


def test_without_original_the_message_is_stored_as_it_is_now(
    storage: FileStorage, directory: Path, mail: MakeMessage, store: Store
) -> None:
    message = mail(FOLDED)
    message.add_header("X-Added", "later")
    message.replace_body(Body([b"another"]))
    entry_id = store(storage, message)
    stored = (directory / entry_id).read_bytes()
    assert stored.startswith(FOLDED_LINES + b"X-Added:")
    assert stored.endswith(b"\r\n\r\nanother")


def test_a_body_that_was_spooled_to_disk_is_stored_whole(
    storage: FileStorage, directory: Path, mail: MakeMessage, store: Store
) -> None:
    body = os.urandom(3 * 1024 * 1024 + 1)
    message = mail(body=body)
    entry_id = store(storage, message)
    message.close()
    assert (directory / entry_id).read_bytes() == b"\r\n" + body


def test_metadata_has_the_keys_of_earlier_versions(
    storage: FileStorage, directory: Path, mail: MakeMessage, store: Store
) -> None:
    message = mail(("subject", b" =?utf-8?q?caf=C3=A9?="))
    message.variables["RULE_group"] = "value"
    entry_id = store(storage, message, metavar="S")
    stored = json.loads((directory / f"{entry_id}.metadata").read_bytes())
    assert abs(stored.pop("timestamp") - datetime.now(UTC).timestamp()) < 60
    assert stored == {
        "mailfrom": "from@example.org",
        "recipients": ["one@example.org", "two@example.org"],
        "subject": "café",
        "queue_id": "4XYZ",
        "vars": {
            "RULE_group": "value",
            "S_ID": entry_id,
            "S_DATAFILE": f"{directory}/{entry_id}",
            "S_METAFILE": f"{directory}/{entry_id}.metadata",
        },
    }


def test_metadata_tells_the_quarantine_and_smtputf8_when_they_apply(
    storage: FileStorage, mail: MakeMessage, store: Store
) -> None:
    message = mail()
    message.smtputf8 = True
    entry_id = store(storage, message, quarantine="rule/action")
    assert storage.metadata(entry_id)["quarantine"] == "rule/action"
    assert storage.metadata(entry_id)["smtputf8"] is True
    entry = storage.get(entry_id)
    assert (entry.quarantine, entry.smtputf8) == ("rule/action", True)


def test_metavariables_are_set_only_with_a_prefix(
    storage: FileStorage, mail: MakeMessage, stage: Stage
) -> None:
    effect = stage(storage, mail(), metavar=None)
    effect.prepare()
    assert effect.variables == {}
    effect.undo()


def test_without_metadata_there_is_one_file_and_no_metafile(
    storage: FileStorage, directory: Path, mail: MakeMessage, stage: Stage
) -> None:
    effect = stage(storage, mail(), metadata=False)
    effect.prepare()
    effect.commit()
    assert set(effect.variables) == {"S_ID", "S_DATAFILE"}
    assert names(directory) == [effect.variables["S_ID"]]


def test_metadata_too_large_to_be_read_again_is_not_written(
    storage: FileStorage, directory: Path, mail: MakeMessage, stage: Stage
) -> None:
    message = mail()
    message.variables["huge"] = "x" * 17_000_000
    effect = stage(storage, message)
    with pytest.raises(StorageError, match="too large"):
        effect.prepare()
    effect.undo()
    assert names(directory) == []


@pytest.mark.parametrize("umask", [0, 0o077, 0o777])
@pytest.mark.parametrize("mode", [0o600, 0o660, 0o444])
def test_files_have_the_configured_mode_whatever_the_umask(
    directory: Path, mail: MakeMessage, store: Store, mode: int, umask: int
) -> None:
    storage = FileStorage(directory, mode)
    storage.set_up()
    before = os.umask(umask)
    try:
        entry_id = store(storage, mail())
    finally:
        os.umask(before)
    assert [(directory / name).stat().st_mode & 0o777 for name in names(directory)] == [mode] * 2
    assert storage.get(entry_id).sender == "from@example.org"


def test_files_that_root_writes_belong_to_the_owner_of_the_directory(
    storage: FileStorage, directory: Path, mail: MakeMessage, store: Store
) -> None:
    if os.geteuid() == 0:
        os.chown(directory, 1234, 2345)
    owner = (directory.stat().st_uid, directory.stat().st_gid)
    store(storage, mail())
    assert {(one.stat().st_uid, one.stat().st_gid) for one in directory.iterdir()} == {owner}


# -- IDs -------------------------------------------------------------------------------------


def test_an_id_is_the_time_in_utc_and_the_queue_id(
    storage: FileStorage, mail: MakeMessage, store: Store
) -> None:
    before = datetime.now(UTC)
    time, _, queue_id = store(storage, mail()).partition("_")
    stored_at = datetime.strptime(time, "%Y%m%d%H%M%S%f").replace(tzinfo=UTC)
    assert before <= stored_at <= datetime.now(UTC)
    assert queue_id == "4XYZ"


@pytest.mark.parametrize(
    ("queue_id", "part"), [("", "NOQUEUE"), ("../.x\0/é", "x"), ("é", "NOQUEUE"), ("a_b", "ab")]
)
def test_a_queue_id_is_reduced_to_letters_and_digits(
    storage: FileStorage, mail: MakeMessage, store: Store, queue_id: str, part: str
) -> None:
    assert store(storage, mail(queue_id=queue_id)).partition("_")[2] == part


def test_entries_of_one_message_differ_and_sort_in_the_order_stored(
    storage: FileStorage, mail: MakeMessage, store: Store
) -> None:
    message = mail()
    stored = [store(storage, message) for _ in range(200)]
    assert sorted(set(stored)) == stored
    assert [entry.id for entry in storage.entries()] == stored


class Clock:
    """Stands still at the first time for as many readings as it is told."""

    def __init__(self, still: int) -> None:
        self.still = still

    def now(self, zone: object) -> datetime:
        self.still -= 1
        return datetime(2026, 11, 22, 11, 55, 1, 123456 if self.still >= 0 else 123457, UTC)


@pytest.mark.parametrize(
    "taken",
    [
        "20261122115501123456_4XYZ",
        "20261122115501123456_4XYZ.metadata",
        ".20261122115501123456_4XYZ.tmp",
        ".20261122115501123456_4XYZ.metadata.tmp",
    ],
)
@pytest.mark.parametrize("metadata", [True, False])
def test_an_id_of_which_anything_is_there_is_not_taken(
    storage: FileStorage,
    directory: Path,
    mail: MakeMessage,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    taken: str,
    metadata: bool,
) -> None:
    (directory / taken).write_text("taken")
    monkeypatch.setattr(storing, "datetime", Clock(still=3))
    assert store(storage, mail(), metadata=metadata) == "20261122115501123457_4XYZ"
    assert (directory / taken).read_text() == "taken"
    assert len(names(directory)) == (3 if metadata else 2)


def test_threads_never_share_an_id(storage: FileStorage, mail: MakeMessage, store: Store) -> None:
    stored: list[str] = []
    start = threading.Barrier(8)

    def work() -> None:
        start.wait()
        stored.extend([store(storage, mail()) for _ in range(50)])

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(stored)) == 400
    assert [entry.id for entry in storage.entries()] == sorted(stored)


STORE_FIFTY = """
import sys
from pathlib import Path
from pyq_file_storage.storage import FileStorage
from pyquarantine_core.message import Message
from pyquarantine_core.types import NewEntry

storage = FileStorage(Path(sys.argv[1]))
message = Message()
message.queue_id = "SAME"
print("ready", flush=True)
sys.stdin.readline()
for _ in range(50):
    effect = storage.stage(
        NewEntry(message=message, recipients=(), original=False, metadata=True, metavar="S")
    )
    effect.prepare()
    effect.commit()
    print(effect.variables["S_ID"])
"""


def test_processes_never_share_an_id(storage: FileStorage, directory: Path, run: Run) -> None:
    processes = [run(STORE_FIFTY, directory) for _ in range(4)]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    stored = [line for process in processes for line in process.communicate()[0].split()]
    assert len(set(stored)) == 200
    assert [entry.id for entry in storage.entries()] == sorted(stored)


# -- the steps -------------------------------------------------------------------------------


@pytest.mark.parametrize("metadata", [True, False])
def test_a_process_killed_before_the_commit_has_stored_nothing(
    storage: FileStorage, mail: MakeMessage, stage: Stage, metadata: bool
) -> None:
    effect = stage(storage, mail(), metadata=metadata)
    effect.prepare()
    assert list(storage.entries()) == []
    with pytest.raises(EntryNotFoundError):
        storage.get(effect.variables["S_ID"])


def test_a_process_killed_between_the_two_links_has_stored_nothing(
    storage: FileStorage, directory: Path, mail: MakeMessage, stage: Stage
) -> None:
    effect = stage(storage, mail())
    effect.prepare()
    entry_id = effect.variables["S_ID"]
    os.link(directory / f".{entry_id}.tmp", directory / entry_id)
    assert list(storage.entries()) == []
    for operation in (storage.get, storage.open_message, storage.metadata):
        with pytest.raises(EntryNotFoundError):
            operation(entry_id)
    with pytest.raises(EntryNotFoundError), storage.claim(entry_id):
        pass


def test_a_process_killed_right_after_the_second_link_has_stored_all(
    storage: FileStorage, directory: Path, mail: MakeMessage, stage: Stage
) -> None:
    effect = stage(storage, mail())
    effect.prepare()
    entry_id = effect.variables["S_ID"]
    for name in (entry_id, f"{entry_id}.metadata"):
        os.link(directory / f".{name}.tmp", directory / name)
    assert [entry.sender for entry in storage.entries()] == ["from@example.org"]
    with storage.claim(entry_id) as claim:
        claim.keep_only(("two@example.org",))
    assert storage.get(entry_id).recipients == ("two@example.org",)


def test_a_commit_leaves_only_the_public_names(
    storage: FileStorage, directory: Path, mail: MakeMessage, store: Store
) -> None:
    entry_id = store(storage, mail())
    assert names(directory) == [entry_id, f"{entry_id}.metadata"]
    assert {(directory / name).stat().st_nlink for name in names(directory)} == {1}


@pytest.mark.parametrize("steps", [[], ["prepare"], ["prepare", "commit"]])
@pytest.mark.parametrize("metadata", [True, False])
def test_undo_leaves_nothing_however_far_it_got(
    storage: FileStorage,
    directory: Path,
    mail: MakeMessage,
    stage: Stage,
    steps: list[str],
    metadata: bool,
) -> None:
    effect = stage(storage, mail(), metadata=metadata)
    for step in steps:
        getattr(effect, step)()
    effect.undo()
    assert names(directory) == []
    effect.undo()


@pytest.mark.parametrize("suffix", ["", ".metadata"])
def test_nothing_is_ever_overwritten_nor_undone_that_belongs_to_others(
    storage: FileStorage, directory: Path, mail: MakeMessage, stage: Stage, suffix: str
) -> None:
    effect = stage(storage, mail())
    effect.prepare()
    other = directory / f"{effect.variables['S_ID']}{suffix}"
    other.write_text("of somebody else")
    with pytest.raises(StorageError, match="exists"):
        effect.commit()
    effect.undo()
    assert names(directory) == [other.name]
    assert other.read_text() == "of somebody else"


def test_a_disk_that_is_full_fails_the_data_and_undo_leaves_nothing(
    storage: FileStorage, directory: Path, mail: MakeMessage, stage: Stage, full_disk: Limit
) -> None:
    effect = stage(storage, mail(body=b"x" * 100_000))
    with full_disk(5000), pytest.raises(StorageError, match=f"cannot store in {directory}: "):
        effect.prepare()
    assert [one.stat().st_size for one in directory.iterdir()] == [5000]
    effect.undo()
    assert names(directory) == []


def test_a_disk_that_is_full_fails_the_metadata_and_undo_leaves_nothing(
    storage: FileStorage, directory: Path, mail: MakeMessage, stage: Stage, full_disk: Limit
) -> None:
    effect = stage(storage, mail(recipients=("somebody@example.org",) * 1000))
    with full_disk(5000), pytest.raises(StorageError):
        effect.prepare()
    assert len(names(directory)) == 2
    effect.undo()
    assert names(directory) == []


def test_a_directory_that_is_gone_is_not_made_again(
    storage: FileStorage, directory: Path, mail: MakeMessage, stage: Stage
) -> None:
    directory.rmdir()
    effect = stage(storage, mail())
    with pytest.raises(StorageError, match="No such file or directory"):
        effect.prepare()
    effect.undo()
    assert not directory.exists()


def test_a_directory_that_goes_before_the_commit_fails_it(
    storage: FileStorage, directory: Path, mail: MakeMessage, stage: Stage
) -> None:
    effect = stage(storage, mail())
    effect.prepare()
    directory.rename(directory.with_name("moved"))
    with pytest.raises(StorageError):
        effect.commit()
    effect.undo()


def test_what_was_not_prepared_is_not_committed(
    storage: FileStorage, mail: MakeMessage, stage: Stage
) -> None:
    effect = stage(storage, mail())
    with pytest.raises(StorageError, match="not prepared"):
        effect.commit()
    effect.prepare()
    effect.undo()
    with pytest.raises(StorageError, match="not prepared"):
        effect.commit()


def test_an_effect_tells_what_it_would_do(
    storage: FileStorage, directory: Path, mail: MakeMessage, stage: Stage
) -> None:
    assert stage(storage, mail()).describe() == f"store the message in {directory}"
    assert names(directory) == []
