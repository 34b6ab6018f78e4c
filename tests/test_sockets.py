"""Listening where an MTA connects."""

from __future__ import annotations

import grp
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pyquarantine_core.errors import ConfigError, ListenError
from pyquarantine_core.sockets import Address, Listener, group_id, listen


@contextmanager
def listening(
    text: str, *, mode: int | None = None, group: int | None = None
) -> Iterator[Listener]:
    listener = listen(Address.parse(text), mode=mode, group=group)
    try:
        yield listener
    finally:
        listener.close()


def names_in(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


def can_connect(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except OSError:
            return False
        return True


class TestAddress:
    @pytest.mark.parametrize(
        ("text", "address"),
        [
            ("unix:/run/x.sock", Address(socket.AF_UNIX, Path("/run/x.sock"))),
            ("local:/run/x.sock", Address(socket.AF_UNIX, Path("/run/x.sock"))),
            ("/run/x.sock", Address(socket.AF_UNIX, Path("/run/x.sock"))),
            ("inet:8899@127.0.0.1", Address(socket.AF_INET, host="127.0.0.1", port=8899)),
            ("inet:8899@[127.0.0.1]", Address(socket.AF_INET, host="127.0.0.1", port=8899)),
            ("inet:8899", Address(socket.AF_INET, port=8899)),
            ("inet6:8899@::1", Address(socket.AF_INET6, host="::1", port=8899)),
            ("inet6:0@[::1]", Address(socket.AF_INET6, host="::1")),
        ],
    )
    def test_it_is_written_as_milters_write_it(self, text: str, address: Address) -> None:
        assert Address.parse(text) == address

    @pytest.mark.parametrize(
        "text",
        ["", "x", "unix:", "unix:run/x.sock", "inet:", "inet:http@localhost", "inet:-1",
         "tcp:25@localhost", "inet4:25@127.0.0.1"],
    )  # fmt: skip
    def test_anything_else_is_refused_with_the_right_forms(self, text: str) -> None:
        with pytest.raises(ConfigError) as caught:
            Address.parse(text)
        assert str(caught.value) == (
            f"{text!r} is not a socket; write unix:/PATH, inet:PORT@HOST or inet6:PORT@HOST"
        )

    def test_a_port_is_a_number_of_two_bytes(self) -> None:
        assert Address.parse("inet:65535").port == 65535
        with pytest.raises(ConfigError) as caught:
            Address.parse("inet:65536@x")
        assert str(caught.value) == "'inet:65536@x' is not a socket; a port is at most 65535"


class TestUnix:
    def test_it_can_be_connected_to_until_it_is_closed(self, tmp_path: Path) -> None:
        path = tmp_path / "milter.sock"
        with listening(f"unix:{path}") as listener:
            assert str(listener) == f"unix:{path}"
            assert can_connect(path)
            assert names_in(tmp_path) == ["milter.sock"]
        assert names_in(tmp_path) == []

    def test_it_takes_the_place_of_a_stale_one(self, tmp_path: Path) -> None:
        path = tmp_path / "milter.sock"
        with socket.socket(socket.AF_UNIX) as crashed:
            crashed.bind(str(path))
        assert not can_connect(path)
        with listening(f"unix:{path}"):
            assert can_connect(path)

    def test_closing_leaves_what_has_taken_its_place(self, tmp_path: Path) -> None:
        path = tmp_path / "milter.sock"
        old = listen(Address.parse(f"unix:{path}"))
        path.unlink()
        with listening(f"unix:{path}"):
            old.close()
            assert can_connect(path)

    def test_one_that_is_in_use_is_left_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "milter.sock"
        with listening(f"unix:{path}"):
            with pytest.raises(ListenError, match="another process listens there"):
                listen(Address.parse(f"unix:{path}"))
            assert can_connect(path)

    def test_a_file_that_is_no_socket_is_left_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "precious"
        path.write_text("precious")
        (tmp_path / "link").symlink_to(path)
        for name in ("precious", "link"):
            with pytest.raises(ListenError, match="it exists and is not a socket"):
                listen(Address.parse(f"unix:{tmp_path}/{name}"))
        assert path.read_text() == "precious"

    def test_closing_does_not_mind_that_the_path_is_gone(self, tmp_path: Path) -> None:
        path = tmp_path / "milter.sock"
        with listening(f"unix:{path}"):
            path.unlink()

    @pytest.mark.parametrize("mode", [0o600, 0o660, 0o666])
    def test_it_has_the_permissions_asked_for(self, mode: int, tmp_path: Path) -> None:
        with listening(f"unix:{tmp_path}/x", mode=mode):
            assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == mode

    def test_it_belongs_to_the_group_asked_for(self, tmp_path: Path) -> None:
        group = grp.getgrgid(os.getgroups()[-1] if os.getgroups() else os.getgid())
        with listening(f"unix:{tmp_path}/x", group=group_id(group.gr_name)):
            assert (tmp_path / "x").stat().st_gid == group.gr_gid

    def test_without_them_the_umask_decides(self, tmp_path: Path) -> None:
        old = os.umask(0o027)
        try:
            with listening(f"unix:{tmp_path}/x"):
                assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o750
        finally:
            os.umask(old)

    def test_a_group_that_does_not_exist_is_an_error(self) -> None:
        with pytest.raises(ConfigError, match="there is no group 'no-such-group'"):
            group_id("no-such-group")

    def test_a_directory_that_does_not_exist_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(ListenError) as caught:
            listen(Address.parse(f"unix:{tmp_path}/no/x"))
        assert str(caught.value) == (f"cannot listen on {tmp_path}/no/x: No such file or directory")

    def test_a_directory_in_its_place_is_an_error_and_stays(self, tmp_path: Path) -> None:
        (tmp_path / "x").mkdir()
        with pytest.raises(ListenError, match="it exists and is not a socket"):
            listen(Address.parse(f"unix:{tmp_path}/x"))
        assert names_in(tmp_path) == ["x"]

    def test_a_path_that_is_too_long_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(ListenError, match="too long"):
            listen(Address.parse(f"unix:{tmp_path}/{'x' * 100}/y"))


class TestInet:
    @pytest.mark.parametrize(("kind", "host"), [("inet", "127.0.0.1"), ("inet6", "::1")])
    def test_it_says_where_it_listens(self, kind: str, host: str) -> None:
        with listening(f"{kind}:0@{host}") as listener:
            where = str(listener)
            address = Address.parse(where)
            assert (where.partition(":")[0], address.host) == (kind, host)
            socket.create_connection((host, address.port)).close()

    def test_the_port_is_free_at_once_when_it_is_closed(self) -> None:
        with listening("inet:0@127.0.0.1") as first:
            where = str(first)
            port = Address.parse(where).port
            client = socket.create_connection(("127.0.0.1", port))
        with client, listening(where) as second:
            assert str(second) == where

    def test_answers_are_not_held_back_to_be_sent_together(self) -> None:
        with (
            listening("inet:0@127.0.0.1") as listener,
            socket.socket(fileno=os.dup(listener.fileno())) as same,
        ):
            assert same.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    def test_nobody_waits_in_accept(self) -> None:
        with listening("inet:0@127.0.0.1") as listener:
            assert not os.get_blocking(listener.fileno())

    def test_ipv6_leaves_ipv4_to_others(self) -> None:
        with listening("inet6:0") as six:
            port = Address.parse(str(six)).port
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port))

    def test_a_port_in_use_is_an_error(self) -> None:
        with listening("inet:0@127.0.0.1") as listener:
            port = Address.parse(str(listener)).port
            with pytest.raises(ListenError) as caught:
                listen(Address.parse(f"inet:{port}@127.0.0.1"))
        assert str(caught.value) == (
            f"cannot listen on 127.0.0.1 port {port}: Address already in use"
        )

    def test_an_address_of_another_machine_is_an_error(self) -> None:
        with pytest.raises(ListenError, match=r"192\.0\.2\.1 port 0: Cannot assign"):
            listen(Address.parse("inet:0@192.0.2.1"))
