"""An action: how long the headers are, as a header."""

from __future__ import annotations

from collections.abc import Iterable

from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.message import Message
from pyquarantine_core.types import Action, ActionType, Part, Stage


class Count(Action):
    def __init__(self, unit: int) -> None:
        self._unit = unit

    def apply(self, message: Message) -> None:
        texts = (header.text.encode("utf-8", "surrogateescape") for header in message.headers)
        length = sum(map(len, texts))
        message.add_header("X-Count", str(length // self._unit))


@hookimpl
def pyquarantine_actions() -> Iterable[ActionType]:
    yield ActionType(
        name="count",
        summary="Add a header with the length of all headers",
        schema={
            "type": "object",
            "properties": {
                "unit": {
                    "type": "integer", "minimum": 1, "default": 1,
                    "description": "Bytes to count as one.",
                }
            },
        },
        needs=Stage.HEADERS,
        changes=Part.HEADERS,
        build=lambda options, _services: Count(options["unit"]),
    )  # fmt: skip
