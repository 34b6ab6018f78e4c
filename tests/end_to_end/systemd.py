"""A real systemd in namespaces of its own, which runs the unit as `--install` writes it.

It sees the machine's files, but `/etc`, `/run` and `/var/lib` are directories of the test, and it
knows no units but ours and a few empty targets. The user comes from `systemd-sysusers`.
"""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

from pyquarantine_core.testing.processes import wait_until

SYSTEMD = Path("/lib/systemd/systemd")
PROGRAM = Path(sys.executable).with_name("pyquarantine-milter")
UNIT = "pyquarantine-milter.service"
START_TIMEOUT = 60.0
"""Seconds within which systemd takes commands."""
STOP_TIMEOUT = 30.0
"""Seconds within which its processes are gone once they are killed."""

LOG = Path("/run/pyquarantine.log")
"""Of the service, as it sees it."""

_PROGRAM_FILES = (Path(sys.base_prefix), Path(sys.prefix), Path(__file__).parents[2])
_UNITS = Path("usr/lib/systemd/system")
_TARGETS = ("sysinit", "basic", "network", "multi-user", "shutdown", "umount")
_NOT_FOR_IT = "-sys_time,-sys_module,-sys_boot"
_BOOT = f"""\
set -e
mount --make-rprivate /
{{opened}}
mount --bind etc /etc
mount --bind run /run
mount --bind var/lib /var/lib
mount --bind -o ro /proc/sys /proc/sys
mount -t tmpfs tmpfs /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
exec env -i PATH="$PATH" container=other SYSTEMD_UNIT_PATH="$PWD/{_UNITS}" \\
    setpriv --bounding-set {_NOT_FOR_IT} {SYSTEMD} --system --unit=multi-user.target
"""


def why_not() -> str:
    """Why it cannot run here, or an empty text."""
    tools = ("unshare", "nsenter", "setpriv", "systemctl", "systemd-sysusers")
    missing = [one for one in (str(SYSTEMD), *tools) if not shutil.which(one)]
    if missing:
        return f"there is no {missing[0]}"
    if os.geteuid() != 0:
        return "it takes root"
    if _control_groups() is None:
        return "there are no control groups of version 2"
    return ""


class Systemd:
    """Runs the service; a context manager that kills all of it.

    Attributes:
        root: its files: `etc`, `run` and `var/lib` are those that it sees, and others may see it.
    """

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="pyq-systemd-"))
        self.root.chmod(0o755)
        for name in ("run", "var/lib", _UNITS):
            (self.root / name).mkdir(parents=True)
        shutil.copytree("/etc", self.root / "etc", symlinks=True)
        shutil.rmtree(self.root / "etc/systemd", ignore_errors=True)
        self._run(PROGRAM, "--install", "--root", self.root)
        self._run("systemd-sysusers", "--root", self.root)
        for name in _TARGETS:
            (self.root / _UNITS / f"{name}.target").write_text("[Unit]\nDefaultDependencies=no\n")
        drop_in = self.root / _UNITS / f"{UNIT}.d/log.conf"
        drop_in.parent.mkdir()
        drop_in.write_text(f"[Service]\nStandardError=append:{LOG}\n")  # there is no journal
        control_groups = _control_groups()
        assert control_groups is not None
        self._group = control_groups / f"pyquarantine-test-{secrets.token_hex(4)}"

    def __enter__(self) -> Self:
        self._group.mkdir()
        join = 'echo $$ >"$0/cgroup.procs"; exec "$@"'
        boot = _BOOT.format(opened="\n".join(_opened()))
        own = ("unshare", "--cgroup", "--pid", "--mount", "--uts", "--ipc", "--fork")
        self._process = subprocess.Popen(
            ["sh", "-c", join, self._group, *own, "--kill-child", "--mount-proc", "sh", "-c", boot],
            cwd=self.root,
            stdin=subprocess.DEVNULL,
        )
        try:
            wait_until((self.root / "run/systemd/private").exists, START_TIMEOUT)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.kill()
        self._process.wait()
        wait_until(self._remove_group, STOP_TIMEOUT)
        shutil.rmtree(self.root)

    def systemctl(self, *arguments: str) -> str:
        """Run it inside; returns what it prints.

        Raises:
            subprocess.CalledProcessError: it failed.
        """
        return self.inside(self._first(), "systemctl", "--no-pager", *arguments)

    def show(self, name: str) -> str:
        """A property of the service."""
        return self.systemctl("show", "--property", name, "--value", UNIT).strip()

    def inside(self, pid: int, *command: str) -> str:
        """Run a command as root where a process is; returns what it prints.

        Raises:
            subprocess.CalledProcessError: it failed.
        """
        return self._run("nsenter", f"--target={pid}", "--mount", "--pid", "--cgroup", *command)

    @property
    def log(self) -> str:
        """What the service has logged."""
        log = self.root / LOG.relative_to("/")
        return log.read_text() if log.exists() else ""

    def processes(self) -> list[int]:
        """Those of the service, as this side numbers them."""
        found: list[int] = []
        for file in (self._group / "system.slice" / UNIT).rglob("cgroup.procs"):
            with suppress(FileNotFoundError):
                found += map(int, file.read_text().split())
        return found

    def _first(self) -> int:
        """The systemd itself, as this side numbers it."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        (own,) = children.read_text().split()
        return int(own)

    def _remove_group(self) -> bool:
        for path in sorted(self._group.rglob("*/"), reverse=True):
            with suppress(OSError):  # processes are still about to leave
                path.rmdir()
        with suppress(OSError):
            self._group.rmdir()
        return not self._group.exists()

    @staticmethod
    def _run(*command: str | Path) -> str:
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def _control_groups() -> Path | None:
    """Where control groups of version 2 are mounted, alone or beside those of version 1."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, where, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(where)
    return None


def _opened() -> Iterator[str]:
    """Commands that let all users run the program, though it may be in root's home.

    Where a directory on the way is closed to others, nothing but the program is in it.
    """
    closed = {path: _closed(path) for path in _PROGRAM_FILES}
    places = {path: f"seen/{number}" for number, path in enumerate(_PROGRAM_FILES) if closed[path]}
    for path, place in places.items():
        yield f"mkdir -p {place}; mount --bind {shlex.quote(str(path))} {place}"
    for directory in sorted({str(one) for one in closed.values() if one}):
        yield f"mount -t tmpfs -o mode=755 tmpfs {shlex.quote(directory)}"
    for path, place in places.items():
        wanted = shlex.quote(str(path))
        yield f"mkdir -p {wanted}; mount --bind {place} {wanted}"


def _closed(path: Path) -> Path | None:
    """The topmost directory on the way that others may not pass."""
    return next((one for one in reversed(path.parents) if not one.stat().st_mode & 0o001), None)
