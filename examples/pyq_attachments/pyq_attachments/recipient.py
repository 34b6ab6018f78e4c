"""The action that adds a recipient."""

from __future__ import annotations

from pyquarantine_core.message import Message
from pyquarantine_core.types import Action, Options, Services


class AddRecipient(Action):
    """Puts an address into the envelope, unless it is there."""

    def __init__(self, address: str) -> None:
        self._address = address

    @classmethod
    def from_options(cls, options: Options, _services: Services) -> AddRecipient:
        return cls(options["address"])

    def apply(self, message: Message) -> None:
        message.add_recipient(self._address)
        message.log.info("added the recipient %s", self._address)
