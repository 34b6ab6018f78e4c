"""A real sendmail that lives in a temporary directory and relays everything to one SMTP server.

`make test-sendmail` unpacks Debian's package beside the virtual environment. It has its own
configuration and queue, listens on 127.0.0.1 only, and touches no mail server of the system. The
lines about the filter, and about the port for releases, are those of docs/operations.md.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Self

from pyquarantine_core.testing.processes import PATIENCE, end_group, greets, wait_until
from pyquarantine_core.testing.sockets import free_port, is_free

UNPACKED = Path(sys.prefix) / "sendmail"
PROGRAM = UNPACKED / "usr/libexec/sendmail/sendmail"
CF_TREE = UNPACKED / "usr/share/sendmail/cf"
OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"

START_TIMEOUT = PATIENCE
"""Seconds within which sendmail greets."""
STOP_TIMEOUT = 10.0
"""Seconds that its processes get to leave before they are killed."""

_SENDMAIL_MC = """\
OSTYPE(`linux')dnl
define(`confDOMAIN_NAME', `mta.example')dnl
define(`QUEUE_DIR', `{directory}/queue')dnl
define(`confPID_FILE', `{directory}/pid')dnl
define(`STATUS_FILE', `')dnl
define(`confDONT_BLAME_SENDMAIL', `MapInUnsafeDirPath')dnl
define(`ALIAS_FILE', `{directory}/aliases')dnl
define(`HELP_FILE', `')dnl
define(`confCW_FILE', `')dnl
define(`confSERVICE_SWITCH_FILE', `{directory}/service.switch')dnl
define(`confTO_IDENT', `0s')dnl
define(`confPRIVACY_FLAGS', `')dnl
define(`SMART_HOST', `relay:[127.0.0.1]')dnl
define(`RELAY_MAILER_ARGS', `TCP $h {relay_port}')dnl
FEATURE(`nocanonify')dnl
FEATURE(`accept_unresolvable_domains')dnl
RELAY_DOMAIN(`127')dnl
FEATURE(`no_default_msa')dnl
{documented}
{settings}
MAILER(`local')dnl
MAILER(`smtp')dnl
"""

_HOSTS = """\
127.0.0.1 mta.example localhost
::1 mta.example localhost
127.0.0.25 mail.example.net
"""
_NAME_SERVICES = """\
passwd: files
group: files
hosts: files
"""
_IN_A_WORLD_OF_ITS_OWN = """\
mount --bind hosts /etc/hosts
mount --bind nsswitch.conf /etc/nsswitch.conf
hostname mta.example
exec "$@"
"""
"""In a mount and a UTS namespace. Before sendmail reads its configuration it looks up the name of
the machine, and waits a minute for the DNS to know it."""


class SendmailFailed(RuntimeError):  # noqa: N818 - says what happened
    """Sendmail was started and did not come up; the message holds what it said."""


class Sendmail:
    """A throw-away sendmail; use it as a context manager.

    Args:
        relay_port: The port on 127.0.0.1 of the SMTP server that gets all mail.
        milter: The filter's socket as sendmail writes it, such as `inet:PORT@HOST`.
        aliases: Lines of an aliases file, for names at mta.example.
        settings: More lines of sendmail.mc.

    Attributes:
        port: Of the daemon with the filter.
        reinjection_port: Of the one without.
    """

    def __init__(
        self, relay_port: int, milter: str, *, aliases: str = "", settings: str = ""
    ) -> None:
        self._relay_port = relay_port
        self._milter = milter
        self._aliases = aliases
        self._settings = settings
        self._daemon: subprocess.Popen[bytes] | None = None
        self.port = 0
        self.reinjection_port = 0

    def __enter__(self) -> Self:
        if not PROGRAM.exists():
            raise SendmailFailed(f"there is no {PROGRAM}: run `make test-sendmail`")
        self.directory = Path(tempfile.mkdtemp(prefix="sendmail-"))
        try:
            (self.directory / "queue").mkdir(mode=0o700)
            # Without it, names would be looked up in the DNS.
            (self.directory / "service.switch").write_text("hosts files\naliases files\n")
            (self.directory / "hosts").write_text(_HOSTS)
            (self.directory / "aliases").write_text(self._aliases)
            (self.directory / "nsswitch.conf").write_text(_NAME_SERVICES)
            while not self._start_on_free_ports():
                pass
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        if self._daemon is not None:
            end_group(self._daemon, STOP_TIMEOUT)
        shutil.rmtree(self.directory)

    @property
    def traffic(self) -> str:
        """All SMTP dialogues so far, and what sendmail printed."""
        parts = (self.directory / "traffic", self.directory / "output")
        return "".join(part.read_text(errors="replace") for part in parts if part.exists())

    def wait_until_delivered(self, timeout: float = PATIENCE) -> None:
        """Wait until its queue is empty; a message is there before sendmail answers for it.

        Raises:
            TimeoutError: Mail is still there after `timeout` seconds.
        """

        def is_empty() -> bool:
            return not any((self.directory / "queue").iterdir())

        if not wait_until(is_empty, timeout):
            raise TimeoutError(f"mail is still in the queue:\n{self.traffic}")

    def _run(self, *arguments: str) -> None:
        done = subprocess.run(
            [*self._command, *arguments], capture_output=True, cwd=self.directory, check=False
        )
        if done.returncode:
            said = (done.stdout + done.stderr).decode(errors="replace")
            raise SendmailFailed(f"status {done.returncode}: {said}")

    @property
    def _command(self) -> list[str]:
        namespaces = ("unshare", "--mount", "--uts", "sh", "-euc", _IN_A_WORLD_OF_ITS_OWN, "sh")
        return [*namespaces, f"{PROGRAM}", "-C", f"{self.directory}/sendmail.cf"]

    def _start_on_free_ports(self) -> bool:
        """True once it is up, False if another program was faster at taking a port."""
        self.port, self.reinjection_port = free_port(), free_port()
        self._configure()
        with (self.directory / "output").open("wb") as output:
            # -bD: in the foreground.
            started = subprocess.Popen(
                [*self._command, "-bD", "-X", f"{self.directory}/traffic"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.directory,
                start_new_session=True,
            )
        self._daemon = started

        def settled() -> bool:
            return started.poll() is not None or greets(self.reinjection_port, START_TIMEOUT)

        if wait_until(settled, START_TIMEOUT) and started.poll() is None:
            return True
        end_group(started, STOP_TIMEOUT)
        if is_free(self.port) and is_free(self.reinjection_port):
            raise SendmailFailed(f"sendmail does not serve:\n{self.traffic}")
        return False

    def _configure(self) -> None:
        source = self.directory / "sendmail.mc"
        source.write_text(
            _SENDMAIL_MC.format(
                directory=self.directory,
                relay_port=self._relay_port,
                documented=documented_settings(self._milter, self.port, self.reinjection_port),
                settings=self._settings,
            )
        )
        made = subprocess.run(
            ["m4", f"-D_CF_DIR_={CF_TREE}/", CF_TREE / "m4" / "cf.m4", source],
            check=True,
            capture_output=True,
        )
        (self.directory / "sendmail.cf").write_bytes(made.stdout)
        self._run("-bi")


def documented_settings(milter: str, port: int, reinjection_port: int) -> str:
    """The lines that docs/operations.md gives for sendmail.mc, with other addresses."""
    chapter = OPERATIONS.read_text().partition("\n## sendmail\n")[2]
    settings = chapter.split("```")[1].strip()
    for documented, here in (
        ("inet:8899@127.0.0.1", milter),
        ("Port=smtp", f"Addr=127.0.0.1, Port={port}"),
        ("Port=10025", f"Port={reinjection_port}"),
    ):
        if settings.count(documented) != 1:
            raise SendmailFailed(f"{OPERATIONS} does not have {documented!r} once")
        settings = settings.replace(documented, here)
    return settings
