"""The config loader: any text gives a config or a ConfigError that can be printed."""

from __future__ import annotations

import json
import re
from pathlib import Path

from pyquarantine_core import loading
from pyquarantine_core.config import build
from pyquarantine_core.config_file import parse_config
from pyquarantine_core.errors import ConfigError
from pyquarantine_core.printable import printable
from pyquarantine_core.registry import PluginPolicy

_NAME = Path("pyquarantine.conf")
_REGISTRY = loading.load(PluginPolicy())
_DEVICES = re.compile(r"dev|proc|sys|\\u00[2-7]", re.IGNORECASE)
"""Files without an end that a config could name; nobody's mistake."""

_ACTION = {"name": "a", "type": "add_header", "options": {"field": "X", "value": "{V}"}}
CONFIGS = (
    {"rules": [{"name": "r", "actions": [_ACTION]}]},
    {
        "socket": "inet:8899@127.0.0.1",
        "local_addrs": ["127.0.0.0/8", "::1/128"],
        "loglevel": "debug",
        "pretend": True,
        "storages": {"s": {"type": "file", "directory": "/var/x", "mode": "0640", "metavar": "S"}},
        "rules": [
            {
                "name": "in",
                "on_error": "continue",
                "conditions": {"local": False, "hosts": ["192.0.2.0/24"], "envfrom": "^a(?P<b>.)"},
                "actions": [
                    {
                        "name": "q",
                        "type": "quarantine",
                        "conditions": {"headers": ["^X-Spam: (?P<x>Yes)"], "metavar": "V"},
                        "options": {
                            "storage": "s",
                            "smtp_host": "127.0.0.1",
                            "smtp_port": 10025,
                            "milter_action": "REJECT",
                            "reject_reason": "no",
                        },
                    }
                ],
            },
            {
                "name": "out",
                "conditions": {"local": True, "envto": "@example\\.org$", "var": "V_x"},
                "actions": [
                    {
                        "name": "m",
                        "type": "mod_header",
                        "options": {
                            "field": "^Subject$",
                            "search": "(?P<s>.*)",
                            "value": "[EXT] \\g<s>",
                        },
                    },
                    {"name": "d", "type": "del_header", "options": {"field": "^X-", "value": "a+"}},
                    {"name": "l", "type": "rewrite_links", "options": {"repl": "https://x/{URL}"}},
                ],
            },
        ],
    },
    {
        "storages": {"s": {"type": "file", "directory": "/var/x"}},
        "notifications": {
            "n": {
                "type": "email",
                "smtp_host": "127.0.0.1",
                "smtp_port": 25,
                "envelope_from": "<>",
                "from_header": "{FROM}",
                "subject": "{SUBJECT}",
                "template": "/etc/pyquarantine/templates/notification.template",
            }
        },
        "lists": {"l": {"type": "db", "connection": "sqlite:////var/x.db", "table": "t"}},
        "limits": {"pattern_seconds": 0.5, "header_count": 100},
        "plugins": {"deny": ["metrics"]},
        "rules": [
            {
                "name": "r",
                "conditions": {"list": "l"},
                "actions": [
                    {
                        "name": "q",
                        "type": "quarantine",
                        "options": {
                            "storage": "s",
                            "notification": "n",
                            "allowlist": "l",
                            "smtp_host": "127.0.0.1",
                            "smtp_port": 10025,
                        },
                    },
                    {"name": "n", "type": "notify", "options": {"notification": "n"}},
                ],
            }
        ],
    },
)
SEEDS = (
    *(json.dumps(one, indent=1).encode() for one in CONFIGS),
    b'# comment\n{"rules": [],}',
    b'\xef\xbb\xbf{"a": "\\ud83d\\ude00\\u0000", "b": [1e5, -0, true, null, "\\/"]}',
)
WORDS = tuple(
    json.dumps(name).encode()
    for name in (
        *("actions", "conditions", "name", "type", "options", "rules", "storages", "lists"),
        *("notifications", "file", "quarantine", "store", "notify", "email", "db", "directory"),
        *("storage", "notification", "allowlist", "list", "headers", "envfrom", "envto", "hosts"),
        *("add_disclaimer", "add_header", "mod_header", "del_header", "rewrite_links", "field"),
        *(
            "value",
            "search",
            "metavar",
            "var",
            "local",
            "pretend",
            "loglevel",
            "on_error",
            "plugins",
        ),
    )
)


def check(data: bytes) -> None:
    """Files that the config names are read, so it names no devices."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return
    if _DEVICES.search(text):
        return
    try:
        build(parse_config(text, _NAME), _REGISTRY)
    except ConfigError as error:
        lines = str(error).split("\n")
        assert all(printable(line) == line for line in lines), lines
        assert all(line.startswith(str(_NAME)) for line in lines), lines
