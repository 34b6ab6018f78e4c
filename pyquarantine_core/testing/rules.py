r"""Puts messages through the rules of a config, without a daemon: for tests of plugins.

    message = received(b"Subject: Hello\n\nBody\n", sender="a@example.org")
    assert matches({"my_condition": True}, message, my_plugin)
    assert act("my_action", {"text": "x"}, message, my_plugin).changes == ("add the header ...",)
    config = load({"rules": [...]}, my_plugin)
    judge(config, message).ran

This module is a plugin itself: its action `nothing` lets a test of conditions have rules.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from importlib_metadata import EntryPoint

from pyquarantine_core.address import Recipient
from pyquarantine_core.changes import describe_changes
from pyquarantine_core.client import Client
from pyquarantine_core.config import Config, build
from pyquarantine_core.config_file import parse_config
from pyquarantine_core.engine import ACCEPTED, Cursor
from pyquarantine_core.hookspecs import GROUP, hookimpl
from pyquarantine_core.loading import load_entry_points
from pyquarantine_core.message import Message
from pyquarantine_core.registry import PluginPolicy, Status
from pyquarantine_core.testing.mail import crlf, split
from pyquarantine_core.types import Action, ActionType, Decision, Part, Stage

CONFIG_NAME = Path("pyquarantine.conf")
"""How errors name the config."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of a message; the changes are on the message.

    Attributes:
        decision: what the MTA is told.
        stage: when that was known.
        ran: `RULE/ACTION` of the actions that ran, in order.
    """

    decision: Decision
    stage: Stage
    ran: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Acted:
    """What an action did to a message.

    Attributes:
        decision: its word that the rules end; None when it went on.
        changes: each in words, as the log of a pretended action has them.
        content: the message as it is now, lines in CRLF.
        recipients: the envelope as it is now.
    """

    decision: Decision | None
    changes: tuple[str, ...]
    content: bytes
    recipients: tuple[str, ...]


def received(
    content: bytes = b"\n",
    *,
    sender: str = "sender@example.org",
    recipients: Iterable[str] = ("recipient@example.org",),
    client: str | None = "192.0.2.1",
) -> Message:
    """A message as the MTA hands it over, line ends made CRLF.

    Args:
        content: headers, empty line, body.
        sender: bare address.
        recipients: arguments of RCPT.
        client: the client's IP address; None for a local submission.
    """
    message = Message(Client.from_text("client.example", client), sender)
    message.queue_id = "4XyZ1234"
    for recipient in recipients:
        message.receive_recipient(Recipient.from_mta(recipient))
    headers, body = split(crlf(content))
    for header in headers:
        message.receive_header(header.name.decode("ascii"), header.value)
    message.received_body.append(body)
    return message


def load(config: Mapping[str, Any] | str, *plugins: ModuleType) -> Config:
    """Check and build a config with these plugins and the action `nothing`, and no others.

    Args:
        config: its data, or its text.
        plugins: modules with hooks.

    Raises:
        ConfigError: what is wrong with the config.
        AssertionError: a plugin cannot be loaded.
    """
    modules = [__name__, *(plugin.__name__ for plugin in plugins)]
    registry = load_entry_points(
        (EntryPoint(name, name, GROUP) for name in modules), PluginPolicy()
    )
    for plugin in registry.plugins:
        assert plugin.status is Status.ACTIVE, f"{plugin.name}: {plugin.cause}"
    text = config if isinstance(config, str) else json.dumps(config, indent=4)
    return build(parse_config(text, CONFIG_NAME), registry)


def judge(config: Config, message: Message) -> Judged:
    """Let the rules see a message stage by stage until they have decided.

    Raises:
        RuleError: a condition or action failed.
    """
    cursor = Cursor(config.rules, message)
    for stage in Stage:
        decision = cursor.advance(stage)
        if decision is not None:
            return Judged(decision, stage, tuple(cursor.ran))
    raise AssertionError("the rules end with the message")


def matches(
    conditions: Mapping[str, Any],
    message: Message,
    *plugins: ModuleType,
    **settings: Any,
) -> bool:
    """Whether conditions hold for a message; `settings` are more keys at the top of the config."""
    config = load({"rules": [rule("nothing", {}, conditions=conditions)], **settings}, *plugins)
    return bool(judge(config, message).ran)


def act(
    action: str,
    options: Mapping[str, Any],
    message: Message,
    *plugins: ModuleType,
    **settings: Any,
) -> Acted:
    """Let one action work on a message; `settings` are more keys at the top of the config.

    What it stages is prepared, and not committed: `message.effects` has it.

    Raises:
        RuleError: it failed.
    """
    before = message.snapshot()
    judged = judge(load({"rules": [rule(action, options)], **settings}, *plugins), message)
    return Acted(
        None if judged.decision is ACCEPTED else judged.decision,
        tuple(describe_changes(before, message)),
        b"".join(message.chunks()),
        message.addresses,
    )


def rule(action: str, options: Mapping[str, Any], **keys: Any) -> dict[str, Any]:
    """A rule with one action of this type; `keys` are more keys of the rule."""
    actions: Sequence[Mapping[str, Any]] = [{"name": "action", "type": action, "options": options}]
    return {"name": "rule", "actions": actions, **keys}


class _Nothing(Action):
    def apply(self, message: Message) -> None:
        """Leave all as it is."""


@hookimpl
def pyquarantine_actions() -> Iterable[ActionType]:
    yield ActionType(
        name="nothing",
        summary="Does nothing, for tests",
        schema={"type": "object", "properties": {}},
        needs=Stage.CONNECT,
        changes=Part.NOTHING,
        build=lambda _options, _services: _Nothing(),
    )
