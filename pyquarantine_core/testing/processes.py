"""Servers that a test starts: waiting until they serve, and until they are gone."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

PATIENCE = 120.0
"""Seconds that tests wait for what must happen: it costs nothing where it does, and machines may be
slow or busy."""


def wait_until(condition: Callable[[], bool], timeout: float) -> bool:
    """Look again and again until the condition holds; False if it does not within the time.

    Args:
        condition: What to wait for.
        timeout: Seconds.
    """
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def greets(port: int, timeout: float) -> bool:
    """Whether an SMTP server on this port of 127.0.0.1 greets within so many seconds."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout) as stream:
            greeting = stream.recv(4)
            stream.sendall(b"QUIT\r\n")
    except OSError:
        return False
    return greeting == b"220 "


def end_group(leader: subprocess.Popen[bytes], timeout: float) -> None:
    """End a process that leads a process group, and see that the whole group is gone.

    Args:
        leader: It gets SIGTERM.
        timeout: Seconds that it gets to leave, and then the others, before SIGKILL.
    """
    leader.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        leader.wait(timeout)
    if not wait_until(lambda: not lives(leader.pid), timeout):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(leader.pid, signal.SIGKILL)
    leader.wait()


def lives(group: int) -> bool:
    """Whether a process of this group still runs; one that nobody has reaped yet does not."""
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # proc(5): pid (comm) state ppid pgrp; the command's name may hold anything.
            state, _, process_group = status.read_text().rpartition(")")[2].split()[:3]
            if int(process_group) == group and state != "Z":
                return True
    return False
