"""Installs what a service needs (unit or init script, default config, files of plugins).

It takes them away again, too.

A list of what was installed, in the format of sha256sum(1), tells files that nobody has touched
from those an admin has changed: the latter are never overwritten and never removed.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from pyquarantine_core.config_file import CONFIG_DIRECTORY
from pyquarantine_core.errors import InstallError
from pyquarantine_core.registry import Registry
from pyquarantine_core.types import DefaultFile, Kind

PROGRAM = "pyquarantine-milter"
SOURCES = files("pyquarantine_core") / "installed"
RECORD = Path("/usr/lib/pyquarantine/installed.sha256")
"""What was installed; where root alone writes, because --uninstall removes what it names."""


class InitSystem(Enum):
    """What starts services, known by a program of its own."""

    SYSTEMD = Path("/lib/systemd/systemd")
    OPENRC = Path("/sbin/openrc-run")


@dataclass(frozen=True, slots=True)
class InstalledFile:
    """A file of a package and where it goes.

    Attributes:
        source: the file in the package.
        target: its path in the running system.
        mode: its permissions.
        init: what alone reads it; `@program@` in it then stands for what the service runs.
    """

    source: Traversable
    target: Path
    mode: int = 0o644
    init: InitSystem | None = None

    def content(self, program: Path) -> bytes:
        """What is written."""
        content = self.source.read_bytes()
        return content.replace(b"@program@", os.fsencode(program)) if self.init else content


FILES = (
    InstalledFile(
        SOURCES / "pyquarantine-milter.service",
        Path("/usr/lib/systemd/system/pyquarantine-milter.service"),
        init=InitSystem.SYSTEMD,
    ),
    InstalledFile(SOURCES / "pyquarantine.sysusers", Path("/usr/lib/sysusers.d/pyquarantine.conf")),
    InstalledFile(
        SOURCES / "pyquarantine-milter.openrc",
        Path("/etc/init.d/pyquarantine-milter"),
        mode=0o755,
        init=InitSystem.OPENRC,
    ),
    InstalledFile(
        SOURCES / "pyquarantine.conf.default", CONFIG_DIRECTORY / "pyquarantine.conf.default"
    ),
)


class Outcome(Enum):
    """What became of a file or directory, as the admin reads it."""

    INSTALLED = "installed: {}"
    UPDATED = "updated: {}"
    UNCHANGED = "unchanged: {}"
    REMOVED = "removed: {}"
    MODIFIED = "kept: {} (it is not as it was installed)"
    NOT_EMPTY = "kept: {} (not empty)"


def install(root: Path, program: Path, registry: Registry) -> Iterator[str]:
    """Install all files, or bring them up to date; yields one line for each.

    Args:
        root: directory that stands for `/`.
        program: what the service runs, as a path in the running system.
        registry: the plugins, which may bring files of their own.

    Raises:
        InstallError: a service cannot run this program.
        PluginError: two plugins bring a file of the same name.
        OSError: a file cannot be written.
    """
    if not re.fullmatch(r"[\w/.+:@-]+", str(program), re.ASCII):
        raise InstallError(f"a service cannot run {str(program)!r}; install to a plainer path")
    chosen = [*_files_for_init_systems(root), *_files_of_plugins(registry)]
    record = _read_record(root)
    _write_record(root, record)  # who may not write it finds out before anything is done
    try:
        for file in chosen:
            content = file.content(program)
            outcome = _place(_under(root, file.target), content, file.mode, record.get(file.target))
            if outcome is not Outcome.MODIFIED:
                record[file.target] = _digest(content)
            yield outcome.value.format(_under(root, file.target))
    finally:
        _write_record(root, record)


def uninstall(root: Path) -> Iterator[str]:
    """Remove what was installed and is still as it was; yields one line for each file.

    Args:
        root: directory that stands for `/`.

    Raises:
        OSError: a file cannot be removed.
    """
    record = _read_record(root)
    if not record:
        yield f"nothing is installed under {root}"
        return
    for target, digest in record.items():
        path = _under(root, target)
        current = _current(path)
        if current == digest:
            path.unlink()
            yield Outcome.REMOVED.value.format(path)
        elif current is not None:
            yield Outcome.MODIFIED.value.format(path)
    _under(root, RECORD).unlink()
    for path in (_under(root, directory) for directory in _own_directories(record)):
        if path.is_dir() and any(path.iterdir()):
            yield Outcome.NOT_EMPTY.value.format(path)
        elif path.is_dir():
            path.rmdir()


def running_program(root: Path) -> Path:
    """The `pyquarantine-milter` that runs now, as a path in the system whose `/` is root."""
    called = Path(sys.argv[0])
    if called.name != PROGRAM:  # python -m
        called = Path(sys.executable).with_name(PROGRAM)
    absolute, top = called.absolute(), root.absolute()
    return Path("/") / absolute.relative_to(top) if absolute.is_relative_to(top) else absolute


def _files_for_init_systems(root: Path) -> Iterator[InstalledFile]:
    """The core's files, without those for an init system where only another one is.

    A needless init script does harm: on Debian `systemctl enable` asks update-rc.d to enable it,
    too, and fails when that does.
    """
    there = [one for one in InitSystem if _under(root, one.value).exists()]
    for file in FILES:
        if not there or file.init is None or file.init in there:
            yield file


def _files_of_plugins(registry: Registry) -> Iterator[InstalledFile]:
    for name in registry.names(Kind.FILE):
        file = registry.find(Kind.FILE, name)
        assert isinstance(file, DefaultFile)
        yield InstalledFile(file.source, file.path)


def _own_directories(record: Mapping[Path, str]) -> list[Path]:
    """Directories that are ours alone, inner ones first; RECORD's is the last."""
    inside = {
        parent
        for target in record
        for parent in target.parents
        if parent.is_relative_to(CONFIG_DIRECTORY)
    }
    return [*sorted(inside, key=lambda path: (-len(path.parts), path)), RECORD.parent]


def _place(path: Path, content: bytes, mode: int, installed: str | None) -> Outcome:
    current = _current(path)
    if current == _digest(content):
        return Outcome.UNCHANGED
    if current not in (None, installed):
        return Outcome.MODIFIED
    _write(path, content, mode)
    return Outcome.INSTALLED if current is None else Outcome.UPDATED


def _current(path: Path) -> str | None:
    """The digest of a file; None when there is none, and empty for what is no plain file."""
    if not os.path.lexists(path):
        return None
    if path.is_symlink() or not path.is_file():
        return ""
    return _digest(path.read_bytes())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _read_record(root: Path) -> dict[Path, str]:
    path = _under(root, RECORD)
    if not path.exists():
        return {}
    lines = (line.split(maxsplit=1) for line in path.read_text().splitlines())
    return {Path(target): digest for digest, target in lines}


def _write_record(root: Path, record: Mapping[Path, str]) -> None:
    lines = (f"{digest}  {target}\n" for target, digest in record.items())
    _write(_under(root, RECORD), "".join(lines).encode(), 0o644)


def _write(path: Path, content: bytes, mode: int) -> None:
    _make_directory(path.parent)
    written = path.with_name(f".{path.name}.new")
    try:
        written.write_bytes(content)
        written.chmod(mode)
        written.rename(path)
    finally:
        written.unlink(missing_ok=True)


def _make_directory(path: Path) -> None:
    """Make a directory and what is missing above it, readable for the daemon's user."""
    if not path.is_dir():
        _make_directory(path.parent)
        path.mkdir()
        path.chmod(0o755)  # whatever the umask


def _under(root: Path, path: Path) -> Path:
    return root / path.relative_to("/")
