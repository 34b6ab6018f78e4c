from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyq_file_storage.storage import FileStorage

from pyquarantine_core.types import Entry

VERSION_1 = {
    "mailfrom": "<>",
    "recipients": ["one@example.org", "two@example.org"],
    "headers": {"subject": "Offer", "from": "x"},
    "date": 1577880000,
    "queue_id": "4OLD",
    "subgroups": ["a"],
    "named_subgroups": {"word": "viagra", "missing": None},
}
VERSION_2 = {
    "mailfrom": "from@example.org",
    "recipients": ["one@example.org", "two@example.org"],
    "subject": "Offer",
    "timestamp": 1577880000,
    "queue_id": "4OLD",
    "vars": {"word": "viagra"},
}
ID = "20200101120000_4OLD"


@pytest.fixture(params=[VERSION_1, VERSION_2], ids=["1", "2"])
def stored(request: pytest.FixtureRequest, directory: Path) -> dict[str, object]:
    metadata: dict[str, object] = request.param
    directory.mkdir()
    (directory / ID).write_bytes(b"Subject: Offer\n\nbare line feeds\n")
    (directory / f"{ID}.metadata").write_text(json.dumps(metadata, indent=2))
    return metadata


def test_entries_of_earlier_versions_are_read(
    stored: dict[str, object], storage: FileStorage
) -> None:
    expected = Entry(
        id=ID,
        size=32,
        stored_at=datetime(2020, 1, 1, 12, tzinfo=UTC),
        sender="" if stored["mailfrom"] == "<>" else "from@example.org",
        recipients=("one@example.org", "two@example.org"),
        subject="Offer",
        queue_id="4OLD",
        variables={"word": "viagra"},
    )
    assert list(storage.entries()) == [expected]
    assert storage.metadata(ID) == stored


def test_reading_rewrites_nothing(
    stored: dict[str, object], storage: FileStorage, directory: Path
) -> None:
    def state() -> dict[str, tuple[int, int, bytes]]:
        return {
            one.name: (one.stat().st_ino, one.stat().st_mtime_ns, one.read_bytes())
            for one in directory.iterdir()
        }

    before = state()
    list(storage.entries())
    storage.get(ID)
    storage.metadata(ID)
    with storage.claim(ID) as claim:
        assert claim.read() == b"Subject: Offer\n\nbare line feeds\n"
    assert state() == before


def test_releasing_to_one_recipient_keeps_the_keys_of_its_version(
    stored: dict[str, object], storage: FileStorage
) -> None:
    with storage.claim(ID) as claim:
        claim.keep_only(("two@example.org",))
    assert storage.metadata(ID) == {**stored, "recipients": ["two@example.org"]}


def test_old_and_new_entries_are_listed_by_time(
    stored: dict[str, object], storage: FileStorage, directory: Path
) -> None:
    for name in ("20191231235959123456_A", "20200101120001000000_A"):
        (directory / name).write_bytes(b"")
    assert [entry.id for entry in storage.entries()] == [
        "20191231235959123456_A",
        ID,
        "20200101120001000000_A",
    ]
