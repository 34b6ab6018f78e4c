"""Conditions on the address of the client that handed the message in.

A client sends many messages, so what was found out about an address is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_network

from pyquarantine_core.message import Message
from pyquarantine_core.types import Condition, Match, Network, Services

KEPT = 1000
"""Addresses that a condition knows the answer for."""


class Local(Condition):
    """Whether the client is local; one without an address is."""

    def __init__(self, wanted: bool, networks: Sequence[Network]) -> None:
        self._wanted = wanted
        self._networks = networks
        self._match = lru_cache(KEPT)(self._judge)

    @classmethod
    def from_value(cls, value: bool, services: Services) -> Local:
        return cls(value, services.local_networks)

    def check(self, message: Message) -> Match:
        return self._match(message.client.address)

    def _judge(self, address: IPv4Address | IPv6Address | None) -> Match:
        local = address is None or _within(address, self._networks)
        return Match(local == self._wanted, f"{_shown(address)} is {'' if local else 'not '}local")


class Hosts(Condition):
    """Whether the client is in one of these networks; one without an address is in none."""

    def __init__(self, networks: Sequence[Network]) -> None:
        self._networks = networks
        self._match = lru_cache(KEPT)(self._judge)

    @classmethod
    def from_value(cls, value: Sequence[str], _services: Services) -> Hosts:
        return cls(tuple(ip_network(text, strict=False) for text in value))

    def check(self, message: Message) -> Match:
        return self._match(message.client.address)

    def _judge(self, address: IPv4Address | IPv6Address | None) -> Match:
        within = address is not None and _within(address, self._networks)
        return Match(within, f"{_shown(address)} is {'' if within else 'not '}among them")


def _within(address: IPv4Address | IPv6Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)


def _shown(address: IPv4Address | IPv6Address | None) -> str:
    return "a client without address" if address is None else str(address)
