"""Actions that store and quarantine mail, and the commands that manage what is held."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pyq_quarantine import actions
from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.schema import one_of, refers_to
from pyquarantine_core.types import ActionType, CommandType, Part, Stage

if TYPE_CHECKING:
    import click

__version__ = "3.0.0"


@hookimpl
def pyquarantine_actions() -> Iterable[ActionType]:
    yield ActionType(
        name="store",
        summary="Store the message",
        schema={
            "type": "object",
            "required": ["storage"],
            "properties": {"storage": refers_to("storages", "The storage to put it in.")},
        },
        needs=Stage.BODY,
        changes=Part.NOTHING,
        build=actions.Store.from_options,
    )
    yield ActionType(
        name="notify",
        summary="Tell the recipients about the message",
        schema={
            "type": "object",
            "required": ["notification"],
            "properties": {"notification": refers_to("notifications", "What they are told with.")},
        },
        needs=Stage.BODY,
        changes=Part.NOTHING,
        build=actions.Notify.from_options,
    )
    yield ActionType(
        name="quarantine",
        summary="Hold the message for its recipients until it is released",
        schema={
            "type": "object",
            "required": ["storage", "smtp_host", "smtp_port"],
            "properties": {
                "storage": refers_to("storages", "The storage to hold it in."),
                "smtp_host": {
                    "type": "string",
                    "minLength": 1,
                    "description": "SMTP server that released mail is sent to.",
                },
                "smtp_port": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": 65535,
                    "description": "Its port; one whose mail does not come through this filter.",
                },
                "notification": refers_to("notifications", "Tells the recipients."),
                "milter_action": one_of(
                    *actions.MILTER_ACTIONS,
                    description="What the MTA is told. Unset, it delivers the message as well, "
                    "and the rules go on. ACCEPT delivers it as well and ends the rules. REJECT "
                    "and DISCARD take the held recipients out; when none is left, they are "
                    "answered and end the rules.",
                ),
                "reject_reason": {
                    "type": "string",
                    "minLength": 1,
                    "default": "Message rejected",
                    "description": "Text of the reply to the client when the message is rejected.",
                },
                "allowlist": refers_to(
                    "lists", "Recipients for whom this list has an entry are left out."
                ),
                "name": {"type": "string", "description": "Read and ignored, as 2.x wrote it."},
            },
        },
        needs=Stage.BODY,
        changes=Part.RECIPIENTS,
        build=actions.Quarantine.from_options,
    )


@hookimpl
def pyquarantine_commands() -> Iterable[CommandType]:
    yield CommandType(
        name="quarantine", summary="Find, show, release and delete held mail.", build=_command
    )


def _command() -> click.Command:
    from pyq_quarantine.commands import quarantine  # noqa: PLC0415 - only for this command

    return quarantine
