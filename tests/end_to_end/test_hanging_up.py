"""An MTA that hangs up in the middle of the answer: nothing is kept, and one line says why."""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path

import pytest

from pyquarantine_core.testing.mta import Mail, Verdict, send
from pyquarantine_core.testing.protocol import VERSION, Actions, Channel, Command, Steps, strings
from pyquarantine_core.testing.sockets import MilterSocket

from ..conftest import InstallPlugin
from .conftest import DaemonFactory

PLUGIN = """
from pathlib import Path
from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.types import Action, ActionType, Part, Stage

class Wait(Action):
    "Waits for the other end of a FIFO, if there is one."

    def __init__(self, fifo):
        self.fifo = Path(fifo)

    def apply(self, message):
        if self.fifo.exists():
            self.fifo.read_bytes()

@hookimpl
def pyquarantine_actions():
    yield ActionType(name="wait", summary="", needs=Stage.BODY, changes=Part.NOTHING,
        schema={"type": "object", "properties": {"fifo": {"type": "string"}}},
        build=lambda options, services: Wait(options["fifo"]))
"""
PACKETS = [
    (Command.OPTNEG, struct.pack("!III", VERSION, Actions.ALL, Steps.ALL)),
    (Command.CONNECT, strings("client.example") + b"4\x9c\x40" + strings("192.0.2.1")),
    (Command.MAIL, strings("<a@example.net>")),
    (Command.RCPT, strings("<u@example.org>")),
    (Command.HEADER, strings("Subject", " hello")),
    (Command.EOH, b""),
    (Command.BODY, b"Hello\r\n"),
    (Command.BODYEOB, b""),
]
MAIL = Mail("a@example.net", ("u@example.org",), b"Subject: hello\n\nHello\n")


@pytest.mark.usefixtures("for_daemons")
def test_changes_that_it_no_longer_takes_are_no_bug(
    start_daemon: DaemonFactory, install_plugin: InstallPlugin, tmp_path: Path
) -> None:
    install_plugin("wait", PLUGIN)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    add = {"field": "X-Added", "value": "yes"}
    daemon = start_daemon(
        {
            "storages": {"copies": {"type": "file", "directory": str(tmp_path / "copies")}},
            "rules": [
                {
                    "name": "all",
                    "actions": [
                        {"name": "add", "type": "add_header", "options": add},
                        {"name": "copy", "type": "store", "options": {"storage": "copies"}},
                        {"name": "wait", "type": "wait", "options": {"fifo": str(fifo)}},
                    ],
                }
            ],
        }
    )
    stream = MilterSocket.parse(daemon.address).connect(30)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    channel = Channel(stream)
    for command, data in PACKETS:
        channel.write(command, data)
    channel.flush()
    with fifo.open("wb"):  # the action waits at the other end
        channel.close()
    fifo.unlink()
    daemon.wait_for_log("tempfail: the MTA does not take the changes: ")
    assert send(daemon.address, MAIL).verdict is Verdict.ACCEPT
    assert len(list((tmp_path / "copies").iterdir())) == 1
    assert "Traceback" not in daemon.log
