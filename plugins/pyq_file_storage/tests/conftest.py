from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest
from pyq_file_storage.storage import FileStorage

from pyquarantine_core.address import Recipient
from pyquarantine_core.message import Message
from pyquarantine_core.types import NewEntry, Query, StoreEffect


class MakeMessage(Protocol):
    def __call__(
        self,
        *headers: tuple[str, bytes],
        body: bytes = ...,
        sender: str = ...,
        recipients: tuple[str, ...] = ...,
        queue_id: str = ...,
    ) -> Message: ...


class Stage(Protocol):
    def __call__(self, storage: FileStorage, message: Message, **new: Any) -> StoreEffect: ...


class Store(Protocol):
    def __call__(self, storage: FileStorage, message: Message, **new: Any) -> str: ...


Unprivileged = Callable[[], AbstractContextManager[None]]

NOBODY = 65534


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "held"


@pytest.fixture
def storage(directory: Path) -> FileStorage:
    storage = FileStorage(directory)
    storage.set_up()
    return storage


@pytest.fixture
def indexed(storage: FileStorage, directory: Path) -> FileStorage:
    """A storage that has an index, small as it is."""
    (directory / ".index").mkdir(mode=0o700)
    assert list(storage.find(Query())) == []
    return storage


@pytest.fixture(scope="session")
def mail() -> MakeMessage:
    """Makes a message as the MTA hands it over."""

    def make(
        *headers: tuple[str, bytes],
        body: bytes = b"Hello\r\n",
        sender: str = "from@example.org",
        recipients: tuple[str, ...] = ("one@example.org", "two@example.org"),
        queue_id: str = "4XYZ",
    ) -> Message:
        message = Message(sender=sender)
        message.queue_id = queue_id
        for address in recipients:
            message.receive_recipient(Recipient(address))
        for name, raw in headers:
            message.receive_header(name, raw)
        message.received_body.append(body)
        return message

    return make


@pytest.fixture(scope="session")
def stage() -> Stage:
    """Stages a message for all its recipients, with metadata unless told otherwise."""

    def staged(storage: FileStorage, message: Message, **new: Any) -> StoreEffect:
        options: dict[str, Any] = {"original": False, "metadata": True, "metavar": "S", **new}
        return storage.stage(NewEntry(message=message, recipients=message.addresses, **options))

    return staged


@pytest.fixture(scope="session")
def store(stage: Stage) -> Store:
    """Stores a message and returns its ID."""

    def stored(storage: FileStorage, message: Message, **new: Any) -> str:
        effect = stage(storage, message, **new)
        effect.prepare()
        effect.commit()
        effect.conclude()
        return effect.variables["S_ID"]

    return stored


@pytest.fixture(scope="session")
def unprivileged() -> Unprivileged:
    """Not as root, whom permissions do not stop."""

    @contextmanager
    def as_nobody() -> Iterator[None]:
        before = os.geteuid()
        if before == 0:
            os.seteuid(NOBODY)
        try:
            yield
        finally:
            os.seteuid(before)

    return as_nobody
