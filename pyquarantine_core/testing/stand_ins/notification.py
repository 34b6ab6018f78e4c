"""Notifications as files in a directory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex
from typing import Self

from pyquarantine_core.message import Message
from pyquarantine_core.types import Delivery, Notification, Options, Services


class DirectoryNotification(Notification):
    """Writes a file per notification: a line with the recipient in JSON, then the text."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @classmethod
    def from_options(cls, options: Options, _services: Services) -> Self:
        return cls(Path(options["directory"]))

    def set_up(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)

    def prepare(self, message: Message, recipient: str) -> bytes:
        return f"{message.sender!a} wrote to {recipient!a}: {message.subject!a}\n".encode()

    def deliver(self, item: Delivery) -> None:
        head = json.dumps(item.recipient).encode()
        (self._directory / token_hex(8)).write_bytes(head + b"\n" + item.content)


def delivered(directory: Path) -> Iterator[tuple[str, bytes]]:
    """Recipient and text of each notification."""
    for path in directory.iterdir():
        head, _, content = path.read_bytes().partition(b"\n")
        yield json.loads(head), content
