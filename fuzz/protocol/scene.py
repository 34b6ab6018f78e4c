"""The daemon under such MTAs, and what must be so after each of their rounds."""

from __future__ import annotations

import contextlib
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from fuzz.protocol.conversations import Conversation, conversation
from pyquarantine_core.testing.daemon import Daemon, write_config
from pyquarantine_core.testing.delivery import HeaderInserted
from pyquarantine_core.testing.mta import Mail, Verdict, send
from pyquarantine_core.testing.processes import wait_until
from pyquarantine_core.testing.sockets import MilterSocket

AT_ONCE = 4
"""Conversations at the same time."""
PATIENCE = 20.0
"""Seconds within which the daemon must be done with what it was sent."""

HAM = Mail("<a@example.net>", ("<clean@example.org>",), b"Subject: ham\n\nHello\n")
SPAM = Mail("<a@example.net>", ("<clean@example.org>",), b"Subject: spam\nX-Spam: Yes\n\nBuy\n")


class BrokenPromise(AssertionError):  # noqa: N818 - the name says what happened
    """Something is not as it must be after a round."""


class Scene:
    """A daemon that uses every action on what it is sent.

    Args:
        directory: for its files.
        workers: how many.
    """

    def __init__(self, directory: Path, workers: int = 2) -> None:
        self.directory = directory
        self.config = write_config(directory / "pyquarantine.conf", _config(directory, workers))
        self.daemon = Daemon(self.config, "inet:0@127.0.0.1")

    def __enter__(self) -> Scene:
        self.daemon.start()
        try:
            self._check_clean_mail()
            self._workers = self.daemon.workers()
            self._descriptors = self._open_descriptors()
        except BaseException:
            self.daemon.stop()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self.daemon.stop()

    def round(self, random: Random) -> None:
        """Let some MTAs talk at the same time, then look.

        Raises:
            BrokenPromise: what must be so is not.
        """
        told = [conversation(random) for _ in range(AT_ONCE)]
        talking = [threading.Thread(target=self._talk, args=(one,)) for one in told]
        for thread in talking:
            thread.start()
        for thread in talking:
            thread.join()
        self.check(told)

    def check(self, told: Sequence[Conversation] = ()) -> None:
        """See that all is as it must be.

        Raises:
            BrokenPromise: it is not.
        """
        if self.daemon.workers() != self._workers:
            raise BrokenPromise(f"a worker has died:\n{self.daemon.log[-3000:]}")
        self._check_clean_mail()
        if not wait_until(lambda: self._open_descriptors() <= self._descriptors, PATIENCE):
            raise BrokenPromise(f"descriptors are left open after {[one.raw for one in told]}")
        left = self._staged()
        if left:
            raise BrokenPromise(f"left unfinished: {left}")
        if "Traceback" in self.daemon.log:
            raise BrokenPromise(f"a bug:\n{self.daemon.log[-3000:]}")

    def check_storage(self) -> None:
        """See that `pyquarantine check` finds nothing."""
        program = Path(sys.executable).with_name("pyquarantine")
        command = [str(program), "-c", str(self.config), "check", "--dry-run"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BrokenPromise(done.stdout + done.stderr)

    def _talk(self, told: Conversation) -> None:
        """Send a conversation; a filter that hangs up is in its right."""
        with contextlib.suppress(OSError):
            stream = MilterSocket.parse(self.daemon.address).connect(PATIENCE)
            with stream:
                reader = threading.Thread(target=_read_all, args=(stream,))
                reader.start()
                try:
                    stream.sendall(told.raw)
                finally:
                    if told.reset:
                        linger = struct.pack("ii", 1, 0)
                        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    if told.reads or not told.reset:
                        with contextlib.suppress(OSError):
                            stream.shutdown(socket.SHUT_WR)
                        reader.join()
                    else:
                        with contextlib.suppress(OSError):
                            stream.shutdown(socket.SHUT_RDWR)
                        reader.join()

    def _check_clean_mail(self) -> None:
        ham, spam = send(self.daemon.address, HAM), send(self.daemon.address, SPAM)
        added = [one.name for one in ham.modifications if isinstance(one, HeaderInserted)]
        if ham.verdict is not Verdict.ACCEPT or added != ["X-Filtered"]:
            raise BrokenPromise(f"ham gets {ham}:\n{self.daemon.log[-3000:]}")
        if spam.verdict is not Verdict.DISCARD:
            raise BrokenPromise(f"spam gets {spam}:\n{self.daemon.log[-3000:]}")

    def _open_descriptors(self) -> int:
        return sum(
            len(list(Path(f"/proc/{worker}/fd").iterdir())) for worker in self.daemon.workers()
        )

    def _staged(self) -> list[str]:
        """Files that are not finished, in the storages and the outbox."""
        hidden = [
            *(self.directory / "hold").glob(".*"),
            *(self.directory / "outbox").glob(".[0-9]*"),
        ]
        return [path.name for path in hidden if path.is_file()]


def _read_all(stream: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while stream.recv(1 << 16):
            pass


def _config(directory: Path, workers: int) -> dict[str, Any]:
    templates = {}
    for kind in ("text", "html"):
        (directory / kind).write_text("<p>outside</p>" if kind == "html" else "outside\n")
        templates[f"{kind}_template"] = str(directory / kind)
    smtp = {"smtp_host": "127.0.0.1", "smtp_port": 9}  # nobody is there: notifications wait
    return {
        "workers": workers,
        "outbox": str(directory / "outbox"),
        "storages": {
            "hold": {"type": "file", "directory": str(directory / "hold"), "metavar": "H"}
        },
        "notifications": {
            "told": {
                "type": "email",
                **smtp,
                "envelope_from": "filter@example.org",
                "from_header": "{FROM}",
                "subject": "{SUBJECT}",
                "template": str(directory / "html"),
            }
        },
        "rules": [
            {
                "name": "all",
                "actions": [
                    {
                        "name": "mark",
                        "type": "add_header",
                        "options": {"field": "X-Filtered", "value": "yes"},
                    },
                    {
                        "name": "hold",
                        "type": "quarantine",
                        "conditions": {"headers": ["^X-Spam: *Yes"]},
                        "options": {
                            "storage": "hold",
                            "notification": "told",
                            "milter_action": "DISCARD",
                            **smtp,
                        },
                    },
                    {
                        "name": "subject",
                        "type": "mod_header",
                        "conditions": {"headers": ["^Content-Type:"]},
                        "options": {"field": "^Subject$", "value": "[EXT] \\g<0>", "search": ".*"},
                    },
                    {
                        "name": "outside",
                        "type": "add_disclaimer",
                        "conditions": {"headers": ["^Content-Type:"]},
                        "options": {"action": "append", **templates},
                    },
                    {
                        "name": "links",
                        "type": "rewrite_links",
                        "conditions": {"headers": ["^Content-Type:"]},
                        "options": {"repl": "https://safe.example/{URL_B64}"},
                    },
                ],
            }
        ],
    }
