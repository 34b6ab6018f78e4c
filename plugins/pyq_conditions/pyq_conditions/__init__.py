"""Conditions on the client, the envelope, the headers, lists and metavariables."""

from __future__ import annotations

from collections.abc import Iterable

from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.schema import refers_to
from pyquarantine_core.types import BuiltBy, ConditionType, Part, Stage

__version__ = "3.0.0"


@hookimpl
def pyquarantine_conditions() -> Iterable[ConditionType]:
    yield ConditionType(
        name="local",
        summary="Whether the client's address is among `local_addrs`",
        schema={
            "type": "boolean",
            "description": "true: the client is local, false: it is not. "
            "A client without an address (local submission) is local.",
        },
        decided_at=Stage.CONNECT,
        build=BuiltBy("pyq_conditions.client:Local.from_value"),
    )
    yield ConditionType(
        name="hosts",
        summary="The client's address is in one of these networks",
        schema={
            "type": "array",
            "items": {"type": "string", "format": "network"},
            "description": "Hosts and networks, one of which holds the client's address.",
        },
        decided_at=Stage.CONNECT,
        build=BuiltBy("pyq_conditions.client:Hosts.from_value"),
    )
    yield ConditionType(
        name="envfrom",
        summary="The envelope sender matches",
        schema={
            "type": "string",
            "format": "python-regex",
            "description": "Regular expression that matches the bare sender address from its "
            "start, ignoring case; the null sender is the empty text.",
        },
        decided_at=Stage.ENVELOPE,
        reads=Part.NOTHING,
        build=BuiltBy("pyq_conditions.envelope:EnvelopeFrom.from_value"),
    )
    yield ConditionType(
        name="envto",
        summary="All envelope recipients match",
        schema={
            "type": "string",
            "format": "python-regex",
            "description": "Regular expression that matches every bare recipient address from "
            "its start, ignoring case.",
        },
        decided_at=Stage.ENVELOPE,
        build=BuiltBy("pyq_conditions.envelope:EnvelopeTo.from_value"),
    )
    yield ConditionType(
        name="headers",
        summary="Every pattern matches some header",
        schema={
            "type": "array",
            "items": {"type": "string", "format": "python-regex"},
            "description": "Regular expressions, each of which is found in some header as "
            "`Name: value` (decoded and unfolded), ignoring case; `.` matches line breaks, `^` "
            "and `$` match at lines.",
        },
        decided_at=Stage.HEADERS,
        reads=Part.HEADERS,
        build=BuiltBy("pyq_conditions.headers:Headers.from_value"),
    )
    yield ConditionType(
        name="list",
        summary="A list covers sender and recipients",
        schema=refers_to(
            "lists", "A list that has an entry for the sender and each remaining recipient."
        ),
        decided_at=Stage.ENVELOPE,
        build=BuiltBy("pyq_conditions.envelope:Listed.from_value"),
    )
    yield ConditionType(
        name="var",
        summary="A metavariable is set",
        schema={
            "type": "string",
            "minLength": 1,
            "description": "A metavariable that an action or condition before this one has set.",
        },
        decided_at=Stage.ENVELOPE,
        reads=Part.VARIABLES,
        build=BuiltBy("pyq_conditions.variables:Variable.from_value"),
    )
