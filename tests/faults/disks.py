"""A disk that is full, a directory that is gone or read-only, no descriptors left."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from .fault import Fault
from .load import Load
from .processes import highest_descriptor
from .scene import Scene

FELT = 20
"""Deliveries that are put off before a fault ends."""


class _Directory(Fault):
    """Something happens to the directory of the storage, or to that of the outbox."""

    def __init__(self, which: str) -> None:
        self.name = f"{which}-{self.name}"
        self._which = which

    def directory(self, scene: Scene) -> Path:
        return scene.directory / self._which


class FullDisk(_Directory):
    name = "full"

    def prepare(self, scene: Scene) -> None:
        directory = self.directory(scene)
        directory.mkdir(mode=0o700)
        _mount("-t", "tmpfs", "-o", "size=32m,mode=700", "tmpfs", directory)
        scene.running.callback(_unmount, directory)

    def strike(self, scene: Scene, load: Load, chance: Random) -> None:
        filler = self.directory(scene) / "filler"
        with _filled(filler):
            scene.wait_for_deferrals(FELT)
            # As when somebody makes room for a moment.
            filler.write_bytes(b"")
            scene.wait_for(lambda: _fill(filler) > 0, "room")
            scene.wait_for_deferrals(FELT)


class FullTemporaryDisk(Fault):
    """Large bodies are kept in files on the way; the disk of those is full, then small."""

    name = "temporary-full"

    def prepare(self, scene: Scene) -> None:
        directory = scene.directory / "tmp"
        directory.mkdir()
        _mount("-t", "tmpfs", "-o", "size=16m", "tmpfs", directory)
        scene.running.callback(_unmount, directory)
        scene.set_environment("TMPDIR", str(directory))

    def strike(self, scene: Scene, load: Load, chance: Random) -> None:
        with _filled(scene.directory / "tmp" / "filler"):
            load.send_large(6, 5 * 1024 * 1024)
            scene.wait_for_deferrals(2)


class DirectoryGone(_Directory):
    name = "directory-gone"

    def __init__(self, which: str) -> None:
        super().__init__(which)
        # The storage removes what was begun wherever it is now, the outbox by its path alone.
        self.may_leave = which == "outbox"

    def strike(self, scene: Scene, load: Load, chance: Random) -> None:
        directory = self.directory(scene)
        gone = directory.rename(directory.with_name("gone"))
        scene.wait_for_deferrals(FELT)
        gone.rename(directory)


class ReadOnly(_Directory):
    name = "read-only"
    may_leave = True  # what was begun before cannot be removed

    def strike(self, scene: Scene, load: Load, chance: Random) -> None:
        directory = self.directory(scene)
        aside = directory.with_name(f"{directory.name}-read-only")
        aside.mkdir()
        # A mount that has files open for writing stays as it is, so that this one is made aside.
        _mount("--bind", directory, aside)
        try:
            _mount("-o", "remount,bind,ro", aside)
            _mount("--bind", aside, directory)
            try:
                scene.wait_for_deferrals(FELT)
            finally:
                _unmount(directory)
        finally:
            _unmount(aside)
            aside.rmdir()


class NoDescriptors(Fault):
    """No process may open more than one or two files beside those it has; then all is well again.

    Meanwhile a worker ends and a reload is asked for, both of which take descriptors.
    """

    name = "no-descriptors"

    def strike(self, scene: Scene, load: Load, chance: Random) -> None:
        self._supervisor = scene.daemon.pid
        with contextlib.ExitStack() as limited:
            for pid in scene.processes():
                most = highest_descriptor(pid) + chance.randint(1, 3)
                before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
                resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, before[1]))
                limited.callback(_lift, pid, before)
            scene.wait_for_deferrals(FELT)
            os.kill(self._supervisor, signal.SIGHUP)
            scene.daemon.wait_for_log("not reloaded, nothing has changed")
            os.kill(chance.choice(scene.workers()), signal.SIGTERM)
            scene.wait_for_deferrals(FELT)
        scene.daemon.reload()

    def complaints(self, scene: Scene) -> list[str]:
        return [] if scene.daemon.generations() else ["the daemon has ended"]


@contextmanager
def _filled(filler: Path) -> Iterator[None]:
    _fill(filler)
    try:
        yield
    finally:
        filler.unlink()


def _fill(filler: Path) -> int:
    """Write to a file until the disk is full; returns the bytes written."""
    written = 0
    with filler.open("ab", buffering=0) as file:
        while True:
            try:
                written += file.write(bytes(4096))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                return written


def _lift(pid: int, limits: tuple[int, int]) -> None:
    with contextlib.suppress(ProcessLookupError):
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)


def _mount(*arguments: str | Path) -> None:
    subprocess.run(["mount", *arguments], check=True)


def _unmount(directory: Path) -> None:
    # Lazily: a daemon may still have files open there.
    subprocess.run(["umount", "--lazy", directory], check=True)


FAULTS: tuple[Fault, ...] = (
    *(kind(which) for kind in (FullDisk, DirectoryGone, ReadOnly) for which in ("hold", "outbox")),
    FullTemporaryDisk(),
    NoDescriptors(),
)
