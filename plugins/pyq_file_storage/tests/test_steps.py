"""Prepare, commit and undo, and what is there between them and when one fails."""

from __future__ import annotations

import errno
import fcntl
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pyq_file_storage.storage import FileStorage

from pyquarantine_core.errors import EntryNotFoundError, StorageError
from pyquarantine_core.testing.disks import disk_of

from .files import names, sizes

if TYPE_CHECKING:
    from .conftest import MakeMessage, Stage, Store


def test_until_the_commit_there_is_no_entry(
    storage: FileStorage, directory: Path, mail: MakeMessage, stage: Stage
) -> None:
    effect = stage(storage, mail())
    effect.prepare()
    entry_id = effect.variables["S_ID"]
    assert names(directory) == [f".{entry_id}.tmp", f"{entry_id}.metadata"]
    assert list(storage.entries()) == []
    with pytest.raises(EntryNotFoundError):
        storage.get(entry_id)
    effect.commit()
    assert [one.id for one in storage.entries()] == [entry_id]


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


def test_nothing_is_ever_overwritten_nor_undone_that_belongs_to_others(
    storage: FileStorage, directory: Path, mail: MakeMessage, stage: Stage
) -> None:
    effect = stage(storage, mail())
    effect.prepare()
    other = directory / effect.variables["S_ID"]
    other.write_text("of somebody else")
    with pytest.raises(StorageError, match="exists"):
        effect.commit()
    effect.undo()
    assert names(directory) == [other.name]
    assert other.read_text() == "of somebody else"


def test_a_disk_that_is_full_fails_the_data_and_undo_leaves_nothing(
    storage: FileStorage, directory: Path, mail: MakeMessage, stage: Stage
) -> None:
    effect = stage(storage, mail(body=b"x" * 100_000))
    with disk_of(5000), pytest.raises(StorageError, match=f"cannot store in {directory}: "):
        effect.prepare()
    assert set(sizes(directory).values()) == {5000, 0}
    effect.undo()
    assert names(directory) == []


def test_a_disk_that_is_full_fails_the_metadata_and_undo_leaves_nothing(
    storage: FileStorage, directory: Path, mail: MakeMessage, stage: Stage
) -> None:
    effect = stage(storage, mail(recipients=("somebody@example.org",) * 1000))
    with disk_of(5000), pytest.raises(StorageError):
        effect.prepare()
    assert len(sizes(directory)) == 2
    effect.undo()
    assert names(directory) == []


def test_what_was_published_is_undone_on_a_disk_without_room_for_another_name(
    storage: FileStorage,
    directory: Path,
    mail: MakeMessage,
    stage: Stage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    effect = stage(storage, mail())
    effect.prepare()
    effect.commit()
    with monkeypatch.context() as disk:
        disk.setattr(os, "replace", refuse)
        effect.undo()
    assert names(directory) == []


def test_a_name_that_was_given_although_the_answer_says_no_is_ours(
    storage: FileStorage,
    directory: Path,
    mail: MakeMessage,
    stage: Stage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on NFS, which asks again when an answer is lost."""
    link = os.link

    def link_twice(*arguments: Any, **options: Any) -> None:
        link(*arguments, **options)
        link(*arguments, **options)

    effect = stage(storage, mail())
    effect.prepare()
    with monkeypatch.context() as server:
        server.setattr(os, "link", link_twice)
        effect.commit()
    assert [one.id for one in storage.entries()] == [effect.variables["S_ID"]]
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


def test_each_file_is_synced_whole_before_it_is_published_and_then_the_directory(
    storage: FileStorage, directory: Path, mail: MakeMessage, stage: Stage
) -> None:
    effect = stage(storage, mail(body=b"x" * 100_000))
    with Synced(directory) as preparing:
        effect.prepare()
    written = sizes(directory)
    assert len(preparing.sizes) == len(written) == 2
    assert all(written.values())
    assert preparing.sizes[-1] == written
    with Synced(directory) as committing:
        effect.commit()
    entry_id = effect.variables["S_ID"]
    assert {entry_id, f"{entry_id}.metadata"} <= set(committing.sizes[-1])
