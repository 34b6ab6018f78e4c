"""A large directory has an index, and a listing misses nothing, whatever happens to it."""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pyq_file_storage import finding, index, upkeep
from pyq_file_storage.storage import FileStorage

from pyquarantine_core.types import Query

from .indexed import FOREIGN, TO_ONE, found, later, nothing_noticed, put

if TYPE_CHECKING:
    from .conftest import MakeMessage, Store, Unprivileged


# -- when there is one -----------------------------------------------------------------------


def test_a_small_directory_gets_none(
    storage: FileStorage, directory: Path, mail: MakeMessage, store: Store
) -> None:
    entry_id = store(storage, mail())
    assert found(storage) == [entry_id]
    assert not (directory / ".index").exists()


def test_a_large_one_does_when_somebody_lists_it(
    storage: FileStorage,
    directory: Path,
    mail: MakeMessage,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(finding, "LARGE", 3)
    stored = [store(storage, mail()) for _ in range(3)]
    assert not (directory / ".index").exists()
    assert found(storage) == stored[::-1]
    assert (directory / ".index" / "index.sqlite").stat().st_size > 0


def test_what_root_makes_belongs_to_the_owner_of_the_directory(
    storage: FileStorage, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() == 0:
        os.chown(directory, 1234, 2345)
    monkeypatch.setattr(finding, "LARGE", 0)
    found(storage)
    made = [directory / ".index", *(directory / ".index").iterdir()]
    assert {one.name for one in made} == {".index", "index.sqlite", "journal"}
    owners = {(one.stat().st_uid, one.stat().st_gid) for one in made}
    assert owners == {(directory.stat().st_uid, directory.stat().st_gid)}
    assert {one.stat().st_mode & 0o077 for one in made} == {0}


def test_a_check_takes_it_for_what_it_is(
    indexed: FileStorage, directory: Path, mail: MakeMessage, store: Store
) -> None:
    store(indexed, mail())
    assert list(indexed.faults(metadata=True)) == []


def test_somebody_else_finds_the_same_without_it(
    mail: MakeMessage,
    store: Store,
    unprivileged: Unprivileged,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with tempfile.TemporaryDirectory() as name:
        storage = FileStorage(Path(name), 0o644)
        Path(name, ".index").mkdir(mode=0o700)
        stored = [store(storage, mail()) for _ in range(3)]
        assert found(storage) == stored[::-1]
        Path(name).chmod(0o755)
        with unprivileged():
            assert found(storage) == stored[::-1]
    assert caplog.text == ""


def test_a_directory_that_cannot_be_written_to_gets_none(
    unprivileged: Unprivileged, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(finding, "LARGE", 0)
    with unprivileged(), tempfile.TemporaryDirectory() as name:
        put(Path(name), FOREIGN)
        Path(name).chmod(0o555)
        assert found(FileStorage(Path(name))) == [FOREIGN]
        assert not Path(name, ".index").exists()
        Path(name).chmod(0o755)
    assert caplog.text == ""


# -- what is found ---------------------------------------------------------------------------


def test_pages_follow_one_another_without_a_gap(
    indexed: FileStorage, mail: MakeMessage, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "PAGE", 7)
    stored = [store(indexed, mail()) for _ in range(30)]
    assert found(indexed) == stored[::-1]
    assert [one.id for one in indexed.find(TO_ONE, before=stored[20], limit=9)] == stored[19:10:-1]


def test_what_other_commands_do_while_a_page_is_shown_hides_nothing_from_the_next(
    indexed: FileStorage, mail: MakeMessage, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "PAGE", 2)
    stored = [store(indexed, mail()) for _ in range(4)]
    listing = indexed.find(TO_ONE)
    listed = [next(listing).id]
    with indexed.claim(stored[0]) as claim:
        claim.keep_only(("one@example.org",))
    assert next(indexed.find(Query())).id == stored[-1]
    listed += [entry.id for entry in listing]
    assert listed == stored[::-1]


def test_of_many_recipients_each_is_found(
    indexed: FileStorage, mail: MakeMessage, store: Store
) -> None:
    many = tuple(f"user{number}@example.org" for number in range(2000))
    entry_id = store(indexed, mail(recipients=many))
    assert found(indexed, Query(recipients=("user1999@example.org",))) == [entry_id]
    assert found(indexed, Query(recipients=("user2000@example.org",))) == []


@pytest.mark.parametrize(
    ("address", "patterns"),
    [
        ("a[1]*?@example.org", ("a[1]*?@example.org", "a[[]1]*", "?[[]1*", "*")),
        ("STRASSE@example.org", ("straße@*", "strasse@example.org", "s?ra[a-s]se@*")),
        ("é@example.org", ("?@example.org", "É@*", "[!a]@*")),
        ("a\nb\0c@example.org", ("a\nb\0c@*", "*\0c@example.org", "a?b*")),
        ("\udcff\ud800@example.org", ("\udcff\ud800@*", "??@example.org")),
        ("", ("", "*")),
    ],
)
def test_patterns_mean_the_same_with_it_and_without(
    indexed: FileStorage, directory: Path, address: str, patterns: tuple[str, ...]
) -> None:
    metadata: dict[str, Any] = {"mailfrom": address, "recipients": ["x@example.org", address]}
    put(directory, "0", recipient="nobody@example.net")
    put(directory, "1")
    (directory / "1.metadata").write_text(json.dumps(metadata))
    later(directory)
    for pattern in patterns:
        for query in (Query(senders=(pattern,)), Query(recipients=("-", pattern))):
            expected = [one.id for one in indexed.entries() if query.matches(one)]
            assert "1" in expected
            assert found(indexed, query) == expected[::-1], query


def test_ids_may_be_any_names(indexed: FileStorage, directory: Path) -> None:
    names = ["~", "é", "\U0001f4e7", "\ue000", "x" * 200]
    for name in names:
        put(directory, name)
    later(directory)
    assert set(found(indexed)) == set(names)
    assert found(indexed, Query()) == found(indexed)
    assert list(indexed.find(TO_ONE, before="\0")) == []
    assert [one.id for one in indexed.find(TO_ONE, before="\ud800")] == found(indexed)[2:]
    assert found(indexed) == [one.id for one in indexed.entries()][::-1]


# -- other programs --------------------------------------------------------------------------


def test_what_another_program_adds_is_found(
    indexed: FileStorage, directory: Path, mail: MakeMessage, store: Store
) -> None:
    entry_id = store(indexed, mail())
    assert found(indexed) == [entry_id]
    put(directory, FOREIGN)
    assert found(indexed) == [entry_id, FOREIGN]
    assert found(indexed, Query()) == [entry_id, FOREIGN]


def test_also_when_mail_is_stored_after_it(
    indexed: FileStorage, directory: Path, mail: MakeMessage, store: Store
) -> None:
    put(directory, FOREIGN)
    entry_id = store(indexed, mail())
    assert found(indexed) == [entry_id, FOREIGN]


def test_what_another_program_removes_is_not(
    indexed: FileStorage, directory: Path, mail: MakeMessage, store: Store
) -> None:
    stored = [store(indexed, mail()) for _ in range(3)]
    assert found(indexed) == stored[::-1]
    (directory / stored[1]).unlink()
    put(directory, FOREIGN)
    assert stored[1] not in found(indexed)
    later(directory)
    assert found(indexed) == [stored[2], stored[0], FOREIGN]


def test_an_entry_that_gets_its_metadata_back_is_found_by_it(
    indexed: FileStorage, directory: Path
) -> None:
    (directory / "1").write_text("mail")
    later(directory)
    assert found(indexed) == []
    assert found(indexed, Query()) == ["1"]
    put(directory, "1")
    later(directory)
    assert found(indexed) == ["1"]


def test_a_directory_among_the_entries_is_none(indexed: FileStorage, directory: Path) -> None:
    (directory / "subdirectory").mkdir()
    later(directory)
    for _ in range(2):
        assert found(indexed, Query()) == found(indexed) == []
        later(directory)


def test_what_leaves_no_trace_is_found_after_a_day(
    indexed: FileStorage, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with nothing_noticed(directory):
        put(directory, FOREIGN)
    assert found(indexed) == []
    monkeypatch.setattr(upkeep, "COMPARE_AFTER", 0)
    assert found(indexed) == [FOREIGN]


def test_what_this_program_does_is_no_reason_to_compare(
    indexed: FileStorage, directory: Path, mail: MakeMessage, store: Store
) -> None:
    with nothing_noticed(directory):
        put(directory, FOREIGN)  # would be found if names were compared
    expected: list[str] = []
    for _ in range(3):
        expected.insert(0, store(indexed, mail()))
        with indexed.claim(store(indexed, mail())) as claim:
            claim.delete()
        with indexed.claim(expected[0]) as claim:
            claim.keep_only(("one@example.org",))
        assert found(indexed) == expected


# -- an index that cannot be used ------------------------------------------------------------


@pytest.mark.parametrize("junk", [b"junk" * 1000, b"SQLite format 3\0" + b"\0" * 5000])
def test_a_broken_one_is_made_anew(
    indexed: FileStorage,
    directory: Path,
    mail: MakeMessage,
    store: Store,
    caplog: pytest.LogCaptureFixture,
    junk: bytes,
) -> None:
    stored = [store(indexed, mail()) for _ in range(3)]
    (directory / ".index" / "index.sqlite").write_bytes(junk)
    assert found(indexed) == stored[::-1]
    assert f"{directory}: searching without its index: " in caplog.text
    caplog.clear()
    assert found(indexed) == stored[::-1]
    assert caplog.text == ""


def test_one_that_breaks_amid_a_listing_cuts_nothing_off(
    indexed: FileStorage,
    directory: Path,
    mail: MakeMessage,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(index, "PAGE", 2)
    stored = [store(indexed, mail()) for _ in range(9)]
    listing = indexed.find(TO_ONE)
    first = next(listing).id
    with closing(sqlite3.connect(directory / ".index" / "index.sqlite")) as database, database:
        database.execute("DROP TABLE entries")
    assert [first, *(one.id for one in listing)] == stored[::-1]


def test_one_of_another_version_is_made_anew(
    indexed: FileStorage, directory: Path, mail: MakeMessage, store: Store
) -> None:
    entry_id = store(indexed, mail())
    with closing(sqlite3.connect(directory / ".index" / "index.sqlite")) as database:
        database.execute("PRAGMA user_version = 99")
    for _ in range(2):
        assert found(indexed) == [entry_id]
    with closing(sqlite3.connect(directory / ".index" / "index.sqlite")) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (index.VERSION,)


def test_while_another_command_works_on_it_a_listing_goes_without(
    indexed: FileStorage,
    directory: Path,
    mail: MakeMessage,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(index, "WAIT", 0.01)
    entry_id = store(indexed, mail())
    path = directory / ".index" / "index.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("BEGIN EXCLUSIVE")
        assert found(indexed) == [entry_id]
    assert "searching without its index: database is locked" in caplog.text


def test_one_that_is_in_use_is_not_thrown_away(
    indexed: FileStorage, directory: Path, mail: MakeMessage, store: Store
) -> None:
    stored = [store(indexed, mail()) for _ in range(3)]
    path = directory / ".index" / "index.sqlite"
    listing = indexed.find(TO_ONE)
    first = next(listing).id
    inode = path.stat().st_ino
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 99")
    assert found(indexed) == stored[::-1]
    assert path.stat().st_ino == inode
    assert [first, *(one.id for one in listing)] == stored[::-1]


def test_what_it_says_outside_of_the_directory_is_not_looked_at(
    indexed: FileStorage, directory: Path, mail: MakeMessage, store: Store
) -> None:
    put(directory.parent, "outside")
    entry_id = store(indexed, mail())
    assert found(indexed) == [entry_id]
    with closing(sqlite3.connect(directory / ".index" / "index.sqlite")) as database, database:
        database.execute("INSERT INTO entries (id) VALUES (?)", (b"../outside",))
    with (directory / ".index" / "journal").open("a") as lines:
        lines.write('[0,0,"../outside",[1.0,"a@example.org",["one@example.org"],null]]\n')
    assert found(indexed) == found(indexed, Query()) == [entry_id]


def test_a_link_in_its_place_is_not_followed(
    storage: FileStorage, directory: Path, mail: MakeMessage, store: Store, tmp_path: Path
) -> None:
    (tmp_path / "outside").mkdir()
    (directory / ".index").symlink_to(tmp_path / "outside")
    entry_id = store(storage, mail())
    assert found(storage) == [entry_id]
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_copy_of_the_directory_is_looked_at_anew(
    indexed: FileStorage, directory: Path, mail: MakeMessage, store: Store
) -> None:
    entry_id = store(indexed, mail())
    assert found(indexed) == [entry_id]
    copy = directory.with_name("copy")
    copy.mkdir()
    (copy / ".index").mkdir()
    for name in ("index.sqlite", "journal"):
        (copy / ".index" / name).write_bytes((directory / ".index" / name).read_bytes())
    put(copy, FOREIGN)
    modified = directory.stat().st_mtime_ns
    os.utime(copy, ns=(modified, modified))
    assert found(FileStorage(copy)) == [FOREIGN]
