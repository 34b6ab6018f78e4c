"""The reference of all options as Markdown, written from the schemas of the plugins at hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pyquarantine_core.config_keys import STORAGE_KEYS
from pyquarantine_core.config_schema import merged_schema
from pyquarantine_core.registry import Registry
from pyquarantine_core.schema import Json
from pyquarantine_core.schema_words import Option, SchemaWords
from pyquarantine_core.types import (
    ActionType,
    ConditionType,
    Kind,
    ListType,
    NotificationType,
    ServiceType,
    StorageType,
    TypeDeclaration,
)

INTRODUCTION = """\
# Configuration reference

Every key of the config file, as the installed plugins declare it. What the keys do together is told
in [configuration.md](configuration.md)."""


def reference(registry: Registry) -> str:
    """Every key that a config may have with these plugins, as Markdown.

    A type that two plugins claim is left out, for no config can use it.
    """
    return "\n\n".join(_Reference(registry).blocks()) + "\n"


class _Reference:
    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._schema = merged_schema(registry)
        self._definitions: Json = self._schema["$defs"]
        self._words = SchemaWords(self._definitions)

    def blocks(self) -> Iterator[str]:
        yield INTRODUCTION
        yield "## Global keys"
        yield self._options(self._schema)
        yield "## Rules"
        yield self._options(self._definitions["rule"])
        yield "## Conditions"
        yield "The keys of `conditions`, in a rule or an action."
        yield self._conditions()
        yield "## Actions"
        yield self._options(self._definitions["action"])
        yield from self._types(Kind.ACTION, ActionType)
        yield "## Storages"
        yield "These keys and `type` are common to all storages."
        yield self._options({"properties": STORAGE_KEYS})
        yield from self._types(Kind.STORAGE, StorageType, common=STORAGE_KEYS)
        yield "## Notifications"
        yield from self._types(Kind.NOTIFICATION, NotificationType)
        yield "## Lists"
        yield from self._types(Kind.LIST, ListType)
        yield "## Services"
        yield from self._services()

    def _conditions(self) -> str:
        rows = []
        for one in self._registry.all(Kind.CONDITION, ConditionType):
            schema = self._definitions[f"condition.{one.name}"]
            meaning = f"{one.summary}. {schema.get('description', '')}"
            package = self._registry.provider(Kind.CONDITION, one.name).package
            rows.append((f"`{one.name}`", self._words.type(schema), package, meaning))
            rows += [
                (f"`{option.path}`", option.type, package, option.meaning)
                for option in self._words.options(schema, f"{one.name}.")
            ]
        metavar = self._definitions["conditions"]["properties"]["metavar"]
        rows.append(
            (
                "`metavar`",
                self._words.type(metavar),
                "(core)",
                f"No condition. {metavar['description']}",
            )
        )
        return _table(("key", "type", "package", "meaning"), rows)

    def _services(self) -> Iterator[str]:
        found = self._registry.all(Kind.SERVICE, ServiceType)
        if not found:
            yield "No plugin provides a service."
        for one in found:
            schema = self._definitions[f"service.{one.name}"]
            package = self._registry.provider(Kind.SERVICE, one.name).package
            yield f"### Service `{one.name}`"
            yield f"{one.summary}. From the package {package}."
            meaning = schema.get("description", "")
            yield f"`{one.name}` at the top of the config, {self._words.type(schema)}: {meaning}"
            if "properties" in schema:
                yield self._options(schema)

    def _types(
        self, kind: Kind, declared_as: type[TypeDeclaration], common: Iterable[str] = ()
    ) -> Iterator[str]:
        found = self._registry.all(kind, declared_as)
        if not found:
            yield f"No plugin provides a type of {kind.value}."
        for one in found:
            package = self._registry.provider(kind, one.name).package
            yield f"### {kind.singular.capitalize()} `{one.name}`"
            yield f"{one.summary}. From the package {package}."
            yield self._options(
                self._definitions[f"{kind.singular}.{one.name}"], without={"type", *common}
            )

    def _options(self, schema: Json, without: Iterable[str] = ()) -> str:
        properties = schema.get("properties", {})
        own = {key: value for key, value in properties.items() if key not in set(without)}
        rows = [_row(option) for option in self._words.options({**schema, "properties": own})]
        return _table(("key", "type", "default", "meaning"), rows) if rows else "It has no options."


def _row(option: Option) -> tuple[str, ...]:
    default = f"`{option.default}`" if option.default else ""
    return (
        f"`{option.path}`",
        option.type,
        "**required**" if option.required else default,
        option.meaning,
    )


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    """Text that stays within its cell (GitHub Flavored Markdown, 4.10)."""
    return " ".join(text.split()).replace("|", "\\|")
