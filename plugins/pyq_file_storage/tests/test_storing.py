"""What a message becomes on the disk."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pyq_file_storage.storage import FileStorage

from pyquarantine_core.body import Body
from pyquarantine_core.errors import StorageError

from .files import names

if TYPE_CHECKING:
    from .conftest import MakeMessage, Stage, Store

FOLDED = ("Subject", b" caf\xe9 \xff\n\t  folded\n \x01 oddly")
FOLDED_LINES = b"Subject: caf\xe9 \xff\r\n\t  folded\r\n \x01 oddly\r\n"
CR = b" a\rb\r"


def test_an_original_is_stored_byte_for_byte_whatever_the_rules_did(
    storage: FileStorage, directory: Path, mail: MakeMessage, store: Store
) -> None:
    body = bytes(range(256)) + b"\r\nno line end"
    message = mail(FOLDED, ("x-ODD", b"no space"), ("Empty", b""), ("X-CR", CR), body=body)
    message.add_header("X-Added", "later")
    message.replace_body(Body([b"another"]))
    entry_id = store(storage, message, original=True)
    expected = FOLDED_LINES + b"x-ODD:no space\r\nEmpty:\r\nX-CR:%b\r\n\r\n" % CR + body
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


def test_what_is_held_does_not_fill_the_memory_of_the_machine(
    storage: FileStorage, directory: Path, mail: MakeMessage, store: Store
) -> None:
    """The file system caches files that were just written, though nobody reads these soon."""
    if on_tmpfs(directory):
        pytest.skip("tmpfs has no other place than memory")
    entry_id = store(storage, mail(body=b"x" * 1_000_000))
    assert cached(directory / entry_id) < 100_000


def cached(path: Path) -> int:
    """Bytes of a file that are in memory."""
    command = ["fincore", "--bytes", "--noheadings", "--output", "RES", str(path)]
    return int(subprocess.run(command, capture_output=True, check=True).stdout)


def on_tmpfs(path: Path) -> bool:
    command = ["stat", "--file-system", "--format", "%T", str(path)]
    return subprocess.run(command, capture_output=True, check=True).stdout.strip() == b"tmpfs"
