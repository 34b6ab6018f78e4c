"""Chromium without a window, told what to do over its DevTools protocol.

See https://chromedevtools.github.io/devtools-protocol/: a command is an object with a number, a
method and parameters, its answer has the same number; what has none is an event.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from typing import Any, Self

from pyquarantine_core.testing.processes import lives, wait_until

TIMEOUT = 60.0
"""Seconds within which Chromium answers a command."""

_THROUGH_PIPES = 'exec "$@" 3</proc/self/fd/"$READ" 4>/proc/self/fd/"$WRITE"'


class BrowserFailed(RuntimeError):  # noqa: N818 - the name says what happened
    """Chromium is not installed, or did not show the pages."""


class PageLeft(BrowserFailed):
    """The page went elsewhere while something was done with it."""


def chromium_command(port: int, profile: str) -> list[str]:
    """How to start it so that every name on the network leads to this port of the machine.

    Raises:
        BrowserFailed: it is not installed.
    """
    chromium = shutil.which("chromium")
    if chromium is None:
        raise BrowserFailed("Chromium is not installed: there is no command 'chromium'")
    return [
        *(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update"),
        *(f"--user-data-dir={profile}", f"--host-resolver-rules=MAP * 127.0.0.1:{port}"),
    ]


def end_browser(process: subprocess.Popen[bytes], timeout: float) -> None:
    """Kill Chromium with all its processes, which must be a process group."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    wait_until(lambda: not lives(process.pid), timeout)


class Browser:
    """Chromium with one tab.

    Args:
        port: where every name on the network leads.
        on_event: is called for every event, while a command or an event is waited for.
    """

    def __init__(self, port: int, on_event: Callable[[str, Mapping[str, Any]], None]) -> None:
        self._port = port
        self._on_event = on_event
        self._session = ""
        self._number = 0
        self._input = bytearray()
        self._answers: dict[int, Mapping[str, Any]] = {}

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as opened:
            profile = opened.enter_context(tempfile.TemporaryDirectory())
            read, self._to = os.pipe()
            opened.callback(os.close, self._to)
            self._from, write = os.pipe()
            opened.callback(os.close, self._from)
            command = [*chromium_command(self._port, profile), "--remote-debugging-pipe"]
            process = subprocess.Popen(
                ["/bin/sh", "-c", _THROUGH_PIPES, "sh", *command, "about:blank"],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(read, write),
                env={**os.environ, "READ": str(read), "WRITE": str(write)},
                start_new_session=True,
            )
            opened.callback(end_browser, process, TIMEOUT)
            os.close(read)
            os.close(write)
            self._selector = opened.enter_context(selectors.DefaultSelector())
            self._selector.register(self._from, selectors.EVENT_READ)
            targets = self.command("Target.getTargets")["targetInfos"]
            page = next(one["targetId"] for one in targets if one["type"] == "page")
            attached = self.command("Target.attachToTarget", targetId=page, flatten=True)
            self._session = attached["sessionId"]
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._opened.close()

    def command(self, method: str, **parameters: Any) -> Mapping[str, Any]:
        """Have it do something, and wait until it has.

        Raises:
            PageLeft: the page has gone elsewhere.
            BrowserFailed: it cannot, or does not answer.
        """
        number = self.post(method, **parameters)
        self.wait_until(lambda: number in self._answers, method)
        answer = self._answers.pop(number)
        if "navigated" in str(answer.get("error")):
            raise PageLeft(method)
        if "error" in answer:
            raise BrowserFailed(f"{method}: {answer['error']}")
        result: Mapping[str, Any] = answer["result"]
        return result

    def post(self, method: str, **parameters: Any) -> int:
        """Have it do something, and do not wait; returns the number of the command."""
        self._number += 1
        told: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            told["sessionId"] = self._session
        os.write(self._to, json.dumps(told).encode() + b"\0")
        return self._number

    def wait_until(self, condition: Callable[[], bool], wanted: str) -> None:
        """Hear events until the condition holds; `wanted` says what it is.

        Raises:
            BrowserFailed: it does not within the time.
        """
        end = time.monotonic() + TIMEOUT
        while not condition():
            if not self._selector.select(end - time.monotonic()):
                raise BrowserFailed(f"Chromium has not answered for {TIMEOUT:.0f} s: {wanted}")
            data = os.read(self._from, 1 << 20)
            if not data:
                raise BrowserFailed(f"Chromium has ended: {wanted}")
            self._input += data
            *messages, rest = self._input.split(b"\0")
            self._input = bytearray(rest)
            for message in messages:
                self._take(json.loads(message))

    def _take(self, message: Mapping[str, Any]) -> None:
        if "id" in message:
            self._answers[message["id"]] = message
        else:
            self._on_event(message["method"], message["params"])
