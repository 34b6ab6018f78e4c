"""The power fails when a message has been answered, or a command has ended: all of it lasts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pyq_file_storage.storage import FileStorage

from .files import names

if TYPE_CHECKING:
    from pyquarantine_core.testing.power import Disk

    from .conftest import MakeMessage, Store

HELD = "held"


@pytest.fixture
def storage(power_disk: Disk) -> FileStorage:
    storage = FileStorage(power_disk.root / HELD)
    storage.set_up()
    return storage


@pytest.mark.parametrize("metadata", [True, False])
def test_a_message_that_is_held_is_there_and_whole(
    storage: FileStorage, power_disk: Disk, mail: MakeMessage, store: Store, metadata: bool
) -> None:
    entry_id = store(storage, mail(body=b"x" * 8000), metadata=metadata)
    held = storage.get(entry_id)
    with storage.open_message(entry_id) as message:
        content = message.read()
    with power_disk.without_power() as root:
        found = FileStorage(root / HELD)
        found.set_up()
        assert list(found.entries()) == [held]
        with found.open_message(entry_id) as message:
            assert message.read() == content
        assert list(found.faults(metadata=metadata)) == []
        assert len(names(root / HELD)) == (2 if metadata else 1)


def test_recipients_who_have_got_it_are_not_back(
    storage: FileStorage, power_disk: Disk, mail: MakeMessage, store: Store
) -> None:
    entry_id = store(storage, mail())
    with storage.claim(entry_id) as claim:
        claim.keep_only(("two@example.org",), in_doubt=("two@example.org",))
    with power_disk.without_power() as root:
        (entry,) = FileStorage(root / HELD).entries()
        assert entry == storage.get(entry_id)
        assert entry.in_doubt == ("two@example.org",)


def test_a_message_that_was_deleted_is_not_back(
    storage: FileStorage, power_disk: Disk, mail: MakeMessage, store: Store
) -> None:
    entry_id = store(storage, mail())
    with storage.claim(entry_id) as claim:
        claim.delete()
    with power_disk.without_power() as root:
        assert names(root / HELD) == []
