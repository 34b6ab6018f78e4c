"""Which parts nobody may edit inside: those that are signed or encrypted."""

from __future__ import annotations

import re

from pyquarantine_core.mime.structure import MimePart

_TYPES = frozenset(
    {
        "multipart/signed",  # RFC 1847, also for OpenPGP (RFC 3156) and S/MIME (RFC 8551)
        "multipart/encrypted",
        "application/pkcs7-mime",
        "application/x-pkcs7-mime",
        "application/pgp-encrypted",
        "application/pgp",  # as old programs did it
    }
)
_SMIME_NAMES = (".p7m", ".p7z")
_BEGIN = "-----BEGIN PGP "
_INLINE_PGP = re.compile(
    rf"(?:^|>){_BEGIN}(?:SIGNED )?MESSAGE(?:, PART [0-9/]+)?-----", re.MULTILINE
)


def is_protected(part: MimePart) -> bool:
    """Whether a part is signed or encrypted: by its type, or by its name (RFC 8551, 3.9)."""
    if part.type in _TYPES:
        return True
    return part.type == "application/octet-stream" and part.filename.lower().endswith(_SMIME_NAMES)


def holds_inline_pgp(text: str) -> bool:
    """Whether a text is, or holds, a message signed or encrypted with PGP (RFC 9580, 6.2 and 7)."""
    return _BEGIN in text and _INLINE_PGP.search(text) is not None
