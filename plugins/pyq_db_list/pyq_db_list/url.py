"""Where a database is and how it is reached; the password never leaves this module."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from peewee import Database, MySQLDatabase, PeeweeException, PostgresqlDatabase, SqliteDatabase
from playhouse.db_url import parse

from pyquarantine_core.errors import ConfigError, ListError

LIMIT = 5
"""Seconds that connecting, a statement, and waiting for a lock or a connection may take each."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of database: its peewee class, how time is limited, and the drivers that peewee uses.

    The options are those of the drivers, in seconds; libpq's `tcp_user_timeout` and PostgreSQL's
    `statement_timeout` are in milliseconds. What the URL says comes first.
    """

    database: type[Database]
    options: Mapping[str, Any]
    drivers: tuple[str, ...] = ()
    extra: str = ""


_POSTGRESQL = _Kind(
    PostgresqlDatabase,
    {
        "connect_timeout": LIMIT,
        "tcp_user_timeout": LIMIT * 1000,
        "options": f"-c statement_timeout={LIMIT * 1000}",
        "application_name": "pyquarantine",
        "prefer_psycopg3": True,
    },
    ("psycopg", "psycopg2"),
    "postgresql",
)
_KINDS: Mapping[str, _Kind] = {
    "sqlite": _Kind(SqliteDatabase, {"timeout": LIMIT, "check_same_thread": False}),
    "postgresql": _POSTGRESQL,
    "postgres": _POSTGRESQL,
    "mysql": _Kind(
        MySQLDatabase,
        {"connect_timeout": LIMIT, "read_timeout": LIMIT, "write_timeout": LIMIT},
        ("pymysql", "MySQLdb"),
        "mysql",
    ),
}
_POOL_OPTIONS = {"max_connections", "stale_timeout", "timeout"}
"""What the `+pool` URLs of peewee add; there is one pool here, and it needs none of them."""


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """A parsed peewee database URL.

    Attributes:
        shown: it without password and options, for logs and errors.
    """

    shown: str
    _database: type[Database] = field(repr=False)
    _parameters: Mapping[str, Any] = field(repr=False)
    _secrets: frozenset[str] = field(repr=False)

    @classmethod
    def parse(cls, url: str) -> DatabaseUrl:
        """Read a URL; nothing is opened.

        Raises:
            ConfigError: what is wrong with it, without its text.
        """
        scheme, _, pooled = url.partition("://")[0].partition("+")
        kind = _KINDS.get(scheme)
        if kind is None or pooled not in {"", "pool"}:
            raise ConfigError(f"the connection does not begin with {'://, '.join(_KINDS)}://")
        if kind.drivers and not any(map(find_spec, kind.drivers)):
            raise ConfigError(
                f"{scheme} needs the driver {kind.drivers[0]}: "
                f"pip install 'pyq-db-list[{kind.extra}]'"
            )
        try:
            parts = urlsplit(url)
            given = parse(url, unquote_password=True, unquote_user=True)
        except ValueError:
            raise ConfigError(
                "the connection cannot be read; in user and password, each of / ? # [ ] @ : % "
                "is percent-encoded (%2F %3F %23 %5B %5D %40 %3A %25)"
            ) from None
        if "passwd" in given:  # peewee's word for it, which PyMySQL deprecates
            given["password"] = given.pop("passwd")
        if pooled:
            given = {key: value for key, value in given.items() if key not in _POOL_OPTIONS}
        name = given["database"]
        if scheme == "sqlite" and not Path(name).is_absolute():
            raise ConfigError(
                "the connection names no absolute path; with one it has four slashes: "
                "sqlite:////var/lib/pyquarantine/lists.db"
            )
        if not name:
            raise ConfigError("the connection names no database: scheme://user@host/DATABASE")
        secrets = {parts.password or "", str(given.get("password", ""))}
        secrets |= {value for key, value in parse_qsl(parts.query) if "pass" in key.lower()}
        host = f"{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}"
        user = f"{given['user']}@" if parts.username else ""
        return cls(
            f"{scheme}://{user}{host}/{name}",
            kind.database,
            {**kind.options, **given},
            frozenset(secrets - {""}),
        )

    @property
    def file(self) -> Path | None:
        """Of SQLite."""
        if issubclass(self._database, SqliteDatabase):
            return Path(self._parameters["database"])
        return None

    @property
    def is_mysql(self) -> bool:
        return issubclass(self._database, MySQLDatabase)

    def connect(self) -> Database:
        """A new connection: peewee's object for one, bound to no thread.

        Raises:
            ListError: there is none, or not in time.
        """
        try:
            database = self._database(**self._parameters, thread_safe=False, autoconnect=False)
            database.connect()
        except (PeeweeException, OSError, RuntimeError, TypeError, ValueError) as error:
            # The last three are how drivers refuse options that they do not know.
            raise self.failure(error) from None
        return database

    def create_file(self) -> None:
        """Make SQLite's file, for the owner of its directory alone, when it is missing.

        Raises:
            ListError: it cannot be made.
        """
        if self.file is None or self.file.exists():
            return
        try:
            with suppress(FileExistsError):
                self.file.touch(mode=0o600, exist_ok=False)
                if os.geteuid() == 0:
                    owner = self.file.parent.stat()
                    os.chown(self.file, owner.st_uid, owner.st_gid)
        except OSError as error:
            raise ListError(f"{self.shown}: cannot be created: {error.strerror}") from error

    def failure(self, error: Exception) -> ListError:
        """An error of the database as one line, without the password."""
        text = " ".join(str(error).split()) or type(error).__name__
        for known in self._secrets:
            text = text.replace(known, "***")
        return ListError(f"{self.shown}: {text}")
