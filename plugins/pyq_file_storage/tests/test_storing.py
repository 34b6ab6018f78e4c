from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pyq_file_storage import storing
from pyq_file_storage.storage import FileStorage

from pyquarantine_core.body import Body
from pyquarantine_core.errors import StorageError
from pyquarantine_core.testing.disks import disk_of

if TYPE_CHECKING:
    from .conftest import MakeMessage, Stage, Store

FOLDED = ("Subject", b" caf\xe9 \xff\n\t  folded\n \x01 oddly")
FOLDED_LINES = b"Subject: caf\xe9 \xff\r\n\t  folded\r\n \x01 oddly\r\n"


def names(directory: Path) -> list[str]:
    return sorted(one.name for one in directory.iterdir())


def sizes(directory: Path) -> dict[str, int]:
    """Of the files in a directory by name, and of those that this process has open without one."""
    unnamed = (one for one in Path("/proc/self/fd").iterdir() if is_unnamed(one, directory))
    return {one.name: one.stat().st_size for one in [*directory.iterdir(), *unnamed]}


def is_unnamed(open_file: Path, directory: Path) -> bool:
    with suppress(FileNotFoundError):  # that of the listing itself
        target = os.readlink(open_file)  # noqa: PTH115 - which is no path
        return target.startswith(f"{directory}/") and target.endswith(" (deleted)")
    return False


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


def test_without_metadata_there_is_one_file_and_no_metafile(
    storage: FileStorage, directory: Path, mail: MakeMessage, stage: Stage
) -> None:
    effect = stage(storage, mail(), metadata=False)
    effect.prepare()
    effect.commit()
    assert set(effect.variables) == {"S_ID", "S_DATAFILE"}
    assert names(directory) == [effect.variables["S_ID"]]


def test_without_its_directory_nothing_is_stored_and_nothing_needs_to_be_undone(
    storage: FileStorage, directory: Path, mail: MakeMessage, stage: Stage
) -> None:
    directory.rmdir()
    directory.write_text("a file")
    effect = stage(storage, mail())
    with pytest.raises(StorageError, match="Not a directory"):
        effect.prepare()
    effect.undo()


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
    ("queue_id", "part"),
    [
        ("", "NOQUEUE[0-9a-f]{8}"),
        ("../.x\0/é", "x"),
        ("é", "NOQUEUE[0-9a-f]{8}"),
        ("a_b", "ab"),
        ("x" * 200, "x{64}"),
    ],
)
def test_a_queue_id_is_reduced_to_letters_and_digits(
    storage: FileStorage, mail: MakeMessage, store: Store, queue_id: str, part: str
) -> None:
    assert re.fullmatch(f"[0-9]{{20}}_{part}", store(storage, mail(queue_id=queue_id)))


def test_messages_without_a_queue_id_share_no_id_in_the_same_microsecond(
    storage: FileStorage, mail: MakeMessage, store: Store, stop_clock: Callable[[int], None]
) -> None:
    stop_clock(2)
    one, other = (store(storage, mail(queue_id="")) for _ in range(2))
    assert one != other
    assert one.partition("_")[0] == other.partition("_")[0]


class Clock:
    """Stands still at the first time for as many readings as it is told."""

    def __init__(self, still: int) -> None:
        self.still = still

    def now(self, zone: object) -> datetime:
        self.still -= 1
        return datetime(2026, 11, 22, 11, 55, 1, 123456 if self.still >= 0 else 123457, UTC)


@pytest.fixture
def stop_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Lets the clock stand still for so many readings."""
    return lambda still: monkeypatch.setattr(storing, "datetime", Clock(still))


@pytest.mark.usefixtures("hiding")
@pytest.mark.parametrize("metadata", [True, False])
def test_an_id_that_a_message_on_its_way_has_is_not_taken(
    storage: FileStorage,
    directory: Path,
    mail: MakeMessage,
    store: Store,
    stop_clock: Callable[[int], None],
    metadata: bool,
) -> None:
    on_its_way = directory / ".20261122115501123456_4XYZ.tmp"
    on_its_way.write_text("taken")
    stop_clock(3)
    assert store(storage, mail(), metadata=metadata) == "20261122115501123457_4XYZ"
    assert on_its_way.read_text() == "taken"
    assert len(names(directory)) == (3 if metadata else 2)


def test_metadata_that_another_message_has_left_is_not_taken_for_that_of_a_new_one(
    storage: FileStorage,
    directory: Path,
    mail: MakeMessage,
    store: Store,
    stop_clock: Callable[[int], None],
) -> None:
    (directory / "20261122115501123456_4XYZ.metadata").write_text('{"mailfrom": "other@x"}')
    stop_clock(3)
    assert store(storage, mail(), metadata=False) == "20261122115501123457_4XYZ"


@pytest.mark.usefixtures("hiding")
@pytest.mark.parametrize("suffix", ["", ".metadata", ".metadata.tmp"])
def test_after_a_clock_was_put_back_an_id_that_is_there_fails_once_and_is_not_touched(
    storage: FileStorage,
    directory: Path,
    mail: MakeMessage,
    stage: Stage,
    store: Store,
    stop_clock: Callable[[int], None],
    suffix: str,
) -> None:
    hidden = "." if suffix.endswith(".tmp") else ""
    there = directory / f"{hidden}20261122115501123456_4XYZ{suffix}"
    there.write_text("taken")
    stop_clock(1)
    effect = stage(storage, mail())

    def keep() -> None:
        effect.prepare()
        effect.commit()

    with pytest.raises(StorageError, match="exists"):
        keep()
    effect.undo()
    assert names(directory) == [there.name]
    assert there.read_text() == "taken"
    assert store(storage, mail()) == "20261122115501123457_4XYZ"


# -- the steps -------------------------------------------------------------------------------


@pytest.mark.usefixtures("unnamed")
def test_until_the_commit_a_message_has_no_name_where_that_can_be(
    storage: FileStorage, directory: Path, mail: MakeMessage, stage: Stage
) -> None:
    effect = stage(storage, mail())
    effect.prepare()
    assert names(directory) == []
    effect.commit()
    assert len(names(directory)) == 2


@pytest.mark.usefixtures("either")
def test_without_locks_nothing_is_stored_and_nothing_left(
    storage: FileStorage,
    directory: Path,
    mail: MakeMessage,
    stage: Stage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on NFS when its lock manager does not run."""

    def refuse(_file: int, _operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    effect = stage(storage, mail())
    before = os.listdir("/proc/self/fd")  # noqa: PTH208 - names alone
    with monkeypatch.context() as locks:
        locks.setattr(fcntl, "flock", refuse)
        with pytest.raises(StorageError, match="No locks available"):
            effect.prepare()
    effect.undo()
    assert names(directory) == []
    assert len(os.listdir("/proc/self/fd")) == len(before)  # noqa: PTH208 - likewise


def test_a_commit_leaves_only_the_public_names(
    storage: FileStorage, directory: Path, mail: MakeMessage, store: Store
) -> None:
    entry_id = store(storage, mail())
    assert names(directory) == [entry_id, f"{entry_id}.metadata"]
    assert {(directory / name).stat().st_nlink for name in names(directory)} == {1}


@pytest.mark.usefixtures("either")
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


@pytest.mark.usefixtures("either")
def test_a_disk_that_is_full_fails_the_data_and_undo_leaves_nothing(
    storage: FileStorage, directory: Path, mail: MakeMessage, stage: Stage
) -> None:
    effect = stage(storage, mail(body=b"x" * 100_000))
    with disk_of(5000), pytest.raises(StorageError, match=f"cannot store in {directory}: "):
        effect.prepare()
    assert list(sizes(directory).values()) == [5000]
    effect.undo()
    assert names(directory) == []


@pytest.mark.usefixtures("either")
def test_a_disk_that_is_full_fails_the_metadata_and_undo_leaves_nothing(
    storage: FileStorage, directory: Path, mail: MakeMessage, stage: Stage
) -> None:
    effect = stage(storage, mail(recipients=("somebody@example.org",) * 1000))
    with disk_of(5000), pytest.raises(StorageError):
        effect.prepare()
    assert len(sizes(directory)) == 2
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
    assert names(directory.with_name("moved")) == []


def test_a_directory_that_another_one_has_replaced_fails_it_too(
    storage: FileStorage, directory: Path, mail: MakeMessage, stage: Stage
) -> None:
    effect = stage(storage, mail())
    effect.prepare()
    directory.rename(directory.with_name("moved"))
    directory.mkdir()
    with pytest.raises(StorageError, match="it is another directory now"):
        effect.commit()
    effect.undo()
    assert names(directory) == names(directory.with_name("moved")) == []


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("step", [1, 2, 3], ids=["data", "metadata", "directory"])
def test_a_disk_that_breaks_when_it_is_to_keep_something_leaves_nothing(
    storage: FileStorage,
    directory: Path,
    mail: MakeMessage,
    stage: Stage,
    monkeypatch: pytest.MonkeyPatch,
    step: int,
) -> None:
    left = step

    def break_at_last(_descriptor: int) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise OSError(errno.EIO, "Input/output error")

    effect = stage(storage, mail())

    def keep() -> None:
        effect.prepare()
        effect.commit()

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", break_at_last)
        with pytest.raises(StorageError, match="Input/output error"):
            keep()
        effect.undo()
    assert left == (0 if step < 3 else -1)  # what was published is removed durably
    assert names(directory) == []


# -- durability ------------------------------------------------------------------------------


class Synced:
    """Sees fsync(2) being called, through the interpreter's own profiling, and what it then finds.

    Attributes:
        sizes: at each call, the sizes of the files in the directory by name.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.sizes: list[dict[str, int]] = []

    def __enter__(self) -> Synced:
        sys.setprofile(self._see)
        return self

    def __exit__(self, *exc: object) -> None:
        sys.setprofile(None)

    def _see(self, frame: object, event: str, argument: object) -> None:
        if event == "c_return" and argument is os.fsync:
            self.sizes.append(sizes(self._directory))


@pytest.mark.usefixtures("either")
def test_each_file_is_synced_whole_before_it_is_published_and_then_the_directory(
    storage: FileStorage, directory: Path, mail: MakeMessage, stage: Stage
) -> None:
    effect = stage(storage, mail(body=b"x" * 100_000))
    with Synced(directory) as preparing:
        effect.prepare()
    written = sizes(directory)
    assert len(preparing.sizes) == len(written) == 2
    assert preparing.sizes[-1] == written
    with Synced(directory) as committing:
        effect.commit()
    entry_id = effect.variables["S_ID"]
    assert {entry_id, f"{entry_id}.metadata"} <= set(committing.sizes[-1])
