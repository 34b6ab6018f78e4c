"""Where log lines go, in a process of its own."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

LOG = """
import logging, pathlib, sys
from pyquarantine_core.log import set_up_logging
set_up_logging(syslog=pathlib.Path(sys.argv[1]))
logging.getLogger("x").info("hello")
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


def test_a_link_to_a_syslog_that_is_gone_is_no_syslog(tmp_path: Path) -> None:
    (tmp_path / "log").symlink_to(tmp_path / "gone")
    assert "INFO: hello" in log_to(tmp_path / "log")


def test_a_syslog_that_does_not_listen_stops_nobody(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog:
        syslog.bind(str(tmp_path / "log"))
    log_to(tmp_path / "log")
