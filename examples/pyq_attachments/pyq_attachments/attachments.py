"""The condition on attachments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from pyq_attachments.archives import Archives, looks_like_archive
from pyquarantine_core.message import Message
from pyquarantine_core.mime.content import ContentError
from pyquarantine_core.mime.reading import MessageParts
from pyquarantine_core.patterns import Pattern, compile_pattern
from pyquarantine_core.types import Condition, Match, Services

_IN_ONE_PIECE = frozenset({"message/rfc822", "message/global", "message/partial"})
"""What holds files that cannot be seen, where it is a leaf: encoded, too deep, or in fragments."""


@dataclass(frozen=True, slots=True)
class File:
    """A file in a message.

    Attributes:
        name: of the file; in an archive, with its path there.
        type: MIME type; empty in an archive.
        unreadable: why it could not be looked into; empty for all other files.
    """

    name: str
    type: str = ""
    unreadable: str = ""


class Attachments(Condition):
    """Whether some file has one of the names or types."""

    def __init__(self, names: Sequence[Pattern], types: Sequence[str], *, unreadable: bool) -> None:
        self._names = names
        self._types = types
        self._unreadable = unreadable

    @classmethod
    def from_value(cls, value: Mapping[str, Any], _services: Services) -> Attachments:
        return cls(
            [compile_pattern(text) for text in value["names"]],
            [text.lower() for text in value["types"]],
            unreadable=value["unreadable"],
        )

    def check(self, message: Message) -> Match:
        budget = message.budget()
        for file in files_of(message):
            if any(pattern.search(file.name, budget) for pattern in self._names):
                return Match(True, f"a file is named {file.name!r}")
            if any(fnmatchcase(file.type, wanted) for wanted in self._types):
                return Match(True, f"{file.name!r} is of type {file.type}")
            if self._unreadable and file.unreadable:
                return Match(True, f"cannot look into {file.name!r}: {file.unreadable}")
        return Match(matched=False, reason="no such file")


def files_of(message: Message) -> Iterator[File]:
    """The files of a message, each followed by what is in it."""
    parts = MessageParts(message)
    archives = Archives()
    for part in parts.leaves():
        if part.type.startswith("text/") and not part.is_attachment:
            continue
        if part.type in _IN_ONE_PIECE or part.type.startswith("multipart/"):
            yield File(part.filename, part.type, unreadable=f"a {part.type} in one piece")
            continue
        try:
            content = parts.content(part)
        except ContentError as error:
            yield File(part.filename, part.type, unreadable=str(error))
            continue
        yield File(part.filename, part.type)
        if looks_like_archive(part.filename, content):
            for name, unreadable in archives.names(content, part.filename):
                yield File(name, unreadable=unreadable)
    for obstacle in filter(None, (parts.limit, parts.doubt)):
        yield File("", unreadable=obstacle)
