"""Filters for the tests of what filters are tested with."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pyquarantine_core.testing.protocol import Actions, Command, Reply, Steps
from pyquarantine_core.testing.sockets import MilterSocket, free_port


@dataclass(frozen=True)
class BareFilter:
    """A running bare_filter.py."""

    socket: str
    log: Path

    @property
    def events(self) -> list[list[Any]]:
        """What it was told, each with its arguments and a dict of macros at the end."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def event_names(self) -> list[str]:
        return [event[0] for event in self.events]


BareFilterFactory = Callable[..., BareFilter]


@pytest.fixture
def bare_filter(tmp_path: Path) -> Iterator[BareFilterFactory]:
    """Starts bare_filter.py with the given specification on an inet (or the given) socket."""
    with contextlib.ExitStack() as running:

        def start(at: str | None = None, **specification: Any) -> BareFilter:
            address = at or f"inet:{free_port()}@127.0.0.1"
            log = tmp_path / f"events-{free_port()}"
            log.touch()
            script = Path(__file__).with_name("bare_filter.py")
            process = subprocess.Popen(
                [sys.executable, script, address, json.dumps(specification | {"log": f"{log}"})]
            )
            running.callback(process.wait)
            running.callback(process.kill)
            await_listener(address, process)
            return BareFilter(address, log)

        yield start


def await_listener(address: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 30
    while True:
        try:
            MilterSocket.parse(address).connect(30).close()
        except OSError:
            assert process.poll() is None, "the filter did not start"
            assert time.monotonic() < end, "the filter does not listen"
            time.sleep(0.02)
        else:
            return


class Recorder:
    """A filter without libmilter that agrees to given steps, says "continue" and keeps packets."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.socket = f"inet:{self._listener.getsockname()[1]}@127.0.0.1"
        self._packets: list[tuple[Command, bytes]] = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def packets(self) -> list[tuple[Command, bytes]]:
        """What its first connection carried, once that has ended."""
        self._thread.join(30)
        assert not self._thread.is_alive(), "the connection to the filter is still open"
        return self._packets

    def close(self) -> None:
        """Stop; a connection that never came is made up."""
        if self._thread.is_alive():
            MilterSocket.parse(self.socket).connect(30).close()
        self._thread.join(30)
        self._listener.close()

    def _serve(self) -> None:
        stream, _ = self._listener.accept()
        with stream, stream.makefile("rb") as packets:
            while length := packets.read(4):
                packet = packets.read(int.from_bytes(length))
                command = Command(packet[:1])
                self._packets.append((command, packet[1:]))
                if command is Command.OPTNEG:
                    agreed = struct.pack("!III", 6, Actions.ALL, self._steps)
                    stream.sendall(struct.pack("!I", 13) + Reply.OPTNEG.value + agreed)
                elif command in SILENT or SILENCED.get(command, Steps(0)) & self._steps:
                    continue
                else:
                    stream.sendall(struct.pack("!I", 1) + Reply.CONTINUE.value)


SILENT = {Command.MACRO, Command.ABORT, Command.QUIT}
SILENCED = {
    Command.CONNECT: Steps.NR_CONN,
    Command.HELO: Steps.NR_HELO,
    Command.MAIL: Steps.NR_MAIL,
    Command.RCPT: Steps.NR_RCPT,
    Command.DATA: Steps.NR_DATA,
    Command.HEADER: Steps.NR_HDR,
    Command.EOH: Steps.NR_EOH,
    Command.BODY: Steps.NR_BODY,
    Command.UNKNOWN: Steps.NR_UNKN,
}

RecorderFactory = Callable[[Steps], Recorder]


@pytest.fixture
def recorder() -> Iterator[RecorderFactory]:
    """Makes a `Recorder` that agrees to the given steps."""
    with contextlib.ExitStack() as running:

        def start(steps: Steps) -> Recorder:
            started = Recorder(steps)
            running.callback(started.close)
            return started

        yield start
