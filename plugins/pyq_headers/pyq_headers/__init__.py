"""Actions that add, change and delete headers."""

from __future__ import annotations

from collections.abc import Iterable

from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.types import ActionType, BuiltBy, Part, Stage

__version__ = "3.0.0"

NAME = {
    "type": "string",
    "pattern": "^[!-9;-~]+$",
    "x-expected": "a header name",
    "description": "Name of the header.",
}
"""Printable ASCII but no colon (RFC 5322, 2.2)."""
NAME_PATTERN = {
    "type": "string",
    "format": "python-regex",
    "description": "Regular expression that matches header names from their start, ignoring case.",
}
VALUE_PATTERN = {"type": "string", "format": "python-regex"}
FOUND_IN = (
    "found in the decoded, unfolded value, ignoring case; `.` matches line breaks, `^` and `$` "
    "match at lines."
)


@hookimpl
def pyquarantine_actions() -> Iterable[ActionType]:
    yield ActionType(
        name="add_header",
        summary="Add a header",
        schema={
            "type": "object",
            "required": ["field", "value"],
            "properties": {
                "field": NAME,
                "value": {"type": "string", "description": "Value of the header."},
            },
        },
        needs=Stage.ENVELOPE,
        changes=Part.HEADERS,
        build=BuiltBy("pyq_headers.actions:AddHeader.from_options"),
    )
    yield ActionType(
        name="mod_header",
        summary="Change the value of headers",
        schema={
            "type": "object",
            "required": ["field", "value"],
            "properties": {
                "field": NAME_PATTERN,
                "search": {
                    **VALUE_PATTERN,
                    "description": "Regular expression; each place where it is "
                    f"{FOUND_IN} Unset, the whole value is replaced.",
                },
                "value": {
                    "type": "string",
                    "description": "What is put there; with `search`, `\\1` and `\\g<name>` stand "
                    "for its groups. A header that would become empty is left alone.",
                },
            },
        },
        needs=Stage.HEADERS,
        changes=Part.HEADERS,
        build=BuiltBy("pyq_headers.actions:ModHeader.from_options"),
    )
    yield ActionType(
        name="del_header",
        summary="Delete headers",
        schema={
            "type": "object",
            "required": ["field"],
            "properties": {
                "field": NAME_PATTERN,
                "value": {
                    **VALUE_PATTERN,
                    "description": f"Regular expression that must be {FOUND_IN}",
                },
            },
        },
        needs=Stage.HEADERS,
        changes=Part.HEADERS,
        build=BuiltBy("pyq_headers.actions:DelHeader.from_options"),
    )
