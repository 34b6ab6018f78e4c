"""A journal that is not whole, or of another time, hides nothing from a listing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pyq_file_storage import journal, upkeep
from pyq_file_storage.directory import Directory
from pyq_file_storage.storage import FileStorage

from pyquarantine_core.testing.disks import disk_of

from .indexed import FOREIGN, found, later, nothing_noticed, put

if TYPE_CHECKING:
    from .conftest import MakeMessage, Stage, Store


def test_a_line_that_a_crash_of_the_machine_lost_is_noticed(
    indexed: FileStorage,
    directory: Path,
    mail: MakeMessage,
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with nothing_noticed(directory):
        entry_id = store(indexed, mail())
        os.truncate(directory / ".index" / "journal", 0)
    (tmp_path / "boot_id").write_text("another boot")
    monkeypatch.setattr(upkeep, "_BOOT_ID", tmp_path / "boot_id")
    assert found(indexed) == [entry_id]


@pytest.mark.parametrize(
    "left", [b"", b"\0" * 100, b"[1,2,", b'[1,2,"x",[]]\n', b"[" * 5000 + b"\n"]
)
def test_a_journal_that_was_cut_or_garbled_is_noticed(
    indexed: FileStorage, directory: Path, mail: MakeMessage, store: Store, left: bytes
) -> None:
    stored = [store(indexed, mail()) for _ in range(3)]
    assert found(indexed) == stored[::-1]
    stored.append(store(indexed, mail()))
    (directory / ".index" / "journal").write_bytes(left)
    stored.append(store(indexed, mail()))
    assert found(indexed) == stored[::-1]
    later(directory)
    assert found(indexed) == stored[::-1]


def test_without_a_journal_mail_is_stored_and_found(
    indexed: FileStorage, directory: Path, mail: MakeMessage, store: Store
) -> None:
    (directory / ".index" / "journal").unlink()
    entry_id = store(indexed, mail())
    later(directory)
    assert found(indexed) == [entry_id]


@pytest.mark.parametrize("kind", ["directory", "link", "fifo"])
def test_with_something_else_in_its_place_too(
    indexed: FileStorage,
    directory: Path,
    mail: MakeMessage,
    store: Store,
    tmp_path: Path,
    kind: str,
) -> None:
    place = directory / ".index" / "journal"
    place.unlink()
    (tmp_path / "outside").write_text("")
    match kind:
        case "link":
            place.symlink_to(tmp_path / "outside")
        case "fifo":
            os.mkfifo(place)
        case _:
            place.mkdir()
    entry_id = store(indexed, mail())
    assert found(indexed) == [entry_id]
    assert (tmp_path / "outside").read_text() == ""


def test_on_a_full_disk_a_journal_that_cannot_grow_stops_no_mail(
    indexed: FileStorage, directory: Path, mail: MakeMessage, store: Store
) -> None:
    stored = [store(indexed, mail(recipients=("one@example.org", "x" * 3000))) for _ in range(5)]
    with disk_of(10_000):
        stored += [store(indexed, mail()) for _ in range(5)]
    later(directory)
    assert found(indexed) == stored[::-1]


def test_what_has_no_line_on_a_full_disk_is_not_hidden_by_what_was_stored_beside_it(
    indexed: FileStorage, directory: Path, mail: MakeMessage, stage: Stage
) -> None:
    around, amid = (stage(indexed, mail(queue_id=one)) for one in ("AROUND", "AMID"))
    around.prepare()
    amid.prepare()
    with disk_of((directory / ".index" / "journal").stat().st_size):
        amid.commit()
    around.commit()
    assert found(indexed) == [amid.variables["S_ID"], around.variables["S_ID"]]


def test_a_line_for_a_journal_that_is_just_being_replaced_is_in_the_new_one(
    indexed: FileStorage,
    directory: Path,
    mail: MakeMessage,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = directory / ".index" / "journal"
    opened = Directory._open_to_append

    def opened_just_before(inner: Directory, name: str) -> int:
        file = opened(inner, name)
        monkeypatch.undo()
        place.with_name("new").write_bytes(b"")
        place.with_name("new").rename(place)
        return file

    monkeypatch.setattr(Directory, "_open_to_append", opened_just_before)
    entry_id = store(indexed, mail())
    assert entry_id in place.read_text()


def test_nobody_lists_for_so_long_that_the_journal_is_full(
    indexed: FileStorage,
    directory: Path,
    mail: MakeMessage,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(journal, "LIMIT", 1000)
    stored = [store(indexed, mail()) for _ in range(20)]
    assert not (directory / ".index" / "journal").exists()
    assert found(indexed) == stored[::-1]


def test_a_journal_that_has_been_read_is_begun_anew(
    indexed: FileStorage,
    directory: Path,
    mail: MakeMessage,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(upkeep, "JOURNAL_RENEWED", 1000)
    stored = []
    for _ in range(5):
        stored += [store(indexed, mail()) for _ in range(10)]
        assert found(indexed) == stored[::-1]
    assert (directory / ".index" / "journal").stat().st_size < 5000


def test_a_backup_that_is_put_back_hides_nothing_that_was_stored_after_it(
    indexed: FileStorage, directory: Path, mail: MakeMessage, store: Store
) -> None:
    stored = [store(indexed, mail())]
    assert found(indexed) == stored
    files = [directory / ".index" / name for name in ("index.sqlite", "journal")]
    backup = [one.read_bytes() for one in files]
    modified = directory.stat().st_mtime_ns
    stored.append(store(indexed, mail()))
    for file, content in zip(files, backup, strict=True):
        file.write_bytes(content)
    os.utime(directory, ns=(modified, modified))
    assert found(indexed) == stored[::-1]


def test_a_message_that_is_given_up_hides_nothing_that_another_program_puts_there(
    indexed: FileStorage, directory: Path, mail: MakeMessage, stage: Stage
) -> None:
    effect = stage(indexed, mail())
    effect.prepare()
    put(directory, FOREIGN)
    effect.undo()
    assert found(indexed) == [FOREIGN]
