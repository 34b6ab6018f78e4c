"""`quarantine NAME list`: of much mail a page for people, and all of it for programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tty
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pyquarantine_core.testing.rules import rule

if TYPE_CHECKING:
    from .conftest import Ended, Pyquarantine

IDS = [f"20261125{number:06}000000_X" for number in range(120)]
NEWEST_FIRST = IDS[::-1]


@pytest.fixture
def spam(pyquarantine: Pyquarantine, tmp_path: Path) -> Pyquarantine:
    """A quarantine that holds 120 messages, every tenth for a user of its own."""
    held = {"type": "file", "directory": str(tmp_path / "held")}
    options = {"storage": "held", "smtp_host": "127.0.0.1", "smtp_port": 10025}
    pyquarantine.configure(
        {
            "outbox": str(tmp_path / "outbox"),
            "storages": {"held": held},
            "rules": [rule("quarantine", options)],
        }
    )
    (tmp_path / "held").mkdir()
    for number, name in enumerate(IDS):
        recipient = f"{'user' if number % 10 else 'tenth'}@example.org"
        metadata = {"mailfrom": "a@example.net", "recipients": [recipient], "subject": "x"}
        (tmp_path / "held" / f"{name}.metadata").write_text(json.dumps(metadata))
        (tmp_path / "held" / name).write_text("mail")
    return pyquarantine


def listed(spam: Pyquarantine, *options: str) -> Ended:
    done = spam("quarantine", "action", "list", *options)
    assert done.status == 0
    return done


def on_a_terminal(spam: Pyquarantine, *arguments: str) -> tuple[str, str]:
    """What the program itself writes on a terminal, and to standard error, which is none."""
    ours, its = os.openpty()
    tty.setraw(its)
    program = str(Path(sys.prefix) / "bin" / "pyquarantine")
    command = [program, "-c", str(spam.config), *arguments]
    wide = {**os.environ, "COLUMNS": "200"}
    with subprocess.Popen(command, stdout=its, stderr=subprocess.PIPE, env=wide) as process:
        os.close(its)
        shown = b""
        with suppress(OSError):  # EIO: nobody has the terminal open any more
            while some := os.read(ours, 65536):
                shown += some
        os.close(ours)
        assert process.stderr is not None
        hints = process.stderr.read()
    assert process.returncode == 0
    return shown.decode(), hints.decode()


def ids(table: str) -> list[str]:
    return [line.split()[0] for line in table.splitlines()[2:]]


def test_a_terminal_gets_the_newest_and_how_to_see_the_next(spam: Pyquarantine) -> None:
    shown, hints = on_a_terminal(spam, "quarantine", "action", "list")
    assert ids(shown) == NEWEST_FIRST[:50]
    assert hints == f"there are older ones: --before {NEWEST_FIRST[49]}\n"
    assert ids(on_a_terminal(spam, "quarantine", "action", "list", "-n", "0")[0]) == NEWEST_FIRST


def test_a_pipe_gets_all(spam: Pyquarantine) -> None:
    everything = listed(spam)
    assert (ids(everything.out), everything.error) == (NEWEST_FIRST, "")


def test_one_page_leads_to_the_next(spam: Pyquarantine) -> None:
    seen = []
    options: tuple[str, ...] = ()
    for count in (50, 50, 20):
        page = listed(spam, "--limit", "50", *options)
        assert len(ids(page.out)) == count
        seen += ids(page.out)
        hint = f"there are older ones: --before {seen[-1]}\n"
        assert page.error == ("" if count == 20 else hint)
        options = ("--before", seen[-1])
    assert seen == NEWEST_FIRST
    assert listed(spam, *options).out == "action holds no such mail\n"


def test_filters_come_before_the_page(spam: Pyquarantine) -> None:
    tenth = NEWEST_FIRST[9::10]
    assert ids(listed(spam, "-t", "tenth@*").out) == tenth
    page = listed(spam, "-t", "TENTH@example.org", "-n", "5")
    assert (ids(page.out), page.error) == (
        tenth[:5],
        f"there are older ones: --before {tenth[4]}\n",
    )
    assert ids(listed(spam, "-t", "tenth@*", "--before", tenth[4]).out) == tenth[5:]


def test_programs_get_all_of_it_or_as_much_as_they_want(spam: Pyquarantine) -> None:
    assert listed(spam, "-b") == (0, "".join(f"{one}\n" for one in NEWEST_FIRST), "")
    assert listed(spam, "-b", "-n", "2").out.split() == NEWEST_FIRST[:2]
    data = json.loads(listed(spam, "--json").out)
    assert [one["id"] for one in data] == NEWEST_FIRST
    assert data[0] == {
        "id": NEWEST_FIRST[0],
        "stored_at": data[0]["stored_at"],
        "size": 4,
        "sender": "a@example.net",
        "recipients": ["user@example.org"],
        "subject": "x",
        "queue_id": "",
        "quarantine": None,
        "in_doubt": [],
    }
    some = listed(spam, "--json", "--before", IDS[1]).out
    assert some == json.dumps(json.loads(some), indent=2) + "\n"
    assert listed(spam, "--json", "-t", "nobody").out == "[]\n"


@pytest.mark.parametrize("limit", ["-1", "x", "1.5"])
def test_a_limit_that_is_none_is_refused(spam: Pyquarantine, limit: str) -> None:
    done = spam("quarantine", "action", "list", "--limit", limit)
    assert done.status == 2
    assert "--limit" in done.error


def test_days_beyond_all_time_are_no_mistake(spam: Pyquarantine) -> None:
    assert listed(spam, "-o", "1e300").out == "action holds no such mail\n"
