"""What filters are measured at: a message, what is to be done with it, and what that may cost."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks import mail
from pyquarantine_core.testing.mta import Mail, Verdict

HERE = Path(__file__).parent
LIST_ENTRIES = 100_000

SPAM = "X-Spam: Yes, score=12.3"
_TO_NOWHERE = {"smtp_host": "127.0.0.1", "smtp_port": 9}
"""Nothing is released here."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """One line of the table.

    Attributes:
        name: what is done.
        content: the message.
        config: how a filter is told to do it; DIR stands for a directory of its own.
        verdict: what the MTA must hear.
        at_most_noop: ours may cost so many times what `noop` costs; None: no such bound.
        at_most_old: ours may cost so much of what 2.1.0 costs; None: no such bound.
        old_config: how 2.1.0 is told; None: it cannot do it.
        prepare: makes files in that directory before a filter starts.
        connections: how many at once.
    """

    name: str
    content: bytes
    config: Mapping[str, Any]
    verdict: Verdict = Verdict.ACCEPT
    at_most_noop: float | None = None
    at_most_old: float | None = None
    old_config: Mapping[str, Any] | None
    prepare: Callable[[Path], None] = lambda _: None
    connections: int = 4

    @property
    def mail(self) -> Mail:
        return Mail(mail.SENDER, (mail.RECIPIENT,), self.content)


def works() -> tuple[Work, ...]:
    """All of them."""
    hold = quarantines()
    mark = _rules(_action("mod_header", field="^Subject$", search="^(?P<s>.*)", value="[X] \\g<s>"))
    archive = {
        "storages": {"all": {"type": "file", "directory": "DIR/all", "original": True}},
        **_rules(_action("store", storage="all")),
    }
    templates = {
        "text_template": f"{HERE}/disclaimer.txt",
        "html_template": f"{HERE}/disclaimer.html",
    }
    disclaim = _rules(
        _action("add_disclaimer", action="append", error_policy="ignore", **templates)
    )
    return (
        _both("ham of 3 kB", mail.message(3000), hold, at_most_noop=0.6),
        _both("ham with 1 MB attached", mail.with_attachment(1_000_000), hold, at_most_noop=0.5),
        _both("subject mark on 3 kB", mail.message(3000), mark, at_most_noop=1.2),
        _both(
            "spam of 8 kB held, synced",
            mail.message(8000, SPAM),
            hold,
            verdict=Verdict.DISCARD,
            at_most_old=1 / 5,
        ),
        _both(
            "original of 1 MB stored, synced",
            mail.with_attachment(1_000_000),
            archive,
            at_most_old=1 / 5,
        ),
        _both("disclaimer on 3 kB of text", mail.message(3000), disclaim, at_most_old=1 / 8),
        _both(
            "disclaimer on 38 kB of HTML", mail.html_message(38_000), disclaim, at_most_old=1 / 10
        ),
        _both(
            "disclaimer, text and HTML, 1 MB attached",
            mail.text_html_and_attachment(1_000_000),
            disclaim,
            at_most_old=1 / 10,
        ),
        Work(
            name="38 kB of HTML held, notified",
            content=mail.html_message(38_000, SPAM),
            config=quarantines(notification="tell"),
            old_config=None,
            verdict=Verdict.DISCARD,
            at_most_noop=12,
        ),
        Work(
            name=f"allowlist of {LIST_ENTRIES:,} in SQLite",
            content=mail.message(3000, SPAM),
            config=quarantines(allowlist="allow"),
            old_config=None,  # its daemon cannot use SQLite: lists.py
            prepare=fill_list,
        ),
    )


def _both(name: str, content: bytes, config: Mapping[str, Any], **rest: Any) -> Work:
    """A work of which 2.1.0 is told in the same words."""
    return Work(name=name, content=content, config=config, old_config=config, **rest)


def _rules(*actions: Mapping[str, Any]) -> dict[str, Any]:
    return {"rules": [{"name": "inbound", "conditions": {"local": False}, "actions": actions}]}


def _action(kind: str, **options: Any) -> dict[str, Any]:
    return {"name": kind, "type": kind, "options": options}


def disclaimer() -> dict[str, Any]:
    """A disclaimer is added to each message."""
    options = {
        "action": "append",
        "error_policy": "ignore",
        "text_template": f"{HERE}/disclaimer.txt",
        "html_template": f"{HERE}/disclaimer.html",
    }
    return _rules(_action("add_disclaimer", **options))


def quarantines(**more: str) -> dict[str, Any]:
    """Virus and spam are held, by headers that another filter has set."""
    held = {
        name: {
            "name": name,
            "type": "quarantine",
            "conditions": {"headers": [f"^X-{name.title()}: Yes"]},
            "options": {"storage": name, "milter_action": "DISCARD", **_TO_NOWHERE, **more},
        }
        for name in ("virus", "spam")
    }
    config = _rules(*held.values())
    config["storages"] = {
        name: {"type": "file", "directory": f"DIR/{name}", "metadata": True} for name in held
    }
    if "notification" in more:
        config["notifications"] = {
            more["notification"]: {
                "type": "email",
                **_TO_NOWHERE,
                "envelope_from": "filter@example.org",
                "from_header": "{FROM}",
                "subject": "[SPAM] {SUBJECT}",
                "template": f"{HERE}/notification.html",
            }
        }
    if "allowlist" in more:
        config["lists"] = {
            more["allowlist"]: {
                "type": "db",
                "name": "allow",
                "connection": "sqlite:///DIR/lists.db",
                "table": "allow",
            }
        }
    return config


def fill_list(directory: Path) -> None:
    """A table as 2.1.0 makes it, with an entry for the sender among many others."""
    now = datetime.now().astimezone().replace(tzinfo=None).isoformat(sep=" ")
    rows = [
        (f"s{n}@example.com", f"r{n}@example.org", now, now, "", False)
        for n in range(LIST_ENTRIES - 1)
    ]
    rows.append((mail.SENDER, "", now, now, "", False))
    with closing(sqlite3.connect(directory / "lists.db")) as database, database:
        database.execute(
            'CREATE TABLE "allow" ("id" INTEGER NOT NULL PRIMARY KEY, '
            '"mailfrom" VARCHAR(255) NOT NULL, "recipient" VARCHAR(255) NOT NULL, '
            '"created" DATETIME NOT NULL, "last_used" DATETIME NOT NULL, '
            '"comment" TEXT NOT NULL, "permanent" INTEGER NOT NULL)'
        )
        database.execute(
            'CREATE UNIQUE INDEX "allow_mailfrom_recipient" ON "allow" ("mailfrom", "recipient")'
        )
        database.executemany(
            'INSERT INTO "allow" ("mailfrom", "recipient", "created", "last_used", "comment", '
            '"permanent") VALUES (?, ?, ?, ?, ?, ?)',
            rows,
        )
