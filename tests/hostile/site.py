"""The daemon that hostile mail is sent to, with rules for two kinds of clients.

Mail of `JUDGED` is held, rejected or let through by what it is. On mail of `TOUCHED` every action
works, one after the other, and nothing is taken out of delivery.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from pyquarantine_core.testing.daemon import Daemon, write_config

from .case import FORBIDDEN, SECOND

JUDGED, TOUCHED = "192.0.2.1", "198.51.100.1"
EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "pyq_attachments"
PATTERN_SECONDS = 10.0
"""What a pattern may take, where none is to take long: a busy machine refuses no mail then."""


def config(directory: Path, pattern_seconds: float) -> dict[str, Any]:
    """The rules, with all that they need in this directory."""
    for name, text in (
        ("text", "CAUTION {ENVELOPE_FROM} {V_subject}\n"),
        ("html", "<p>CAUTION {ENVELOPE_FROM} {V_subject}</p>\n"),
        ("notification", "<h1>{SUBJECT}</h1>{FROM} {TO} {ENVELOPE_FROM} {V_subject}{HTML_TEXT}"),
    ):
        (directory / name).write_text(text)
    smtp = {"smtp_host": "127.0.0.1", "smtp_port": 1}  # nobody listens: they wait in the outbox
    return {
        "workers": 2,
        "limits": {"pattern_seconds": pattern_seconds},
        "outbox": f"{directory}/outbox",
        "storages": {
            name: {"type": "file", "directory": f"{directory}/{name}", "original": True}
            for name in ("held", "kept", "copies")
        },
        "notifications": {
            "email": {
                "type": "email",
                "envelope_from": "filter@example.org",
                "from_header": '"{FROM}" <filter@example.org>',
                "subject": "[HELD] {SUBJECT} {V_subject}",
                "template": f"{directory}/notification",
                **smtp,
            }
        },
        "rules": [_judge(smtp), _touch(directory, smtp)],
    }


def _judge(smtp: dict[str, Any]) -> dict[str, Any]:
    held = {"storage": "held", "notification": "email", "milter_action": "DISCARD", **smtp}
    wanted = {
        "forbidden": {"headers": [f"^Subject:.*(?:{FORBIDDEN}|{SECOND})"]},
        "boss": {"envto": r"^boss@example\.org$"},
        "program": {
            "envto": r"^files@example\.org$",
            "attachments": {"names": [r"\.exe$"], "unreadable": True},
        },
    }
    refused = {"storage": "held", "milter_action": "REJECT", **smtp}
    bomb = {"field": "X-Bomb-Found", "value": "yes"}
    return {
        "name": "judge",
        "conditions": {"hosts": [JUDGED]},
        "actions": [
            {
                "name": "bomb",
                "type": "add_header",
                "conditions": {"headers": ["^X-Bomb: (a+)+$"]},
                "options": bomb,
            },
            *(
                {"name": name, "type": "quarantine", "conditions": conditions, "options": held}
                for name, conditions in wanted.items()
            ),
            {
                "name": "evil",
                "type": "quarantine",
                "conditions": {"envfrom": r"^evil@example\.org$"},
                "options": refused,
            },
        ],
    }


def _touch(directory: Path, smtp: dict[str, Any]) -> dict[str, Any]:
    templates = {"text_template": f"{directory}/text", "html_template": f"{directory}/html"}
    below = {"action": "append", "error_policy": "wrap", **templates}
    above = {"action": "prepend", "error_policy": "ignore", "add_html_body": True, **templates}
    prefix = {"field": "^(Subject|X-Change)$", "search": "^(.*)$", "value": r"[EXT] \1"}
    actions: list[tuple[str, dict[str, Any]]] = [
        ("store", {"storage": "copies"}),
        ("mod_header", {"field": "^X-Bomb$", "search": "(a+)+$", "value": "x"}),
        ("mod_header", prefix),
        ("del_header", {"field": "^X-Remove$"}),
        ("add_header", {"field": "X-Seen", "value": "yes"}),
        ("rewrite_links", {"repl": "https://check.example/?{URL}"}),
        ("add_disclaimer", above),
        ("add_disclaimer", below),
        ("notify", {"notification": "email"}),
        ("quarantine", {"storage": "kept", "notification": "email", **smtp}),
    ]
    return {
        "name": "touch",
        "conditions": {"hosts": [TOUCHED]},
        "actions": [
            {
                "name": f"{number}-{kind}",
                "type": kind,
                "options": options,
                "conditions": {"metavar": "V", "headers": []},
            }
            for number, (kind, options) in enumerate(actions)
        ],
    }


@contextmanager
def running(directory: Path, pattern_seconds: float = PATTERN_SECONDS) -> Iterator[Daemon]:
    """The daemon, with the example plugin beside the built-in ones."""
    path = write_config(directory / "pyquarantine.conf", config(directory, pattern_seconds))
    packages = _installed_example(directory / "site-packages")
    with patch.dict(os.environ, PYTHONPATH=str(packages)), Daemon(path, "inet:0@127.0.0.1") as it:
        yield it


def _installed_example(directory: Path) -> Path:
    """The example plugin as pip would install it."""
    shutil.copytree(EXAMPLE / "pyq_attachments", directory / "pyq_attachments")
    metadata = directory / "pyq_attachments-1.0.0.dist-info"
    metadata.mkdir()
    fields = ("Metadata-Version: 2.1", "Name: pyq-attachments", "Version: 1.0.0")
    (metadata / "METADATA").write_text("".join(f"{field}\n" for field in fields))
    (metadata / "entry_points.txt").write_text("[pyquarantine]\nattachments = pyq_attachments\n")
    return directory
