"""HTML that nobody sends in good faith, by what it tries.

`alert(1)` is what a script would do, `http://evil.example/` where a request would go.
"""

from __future__ import annotations

from collections.abc import Mapping

from .dressing import DRESSING
from .encodings import MAILS
from .escaping import ESCAPING
from .leading import LEADING
from .parsing import PARSING
from .scripts import SCRIPTS

DOCUMENTS: Mapping[str, str] = {**SCRIPTS, **PARSING, **LEADING, **DRESSING, **ESCAPING}
"""Documents by name."""


def html_mail(document: str) -> bytes:
    """A message with this HTML."""
    head = b"Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"
    return head + document.encode("utf-8", "replace")


def plain_mail(text: str) -> bytes:
    """A message with the same as plain text."""
    return html_mail(text).replace(b"text/html", b"text/plain", 1)


HTML_MAILS: Mapping[str, bytes] = {
    **{name: html_mail(one) for name, one in DOCUMENTS.items()},
    **MAILS,
}
"""Messages whose HTML tries it."""

__all__ = ["DOCUMENTS", "ESCAPING", "HTML_MAILS", "html_mail", "plain_mail"]
