"""The configuration as it runs, with every default and everything inherited written out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pyquarantine_core.config_keys import STORAGE_KEYS
from pyquarantine_core.cores import allowed
from pyquarantine_core.schema import with_defaults
from pyquarantine_core.types import Kind, TypeDeclaration

if TYPE_CHECKING:
    from pyquarantine_core.config import Config
    from pyquarantine_core.registry import Registry

INHERITED = ("loglevel", "pretend", "on_error")


def resolved(config: Config) -> dict[str, Any]:
    """The config's data with all that it leaves unsaid."""
    registry, settings = config.registry, config.settings
    handed_down = {
        "loglevel": settings["loglevel"],
        "pretend": settings["pretend"],
        "on_error": "tempfail",
    }
    return {
        **settings,
        "workers": settings.get("workers", len(allowed())),
        "limits": asdict(config.rules.limits),
        "storages": {
            name: with_defaults({"properties": STORAGE_KEYS}, _typed(registry, Kind.STORAGE, one))
            for name, one in settings["storages"].items()
        },
        "notifications": {
            name: _typed(registry, Kind.NOTIFICATION, one)
            for name, one in settings["notifications"].items()
        },
        "lists": {
            name: _typed(registry, Kind.LIST, one) for name, one in settings["lists"].items()
        },
        "rules": [_rule(registry, rule, handed_down) for rule in settings["rules"]],
    }


def _rule(
    registry: Registry, rule: Mapping[str, Any], handed_down: Mapping[str, Any]
) -> dict[str, Any]:
    own = {**handed_down, **{key: rule[key] for key in INHERITED if key in rule}}
    return {
        **rule,
        **own,
        "actions": [
            {
                **own,
                **action,
                "options": with_defaults(
                    _schema(registry, Kind.ACTION, action["type"]), action["options"]
                ),
            }
            for action in rule["actions"]
        ],
    }


def _typed(registry: Registry, kind: Kind, options: Mapping[str, Any]) -> dict[str, Any]:
    return with_defaults(_schema(registry, kind, options["type"]), options)


def _schema(registry: Registry, kind: Kind, name: str) -> Mapping[str, Any]:
    declaration = registry.find(kind, name)
    assert isinstance(declaration, TypeDeclaration)
    return declaration.schema
