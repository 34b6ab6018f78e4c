from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pyq_db_list.mail_list import DbList
from pyq_db_list.pool import Pool

from .servers import Database, MariaDb, PostgreSql, Server, SqliteFile

databases = pytest.mark.databases

Open = Callable[..., DbList]
AtOnce = Callable[..., list[subprocess.Popen[str]]]

WORKER = """
import sys
from pyq_db_list.mail_list import DbList
from pyq_db_list.pool import Pool
from pyquarantine_core.types import NewListEntry

found = DbList(Pool.of(sys.argv[1]), "allow")
print("ready", flush=True)
sys.stdin.readline()
{code}
found.close()
"""


def pytest_configure(config: pytest.Config) -> None:
    """For runs outside this repository, whose pyproject.toml has it."""
    config.addinivalue_line("markers", "databases: starts PostgreSQL and MariaDB servers")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    with PostgreSql() as server:
        yield server


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Server]:
    with MariaDb() as server:
        yield server


@pytest.fixture(
    params=[
        pytest.param("postgresql", marks=databases),
        pytest.param("mariadb", marks=databases),
    ]
)
def server(request: pytest.FixtureRequest) -> Server:
    """Each server; every test has it without tables."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Server)
    drop_tables(found)
    return found


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("postgresql", marks=databases),
        pytest.param("mariadb", marks=databases),
    ]
)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """Each kind of database, empty."""
    if request.param == "sqlite":
        return SqliteFile(tmp_path / "lists.db")
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Server)
    drop_tables(found)
    return found


@pytest.fixture
def open_list() -> Iterator[Open]:
    """Opens lists as a worker does; they are closed at the end."""
    opened: list[DbList] = []

    def start(database: Database, table: str = "allow", **options: str) -> DbList:
        found = DbList(Pool.of(database.url(**options)), table)
        opened.append(found)
        found.open()
        return found

    yield start
    for one in opened:
        one.close()


@pytest.fixture
def at_once() -> Iterator[AtOnce]:
    """Runs code on the list `found` in processes of their own, which begin together.

    Its arguments are lists: the connection, and what else the code wants.
    """
    with ExitStack() as running:

        def start(code: str, *arguments: list[str]) -> list[subprocess.Popen[str]]:
            command = [sys.executable, "-W", "error", "-c", WORKER.replace("{code}", code)]
            started = [
                running.enter_context(
                    subprocess.Popen(
                        [*command, *one],
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        stderr=subprocess.PIPE,
                        text=True,
                    )
                )
                for one in arguments
            ]
            for worker in started:
                assert worker.stdout is not None
                assert worker.stdout.readline() == "ready\n"
            for worker in started:
                assert worker.stdin is not None
                worker.stdin.write("\n")
                worker.stdin.flush()
            return started

        yield start


def drop_tables(server: Server) -> None:
    schema = "current_schema()" if isinstance(server, PostgreSql) else "database()"
    quote = '"' if isinstance(server, PostgreSql) else "`"
    for (name,) in server.execute(
        f"SELECT table_name FROM information_schema.tables WHERE table_schema = {schema}"
    ):
        server.execute(f"DROP TABLE {quote}{name}{quote}")
