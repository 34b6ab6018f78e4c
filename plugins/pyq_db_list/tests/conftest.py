from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pyq_db_list.mail_list import DbList
from pyq_db_list.pool import Pool

from .servers import Database, MariaDb, PostgreSql, Server, SqliteFile

databases = pytest.mark.databases

Open = Callable[..., DbList]


def pytest_configure(config: pytest.Config) -> None:
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


def drop_tables(server: Server) -> None:
    schema = "current_schema()" if isinstance(server, PostgreSql) else "database()"
    quote = '"' if isinstance(server, PostgreSql) else "`"
    for (name,) in server.execute(
        f"SELECT table_name FROM information_schema.tables WHERE table_schema = {schema}"
    ):
        server.execute(f"DROP TABLE {quote}{name}{quote}")
