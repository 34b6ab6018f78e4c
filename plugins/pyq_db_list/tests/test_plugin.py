"""What the plugin declares, and which connections it takes."""

from __future__ import annotations

from typing import Any

import pyq_db_list
import pytest
from pyq_db_list.url import DatabaseUrl

from pyquarantine_core.errors import ConfigError
from pyquarantine_core.testing.rules import load, rule

FILE = "sqlite:////var/lib/pyquarantine/lists.db"


@pytest.mark.parametrize(
    ("connection", "shown"),
    [
        (FILE, FILE),
        ("sqlite+pool:////tmp/x.db?max_connections=5&timeout=0", "sqlite:////tmp/x.db"),
        ("sqlite:////tmp/x.db?timeout=9", "sqlite:////tmp/x.db"),
    ],
)
def test_connections_are_shown_without_options(connection: str, shown: str) -> None:
    assert DatabaseUrl.parse(connection).shown == shown


@pytest.mark.databases
@pytest.mark.parametrize(
    ("connection", "shown"),
    [
        ("postgresql://u:hunter2@h:1/d?sslmode=require", "postgresql://u@h:1/d"),
        ("postgres://u:hunter2@h/d", "postgres://u@h/d"),
        ("postgresql:///d?host=/run/postgresql&password=hunter2", "postgresql:///d"),
        ("mysql://u%40x:hunter2@h/d", "mysql://u@x@h/d"),
        ("mysql+pool://u:hunter2@h/d?stale_timeout=300", "mysql://u@h/d"),
        ("mysql://u:hunter2@@h/d?passwd=hunter2", "mysql://u@h/d"),
    ],
)
def test_connections_are_shown_without_password(connection: str, shown: str) -> None:
    url = DatabaseUrl.parse(connection)
    assert url.shown == shown
    assert "hunter2" not in repr(url)
    assert str(url.failure(ValueError("no hunter2\n here"))).startswith(f"{shown}: no ")
    assert "hunter2" not in str(url.failure(ValueError("no hunter2\n here")))


@pytest.mark.parametrize(
    ("connection", "error"),
    [
        ("hunter2", "does not begin with sqlite://, postgresql://, postgres://, mysql://"),
        ("oracle://u:hunter2@h/d", "does not begin with sqlite://, "),
        ("sqlite://hunter2", "names no absolute path; with one it has four slashes: sqlite:////"),
        ("sqlite:///hunter2.db", "names no absolute path"),
        ("sqlite:///:memory:", "names no absolute path"),
        ("sqlite+apsw:////hunter2.db", "does not begin with"),
    ],
)
def test_a_connection_that_is_not_fit_is_refused_without_being_shown(
    connection: str, error: str
) -> None:
    refused(connection, error)


@pytest.mark.databases
@pytest.mark.parametrize(
    ("connection", "error"),
    [
        ("postgresql://u:hun/ter2@h/d", "each of / ? # [ ] @ : % is percent-encoded"),
        ("postgresql://u:hun[ter2@h/d", "each of / ? # [ ] @ : % is percent-encoded"),
        ("mysql://u:hunter2@h", "names no database: scheme://user@host/DATABASE"),
    ],
)
def test_a_connection_to_a_server_likewise(connection: str, error: str) -> None:
    refused(connection, error)


def refused(connection: str, error: str) -> None:
    options: dict[str, Any] = {"type": "db", "connection": connection, "table": "allow"}
    with pytest.raises(ConfigError) as caught:
        load({"lists": {"allow": options}, "rules": [rule("nothing", {})]}, pyq_db_list)
    text = str(caught.value)
    assert text.startswith("pyquarantine.conf:3: lists.allow: the connection ")
    assert error in text
    assert not any(part in text for part in ("hunter2", "hun/", "ter2", "hun["))
