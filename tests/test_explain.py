"""`pyquarantine explain`: what would become of a message, and why."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pyquarantine_core.testing.daemon import write_config

if TYPE_CHECKING:
    from tests.conftest import InstallPlugin

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
    assert data["steps"][2]["diff"][2:] == ["-Subject: hi", "+Subject: [X] hi"]
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
    assert "log: not held: all recipients are allowlisted" in explain(allowed).stdout


def test_the_envelope_is_that_of_the_options_or_of_the_headers(explain: Explain) -> None:
    config = rules(MARK, envfrom="^boss@example.net$", envto=".*@example.org")
    assert explain.data(config)["steps"][1]["applied"] is True
    assert explain.data(config, "--from", "")["steps"][0]["applied"] is False
    other = explain.data(config, "--to", "c@example.com")
    assert other["steps"][0]["conditions"][1]["reason"] == "<c@example.com> does not match"
    done = explain(config, content=b"X: y\n\n")
    assert "to nobody" in done.stdout
    assert done.stderr == "warning: no recipient in To or Cc; say with --to whom it is for\n"


def test_what_a_stranger_wrote_reaches_no_terminal(explain: Explain) -> None:
    done = explain(rules(MARK), content=b"Subject: \x1b[31m=?utf-8?q?=1B]0;x=07?=\n\n")
    assert "\x1b" not in done.stdout
    assert "[X]" in done.stdout


FAILING = """
from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.types import Action, ActionType, Part, Stage

class Failing(Action):
    def apply(self, message):
        raise SystemExit(3)

@hookimpl
def pyquarantine_actions():
    yield ActionType(name="failing", summary="x", schema={"type": "object", "properties": {}},
                     needs=Stage.BODY, changes=Part.NOTHING, build=lambda *_: Failing())
"""


@pytest.mark.usefixtures("for_daemons")
def test_an_action_that_fails_is_said_to_though_the_rules_go_on(
    explain: Explain, install_plugin: InstallPlugin
) -> None:
    install_plugin("pyq_failing", FAILING)
    config = rules({**action("f", "failing"), "on_error": "continue"}, MARK)
    _, failed, marked = explain.data(config)["steps"]
    assert (failed["applied"], failed["passed_over"], failed["failed"]) == (True, True, "")
    text = "action failing of pyq-failing 1.0 failed: SystemExit: 3; going on as before it"
    assert failed["log"] == [text]
    assert (marked["applied"], marked["passed_over"]) == (True, False)
    assert (
        f"  f (failing): fails, and is passed over\n      log: {text}\n" in explain(config).stdout
    )


def test_mistakes_are_one_line(explain: Explain) -> None:
    done = explain(rules(MARK), "--client", "nonsense")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        2,
        "Error: --client: 'nonsense' does not appear to be an IPv4 or IPv6 address",
    )


def disclaimer(directory: Path) -> dict[str, Any]:
    for kind in ("text", "html"):
        (directory / kind).write_text("CAUTION {ENVELOPE_FROM}\n")
    templates = {f"{kind}_template": f"{directory}/{kind}" for kind in ("text", "html")}
    return action("warn", "add_disclaimer", action="prepend", **templates)


def test_headers_and_texts_are_compared_as_people_read_them(
    explain: Explain, tmp_path: Path
) -> None:
    html = base64.encodebytes("<body>\r\n<p>Привет</p>\r\n</body>\r\n".encode("koi8-r"))
    mail = (
        b"From: boss@example.net\nSubject: =?koi8-r?b?8NLJ18XU?=\n"
        b"Content-Type: text/html; charset=koi8-r\nContent-Transfer-Encoding: base64\n\n"
    )
    _, mark, warn = explain.data(rules(MARK, disclaimer(tmp_path)), content=mail + html)["steps"]
    assert mark["diff"] == [
        *("@@ -1,3 +1,3 @@", " From: boss@example.net"),
        *("-Subject: Привет", "+Subject: [X] Привет"),
        " Content-Type: text/html; charset=koi8-r",
    ]
    assert warn["diff"] == [
        *("@@ -1,2 +1,3 @@", "-<body>", "+<body>CAUTION boss@example.net", "+"),
        " <p>Привет</p>",
    ]
    assert warn["changes"] == mark["changes"] == []


def test_of_a_long_difference_and_of_a_large_body_little_is_shown(explain: Explain) -> None:
    link = b'<a href="http://x.example">x</a>\n'
    rewrite = action("links", "rewrite_links", repl="https://r.example/{URL}")
    config = rules(rewrite)
    head = b"Content-Type: text/html\n\n"
    shown = explain.data(config, content=head + link * 100)["steps"][1]["diff"]
    assert shown[-1] == "(161 more lines)"
    assert len(shown) == 41
    (shown,) = explain.data(config, content=head + link * 40_000)["steps"][1]["diff"]
    assert re.fullmatch(r"\(the body has \d+ bytes instead of \d+\)", shown)


def test_who_would_be_told_is_named(explain: Explain, tmp_path: Path) -> None:
    (tmp_path / "template").write_text("{SUBJECT}")
    told = hold(tmp_path)
    notification = {"type": "email", "smtp_host": "127.0.0.1", "smtp_port": 25}
    notification |= {"envelope_from": "f@example.org", "from_header": "{FROM}", "subject": "x"}
    told["notifications"] = {"n": {**notification, "template": f"{tmp_path}/template"}}
    told["outbox"] = f"{tmp_path}/outbox"
    told["rules"][0]["actions"][0]["options"]["notification"] = "n"
    changes = explain.data(told)["steps"][1]["changes"]
    assert changes[2:] == ["notify anna@example.org, bert@example.org (n)"]
    assert not (tmp_path / "outbox").exists()


def test_rules_and_actions_of_one_name_are_told_apart(explain: Explain) -> None:
    config = rules(MARK, {**MARK, "conditions": {"envto": "^nobody"}}, MARK)
    config["rules"] *= 2
    config["rules"][0] = {**config["rules"][0], "conditions": {"local": True}}
    steps = explain.data(config)["steps"]
    assert [one["applied"] for one in steps] == [
        *(False, None, None, None),
        *(True, True, False, True),
    ]
    assert steps[7]["diff"][2:4] == ["-Subject: [X] hi", "+Subject: [X] [X] hi"]


def test_rules_behind_the_end_are_not_reached(explain: Explain, tmp_path: Path) -> None:
    config = hold(tmp_path)
    config["rules"].append(rules(MARK)["rules"][0])
    steps = explain.data(config)["steps"]
    assert [one["applied"] for one in steps] == [True, True, None, None, None]


def test_an_error_is_shown_where_it_happens(explain: Explain, tmp_path: Path) -> None:
    broken = {"type": "db", "connection": f"sqlite:///{tmp_path}/lists.db", "table": "w"}
    (tmp_path / "lists.db").write_text("something else entirely" * 100)
    asks = {**action("ask", "add_header", field="X-A", value="b"), "conditions": {"list": "w"}}
    config = rules(MARK, asks, MARK, local=False) | {"lists": {"w": broken}}
    data = explain.data(config)
    assert data["verdict"] == "tempfail"
    _, mark, ask, last = data["steps"]
    assert mark["diff"]
    assert ask["conditions"] == [{"name": "list", "matched": None, "reason": "failed"}]
    assert "file is not a database" in ask["failed"]
    assert (ask["applied"], last["applied"], last["failed"]) == (None, None, "")
    done = explain(config)
    assert "  ask (add_header): fails\n      -   list: failed\n" in done.stdout
    assert done.stdout.splitlines()[-1] == (
        "TEMPFAIL, at the end of the message; the sender tries again"
    )
    assert done.stderr.startswith("warning: lists.w: sqlite:")
    assert explain.data(config, "--client", "10.0.0.1")["verdict"] == "accept"


def test_no_database_is_made(explain: Explain, tmp_path: Path) -> None:
    new = {"type": "db", "connection": f"sqlite:///{tmp_path}/lists.db", "table": "w"}
    config = rules(MARK, list="w") | {"lists": {"w": new}}
    rule, _ = explain.data(config)["steps"]
    assert rule["applied"] is False
    assert not (tmp_path / "lists.db").exists()


def test_the_line_that_mbox_files_begin_with_is_no_header(explain: Explain) -> None:
    data = explain.data(rules(MARK), content=b"From boss@example.net Mon Jan  1 0:0:0\n" + SPAM)
    assert data["steps"][1]["diff"][2] == "-Subject: hi"
    assert data["recipients"] == ["anna@example.org", "bert@example.org"]
