"""`var` and `metavar`: what conditions leave for later rules."""

from __future__ import annotations

from typing import Any

import pyq_conditions
import pytest

from pyquarantine_core.message import Message
from pyquarantine_core.testing.rules import judge, load, matches, received, rule

SCORED = b"X-Spam-Score: 7.5\nX-Spam-Rules: LOTTERY\nSubject: Hello\n\n"


def after(message: Message, conditions: dict[str, Any]) -> dict[str, str]:
    """The metavariables once rules with these conditions have run."""
    rules = [rule("nothing", {}, conditions=conditions)]
    judge(load({"rules": rules}, pyq_conditions), message)
    return message.variables


@pytest.mark.parametrize(
    ("conditions", "variables"),
    [
        ({"headers": ["^X-Spam-Score: (?P<SCORE>[0-9.]+)"]}, {"M_SCORE": "7.5"}),
        (
            {"headers": ["-Score: (?P<SCORE>.*)", "-Rules: (?P<RULES>.*)"]},
            {"M_SCORE": "7.5", "M_RULES": "LOTTERY"},
        ),
        ({"headers": ["^Subject: (?P<YES>H.*)?(?P<NO>Z)?"]}, {"M_YES": "Hello"}),
        ({"envfrom": "(?P<USER>[^@]*)@"}, {"M_USER": "sender"}),
        ({"envto": ".*@(?P<DOMAIN>.*)"}, {"M_DOMAIN": "example.org"}),
        (
            {"envfrom": "(?P<FROM>[^@]*)", "envto": "(?P<TO>[^@]*)"},
            {"M_FROM": "sender", "M_TO": "recipient"},
        ),
        ({"envfrom": "(?P<USER>[^@]*)@", "headers": ["^X-Other"]}, {}),
    ],
)
def test_named_groups_become_metavariables_when_all_conditions_match(
    conditions: dict[str, Any], variables: dict[str, str]
) -> None:
    assert after(received(SCORED), {**conditions, "metavar": "M"}) == variables


def test_without_metavar_named_groups_are_forgotten() -> None:
    assert after(received(SCORED), {"envfrom": "(?P<USER>[^@]*)@"}) == {}


def test_of_several_recipients_the_last_one_counts() -> None:
    message = received(recipients=["one@example.org", "two@example.org"])
    assert after(message, {"envto": "(?P<USER>[^@]*)@", "metavar": "M"}) == {"M_USER": "two"}


def test_var_matches_when_a_metavariable_is_set() -> None:
    message = received()
    message.variables["SPAM_SCORE"] = ""
    assert matches({"var": "SPAM_SCORE"}, message, pyq_conditions)
    assert not matches({"var": "spam_score"}, message, pyq_conditions)
    assert not matches({"var": "SPAM"}, message, pyq_conditions)


def test_var_sees_what_conditions_of_an_earlier_rule_have_set() -> None:
    score = {"headers": ["^X-Spam-Score: (?P<SCORE>[0-9.]+)"], "metavar": "SPAM"}
    rules = [
        {**rule("nothing", {}, conditions=score), "name": "look"},
        {**rule("nothing", {}, conditions={"var": "SPAM_SCORE"}), "name": "use"},
    ]
    config = load({"rules": rules}, pyq_conditions)
    assert judge(config, received(SCORED)).ran == ("look/action", "use/action")
    assert judge(config, received()).ran == ()


def test_var_sees_what_the_conditions_of_its_rule_have_set() -> None:
    keys = {"conditions": {"envfrom": "(?P<USER>sender)@", "metavar": "M"}}
    inner = {"name": "a", "type": "nothing", "options": {}, "conditions": {"var": "M_USER"}}
    config = load({"rules": [{"name": "r", "actions": [inner], **keys}]}, pyq_conditions)
    assert judge(config, received()).ran == ("r/a",)
