"""Where log lines go, in a process of its own."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

LOG = """
import logging, pathlib, sys
from pyquarantine_core.log import set_up_logging
set_up_logging(syslog=pathlib.Path(sys.argv[1]))
logging.getLogger("x").info("hello")
logging.getLogger("x").info("again")
"""


def log_to(syslog: Path) -> str:
    """What is logged to standard error."""
    command = [sys.executable, "-c", LOG, str(syslog)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stderr


def test_syslog_gets_the_lines_as_mail(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog:
        syslog.bind(str(tmp_path / "log"))
        syslog.settimeout(10)
        assert log_to(tmp_path / "log") == ""
        line = syslog.recv(1024)
    assert line.startswith(b"<22>pyquarantine[")  # facility mail, severity info (RFC 3164)
    assert b"INFO: hello" in line


def test_without_syslog_standard_error_gets_them(tmp_path: Path) -> None:
    assert "INFO: hello" in log_to(tmp_path / "log")


LAST_WORDS = """
import pathlib, sys
from pyquarantine_core.log import say_last_words, set_up_logging
set_up_logging(syslog=pathlib.Path(sys.argv[1]))
say_last_words("x.conf:1: \\x1bwrong\\nx.conf:2: too")
"""


def test_why_the_program_ends_is_said_on_standard_error_unless_the_log_is_there(
    tmp_path: Path,
) -> None:
    def said() -> str:
        command = [sys.executable, "-c", LAST_WORDS, str(tmp_path / "log")]
        return subprocess.run(command, check=True, capture_output=True, text=True).stderr

    assert said() == ""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog:
        syslog.bind(str(tmp_path / "log"))
        assert said() == "x.conf:1: \\x1bwrong\nx.conf:2: too\n"


def test_a_syslog_that_does_not_read_holds_nobody_up(tmp_path: Path) -> None:
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other,
    ):
        syslog.bind(str(tmp_path / "log"))
        other.connect(str(tmp_path / "log"))
        other.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                other.send(b"full")
        assert "lost: pyquarantine[" in log_to(tmp_path / "log")


GONE = """
import logging, os, pathlib, socket, sys
from pyquarantine_core.log import set_up_logging
syslog = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
syslog.bind(sys.argv[1])
set_up_logging(syslog=pathlib.Path(sys.argv[1]))
reader, writer = os.pipe()
os.dup2(writer, 2)
os.close(reader)
syslog.close()
logging.getLogger("x").info("hello")
print("goes on")
os._exit(0)  # without flushing standard error once more
"""


def test_syslog_and_standard_error_that_are_gone_stop_nobody(tmp_path: Path) -> None:
    """As when journald is restarted: what is being answered then is answered as it was held."""
    command = [sys.executable, "-u", "-c", GONE, str(tmp_path / "log")]
    assert subprocess.run(command, check=True, capture_output=True).stdout == b"goes on\n"


ODD_LINE = """
import logging, pathlib, sys
from pyquarantine_core.log import set_up_logging
set_up_logging(syslog=pathlib.Path(sys.argv[1]))
logging.getLogger("x").info("%d messages", "many")
logging.getLogger("x").info("hello")
"""


def test_a_line_that_cannot_be_made_is_told_and_costs_no_other(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog:
        syslog.bind(str(tmp_path / "log"))
        syslog.settimeout(10)
        command = [sys.executable, "-c", ODD_LINE, str(tmp_path / "log")]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        assert b"INFO: hello" in syslog.recv(1024)
    assert "'%d messages'" in done.stderr


JSON_LOG = """
import logging
from pyquarantine_core.log import set_up_logging
from pyquarantine_core.message_log import log_done
from pyquarantine_core.types import MessageDone, Stage, Verdict
set_up_logging(as_json=True, debug=True)
log_done(MessageDone(queue_id="4X", client="192.0.2.1", sender="a@x.example\\u202e",
    recipients=tuple(f"\x7fu{n}@x.example" for n in range(12)), verdict=Verdict.DISCARD,
    stage=Stage.BODY, rules=("r",), actions=("r/hold",), stored=1, notified=0, seconds=0.0123))
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger("x").exception("it\\nfailed")
"""


def test_json_has_one_object_a_line_and_the_fields_of_a_message() -> None:
    command = [sys.executable, "-c", JSON_LOG]
    done, failed = subprocess.run(
        command, check=True, capture_output=True, text=True
    ).stderr.splitlines()
    assert done.isascii()
    entry = json.loads(done)
    assert entry["message"].startswith(
        "4X: verdict=discard rules=r actions=r/hold client=192.0.2.1"
    )
    assert entry["message"].endswith(",<\x7fu9@x.example> ms=12.3")
    assert entry["level"] == "info"
    assert entry["sender"] == "a@x.example\u202e"
    assert len(entry["recipients"]) == entry["recipient_count"] == 12
    assert "\x7f" not in done
    assert entry["recipients"][0] == "\x7fu0@x.example"
    assert entry["milliseconds"] == 12.3
    assert json.loads(failed)["message"] == "it\nfailed"
    assert "ZeroDivisionError" in json.loads(failed)["exception"]


FORGING = """
import logging
from pyquarantine_core.log import sanitise_last_resort, set_up_logging
{set_up}
try:
    raise ValueError("no \\x1b[2J\\n2026-01-01 00:00:00,000 [1] INFO: 4X: verdict=accept")
except ValueError:
    logging.getLogger("x").exception("it\\x1b[2J failed\\nbadly")
"""


@pytest.mark.parametrize("set_up", ["set_up_logging()", "sanitise_last_resort()"])
def test_the_text_of_an_error_neither_looks_like_a_log_line_nor_steers_a_terminal(
    set_up: str,
) -> None:
    command = [sys.executable, "-c", FORGING.format(set_up=set_up)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    first, *rest = done.stderr.splitlines()
    assert first.endswith(r"it\x1b[2J failed\nbadly")
    assert any("INFO: 4X: verdict=accept" in line for line in rest)
    assert all(line.startswith("  ") for line in rest)
    assert "\x1b" not in done.stderr


def test_json_of_what_rules_and_actions_log_has_queue_id_and_step() -> None:
    program = """
import logging
from pyquarantine_core.message_log import MessageLog
from pyquarantine_core.log import set_up_logging
set_up_logging(as_json=True, debug=True)
MessageLog(logging.getLogger("x"), {"queue_id": "4X", "step": "r/hold"}).info("holding")
"""
    command = [sys.executable, "-c", program]
    line = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    entry = json.loads(line)
    assert (entry["queue_id"], entry["step"]) == ("4X", "r/hold")
    assert entry["message"] == "4X: r/hold: holding"


def test_a_link_to_a_syslog_that_is_gone_is_no_syslog(tmp_path: Path) -> None:
    (tmp_path / "log").symlink_to(tmp_path / "gone")
    assert "INFO: hello" in log_to(tmp_path / "log")


def test_while_no_syslog_listens_standard_error_gets_every_line(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog:
        syslog.bind(str(tmp_path / "log"))
    hello, again = log_to(tmp_path / "log").splitlines()
    assert hello.startswith("pyquarantine[")
    assert (hello.endswith("INFO: hello"), again.endswith("INFO: again")) == (True, True)
