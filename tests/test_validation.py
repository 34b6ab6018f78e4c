"""Each mistake in a config is one line that says what is wrong, where, and what would be right."""

from __future__ import annotations

from typing import Any

import pyq_conditions
import pyq_file_storage
import pyq_headers
import pyq_quarantine
import pytest

from pyquarantine_core.config import Config
from pyquarantine_core.errors import ConfigError
from pyquarantine_core.testing import rules
from pyquarantine_core.testing.rules import rule

NETWORKS = (
    "does not appear to be an IPv4 or IPv6 network;"
    " write a host, such as 192.0.2.1, or a network, such as 192.0.2.0/24 or 2001:db8::/32"
)
STORAGES = {"spam": {"type": "file", "directory": "/var/spool/spam"}}
RELEASED_TO = {"smtp_host": "localhost", "smtp_port": 25}
ADD = rule("add_header", {"field": "X-Seen", "value": "yes"})
ACTION = "rules[0].actions[0]"


def load(config: dict[str, Any] | str) -> Config:
    return rules.load(config, pyq_conditions, pyq_headers, pyq_quarantine, pyq_file_storage)


def mistakes(config: dict[str, Any] | str) -> list[str]:
    """The error lines, without the name of the file."""
    with pytest.raises(ConfigError) as caught:
        load(config)
    lines = str(caught.value).split("\n")
    assert all(line.startswith("pyquarantine.conf:") for line in lines)
    return [line.removeprefix("pyquarantine.conf:") for line in lines]


def mistake(config: dict[str, Any]) -> str:
    """The one error, without its line."""
    (line,) = mistakes(config)
    return line.partition(": ")[2]


def holding(**options: object) -> dict[str, Any]:
    held = rule("quarantine", {"storage": "spam", **RELEASED_TO, **options})
    return {"storages": STORAGES, "rules": [held]}


def when(**conditions: object) -> dict[str, Any]:
    return {"rules": [{**ADD, "conditions": conditions}]}


@pytest.mark.parametrize(
    ("keys", "error"),
    [
        ({"rules": []}, "rules: must not be empty"),
        ({"rules": ["x"]}, "rules[0]: 'x' should be an object"),
        ({"socet": "x"}, "socet: unknown key; did you mean 'socket'?"),
        ({"on_error": "continue"}, "on_error: unknown key"),
        ({"storages": []}, "storages: [] should be an object"),
        ({"pretend": "yes"}, "pretend: 'yes' should be true or false; write true"),
        ({"workers": 0}, "workers: 0 is less than the minimum of 1"),
        ({"workers": True}, "workers: true should be a whole number"),
        ({"workers": 0.5}, "workers: 0.5 should be a whole number"),
        ({"workers": None}, "workers: null should be a whole number"),
        (
            {"socket_mode": "0888"},
            "socket_mode: '0888' is not an octal mode such as '0660'",
        ),
        (
            {"loglevel": "inof"},
            "loglevel: 'inof' is not one of error, warning, info, debug; did you mean 'info'?",
        ),
        (
            {"local_addrs": ["10.0.0.0/8", "10.0.0.0/33"]},
            f"local_addrs[1]: '10.0.0.0/33' {NETWORKS}",
        ),
        ({"plugins": {"alow": []}}, "plugins.alow: unknown key; did you mean 'allow'?"),
    ],
)
def test_mistakes_at_the_top(keys: dict[str, Any], error: str) -> None:
    assert mistake({"rules": [ADD], **keys}) == error


def test_no_mistake_holds_what_a_terminal_obeys() -> None:
    bad = {"\x1b[2J\x7f\u202e": 1}
    told = mistakes({"rules": [{**ADD, "on_error": bad}], **bad})
    assert [line.partition(": ")[2] for line in told] == [
        r'rules[0].on_error: {"\u001b[2J\x7f\u202e": 1} is not one of tempfail, continue',
        r'["\u001b[2J\u007f\u202e"]: unknown key',
    ]


def test_a_config_without_rules() -> None:
    assert mistakes({}) == ["1: 'rules' is missing (What happens to a message, in this order)"]


@pytest.mark.parametrize(
    ("keys", "error"),
    [
        ({"name": ""}, "rules[0].name: must not be empty"),
        ({"actions": []}, "rules[0].actions: must not be empty"),
        ({"nmae": "x"}, "rules[0].nmae: unknown key; did you mean 'name'?"),
        (
            {"actions": [{**ADD["actions"][0], "field": "X"}]},
            "rules[0].actions[0].field: unknown key; what belongs to the type goes into 'options'",
        ),
        ({"on_error": "stop"}, "rules[0].on_error: 'stop' is not one of tempfail, continue"),
        (
            {"actions": [{"name": "a", "type": "add_header"}]},
            f"{ACTION}: 'options' is missing (Options of its type)",
        ),
        (
            {"actions": [{"name": "a", "type": 3, "options": {}}]},
            f"{ACTION}.type: 3 should be a text",
        ),
        (
            {"actions": [{"name": "a", "type": "add_header", "options": {"field": "X"}}]},
            f"{ACTION}.options: 'value' is missing (Value of the header)",
        ),
    ],
)
def test_mistakes_in_a_rule(keys: dict[str, Any], error: str) -> None:
    assert mistake({"rules": [{**ADD, **keys}]}) == error


@pytest.mark.parametrize(
    ("conditions", "error"),
    [
        (
            {"loacl": True},
            "loacl: no installed plugin provides the condition 'loacl'; did you mean 'local'?",
        ),
        ({"local": "Off"}, "local: 'Off' should be true or false; write false"),
        (
            {"hosts": ["::/129"]},
            f"hosts[0]: '::/129' {NETWORKS}",
        ),
        ({"headers": "^X"}, "headers: '^X' should be a list; write [\"^X\"]"),
        ({"var": ""}, "var: must not be empty"),
        ({"list": "friends"}, "list: 'friends' is not in 'lists'"),
        (
            {"envfrom": "(bounce"},
            "envfrom: missing ), unterminated subpattern at position 0 in '(bounce'",
        ),
        (
            {"headers": ["^X-Spam: yes", "^Subject: .*[["]},
            "headers[1]: unterminated character set at position 12 in '^Subject: .*[['",
        ),
    ],
)
def test_mistakes_in_conditions(conditions: dict[str, Any], error: str) -> None:
    assert mistake(when(**conditions)) == f"rules[0].conditions.{error}"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (
            {"milter_action": "REJCT"},
            ".milter_action: 'REJCT' is not one of ACCEPT, REJECT, DISCARD; did you mean 'REJECT'?",
        ),
        ({"smtp_port": "25"}, ".smtp_port: '25' should be a whole number; write 25"),
        ({"smtp_port": "smtp"}, ".smtp_port: 'smtp' should be a whole number"),
        ({"smtp_port": 2.5}, ".smtp_port: 2.5 should be a whole number"),
        ({"smtp_host": 7}, '.smtp_host: 7 should be a text; write "7"'),
        ({"smtp_host": ["x"]}, '.smtp_host: ["x"] should be a text'),
        ({"smtp_port": 70000}, ".smtp_port: 70000 is greater than the maximum of 65535"),
        ({"smtp_hots": "x"}, ".smtp_hots: unknown key; did you mean 'smtp_host'?"),
        ({"storage": "spma"}, ".storage: 'spma' is not in 'storages'; did you mean 'spam'?"),
        ({"storage": "archive"}, ".storage: 'archive' is not in 'storages'; known: spam"),
        ({"notification": "mail"}, ".notification: 'mail' is not in 'notifications'"),
        ({"allowlist": "friends"}, ".allowlist: 'friends' is not in 'lists'"),
    ],
)
def test_mistakes_in_a_quarantine(options: dict[str, Any], error: str) -> None:
    assert mistake(holding(**options)) == f"{ACTION}.options{error}"


@pytest.mark.parametrize(
    ("storage", "error"),
    [
        (
            {"type": "fiel", "directory": "/x"},
            "spam.type: no installed plugin provides the storage 'fiel'; did you mean 'file'?",
        ),
        ({"directory": "/x"}, "spam: 'type' is missing; known: file"),
        ({"typ": "file", "directory": "/x"}, "spam: 'type' is missing; known: file"),
        ({"type": "file"}, "spam: 'directory' is missing"),
        ({"type": "file", "directory": "/x", "orginal": True}, "spam.orginal: unknown key;"),
    ],
)
def test_mistakes_in_a_storage(storage: dict[str, Any], error: str) -> None:
    assert mistake({"storages": {"spam": storage}, "rules": [ADD]}).startswith(f"storages.{error}")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (
            {"field": "Subject", "search": "(?P<a>.*)", "value": r"\g<b>"},
            r": unknown group name 'b' in template '\\g<b>'",
        ),
        (
            {"field": "Subject", "search": "a", "value": r"\1"},
            r": invalid group reference 1 at position 1 in template '\\1'",
        ),
        (
            {"field": "Sub(ject", "value": "x"},
            ".field: missing ), unterminated subpattern at position 3 in 'Sub(ject'",
        ),
    ],
)
def test_mistakes_in_mod_header(options: dict[str, Any], error: str) -> None:
    assert mistake({"rules": [rule("mod_header", options)]}) == f"{ACTION}.options{error}"


def test_an_unknown_type_of_action() -> None:
    assert mistake({"rules": [rule("add_heder", {})]}) == (
        f"{ACTION}.type: no installed plugin provides the action 'add_heder';"
        " did you mean 'add_header'?"
    )


def test_an_unknown_type_that_is_like_no_other_is_told_which_there_are() -> None:
    assert mistake({"rules": [rule("frobnicate", {})]}) == (
        f"{ACTION}.type: no installed plugin provides the action 'frobnicate';"
        " known: add_header, del_header, mod_header, nothing, notify and 2 more"
    )


def test_a_header_name_that_is_none() -> None:
    bad = rule("add_header", {"field": "X Seen", "value": "yes"})
    assert mistake({"rules": [bad]}) == (f"{ACTION}.options.field: 'X Seen' is not a header name")


def test_two_quarantines_of_one_name_cannot_be_told_apart() -> None:
    config = holding()
    config["rules"] *= 2
    assert mistake(config) == (
        "rules[1].actions[0].name: another action that holds mail is named 'rule/action' too"
    )


def test_a_long_value_is_cut_short() -> None:
    text = mistake({"rules": [ADD], "pretend": "x" * 1000})
    assert text.startswith("pretend: 'xxxx")
    assert text.endswith("... should be true or false")
    assert len(text) < 120


def test_all_mistakes_are_told_in_the_order_of_the_file_with_its_lines() -> None:
    text = """\
# Our filter
{
  "loglevel": "loud",
  # where it is kept
  "storages": {"spam": {"type": "file", "directory": "/x", "mtadata": true}},

  "rules": [
    {"name": "spam",
     # not for our own
     "conditions": {"local": 0},
     "actions": [
       {"name": "hold", "type": "quarantine", "options": {
         "storage": "spam", "smtp_port": 25,
         # what the client is told
         "milter_action": "REJCT"}}
     ]}
  ],
  "socekt": "unix:/x"
}
"""
    options = f"{ACTION}.options"
    not_one_of = "'REJCT' is not one of ACCEPT, REJECT, DISCARD"
    assert mistakes(text) == [
        "3: loglevel: 'loud' is not one of error, warning, info, debug",
        "5: storages.spam.mtadata: unknown key; did you mean 'metadata'?",
        "10: rules[0].conditions.local: 0 should be true or false",
        f"12: {options}: 'smtp_host' is missing (SMTP server that released mail is sent to)",
        f"15: {options}.milter_action: {not_one_of}; did you mean 'REJECT'?",
        "18: socekt: unknown key; did you mean 'socket'?",
    ]


@pytest.mark.parametrize("word", ["REJECT", "reject", "Reject", "DISCARD", "discard", "accept"])
def test_milter_action_may_be_written_in_any_case(word: str) -> None:
    load(holding(milter_action=word))
