"""Passwords stay out of everything that is printed."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import pytest

from pyquarantine_core.config_schema import merged_schema
from pyquarantine_core.errors import ConfigError
from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.masking import masked
from pyquarantine_core.schema import secret
from pyquarantine_core.testing.rules import load, rule
from pyquarantine_core.types import (
    Action,
    ActionType,
    ListType,
    MailList,
    Part,
    Stage,
)

PASSWORD = "hunter2"


class Anybody(MailList):
    def covers(self, sender: str, recipient: str) -> bool:
        return True


class Idle(Action):
    def apply(self, message: object) -> None:
        pass


@hookimpl
def pyquarantine_lists() -> Iterable[ListType]:
    yield ListType(
        name="guarded",
        summary="For these tests",
        schema={
            "type": "object",
            "required": ["login"],
            "properties": {"login": {"$ref": "#/$defs/login"}, "host": {"type": "string"}},
            "$defs": {"login": secret("Name and password.")},
        },
        build=lambda _options, _services: Anybody(),
    )


@hookimpl
def pyquarantine_actions() -> Iterable[ActionType]:
    yield ActionType(
        name="guarded",
        summary="For these tests",
        schema={
            "type": "object",
            "properties": {"tokens": {"type": "array", "items": secret("A token.")}},
        },
        needs=Stage.CONNECT,
        changes=Part.NOTHING,
        build=lambda _options, _services: Idle(),
    )


def config_with(login: object) -> dict[str, object]:
    return {
        "lists": {"friends": {"type": "guarded", "login": login, "host": "db.example"}},
        "rules": [rule("guarded", {"tokens": [PASSWORD, PASSWORD]})],
    }


def test_secrets_are_masked_wherever_a_schema_puts_them() -> None:
    config = load(config_with(PASSWORD), sys.modules[__name__])
    shown = masked(config.settings, config.registry)
    assert shown["lists"]["friends"] == {"type": "guarded", "login": "***", "host": "db.example"}
    assert shown["rules"][0]["actions"][0]["options"] == {"tokens": ["***", "***"]}
    assert PASSWORD not in str(shown)


def test_the_settings_themselves_stay_as_they_are() -> None:
    config = load(config_with(PASSWORD), sys.modules[__name__])
    masked(config.settings, config.registry)
    assert config.settings["lists"]["friends"]["login"] == PASSWORD


@pytest.mark.parametrize("login", [[PASSWORD], {"password": PASSWORD}, ""])
def test_a_secret_that_is_not_fit_is_refused_without_being_shown(login: object) -> None:
    with pytest.raises(ConfigError) as caught:
        load(config_with(login), sys.modules[__name__])
    assert str(caught.value) == (
        "pyquarantine.conf:5: lists.friends.login: is not fit: Name and password"
    )


def test_editors_see_that_it_is_a_secret() -> None:
    config = load(config_with(PASSWORD), sys.modules[__name__])
    assert merged_schema(config.registry)["$defs"]["list.guarded.login"]["writeOnly"] is True
