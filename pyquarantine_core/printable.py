"""Text that strangers chose, made fit for logs and terminals."""

from __future__ import annotations

import re

_UNFIT = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # C0, DEL, C1: line breaks and terminal escapes
    "\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"  # invisible and bidi controls
    "\U000e0000-\U000e007f"  # tags
    "\ud800-\udfff]"  # surrogates: bytes that were not UTF-8
)


def printable(text: str) -> str:
    r"""The text with control, bidi and invisible characters shown as `\x1b` or `\u202e`."""
    return _UNFIT.sub(lambda match: match[0].encode("unicode_escape").decode(), text)
