"""`pyquarantine explain`: what would become of a message, and why."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pyquarantine_core.testing.daemon import write_config

SPAM = (
    b"From: Boss <boss@example.net>\nTo: anna@example.org, bert@example.org\n"
    b"X-Spam: Yes\nSubject: hi\n\nbody\n"
)


class Explain:
    """Runs the command on a message file."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def __call__(
        self, config: dict[str, Any], *options: str, content: bytes = SPAM
    ) -> subprocess.CompletedProcess[str]:
        path = write_config(self.directory / "c.conf", config)
        mail = self.directory / "mail.eml"
        mail.write_bytes(content)
        program = Path(sys.executable).with_name("pyquarantine")
        return subprocess.run(
            [program, "-c", path, "explain", mail, *options],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def data(self, config: dict[str, Any], *options: str, content: bytes = SPAM) -> dict[str, Any]:
        done = self(config, "--json", *options, content=content)
        assert done.returncode == 0, done.stderr
        data: dict[str, Any] = json.loads(done.stdout)
        return data


@pytest.fixture
def explain(tmp_path: Path) -> Explain:
    return Explain(tmp_path)


def rules(*actions: dict[str, Any], **conditions: Any) -> dict[str, Any]:
    return {"rules": [{"name": "in", "conditions": conditions, "actions": list(actions)}]}


def action(name: str, kind: str, **options: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "options": options}


MARK = action("mark", "mod_header", field="^Subject$", search="^", value="[X] ")


def hold(directory: Path, **more: Any) -> dict[str, Any]:
    smtp = {"smtp_host": "127.0.0.1", "smtp_port": 25}
    held = action("hold", "quarantine", storage="s", milter_action="REJECT", **smtp) | more
    storage = {"type": "file", "directory": f"{directory}/held", "metavar": "Q"}
    return rules(
        {**held, "conditions": {"headers": ["^X-Spam: Yes"]}},
        {**MARK, "conditions": {"var": "Q_ID"}},
        local=False,
    ) | {"storages": {"s": storage}}


def test_it_tells_what_would_be_held_and_holds_nothing(explain: Explain, tmp_path: Path) -> None:
    data = explain.data(hold(tmp_path))
    assert (data["verdict"], data["text"], data["stage"]) == ("reject", "Message rejected", "body")
    rule, held, mark = data["steps"]
    assert rule["applied"] is True
    assert rule["conditions"] == [
        {"name": "local", "matched": True, "reason": "192.0.2.1 is not local"}
    ]
    assert held["conditions"][0]["reason"] == "found in X-Spam"
    assert held["changes"][0] == "take out the recipients anna@example.org, bert@example.org"
    assert f"{tmp_path}/held" in held["changes"][1]
    assert (mark["applied"], mark["changes"]) == (None, [])
    assert not (tmp_path / "held").exists()


def test_rules_that_the_message_does_not_meet_say_why(explain: Explain, tmp_path: Path) -> None:
    data = explain.data(hold(tmp_path), "--client", "10.0.0.1")
    assert (data["verdict"], data["stage"]) == ("accept", "connect")
    assert data["recipients"] == ["anna@example.org", "bert@example.org"]
    assert data["steps"][0]["conditions"][0]["reason"] == "10.0.0.1 is local"
    ham = explain.data(hold(tmp_path), content=b"Subject: ham\n\n")
    assert ham["stage"] == "headers"
    assert ham["steps"][1]["conditions"][0]["matched"] is False


def test_later_rules_see_what_earlier_ones_would_have_changed(
    explain: Explain, tmp_path: Path
) -> None:
    held = hold(tmp_path)
    del held["rules"][0]["actions"][0]["options"]["milter_action"]
    data = explain.data(held)
    assert data["steps"][2]["changes"] == ["change the header 'Subject: hi' to 'Subject: [X] hi'"]
    assert data["verdict"] == "accept"


def test_a_pretended_action_is_told_apart(explain: Explain, tmp_path: Path) -> None:
    held = hold(tmp_path, pretend=True)
    done = explain(held)
    assert "hold (quarantine, pretended): applies" in done.stdout
    assert done.stdout.splitlines()[-1] == "delivered to anna@example.org, bert@example.org"


def test_whom_an_allowlist_covers_is_told(explain: Explain, tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/lists.db"
    allowed = hold(tmp_path)
    allowed["lists"] = {"w": {"type": "db", "connection": database, "table": "w"}}
    allowed["rules"][0]["actions"][0]["options"]["allowlist"] = "w"
    path = write_config(tmp_path / "c.conf", allowed)
    program = Path(sys.executable).with_name("pyquarantine")

    def allow(recipient: str) -> None:
        command = [f"{program}", "-c", f"{path}", "list", "w", "add", "-t", recipient]
        subprocess.run(command, check=True, capture_output=True)

    allow("anna@example.org")
    held = explain.data(allowed)["steps"][1]
    assert held["log"][0] == "allowlisted: anna@example.org"
    assert held["changes"][0] == "take out the recipients bert@example.org"
    allow("bert@example.org")
    assert "log: all recipients are allowlisted" in explain(allowed).stdout


def test_the_envelope_is_that_of_the_options_or_of_the_headers(explain: Explain) -> None:
    config = rules(MARK, envfrom="^boss@example.net$", envto=".*@example.org")
    assert explain.data(config)["steps"][1]["applied"] is True
    assert explain.data(config, "--from", "")["steps"][0]["applied"] is False
    other = explain.data(config, "--to", "c@example.com")
    assert other["steps"][0]["conditions"][1]["reason"] == "<c@example.com> does not match"
    assert "to nobody" in explain(config, content=b"X: y\n\n").stdout


def test_what_a_stranger_wrote_reaches_no_terminal(explain: Explain) -> None:
    done = explain(rules(MARK), content=b"Subject: \x1b[31m=?utf-8?q?=1B]0;x=07?=\n\n")
    assert "\x1b" not in done.stdout
    assert "[X]" in done.stdout


def test_mistakes_are_one_line(explain: Explain) -> None:
    done = explain(rules(MARK), "--client", "nonsense")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        2,
        "Error: --client: 'nonsense' does not appear to be an IPv4 or IPv6 address",
    )
