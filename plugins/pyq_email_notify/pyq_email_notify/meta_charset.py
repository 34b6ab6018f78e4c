"""The charset that HTML names itself: for the rare text whose header does not, and not UTF-8."""

from __future__ import annotations

LOOKED_AT = 2048
"""Bytes; the HTML standard wants it within the first 1024 (4.2.5.4)."""

NOT_OF_HTML = ("utf-7", "utf7", "utf-16", "utf-32")
"""What no browser reads HTML in because a `<meta>` says so (HTML, 13.2.3.2; Encoding, 4.2)."""


def meta_charset(data: bytes) -> str:
    """What `<meta charset>` or its like says, in lower case; empty when there is none."""
    from bs4.dammit import EncodingDetector  # noqa: PLC0415 - few messages ever need it

    found = EncodingDetector.find_declared_encoding(data[:LOOKED_AT], is_html=True)
    name = (found or "").lower()
    return "" if name.startswith(NOT_OF_HTML) else name
