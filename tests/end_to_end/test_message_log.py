"""One log line a message, for people or for machines."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pyquarantine_core.testing.daemon import write_config
from pyquarantine_core.testing.mta import Mail, Verdict, send

from ..conftest import InstallPlugin
from .conftest import Admin, DaemonFactory
from .test_recipients import SPAM, config

RECIPIENTS = tuple(f"u{number}@example.org" for number in range(12))
MAIL = Mail("a@x.example", RECIPIENTS, SPAM)
HAM = Mail("a@x.example", RECIPIENTS, b"Subject: ham\n\n")
SLOW = """
import time
from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.types import Action, ActionType, Part, Stage

class Slow(Action):
    def apply(self, message):
        time.sleep(0.05)

@hookimpl
def pyquarantine_actions():
    yield ActionType(name="slow", summary="", needs=Stage.ENVELOPE, changes=Part.NOTHING,
        schema={"type": "object", "properties": {}}, build=lambda options, services: Slow())
"""


def only(lines: list[str]) -> str:
    (line,) = lines
    return line


def test_a_line_has_verdict_rules_actions_envelope_and_time(
    start_daemon: DaemonFactory, tmp_path: Path
) -> None:
    daemon = start_daemon(config(tmp_path, 25, milter_action="DISCARD"))
    result = send(daemon.address, MAIL)
    assert result.verdict is Verdict.DISCARD
    ten = ",".join(f"<{one}>" for one in RECIPIENTS[:10])
    line = daemon.wait_for_log(f" {result.queue_id}: verdict=")
    text = "verdict=discard rules=all actions=all/hold client=192.0.2.1 from=<a@x.example>"
    assert re.search(rf"INFO: \w+: {re.escape(f'{text} nrcpt=12 to={ten} ms=')}[\d.]+$", line)


def test_there_is_one_for_each_message(start_daemon: DaemonFactory, tmp_path: Path) -> None:
    daemon = start_daemon(config(tmp_path, 25, milter_action="DISCARD"))
    ids = [send(daemon.address, mail).queue_id for mail in (MAIL, HAM) * 5]
    assert daemon.stop() == 0
    for queue_id in ids:
        only([line for line in daemon.log.splitlines() if f" {queue_id}: verdict=" in line])


@pytest.mark.usefixtures("for_daemons")
def test_the_time_is_that_of_all_steps_also_of_the_last(
    start_daemon: DaemonFactory, install_plugin: InstallPlugin
) -> None:
    install_plugin("slow", SLOW)
    action = {"name": "s", "type": "slow", "options": {}}
    daemon = start_daemon({"rules": [{"name": "r", "actions": [action]}]})
    send(daemon.address, MAIL)
    assert float(daemon.wait_for_log("verdict=").rpartition("ms=")[2]) >= 50


def test_what_is_accepted_before_its_headers_has_one_for_debugging_alone(
    start_daemon: DaemonFactory, tmp_path: Path
) -> None:
    settings = config(tmp_path, 25)
    settings["rules"][0]["conditions"] = {"envfrom": "^nobody@"}
    daemon = start_daemon(settings)
    assert send(daemon.address, MAIL).verdict is Verdict.ACCEPT
    assert " DEBUG: " in daemon.wait_for_log("verdict=accept")


def test_for_machines_all_lines_are_json_and_that_of_a_message_has_its_fields(
    tmp_path: Path,
) -> None:
    settings = config(tmp_path, 25, milter_action="DISCARD")
    settings |= {"socket": "inet:0@127.0.0.1", "workers": 1, "log_format": "json"}
    path = write_config(tmp_path / "c.conf", settings)
    program = Path(sys.executable).with_name("pyquarantine-milter")
    with subprocess.Popen(
        [program, "--debug", "-c", path], stderr=subprocess.PIPE, text=True
    ) as daemon:
        assert daemon.stderr is not None
        entries: list[dict[str, Any]] = []
        for line in daemon.stderr:
            entries.append(json.loads(line))
            listening = re.search(r"listening at (\S+)", entries[-1]["message"])
            if listening:
                result = send(listening[1], MAIL)
                daemon.terminate()
    assert daemon.returncode == 0
    assert all({"time", "level", "pid", "message"} <= entry.keys() for entry in entries)
    (done,) = [entry for entry in entries if "verdict" in entry]
    assert done["queue_id"] == result.queue_id
    assert (done["verdict"], done["rules"], done["actions"]) == ("discard", ["all"], ["all/hold"])
    assert (done["sender"], done["recipients"]) == ("a@x.example", list(RECIPIENTS))
    assert (done["client"], done["milliseconds"] > 0) == ("192.0.2.1", True)
    assert any(entry.get("step") == "all/hold" for entry in entries)


def test_a_reload_changes_the_format_of_all_processes(
    start_daemon: DaemonFactory, admin: Admin, tmp_path: Path
) -> None:
    daemon = start_daemon(config(tmp_path, 25))
    before = daemon.log
    write_config(admin.config, config(tmp_path, 25) | {"log_format": "json", "workers": 2})
    admin.out("reload")
    send(daemon.address, MAIL)
    daemon.wait_for_log('"verdict": "accept"')
    later = daemon.log.removeprefix(before).splitlines()
    first = next(number for number, line in enumerate(later) if line.startswith("{"))
    told = [json.loads(line) for line in later[first:] if " has left" not in line]
    assert {"ready with 2 processes", "reloaded"} <= {one["message"] for one in told}
