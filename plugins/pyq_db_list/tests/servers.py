"""Private PostgreSQL and MariaDB servers, and SQLite files, for the length of a test run.

The servers live in a temporary directory, listen on 127.0.0.1, and run as `nobody` when the tests
run as root, for PostgreSQL refuses root.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import peewee

from pyquarantine_core.testing.processes import wait_until
from pyquarantine_core.testing.sockets import free_port

PASSWORD = "pass/w0rd#%41 @:?"
DATABASE = "mail"
USER = "filter"
START_TIMEOUT = 60.0


class Database(ABC):
    """A database to put lists into."""

    @abstractmethod
    def url(self, **options: str) -> str:
        """The connection of a list; `options` of the driver."""

    @abstractmethod
    def execute(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run a statement over a connection of its own."""


class SqliteFile(Database):
    def __init__(self, path: Path) -> None:
        self.path = path

    def url(self, **options: str) -> str:
        return f"sqlite:///{self.path}{_query(options)}"

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        return _run(peewee.SqliteDatabase(str(self.path)), sql.replace("%s", "?"), parameters)


class Server(Database):
    """A server of its own; a context manager."""

    scheme: str
    maker: type[peewee.Database]

    def __init__(self) -> None:
        self.port = free_port()
        self.directory = Path(tempfile.mkdtemp(prefix="pyq-db-"))
        self._account = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        if self._account:
            os.chown(self.directory, self._account.pw_uid, self._account.pw_gid)

    def __enter__(self) -> Server:
        self.prepare()
        self.start()
        self.set_up()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.directory)

    @abstractmethod
    def prepare(self) -> None:
        """Make its files."""

    @abstractmethod
    def command(self) -> list[str]:
        """How it is started."""

    @abstractmethod
    def set_up(self) -> None:
        """Make the user and the database."""

    @abstractmethod
    def knock(self) -> socket.socket:
        """A bare connection; PyMySQL leaves a socket open when there is none."""

    @abstractmethod
    def as_admin(self) -> peewee.Database:
        """A connection that may do everything."""

    def url(self, *, password: str = PASSWORD, **options: str) -> str:
        user = f"{USER}:{quote(password, safe='')}"
        return f"{self.scheme}://{user}@127.0.0.1:{self.port}/{DATABASE}{_query(options)}"

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        where: dict[str, Any] = {"host": "127.0.0.1", "port": self.port}
        database = self.maker(DATABASE, user=USER, password=PASSWORD, **where)
        return _run(database, sql, parameters)

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        with (self.directory / "log").open("ab") as log:
            self._process = self._spawn(self.command(), stdout=log, stderr=log)
        end = time.monotonic() + START_TIMEOUT
        while True:
            try:
                with closing(self.knock()):
                    _run(self.as_admin(), "SELECT 1")
            except (OSError, peewee.PeeweeException):
                alive = self._process.poll() is None and time.monotonic() < end
                assert alive, (self.directory / "log").read_text()
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """Stop it; connections are cut."""
        self._process.send_signal(self.stop_signal)
        self._process.wait(60)

    stop_signal = signal.SIGTERM

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """All its processes stand still; the machine still answers for them."""
        pids = self._pids()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            # Each thread goes on until it notices (signal(7)).
            assert wait_until(lambda: all(map(_stands_still, pids)), START_TIMEOUT)
            yield
        finally:
            for pid in self._pids():
                os.kill(pid, signal.SIGCONT)

    def make(self, *command: str | Path) -> None:
        """Run one of its tools."""
        process = self._spawn(
            list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        output, _ = process.communicate()
        assert process.returncode == 0, output.decode()

    def _spawn(self, command: list[str], **streams: Any) -> subprocess.Popen[bytes]:
        account = self._account
        who: dict[str, Any] = (
            {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
        )
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
        return subprocess.Popen(command, cwd=self.directory, env=environment, **who, **streams)

    def _pids(self) -> list[int]:
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        return [self._process.pid, *map(int, children.read_text().split())]


class PostgreSql(Server):
    scheme = "postgresql"
    maker = peewee.PostgresqlDatabase
    stop_signal = signal.SIGINT  # fast shutdown, postgres(1)

    def prepare(self) -> None:
        self.make(
            *(self._tool("initdb"), "--pgdata", self.directory / "data", "--no-sync"),
            *("--username", "admin", "--encoding", "UTF8", "--locale", "C.UTF-8"),
            *("--auth-local", "trust", "--auth-host", "scram-sha-256"),
        )

    def command(self) -> list[str]:
        settings = {"listen_addresses": "127.0.0.1", "port": self.port, "fsync": "off"}
        settings["unix_socket_directories"] = str(self.directory)
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        return [str(self._tool("postgres")), "-D", str(self.directory / "data"), *options]

    def set_up(self) -> None:
        quoted = PASSWORD.replace("'", "''").replace("%", "%%")
        _run(self.as_admin(), f"CREATE ROLE {USER} LOGIN PASSWORD '{quoted}'")
        _run(self.as_admin(), f"CREATE DATABASE {DATABASE} OWNER {USER}")
        _run(self.as_admin(), "CREATE ROLE reader")
        _run(self.as_admin(), f"GRANT reader TO {USER}")

    def knock(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port))

    def as_admin(self) -> peewee.Database:
        return peewee.PostgresqlDatabase(
            "postgres", user="admin", host=str(self.directory), port=self.port
        )

    @staticmethod
    def _tool(name: str) -> Path:
        found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
        assert found, "the package postgresql is not installed"
        return found[-1]


class MariaDb(Server):
    scheme = "mysql"
    maker = peewee.MySQLDatabase

    def prepare(self) -> None:
        self.make(
            *("mariadb-install-db", "--no-defaults", f"--datadir={self.directory}/data"),
            f"--tmpdir={self.directory}",  # a server that starts removes those of others in /tmp
            *("--auth-root-authentication-method=normal", "--skip-test-db"),
        )

    def command(self) -> list[str]:
        program = shutil.which("mariadbd", path=f"{os.environ['PATH']}:/usr/sbin")
        assert program, "the package mariadb-server-core is not installed"
        return [
            *(program, "--no-defaults", f"--datadir={self.directory}/data"),
            f"--tmpdir={self.directory}",
            *(f"--socket={self.directory}/socket", f"--port={self.port}"),
            *(
                "--bind-address=127.0.0.1",
                "--skip-name-resolve",
                f"--pid-file={self.directory}/pid",
            ),
            *("--innodb-buffer-pool-size=16M", "--innodb-flush-log-at-trx-commit=0"),
        ]

    def set_up(self) -> None:
        user = f"'{USER}'@'127.0.0.1'"
        _run(self.as_admin(), f"CREATE DATABASE {DATABASE}")
        _run(self.as_admin(), f"CREATE USER {user} IDENTIFIED BY %s", [PASSWORD])
        _run(self.as_admin(), f"GRANT ALL ON {DATABASE}.* TO {user}")

    def knock(self) -> socket.socket:
        with ExitStack() as opened:
            knocking = opened.enter_context(socket.socket(socket.AF_UNIX))
            knocking.connect(f"{self.directory}/socket")
            opened.pop_all()
            return knocking

    def as_admin(self) -> peewee.Database:
        return peewee.MySQLDatabase(
            "mysql", user="root", unix_socket=f"{self.directory}/socket", charset="utf8mb4"
        )


def _stands_still(pid: int) -> bool:
    """Whether all threads of a process are stopped (proc(5))."""
    try:
        states = [
            (task / "stat").read_text().rpartition(")")[2].split()[0]
            for task in Path(f"/proc/{pid}/task").iterdir()
        ]
    except OSError:  # one of them has ended meanwhile
        return False
    return set(states) <= {"T", "Z"}


def _run(
    database: peewee.Database, sql: str, parameters: Sequence[object] = ()
) -> list[tuple[Any, ...]]:
    with closing(database):
        cursor = database.execute_sql(sql, parameters)  # type: ignore[no-untyped-call] # the stubs
        return list(cursor.fetchall()) if cursor.description else []


def _query(options: dict[str, str]) -> str:
    return f"?{urlencode(options)}" if options else ""
