"""What is wrong in the storages of a config, and putting it right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyquarantine_core.errors import StorageError
from pyquarantine_core.types import HoldsMail

if TYPE_CHECKING:
    from pyquarantine_core.config import Config
    from pyquarantine_core.types import Fault, StorageHandle


@dataclass(frozen=True, slots=True)
class Checked:
    """A fault, and what became of it.

    Attributes:
        storage: its key under `storages`.
        fault: what is wrong.
        mended: whether it has been put right just now.
        failure: why it could not be, if that was tried.
    """

    storage: str
    fault: Fault
    mended: bool = False
    failure: str = ""


def check(config: Config, handle: StorageHandle, *, mend: bool) -> Iterator[Checked]:
    """Look for what is wrong in a storage that is open, and mend what can be.

    Args:
        config: whose storage it is.
        handle: the storage.
        mend: False only looks, and changes nothing.

    Raises:
        StorageError: the storage cannot be looked at.
    """
    for fault in handle.storage.faults(metadata=_keeps_metadata(config, handle)):
        if not mend or fault.mend is None:
            yield Checked(handle.name, fault)
            continue
        try:
            if fault.mend():
                yield Checked(handle.name, fault, mended=True)
        except StorageError as error:
            yield Checked(handle.name, fault, failure=str(error))


def _keeps_metadata(config: Config, handle: StorageHandle) -> bool:
    """Whether every action keeps metadata there; where it is unset, those that hold mail do."""
    if handle.metadata is not None:
        return handle.metadata
    said = [action for rule in config.settings["rules"] for action in rule["actions"]]
    users = [
        bound.action
        for bound, its in zip(config.rules.actions, said, strict=True)
        if its["options"].get("storage") == handle.name
    ]
    return bool(users) and all(isinstance(one, HoldsMail) for one in users)
