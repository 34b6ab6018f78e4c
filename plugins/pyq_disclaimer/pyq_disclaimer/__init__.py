"""The action that puts a disclaimer into the text of messages."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import resources

from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.schema import one_of
from pyquarantine_core.types import ActionType, BuiltBy, DefaultFile, Part, Stage

__version__ = "3.0.0"

VARIABLES = "`{NAME}` stands for the metavariable of that name, `{ENVELOPE_FROM}` for the sender"


@hookimpl
def pyquarantine_actions() -> Iterable[ActionType]:
    yield ActionType(
        name="add_disclaimer",
        summary="Add a disclaimer to the text of the message",
        schema={
            "type": "object",
            "required": ["action", "html_template", "text_template"],
            "properties": {
                "action": one_of(
                    "append", "prepend", description="Where the disclaimer goes in the text."
                ),
                "html_template": {
                    "type": "string",
                    "minLength": 1,
                    "description": "Path to the disclaimer in HTML, a file in UTF-8. "
                    f"In it {VARIABLES}, HTML-escaped.",
                },
                "text_template": {
                    "type": "string",
                    "minLength": 1,
                    "description": "Path to the disclaimer in plain text, a file in UTF-8. "
                    f"In it {VARIABLES}.",
                },
                "error_policy": {
                    **one_of("wrap", "ignore", "reject", description=""),
                    "default": "wrap",
                    "description": "What is done with a message that cannot be edited, such as a "
                    "signed or encrypted one: `wrap` makes a new message of the disclaimer with "
                    "the original attached, `ignore` leaves it alone, `reject` rejects it.",
                },
                "add_html_body": {
                    "type": "boolean",
                    "default": False,
                    "description": "Give a message that has only a plain text an HTML text too.",
                },
            },
        },
        needs=Stage.BODY,
        changes=Part.HEADERS | Part.BODY,
        build=BuiltBy("pyq_disclaimer.action:AddDisclaimer.from_options"),
    )


@hookimpl
def pyquarantine_files() -> Iterable[DefaultFile]:
    directory = resources.files("pyq_disclaimer") / "defaults"
    for name in ("disclaimer_html.template", "disclaimer_text.template"):
        yield DefaultFile(name=f"templates/{name}", source=directory / name)
