"""What somebody else has put into the directory does no harm, to commands of root neither."""

from __future__ import annotations

import os
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pyq_file_storage.storage import FileStorage

from pyquarantine_core.errors import EntryNotFoundError, StorageError
from pyquarantine_core.types import Query

if TYPE_CHECKING:
    from .conftest import MakeMessage, Store

HALF = ".20200101000000_HALF.tmp"
SERVICE = 1234
"""User and group of a filter that somebody else has taken over."""


def mended(storage: FileStorage) -> str:
    """The error of moving aside what is there."""
    (fault,) = storage.faults(metadata=False)
    assert fault.mend is not None
    with pytest.raises(StorageError) as caught:
        fault.mend()
    return str(caught.value)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A file that is none of the storage's business."""
    path = tmp_path / "elsewhere"
    path.write_text("precious")
    path.chmod(0o640)
    return path


@pytest.mark.parametrize(
    "name",
    ["a\nb", "a\rb", "a\x1b[2Jb", "a\x7fb", "a\x9bb", "a\u202eb", "a\u200bb", "a\u2028b"],
)
def test_a_name_that_would_steer_a_terminal_or_break_a_line_is_no_entry(
    storage: FileStorage, directory: Path, name: str
) -> None:
    (directory / name).write_text("x")
    assert list(storage.entries()) == []
    with pytest.raises(EntryNotFoundError):
        storage.get(name)


def test_a_link_in_place_of_hidden_files_is_neither_followed_nor_moved(
    storage: FileStorage, directory: Path, elsewhere: Path
) -> None:
    (directory / HALF).symlink_to(elsewhere)
    assert list(storage.faults(metadata=False)) == []
    storage.set_up()
    assert elsewhere.read_text() == "precious"
    assert (directory / HALF).is_symlink()


def test_a_fifo_in_place_of_hidden_files_holds_up_no_start(
    storage: FileStorage, directory: Path
) -> None:
    os.mkfifo(directory / HALF)
    storage.set_up()
    assert list(storage.faults(metadata=False)) == []


@pytest.mark.parametrize("planted", ["link", "hard link", "FIFO", "directory"])
def test_nothing_is_written_through_a_file_in_place_of_the_reasons(
    storage: FileStorage, directory: Path, elsewhere: Path, planted: str
) -> None:
    aside = directory / ".aside"
    aside.mkdir()
    reasons = aside / "reasons.txt"
    match planted:
        case "link":
            reasons.symlink_to(elsewhere)
        case "hard link":
            os.link(elsewhere, reasons)
        case "FIFO":
            os.mkfifo(reasons)
        case _:
            reasons.mkdir()
    (directory / HALF).write_text("half")
    before = elsewhere.stat()
    assert mended(storage).startswith("cannot move 20200101000000_HALF to ")
    assert elsewhere.read_text() == "precious"
    after = elsewhere.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (
        before.st_mode,
        before.st_uid,
        before.st_gid,
    )


@pytest.mark.parametrize("planted", ["link", "file", "FIFO"])
def test_what_is_in_place_of_the_directory_for_leftovers_is_not_entered(
    storage: FileStorage, directory: Path, tmp_path: Path, planted: str
) -> None:
    aside, outside = directory / ".aside", tmp_path / "outside"
    outside.mkdir()
    match planted:
        case "link":
            aside.symlink_to(outside)
        case "FIFO":
            os.mkfifo(aside)
        case _:
            aside.write_text("")
    (directory / HALF).write_text("half")
    assert mended(storage).startswith("cannot move 20200101000000_HALF to ")
    assert list(outside.iterdir()) == []
    assert (directory / HALF).read_text() == "half"


def test_the_other_name_of_an_entry_keeps_its_content(
    storage: FileStorage, directory: Path, tmp_path: Path, mail: MakeMessage, store: Store
) -> None:
    """Metadata is replaced, never written over; data is removed by its name here."""
    entry_id = store(storage, mail())
    others = {name: tmp_path / f"other{name}" for name in ("", ".metadata")}
    for suffix, other in others.items():
        os.link(directory / f"{entry_id}{suffix}", other)
    before = {name: other.read_bytes() for name, other in others.items()}
    with storage.claim(entry_id) as claim:
        claim.keep_only(("one@example.org",))
    assert storage.get(entry_id).recipients == ("one@example.org",)
    with storage.claim(entry_id) as claim:
        claim.delete()
    assert {name: other.read_bytes() for name, other in others.items()} == before
    assert list(storage.entries()) == []


def test_what_takes_the_name_of_a_new_message_is_not_written_to(
    storage: FileStorage,
    directory: Path,
    elsewhere: Path,
    mail: MakeMessage,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = iter([HALF.removeprefix(".").removesuffix(".tmp"), "20200101000001_NEXT"])
    monkeypatch.setattr("pyq_file_storage.storing.new_id", lambda *_: next(names))
    (directory / HALF).symlink_to(elsewhere)
    assert store(storage, mail()) == "20200101000001_NEXT"
    assert elsewhere.read_text() == "precious"


@pytest.mark.parametrize("name", [".index", ".index/index.sqlite", ".index/journal"])
@pytest.mark.parametrize("planted", ["link", "hard link", "FIFO", "directory"])
def test_nothing_is_written_through_a_file_in_place_of_the_index(
    storage: FileStorage,
    directory: Path,
    elsewhere: Path,
    mail: MakeMessage,
    store: Store,
    name: str,
    planted: str,
) -> None:
    elsewhere.write_bytes(b"")  # which SQLite would take for a new database
    place = directory / name
    if name != ".index":
        place.parent.mkdir()
    match planted:
        case "link":
            place.symlink_to(elsewhere)
        case "hard link":
            os.link(elsewhere, place)
        case "FIFO":
            os.mkfifo(place)
        case _:
            place.mkdir()
    entry_id = store(storage, mail())
    for query in (Query(), Query(recipients=("one@example.org",))):
        assert [one.id for one in storage.find(query)] == [entry_id]
    assert elsewhere.read_bytes() == b""
    assert elsewhere.stat().st_mode & 0o777 == 0o640


@pytest.fixture
def of_a_service(mail: MakeMessage, store: Store) -> Iterator[Path]:
    """A directory of somebody else's, with an index and one entry, that root has listed."""
    if os.geteuid() != 0:
        pytest.skip("only root works with files of others")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        os.chown(directory, SERVICE, SERVICE)
        (directory / ".index").mkdir(mode=0o700)
        os.chown(directory / ".index", SERVICE, SERVICE)
        storage = FileStorage(directory)
        entry_id = store(storage, mail())
        assert listed(directory) == [entry_id]
        yield directory


def listed(directory: Path) -> list[str]:
    query = Query(recipients=("one@example.org",))
    return [one.id for one in FileStorage(directory).find(query)]


def test_root_uses_the_index_of_a_service(
    of_a_service: Path, caplog: pytest.LogCaptureFixture
) -> None:
    groups = os.getgroups()
    assert len(listed(of_a_service)) == 1
    assert caplog.text == ""
    assert (os.geteuid(), os.getegid(), os.getgroups()) == (0, 0, groups)
    made = (of_a_service / ".index").iterdir()
    assert {one.stat().st_uid for one in made} == {SERVICE}


def test_a_planted_rollback_journal_has_root_remove_nothing(
    of_a_service: Path, elsewhere: Path
) -> None:
    database = of_a_service / ".index" / "index.sqlite"
    journal = database.with_name(database.name + "-journal")
    journal.write_bytes(rollback_journal(database.read_bytes(), os.fsencode(elsewhere)))
    os.chown(journal, SERVICE, SERVICE)
    assert len(listed(of_a_service)) == 1
    assert elsewhere.read_text() == "precious"


def test_an_index_that_anybody_may_write_to_is_not_used(
    of_a_service: Path, elsewhere: Path, caplog: pytest.LogCaptureFixture
) -> None:
    os.chown(of_a_service / ".index", 0, 0)
    (of_a_service / ".index").chmod(0o777)
    database = of_a_service / ".index" / "index.sqlite"
    journal = database.with_name(database.name + "-journal")
    journal.write_bytes(rollback_journal(database.read_bytes(), os.fsencode(elsewhere)))
    assert len(listed(of_a_service)) == 1
    assert elsewhere.read_text() == "precious"
    assert "others may write to .index" in caplog.text


def rollback_journal(database: bytes, super_journal: bytes) -> bytes:
    """One that changes nothing, and makes SQLite remove this file once it has been played back.

    https://www.sqlite.org/fileformat2.html: "The Rollback Journal"; the name stands at the end.
    """
    magic = bytes.fromhex("d9d505f920a163d7")
    page_size = int.from_bytes(database[16:18])
    header = struct.pack(">8s5I", magic, 0, 1, len(database) // page_size, 512, page_size)
    lock_page = 2**30 // page_size + 1
    name = struct.pack(">II", len(super_journal), sum(super_journal))
    return header.ljust(512, b"\0") + lock_page.to_bytes(4) + super_journal + name + magic
