"""Which entries of a list hold for an address, and what an entry may look like: for all lists.

An entry is an address, `@domain`, `.domain` (the domain and all below it) or empty (anyone).
Everything here is lower case: letter case never counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from pyquarantine_core.errors import ListError

MAX_LENGTH = 255
"""Characters of an entry; no longer address can be one (RFC 5321, 4.5.3.1.3)."""

_SIGNED = (
    # Sender Rewriting Scheme: SRS0=hash=time=domain=user; SRS1 puts a forwarder's name before that.
    re.compile(r"srs0[=+-][^=]+=[^=]+=(?P<domain>[^=]+)=(?P<user>.+)"),
    re.compile(r"srs1[=+-][^=]+=[^=]+=[=+-][^=]+=[^=]+=(?P<domain>[^=]+)=(?P<user>.+)"),
    # Bounce Address Tag Validation (draft-levine-smtp-batv): prvs=tag=user; once prvs=user/tag.
    re.compile(r"prvs=[0-9a-z]+=(?P<user>.+)"),
    re.compile(r"prvs=(?P<user>.+)/[0-9a-z]+"),
)
_VERP = re.compile(r"(?P<user>[^+]+)\+.+=.+")
"""Variable Envelope Return Path, as Postfix writes it (VERP_README): user+recipient=domain."""
_LAYERS = 4
"""How many such rewritings of one address are seen through."""

_DOMAIN = r"""(?:[^\s@"(),:;<>\[\]\\*.]+(?:\.[^\s@"(),:;<>\[\]\\*.]+)*|\[[^\s@\[\]]+\])"""
_ENTRY = re.compile(rf"""(?:(?:"[^"\r\n]+"|[^\s@"(),:;<>\[\]\\*]+)@|@|\.){_DOMAIN}|""")


def candidates(address: str) -> list[str]:
    """The entries that hold for an address, the most specific first; of one that has a tag, too.

    Args:
        address: a bare address, `""` for the null sender, or an entry: then those that hold for
            all that it means.
    """
    spellings = list(islice(_spellings(address.lower()), _LAYERS))
    domains = list(dict.fromkeys(one.rpartition("@")[2] for one in spellings if "@" in one))
    above = [one for one in spellings if one.startswith(".")]
    above += [f".{domain}" for domain in domains]
    found = [
        *spellings,
        *(f"@{domain}" for domain in domains),
        *sorted((one for way in above for one in _upwards(way)), key=len, reverse=True),
        "",
    ]
    return [one for one in dict.fromkeys(found) if len(one) <= MAX_LENGTH and _is_text(one)]


def as_entry(text: str) -> str:
    """An entry in the spelling in which it is kept, without a tag that changes with each message.

    Raises:
        ListError: it is none; the text says what would be right.
    """
    entry = text.strip().lower()
    if not (_ENTRY.fullmatch(entry) and len(entry) <= MAX_LENGTH and _is_text(entry)):
        raise ListError(
            f"{text!r} is no entry; it should be an address (user@example.org), a domain "
            "(@example.org), a domain and all below it (.example.org), or empty for anyone"
        )
    while (plain := _unwrapped(entry, _SIGNED)) is not None:
        entry = plain
    return entry


def _spellings(address: str) -> Iterator[str]:
    """The address as it is, then without one rewriting after the other."""
    spelling: str | None = address
    while spelling is not None:
        yield spelling
        spelling = _unwrapped(spelling, (*_SIGNED, _VERP))


def _unwrapped(address: str, patterns: tuple[re.Pattern[str], ...]) -> str | None:
    local, _, domain = address.rpartition("@")
    for pattern in patterns:
        if found := pattern.fullmatch(local):
            return f"{found['user']}@{found.groupdict().get('domain', domain)}"
    return None


def _upwards(domain: str) -> Iterator[str]:
    """`.a.b.c`, `.b.c`, `.c`."""
    while domain:
        yield domain
        dot = domain.find(".", 1)
        domain = domain[dot:] if dot > 0 else ""


def _is_text(text: str) -> bool:
    """Whether files and databases take it: no NUL, no surrogates (bytes that were not UTF-8)."""
    return text.isprintable()
