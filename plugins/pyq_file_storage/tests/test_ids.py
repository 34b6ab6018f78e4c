"""The IDs that entries get."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pyq_file_storage import storing
from pyq_file_storage.storage import FileStorage

from pyquarantine_core.errors import StorageError

from .files import names

if TYPE_CHECKING:
    from .conftest import MakeMessage, Stage, Store


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


@pytest.mark.parametrize("metadata", [True, False])
def test_metadata_that_another_message_has_left_is_not_taken_for_that_of_a_new_one(
    storage: FileStorage,
    directory: Path,
    mail: MakeMessage,
    store: Store,
    stop_clock: Callable[[int], None],
    metadata: bool,
) -> None:
    left = directory / "20261122115501123456_4XYZ.metadata"
    left.write_text('{"mailfrom": "other@x"}')
    stop_clock(3)
    assert store(storage, mail(), metadata=metadata) == "20261122115501123457_4XYZ"
    assert left.read_text() == '{"mailfrom": "other@x"}'
    assert len(names(directory)) == (3 if metadata else 2)


def test_after_a_clock_was_put_back_an_id_that_is_there_fails_once_and_is_not_touched(
    storage: FileStorage,
    directory: Path,
    mail: MakeMessage,
    stage: Stage,
    store: Store,
    stop_clock: Callable[[int], None],
) -> None:
    there = directory / "20261122115501123456_4XYZ"
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
