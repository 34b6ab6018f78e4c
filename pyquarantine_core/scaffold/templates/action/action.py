"""What the action does."""

from __future__ import annotations

from typing import Self

from pyquarantine_core.message import Message
from pyquarantine_core.types import Action, Options, Services


class TagSubject(Action):
    """Puts a tag before the subject, once; a message without a subject gets one."""

    def __init__(self, tag: str) -> None:
        self._tag = tag

    @classmethod
    def from_options(cls, options: Options, _services: Services) -> Self:
        """From the options in the config: checked by the schema, with its defaults."""
        return cls(options["tag"])

    def apply(self, message: Message) -> None:
        subjects = [header for header in message.headers if header.name.lower() == "subject"]
        if not subjects:
            message.add_header("Subject", self._tag)
        message.edit_headers(
            [
                (header, f"{self._tag} {header.value}")
                for header in subjects
                if not header.value.startswith(self._tag)
            ]
        )
