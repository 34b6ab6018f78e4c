from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyq_file_storage.storage import FileStorage

from pyquarantine_core.errors import EntryNotFoundError, StorageError
from pyquarantine_core.types import Entry

if TYPE_CHECKING:
    from .conftest import MakeMessage, Store

Operation = Callable[[FileStorage, str], object]


def claim(storage: FileStorage, entry_id: str) -> None:
    with storage.claim(entry_id):
        pass


OPERATIONS = [FileStorage.get, FileStorage.open_message, FileStorage.metadata, claim]


def put(directory: Path, name: str, metadata: object = None, data: bytes = b"mail") -> None:
    (directory / name).write_bytes(data)
    if metadata is not None:
        (directory / f"{name}.metadata").write_text(json.dumps(metadata))


# -- listing ---------------------------------------------------------------------------------


def test_entries_come_oldest_first_with_what_is_known(
    storage: FileStorage, mail: MakeMessage, store: Store
) -> None:
    first = store(storage, mail(("Subject", b" first"), queue_id="ZZ"))
    second = store(storage, mail(("Subject", b" second"), sender="", queue_id="AA"))
    found = list(storage.entries())
    assert [entry.id for entry in found] == [first, second]
    assert [entry.subject for entry in found] == ["first", "second"]
    assert [entry.sender for entry in found] == ["from@example.org", ""]
    assert found[1] == storage.get(second)
    assert found[1].size == len(b"Subject: second\r\n\r\nHello\r\n")
    assert found[1].recipients == ("one@example.org", "two@example.org")
    assert found[1].queue_id == "AA"
    assert found[1].variables["S_ID"] == second


def test_data_without_metadata_is_an_entry_with_an_unknown_envelope(
    storage: FileStorage, directory: Path
) -> None:
    put(directory, "20200101120000_4XYZ")
    os.utime(directory / "20200101120000_4XYZ", (0, 1_600_000_000))
    expected = Entry(
        id="20200101120000_4XYZ", size=4, stored_at=datetime.fromtimestamp(1_600_000_000, UTC)
    )
    assert list(storage.entries()) == [expected]
    assert storage.metadata(expected.id) == {}


def test_metadata_without_data_is_no_entry(storage: FileStorage, directory: Path) -> None:
    (directory / "20200101120000_4XYZ.metadata").write_text("{}")
    assert list(storage.entries()) == []
    for operation in OPERATIONS:
        with pytest.raises(EntryNotFoundError):
            operation(storage, "20200101120000_4XYZ")


def test_what_is_not_a_plain_file_is_passed_over(
    storage: FileStorage, directory: Path, tmp_path: Path
) -> None:
    put(directory, "plain")
    put(directory, ".hidden")
    put(directory, "n" * 250)
    put(tmp_path, "outside")
    (directory / "link").symlink_to(tmp_path / "outside")
    (directory / "dangling").symlink_to("nowhere")
    (directory / "subdirectory").mkdir()
    os.mkfifo(directory / "fifo")
    assert [entry.id for entry in storage.entries()] == ["plain"]


def test_entries_that_go_while_they_are_listed_are_passed_over(
    storage: FileStorage, directory: Path
) -> None:
    for name in ("1", "2", "3"):
        put(directory, name, {"mailfrom": name})
    listing = storage.entries()
    assert next(listing).id == "1"
    (directory / "2").unlink()
    (directory / "3.metadata").unlink()
    (directory / "3").unlink()
    assert list(listing) == []


def test_a_directory_that_is_gone_is_one_clear_error(storage: FileStorage, directory: Path) -> None:
    directory.rmdir()
    for operation in OPERATIONS:
        with pytest.raises(StorageError, match=f"^there is no {directory}; the daemon makes it"):
            operation(storage, "some")
    with pytest.raises(StorageError, match=f"^there is no {directory}; the daemon makes it"):
        next(storage.entries())


# -- names that are no entries ---------------------------------------------------------------


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    "entry_id",
    [
        *("", ".", "..", "/", "../outside", "./plain", "subdirectory/plain", "plain/", "plain/."),
        *(".hidden", "plain.metadata", "pl\0ain", "plain\0", "\ud800", "absent", "x" * 300),
        *("é" * 130, "link", "dangling", "fifo", "subdirectory", "socket"),
    ],
)
def test_an_id_that_is_not_a_plain_entry_is_not_found(
    storage: FileStorage, directory: Path, tmp_path: Path, operation: Operation, entry_id: str
) -> None:
    put(tmp_path, "outside", {})
    put(directory, "plain", {})
    put(directory, ".hidden", {})
    (directory / "link").symlink_to("plain")
    (directory / "dangling").symlink_to("nowhere")
    os.mkfifo(directory / "fifo")
    os.mknod(directory / "socket", 0o140600)
    (directory / "subdirectory").mkdir()
    put(directory / "subdirectory", "plain", {})
    with pytest.raises(EntryNotFoundError) as caught:
        operation(storage, entry_id)
    assert repr(entry_id) in str(caught.value)
    assert str(directory) in str(caught.value)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_absolute_path_is_not_found(
    storage: FileStorage, directory: Path, operation: Operation
) -> None:
    put(directory, "plain", {})
    with pytest.raises(EntryNotFoundError):
        operation(storage, str(directory / "plain"))


# -- metadata that others have written -------------------------------------------------------

BROKEN = {
    "empty": b"",
    "truncated": b'{"mailfrom": "a@example.org", "recip',
    "not text": b"\xff\xfe\x00",
    "a list": b"[]",
    "a word": b"null",
    "deep": b"[" * 200_000,
    "huge": b'{"mailfrom": "' + b"x" * (16 * 1024 * 1024) + b'"}',
    "a long number": b'{"timestamp": ' + b"9" * 10_000 + b"}",
    "no number": b'{"timestamp": NaN}',
    "a sender that is a list": b'{"mailfrom": []}',
    "recipients in one string": b'{"recipients": "a@example.org"}',
    "recipients that are numbers": b'{"recipients": [1]}',
    "a time that is text": b'{"timestamp": "now"}',
    "a time that is a truth": b'{"date": true}',
    "headers that are a list": b'{"headers": []}',
    "a subject that is a number": b'{"headers": {"subject": 1}}',
    "vars that are a list": b'{"vars": ["x"]}',
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN.keys())
def test_broken_metadata_counts_as_none_and_is_warned_of_once(
    storage: FileStorage, directory: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    for name in ("1", "2"):
        put(directory, name)
        (directory / f"{name}.metadata").write_bytes(content)
    put(directory, "3", {"mailfrom": "sound@example.org"})
    found = list(storage.entries())
    assert [(one.id, one.sender, one.recipients) for one in found] == [
        ("1", None, None),
        ("2", None, None),
        ("3", "sound@example.org", None),
    ]
    assert len(caplog.records) == 1
    assert f"{directory}: metadata of 2 entries cannot be used: 1: " in caplog.text
    assert storage.get("1") == found[0]
    with storage.claim("1") as claim:
        assert claim.read() == b"mail"


def test_broken_metadata_is_an_error_to_who_asks_for_it(
    storage: FileStorage, directory: Path
) -> None:
    put(directory, "1", [])
    with pytest.raises(StorageError, match="the metadata of 1 is broken: not a JSON object"):
        storage.metadata("1")


@pytest.mark.parametrize("kind", ["link", "fifo", "directory"])
def test_metadata_that_is_not_a_plain_file_is_broken(
    storage: FileStorage, directory: Path, tmp_path: Path, kind: str
) -> None:
    put(directory, "1")
    put(tmp_path, "outside", {"mailfrom": "secret@example.org"})
    path = directory / "1.metadata"
    match kind:
        case "link":
            path.symlink_to(tmp_path / "outside.metadata")
        case "fifo":
            os.mkfifo(path)
        case _:
            path.mkdir()
    assert storage.get("1").sender is None
    with pytest.raises(StorageError, match="not a plain file"):
        storage.metadata("1")


@pytest.mark.parametrize("seconds", ["-1e999", "-1", "0", "1e18", "1e999", "1" + "0" * 1000])
def test_times_out_of_this_world_are_shown_as_the_nearest_in_it(
    storage: FileStorage, directory: Path, seconds: str
) -> None:
    put(directory, "1")
    (directory / "1.metadata").write_text(f'{{"mailfrom": "", "timestamp": {seconds}}}')
    entry = storage.get("1")
    assert entry.sender == ""
    assert entry.stored_at.year in {1970, 9999}


def test_a_file_time_before_the_epoch_is_shown_as_the_epoch(
    storage: FileStorage, directory: Path
) -> None:
    put(directory, "1")
    os.utime(directory / "1", (0, -5_000_000))
    assert storage.get("1").stored_at == datetime.fromtimestamp(0, UTC)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
keys = st.sampled_from(
    [
        *("mailfrom", "recipients", "subject", "headers", "timestamp", "date", "vars"),
        *("quarantine", "queue_id", "smtputf8", "named_subgroups", "subgroups"),
    ]
)


@settings(deadline=None)  # disks take their time
@given(stored=json_values | st.dictionaries(keys, json_values))
def test_any_json_as_metadata_leaves_the_entry_usable(
    tmp_path_factory: pytest.TempPathFactory, stored: object
) -> None:
    directory = tmp_path_factory.mktemp("held")
    put(directory, "1", stored)
    (found,) = FileStorage(directory).entries()
    assert found.size == 4


@settings(deadline=None)  # disks take their time
@given(content=st.binary())
def test_any_bytes_as_metadata_leave_the_entry_usable(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    directory = tmp_path_factory.mktemp("held")
    put(directory, "1")
    (directory / "1.metadata").write_bytes(content)
    (found,) = FileStorage(directory).entries()
    assert found.size == 4


# -- what strangers chose --------------------------------------------------------------------

# Lone surrogates stand for bytes that are not UTF-8 (PEP 383).
texts = st.text(
    st.characters(exclude_categories=["Cs"])
    | st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF)
)
values = st.lists(st.binary(), max_size=3).map(b"\n ".join)


@settings(deadline=None)  # disks take their time
@given(
    sender=texts, recipients=st.lists(texts, min_size=1), variables=st.dictionaries(texts, texts)
)
def test_any_text_in_the_envelope_and_variables_comes_back(
    tmp_path_factory: pytest.TempPathFactory,
    mail: MakeMessage,
    store: Store,
    sender: str,
    recipients: list[str],
    variables: dict[str, str],
) -> None:
    storage = FileStorage(tmp_path_factory.mktemp("held"))
    message = mail(sender=sender, recipients=tuple(recipients))
    message.variables.update(variables)
    entry = storage.get(store(storage, message, metavar="S"))
    assert entry.sender == ("" if sender == "<>" else sender)
    assert entry.recipients == tuple(recipients)
    assert {**entry.variables, **variables} == entry.variables


@settings(deadline=None)  # disks take their time
@given(raw=values, name=st.sampled_from(["Subject", "SUBJECT", "subject"]))
def test_any_bytes_in_the_subject_come_back(
    tmp_path_factory: pytest.TempPathFactory, mail: MakeMessage, store: Store, raw: bytes, name: str
) -> None:
    storage = FileStorage(tmp_path_factory.mktemp("held"))
    message = mail((name, raw))
    entry = storage.get(store(storage, message))
    assert entry.subject == message.subject


def test_lone_surrogates_on_disk_are_kept(storage: FileStorage, directory: Path) -> None:
    put(directory, "1")
    stored: dict[str, Any] = {"mailfrom": "\udcff@x", "recipients": ["\ud800"], "subject": "\udfff"}
    (directory / "1.metadata").write_text(json.dumps(stored))
    entry = storage.get("1")
    assert (entry.sender, entry.recipients, entry.subject) == ("\udcff@x", ("\ud800",), "\udfff")
