"""Conditions on the address of the client that handed the message in."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_network

from pyquarantine_core.message import Client, Message
from pyquarantine_core.types import Condition, Match, Network, Services


class Local(Condition):
    """Whether the client is local; one without an address is."""

    def __init__(self, wanted: bool, networks: Sequence[Network]) -> None:
        self._wanted = wanted
        self._networks = networks

    @classmethod
    def from_value(cls, value: bool, services: Services) -> Local:
        return cls(value, services.local_networks)

    def check(self, message: Message) -> Match:
        local = message.client.address is None or _within(message.client, self._networks)
        return Match(
            local == self._wanted, f"{_shown(message.client)} is {'' if local else 'not '}local"
        )


class Hosts(Condition):
    """Whether the client is in one of these networks; one without an address is in none."""

    def __init__(self, networks: Sequence[Network]) -> None:
        self._networks = networks

    @classmethod
    def from_value(cls, value: Sequence[str], _services: Services) -> Hosts:
        return cls(tuple(ip_network(text, strict=False) for text in value))

    def check(self, message: Message) -> Match:
        within = _within(message.client, self._networks)
        return Match(within, f"{_shown(message.client)} is {'' if within else 'not '}among them")


def _within(client: Client, networks: Sequence[Network]) -> bool:
    return client.address is not None and any(client.address in network for network in networks)


def _shown(client: Client) -> str:
    return str(client.address or "a client without address")
