"""`local` and `hosts`: the address of the client."""

from __future__ import annotations

from typing import Any

import pyq_conditions
import pytest

from pyquarantine_core.testing.rules import matches, received


def holds(conditions: dict[str, Any], client: str | None, **settings: Any) -> bool:
    return matches(conditions, received(client=client), pyq_conditions, **settings)


@pytest.mark.parametrize(
    ("client", "local"),
    [
        ("127.0.0.1", True),
        ("10.255.0.1", True),
        ("172.31.255.255", True),
        ("172.32.0.0", False),
        ("192.168.7.7", True),
        ("192.0.2.1", False),
        ("::1", True),
        ("fe80::1", True),
        ("fe80::1%eth0", True),
        ("2001:db8::1", False),
        ("::ffff:10.1.2.3", True),
        ("::ffff:192.0.2.1", False),
        (None, True),
    ],
)
def test_local_says_whether_the_client_is_in_local_addrs(client: str | None, local: bool) -> None:
    assert holds({"local": True}, client) is local
    assert holds({"local": False}, client) is not local


def test_local_addrs_are_those_of_the_config() -> None:
    assert holds({"local": True}, "192.0.2.7", local_addrs=["192.0.2.0/24", "2001:db8::1"])
    assert holds({"local": True}, "2001:db8::1", local_addrs=["192.0.2.0/24", "2001:db8::1"])
    assert not holds({"local": True}, "127.0.0.1", local_addrs=["192.0.2.0/24"])


def test_without_local_addrs_only_a_client_without_address_is_local() -> None:
    assert not holds({"local": True}, "127.0.0.1", local_addrs=[])
    assert holds({"local": True}, None, local_addrs=[])


@pytest.mark.parametrize(
    ("hosts", "client", "matched"),
    [
        (["192.0.2.1"], "192.0.2.1", True),
        (["192.0.2.1"], "192.0.2.2", False),
        (["192.0.2.0/24"], "192.0.2.200", True),
        (["192.0.2.77/24"], "192.0.2.200", True),
        (["203.0.113.1", "2001:db8::/32"], "2001:db8:1::1", True),
        (["192.0.2.0/24"], "::ffff:192.0.2.1", True),
        (["2001:db8::/32"], "192.0.2.1", False),
        ([], "192.0.2.1", False),
        (["0.0.0.0/0", "::/0"], None, False),
    ],
)
def test_hosts_says_whether_the_client_is_in_one_of_the_networks(
    hosts: list[str], client: str | None, matched: bool
) -> None:
    assert holds({"hosts": hosts}, client) is matched
