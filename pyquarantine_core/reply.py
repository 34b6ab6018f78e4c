"""The text of a refusal, as SMTP and libmilter take it."""

from __future__ import annotations

import textwrap
import unicodedata

LONGEST_LINE = 400
"""Characters; libmilter refuses over 980 bytes, RFC 5321 512."""
MOST_LINES = 32
"""libmilter takes no more (smfi_setmlreply)."""


def reply_lines(text: str) -> list[str]:
    """A text as ASCII (RFC 5321, 4.2) in short lines, with `%` doubled for libmilter."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    clean = "".join(c if c.isprintable() else " " for c in plain).strip() or "Message rejected"
    return [line.replace("%", "%%") for line in textwrap.wrap(clean, LONGEST_LINE)[:MOST_LINES]]
