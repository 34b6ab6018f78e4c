"""A pattern that takes long on a message holds up nobody else's."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from pyquarantine_core.testing.mta import Mail, MilterConnection, Verdict, send
from pyquarantine_core.testing.pytest_plugin import DaemonFactory

BOMB = b"X-Bomb: " + b"a" * 65_000 + b"!\n"
"""A header as large as libmilter takes; Postfix cuts them at 60,000 bytes."""
PATTERN = "(a+)+$"
FIRST = {
    "name": "first",
    "actions": [
        {
            "name": "nothing",
            "type": "add_header",
            "conditions": {"headers": ["^X-First: yes"]},
            "options": {"field": "X-Never", "value": "added"},
        }
    ],
}
"""What it logs tells that the pattern of the next rule begins to run."""


def rule(action: str, options: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return {"name": "bomb", "actions": [{"name": "a", "type": action, "options": options, **keys}]}


@pytest.mark.parametrize(
    "bomb",
    [
        rule(
            "add_header",
            {"field": "X-A", "value": "b"},
            conditions={"headers": [f"^X-Bomb: {PATTERN}"]},
        ),
        rule("mod_header", {"field": "^X-Bomb", "search": PATTERN, "value": "b"}),
    ],
    ids=["a condition", "an action"],
)
def test_messages_of_another_connection_are_done_while_a_pattern_is_still_at_work(
    bomb: dict[str, Any], start_daemon: DaemonFactory
) -> None:
    """In the same process: there is one worker."""
    limits = {"pattern_seconds": 5}
    daemon = start_daemon({"workers": 1, "limits": limits, "rules": [FIRST, bomb]})
    ham = Mail("a@example.net", ("u@example.org",), b"Subject: ham\n\nHello\n")
    hostile = Mail("a@example.net", ("u@example.org",), BOMB + b"\nx\n", queue_id="BOMB1")
    with ThreadPoolExecutor() as pool, MilterConnection(daemon.address) as connection:
        connection.send(ham)
        waiting = pool.submit(send, daemon.address, hostile)
        daemon.wait_for_log("BOMB1: first/nothing: condition headers does not match")
        for _ in range(10):
            assert connection.send(ham).verdict is Verdict.ACCEPT
        assert not waiting.done()
        assert waiting.result().verdict is Verdict.TEMPFAIL
    line = daemon.wait_for_log("BOMB1: tempfail: ")
    assert f"{PATTERN}' took longer than 5 s (limits.pattern_seconds) on a text of 650" in line
    assert daemon.log.count("limits.pattern_seconds") == 1
    done = daemon.wait_for_log("BOMB1: verdict=tempfail ")
    assert float(done.rpartition(" ms=")[2]) >= 5000  # all of it, the last step as well
