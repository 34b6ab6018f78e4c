"""The database of a list stops, or is locked; the list decides what is held."""

from __future__ import annotations

import os
import pwd
import signal
import sqlite3
import subprocess
import tempfile
from contextlib import closing
from pathlib import Path
from random import Random

from pyquarantine_core.testing.processes import wait_until
from pyquarantine_core.testing.sockets import free_port

from .fault import Fault
from .load import Load
from .scene import SPAM, Scene, Stalled

SENDER = f"{SPAM}@load.example"
START_TIMEOUT = 60.0


class PostgreSqlStops(Fault):
    """The server is stopped and started three times."""

    name = "postgresql-stops"

    def prepare(self, scene: Scene) -> None:
        self._server = PostgreSql()
        scene.running.callback(self._server.remove)
        self._server.start()
        _decide_by_list(scene, self._server.url)

    def strike(self, scene: Scene, load: Load, chance: Random) -> None:
        for _ in range(3):
            self._server.stop()
            scene.wait_for_deferrals(10)
            self._server.start()
            load.wait_for(load.sent + 20)


class SqliteLocked(Fault):
    """Somebody has the file locked for longer than anyone waits for it."""

    name = "sqlite-locked"

    def prepare(self, scene: Scene) -> None:
        self._path = scene.directory / "lists.db"
        _decide_by_list(scene, f"sqlite:///{self._path}")

    def strike(self, scene: Scene, load: Load, chance: Random) -> None:
        with closing(sqlite3.connect(self._path, timeout=30, isolation_level=None)) as database:
            database.execute("BEGIN EXCLUSIVE")
            scene.wait_for_deferrals(10)


class PostgreSql:
    """A server with files of its own, which takes root for nobody."""

    def __init__(self) -> None:
        tools = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
        if not tools:
            raise Stalled("the package postgresql is not installed")
        self._tools = tools[-1]
        self._nobody = pwd.getpwnam("nobody")
        self._directory = Path(tempfile.mkdtemp(prefix="faults-postgresql-"))
        os.chown(self._directory, self._nobody.pw_uid, self._nobody.pw_gid)
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        options = ("--no-sync", "--username", "filter", "--auth", "trust", "--encoding", "UTF8")
        self._spawn("initdb", "-D", f"{self._directory}/data", *options).wait()

    @property
    def url(self) -> str:
        return f"postgresql://filter@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        self._process = self._spawn(
            *("postgres", "-D", f"{self._directory}/data", "-c", "listen_addresses=127.0.0.1"),
            *("-c", f"port={self._port}", "-c", f"unix_socket_directories={self._directory}"),
        )

        def ready() -> bool:
            return self._spawn("pg_isready", "-h", "127.0.0.1", "-p", f"{self._port}").wait() == 0

        if not wait_until(ready, START_TIMEOUT):
            raise Stalled((self._directory / "log").read_text())

    def stop(self) -> None:
        """Stop it; connections are cut (postgres(1): fast shutdown)."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait()
            self._process = None

    def remove(self) -> None:
        """End it, with its files."""
        self.stop()
        subprocess.run(["rm", "-r", self._directory], check=True)

    def _spawn(self, tool: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self._directory / "log").open("ab") as log:
            return subprocess.Popen(
                [self._tools / tool, *arguments],
                cwd=self._directory,
                stdout=log,
                stderr=log,
                user=self._nobody.pw_uid,
                group=self._nobody.pw_gid,
                extra_groups=[],
            )


def _decide_by_list(scene: Scene, connection: str) -> None:
    """Hold mail of senders on a list; that of spam is put on it."""
    scene.config["lists"] = {"held": {"type": "db", "connection": connection, "table": "held"}}
    scene.config["rules"][0]["conditions"] = {"list": "held"}
    scene.pyquarantine("list", "held", "add", "-f", SENDER)


FAULTS: tuple[Fault, ...] = (PostgreSqlStops(), SqliteLocked())
