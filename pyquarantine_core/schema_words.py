"""A merged schema in words: which options an object has, and what each may be."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pyquarantine_core.schema import EXPECTED, REFERS_TO, WORDS, WRITE_ONLY, Json

TYPES: Mapping[str, str] = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "`true` or `false`",
    "null": "`null`",
    "object": "an object",
    "array": "a list",
}
FORMATS: Mapping[str, str] = {
    "python-regex": "a regular expression",
    "network": "a host or network",
}
CORE: Mapping[str, str] = {
    "rule": "a [rule](#rules)",
    "action": "an [action](#actions)",
    "conditions": "[conditions](#conditions)",
    "storage": "a [storage](#storages)",
    "notification": "a [notification](#notifications)",
    "list": "a [list](#lists)",
}
"""Definitions of the core, each with a section of its own."""


@dataclass(frozen=True, slots=True)
class Option:
    """A key of an object in the config.

    Attributes:
        path: below the object: `plugins.allow`, or `servers[].port` in the items of a list.
        type: what its value may be.
        required: whether the object that it is in must have it.
        default: as JSON; empty where there is none.
        meaning: its description.
    """

    path: str
    type: str
    required: bool
    default: str
    meaning: str


class SchemaWords:
    """Reads a schema whose references all begin at `#/$defs/`.

    Args:
        definitions: the schema's `$defs`.
    """

    def __init__(self, definitions: Json) -> None:
        self._definitions = definitions

    def options(self, schema: Json, prefix: str = "") -> Iterator[Option]:
        """The options of an object; below each, those of the objects in it."""
        yield from self._options(schema, prefix, ())

    def type(self, schema: Json) -> str:
        """What a value may be: "a whole number from 1 to 65535"."""
        return self._type(schema, ())

    def _options(self, schema: Json, prefix: str, inside: tuple[str, ...]) -> Iterator[Option]:
        schema, inside = self._followed(schema, inside)
        required = schema.get("required", ())
        for key, said in schema.get("properties", {}).items():
            value, _ = self._followed(said, inside)
            yield Option(
                path=f"{prefix}{key}",
                type=self._type(said, inside),
                required=key in required,
                default=json.dumps(value["default"]) if "default" in value else "",
                meaning=value.get("description", ""),
            )
            yield from self._options(said, f"{prefix}{key}.", inside)
        if isinstance(items := schema.get("items"), dict):
            yield from self._options(items, f"{prefix.removesuffix('.')}[].", inside)

    def _type(self, schema: Json | bool, inside: tuple[str, ...]) -> str:
        name = schema.get("$ref", "").removeprefix("#/$defs/") if isinstance(schema, dict) else ""
        if name in CORE:
            return CORE[name]
        if name in inside:
            return "the same again"
        schema, inside = self._followed(schema, inside)
        for choice in ("anyOf", "oneOf"):
            if choice in schema:
                return " or ".join(self._type(one, inside) for one in schema[choice])
        types = schema.get("type", [])
        words = [self._word(one, schema, inside) for one in _as_list(types)]
        return " or ".join(words) or self._word("", schema, inside)

    def _word(self, kind: str, schema: Json, inside: tuple[str, ...]) -> str:
        if WORDS in schema or "enum" in schema:
            return _either(schema.get(WORDS) or schema["enum"])
        if "const" in schema:
            return _either([schema["const"]])
        if REFERS_TO in schema:
            return f"the name of {CORE[schema[REFERS_TO].removesuffix('s')]}"
        if EXPECTED in schema:
            return str(schema[EXPECTED])
        if kind == "array" and isinstance(schema.get("items"), dict):
            return f"a list, each item {self._type(schema['items'], inside)}"
        if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
            return f"by name, each {self._type(schema['additionalProperties'], inside)}"
        if kind in ("integer", "number"):
            return TYPES[kind] + _range(schema)
        if kind == "string" and schema.get(WRITE_ONLY):
            return "a text that is never printed"
        if kind == "string" and "format" in schema:
            return FORMATS.get(schema["format"], f"a text ({schema['format']})")
        return TYPES.get(kind, "any value")

    def _followed(
        self, schema: Json | bool, inside: tuple[str, ...]
    ) -> tuple[Json, tuple[str, ...]]:
        """The schema with what it refers to merged in; nothing is entered twice."""
        if isinstance(schema, bool):  # anything, or nothing (JSON Schema core, 4.3.2)
            return ({} if schema else {"enum": []}), inside
        while "$ref" in schema:
            name = schema["$ref"].removeprefix("#/$defs/")
            own = {key: value for key, value in schema.items() if key != "$ref"}
            if name in inside or name in CORE:
                return own, inside
            schema, inside = {**self._definitions[name], **own}, (*inside, name)
        return schema, inside


def plain(text: str) -> str:
    """The words for a terminal: without the links to sections of the reference."""
    return re.sub(r"\[([^]]*)\]\(#[^)]*\)", r"\1", text)


def _as_list(types: str | list[str]) -> list[str]:
    return [types] if isinstance(types, str) else types


def _either(values: list[object]) -> str:
    """JSON values as alternatives; texts without their quotes."""
    texts = [f"`{one if isinstance(one, str) else json.dumps(one)}`" for one in values]
    return " or ".join(filter(None, (", ".join(texts[:-1]), *texts[-1:]))) or "nothing"


def _range(schema: Json) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f" from {low} to {high}"
    if low is not None:
        return f", at least {low}"
    return "" if high is None else f", at most {high}"
