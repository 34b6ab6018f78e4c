"""What the list does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pyquarantine_core.errors import ListError
from pyquarantine_core.types import MailList, Options, Services

ANYONE = ""
"""Stands for the recipient in a line without one."""


@dataclass(frozen=True)
class _Content:
    """The file as it was read: its state then, and the pairs of sender and recipient in it."""

    state: tuple[int, int, int]
    pairs: frozenset[tuple[str, str]]


class PairsInFile(MailList):
    """Covers the pairs in a file, in any case; `@domain` stands for all addresses in a domain."""

    def __init__(self, path: Path, comment: str) -> None:
        self._path = path
        self._comment = comment
        self._content: _Content | None = None

    @classmethod
    def from_options(cls, options: Options, _services: Services) -> Self:
        """From the options in the config: checked by the schema, with its defaults."""
        return cls(Path(options["path"]), options["comment"])

    def set_up(self) -> None:
        """Refuse to start without the file, or with a line that cannot be understood."""
        self._pairs()

    def covers(self, sender: str, recipient: str) -> bool:
        pairs = self._pairs()
        return any(
            (by, to) in pairs
            for by in _notations(sender)
            for to in (*_notations(recipient), ANYONE)
        )

    def _pairs(self) -> frozenset[tuple[str, str]]:
        """Serves many threads: what was read is replaced as a whole, never changed."""
        content = self._content
        try:
            stat = self._path.stat()
            state = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
            if content is None or content.state != state:
                content = _Content(state, self._parsed(self._path.read_text("utf-8")))
                self._content = content
        except (OSError, UnicodeDecodeError) as error:
            raise ListError(f"cannot read {self._path}: {error}") from error
        return content.pairs

    def _parsed(self, text: str) -> frozenset[tuple[str, str]]:
        pairs = set()
        for number, line in enumerate(text.splitlines(), start=1):
            match line.split():
                case []:
                    continue
                case [word, *_] if word.startswith(self._comment):
                    continue
                case [sender]:
                    pairs.add((sender.lower(), ANYONE))
                case [sender, recipient]:
                    pairs.add((sender.lower(), recipient.lower()))
                case _:
                    raise ListError(f"{self._path}:{number}: more than a sender and a recipient")
        return frozenset(pairs)


def _notations(address: str) -> tuple[str, str]:
    """How lines may name an address: itself, or `@domain`."""
    address = address.lower()
    _, at, domain = address.rpartition("@")
    return address, at + domain
