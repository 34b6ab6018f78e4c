"""Who hands a message to the MTA."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address


@dataclass(frozen=True, slots=True)
class Client:
    """Who handed the message to the MTA.

    Attributes:
        name: its host name, or what the MTA says instead.
        address: None for a local submission, which has none.
    """

    name: str = ""
    address: IPv4Address | IPv6Address | None = None

    @classmethod
    def from_text(cls, name: str, address: str | None) -> Client:
        """From an address in text; IPv4-mapped IPv6 becomes IPv4."""
        if not address:
            return cls(name)
        parsed = ip_address(address.partition("%")[0])
        if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped:
            return cls(name, parsed.ipv4_mapped)
        return cls(name, parsed)
