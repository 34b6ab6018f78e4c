"""A real Postfix that lives in a temporary directory and relays everything to one SMTP server.

It has its own configuration, queue and log, and touches nothing of a Postfix that the system runs.
It listens on 127.0.0.1 only, on two ports: one with the milter under test, one without any, as a
filter needs for sending mail back ("re-injection"). Clients may use XCLIENT on both.

Postfix can only be started by root, since its daemons run as the user `postfix`; so a milter's Unix
socket must let that user in.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pyquarantine_core.testing.postfix_files import (
    base_settings,
    make_queue,
    write_configuration,
)
from pyquarantine_core.testing.processes import PATIENCE, end_group, greets, wait_until
from pyquarantine_core.testing.sockets import MilterSocket, free_port, is_free

START_TIMEOUT = PATIENCE
"""Seconds within which Postfix greets."""

STOP_TIMEOUT = 10.0
"""Seconds that its processes get to leave before they are killed."""

LIFETIME = 3600
"""Seconds after which the master process leaves by itself, should its owner have been killed."""


class PostfixUnavailable(RuntimeError):  # noqa: N818 - says what is the matter, as in "no such host"
    """Postfix cannot be run here: it is not installed, or we are not root."""


class PostfixFailed(RuntimeError):  # noqa: N818 - see above
    """Postfix was started and did not come up; the message holds its log."""


@dataclass(frozen=True)
class QueuedMessage:
    """A message in Postfix's queue, from `postqueue -j` (postqueue(1))."""

    queue_id: str
    queue_name: str
    sender: str
    recipients: tuple[str, ...]
    delay_reasons: tuple[str, ...]


class Postfix:
    """A throw-away Postfix; use it as a context manager, or call `start` and `stop`.

    Args:
        relay_port: The port on 127.0.0.1 of the SMTP server that gets all mail.
        milter: The filter's socket as the filter writes it (`unix:PATH`, `inet:PORT@HOST`), or
            None for no filter.
        non_smtpd_milter: The same for mail that comes in through the sendmail command.
        settings: More main.cf settings; they win over those made here.
    """

    def __init__(
        self,
        relay_port: int,
        milter: str | None = None,
        *,
        non_smtpd_milter: str | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._relay_port = relay_port
        self._milter = milter
        self._non_smtpd_milter = non_smtpd_milter
        self._settings = dict(settings or {})
        self._master: subprocess.Popen[bytes] | None = None
        self.port = 0
        self.reinjection_port = 0
        self.directory = Path()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def start(self) -> Self:
        """Start it and return once it takes mail.

        Raises:
            PostfixUnavailable: Postfix is not installed, or this process is not root.
            PostfixFailed: It did not come up.
        """
        daemons = _daemon_directory()
        # Below a directory that others may enter: the daemons do not run as root.
        self.directory = Path(tempfile.mkdtemp(prefix="postfix-"))
        self.directory.chmod(0o755)
        try:
            make_queue(self.directory)
            for _ in range(5):
                if self._start_on_free_ports(daemons / "master"):
                    return self
            raise PostfixFailed(f"no free port found; log:\n{self.log()}")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End all of its processes and remove its directory; mail still queued is lost."""
        self._end_master()
        if self.directory != Path():
            shutil.rmtree(self.directory, ignore_errors=True)

    def log(self) -> str:
        """What its daemons have logged so far."""
        parts = (self.directory / "maillog", self.directory / "stderr")
        return "".join(part.read_text(errors="replace") for part in parts if part.exists())

    def queue(self) -> tuple[QueuedMessage, ...]:
        """The messages it holds: under way, deferred, or on hold."""
        listing = self._run("postqueue", "-j")
        return tuple(_queued_message(json.loads(line)) for line in listing.splitlines())

    def flush(self) -> None:
        """Ask it to try all deferred mail now; this does not wait for the outcome."""
        self._run("postqueue", "-f")

    def sendmail(self, sender: str, recipients: tuple[str, ...], content: bytes) -> None:
        """Submit mail as a local user does, with the sendmail command (through `pickup`)."""
        self._run("sendmail", "-i", "-f", sender, "--", *recipients, content=content)

    def wait_until_idle(self, timeout: float = PATIENCE) -> None:
        """Wait until no message is on its way in or out; deferred and held mail stays put.

        Raises:
            TimeoutError: Mail is still under way after `timeout` seconds.
        """

        # A bounce comes into being while its message leaves: one empty look may have missed both.
        def idle() -> bool:
            return not any(self._under_way()) and not any(self._under_way())

        if not wait_until(idle, timeout):
            raise TimeoutError(f"mail is still under way: {self.queue()}; log:\n{self.log()}")

    def _under_way(self) -> Iterator[Path]:
        for name in ("maildrop", "incoming", "active"):
            yield from (self.directory / "queue" / name).rglob("*")

    def _start_on_free_ports(self, master: Path) -> bool:
        """True once it is up, False if another program was faster at taking a port."""
        self.port, self.reinjection_port = free_port(), free_port()
        settings = base_settings(self.directory, self._relay_port)
        settings["smtpd_milters"] = _for_postfix(self._milter)
        settings["non_smtpd_milters"] = _for_postfix(self._non_smtpd_milter)
        write_configuration(
            self.directory / "config",
            settings | self._settings,
            port=self.port,
            reinjection_port=self.reinjection_port,
        )
        with (self.directory / "stderr").open("ab") as errors:
            # Without -w it stays in the foreground, as leader of a session of its own.
            self._master = subprocess.Popen(
                [master, "-c", self.directory / "config", "-e", str(LIFETIME)],
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                env=_environment(),
            )
        started = self._master

        def settled() -> bool:
            # The master listens on both ports before it serves either; the filter sees no probe.
            return started.poll() is not None or greets(self.reinjection_port, START_TIMEOUT)

        if not wait_until(settled, START_TIMEOUT):
            raise PostfixFailed(f"no greeting in {START_TIMEOUT:.0f} s; log:\n{self.log()}")
        if started.returncode is None:
            return True
        self._end_master()
        # The log does not tell: the master leaves before there is one.
        if is_free(self.port) and is_free(self.reinjection_port):
            raise PostfixFailed(f"master left with status {started.returncode}:\n{self.log()}")
        return False

    def _end_master(self) -> None:
        """Stop the master, which stops its children, then see that its whole session is gone."""
        if self._master is None:
            return
        master, self._master = self._master, None
        end_group(master, STOP_TIMEOUT)

    def _run(self, command: str, *arguments: str, content: bytes = b"") -> str:
        config = self.directory / "config"
        done = subprocess.run(
            [_postfix_command(command), *arguments],
            input=content,
            capture_output=True,
            check=False,
            env=_environment() | {"MAIL_CONFIG": f"{config}"},
        )
        if done.returncode:
            errors = done.stderr.decode(errors="replace")
            raise PostfixFailed(f"{command} left with status {done.returncode}: {errors}")
        return done.stdout.decode()


def _for_postfix(milter: str | None) -> str:
    return MilterSocket.parse(milter).for_postfix() if milter else ""


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}


def _postfix_command(name: str) -> str:
    """The path of one of Postfix's commands, which on Debian lie outside a user's PATH."""
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin"
    found = shutil.which(name, path=path)
    if found is None:
        raise PostfixUnavailable(f"Postfix is not installed: there is no command {name!r}")
    return found


def _daemon_directory() -> Path:
    postconf = _postfix_command("postconf")
    if os.geteuid() != 0:
        raise PostfixUnavailable("Postfix can only be started by root")
    shown = subprocess.run(
        [postconf, "-dh", "daemon_directory"], capture_output=True, check=True, text=True
    )
    return Path(shown.stdout.strip())


def _queued_message(entry: dict[str, object]) -> QueuedMessage:
    recipients = entry["recipients"]
    if not isinstance(recipients, list):
        raise TypeError(f"postqueue -j lists recipients as {recipients!r}")
    return QueuedMessage(
        queue_id=str(entry["queue_id"]),
        queue_name=str(entry["queue_name"]),
        sender=str(entry["sender"]),
        recipients=tuple(str(recipient["address"]) for recipient in recipients),
        delay_reasons=tuple(str(recipient.get("delay_reason", "")) for recipient in recipients),
    )
