"""A condition on attachments, and an action that adds a recipient."""

from __future__ import annotations

from collections.abc import Iterable

from pyq_attachments.attachments import Attachments
from pyq_attachments.recipient import AddRecipient
from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.types import ActionType, ConditionType, Part, Stage


@hookimpl
def pyquarantine_conditions() -> Iterable[ConditionType]:
    yield ConditionType(
        name="attachments",
        summary="A file of the message has one of these names or types",
        schema={
            "type": "object",
            "description": "Which files to look for; one that has one of the names or one of the "
            "types is enough. ZIP archives are looked into.",
            "minProperties": 1,
            "properties": {
                "names": {
                    "type": "array",
                    "items": {"type": "string", "format": "python-regex"},
                    "default": [],
                    "description": "Regular expressions that are found in file names, ignoring "
                    "case.",
                },
                "types": {
                    "type": "array",
                    "items": {
                        "type": "string",
                        "pattern": "^[^/ ]+/[^/ ]+$",
                        "x-expected": "a MIME type",
                    },
                    "default": [],
                    "description": "MIME types; `*` stands for anything, as in `video/*`.",
                },
                "unreadable": {
                    "type": "boolean",
                    "default": False,
                    "description": "Whether what cannot be looked into is enough, too: an archive "
                    "that is encrypted, broken or too large, and mail that clients take apart in "
                    "different ways.",
                },
            },
        },
        decided_at=Stage.BODY,
        reads=Part.HEADERS | Part.BODY,
        build=Attachments.from_value,
    )


@hookimpl
def pyquarantine_actions() -> Iterable[ActionType]:
    yield ActionType(
        name="add_recipient",
        summary="Send the message to one more address",
        schema={
            "type": "object",
            "required": ["address"],
            "properties": {
                "address": {
                    "type": "string",
                    "pattern": r"^[^\s<>@\u0000-\u001f]+@[^\s<>@\u0000-\u001f]+$",
                    "x-expected": "an address such as user@example.org",
                    "description": "The address, without angle brackets.",
                },
            },
        },
        needs=Stage.ENVELOPE,
        changes=Part.RECIPIENTS,
        build=AddRecipient.from_options,
    )
