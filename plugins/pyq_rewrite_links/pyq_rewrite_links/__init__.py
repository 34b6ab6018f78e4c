"""The action that replaces the targets of links in HTML."""

from __future__ import annotations

from collections.abc import Iterable

from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.types import ActionType, BuiltBy, Part, Stage

__version__ = "3.0.0"


@hookimpl
def pyquarantine_actions() -> Iterable[ActionType]:
    yield ActionType(
        name="rewrite_links",
        summary="Replace the targets of links in HTML",
        schema={
            "type": "object",
            "required": ["repl"],
            "properties": {
                "repl": {
                    "type": "string",
                    "minLength": 1,
                    "description": "The new target. `{URL}` stands for the old one, "
                    "percent-encoded, `{URL_B64}` for the same in base64.",
                },
            },
        },
        needs=Stage.BODY,
        changes=Part.HEADERS | Part.BODY,
        build=BuiltBy("pyq_rewrite_links.action:RewriteLinks.from_options"),
    )
