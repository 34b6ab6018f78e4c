"""Made fit for logs and terminals: text that strangers chose, and spans of time."""

from __future__ import annotations

import json
import re
import reprlib
from collections.abc import Sequence

_MANY = 5
_REPR = reprlib.Repr()
_REPR.maxother = _REPR.maxstring = _REPR.maxlong = 60
_UNITS = (("d", 86400), ("h", 3600), ("min", 60))
_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")
_UNFIT = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # C0, DEL, C1: line breaks and terminal escapes
    "\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"  # invisible and bidi controls
    "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0"  # letters and marks that are blank
    "\ufff9-\ufffb"  # annotations, which a terminal may hide
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"  # controls of shorthand and music
    "\U000e0000-\U000e007f"  # tags
    "\ud800-\udfff]"  # surrogates: bytes that were not UTF-8
)


def printable(text: str) -> str:
    r"""The text with control, bidi and invisible characters shown as `\x1b` or `\u202e`."""
    if text.isascii() and text.isprintable():  # beyond ASCII that holds for invisible letters, too
        return text
    return _UNFIT.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def shown(value: object) -> str:
    """What a plugin gave in the place of something else; never long, and never an error."""
    return printable(_REPR.repr(value))


def listed(names: Sequence[str]) -> str:
    """The first few of them: `a, b, c, d, e and 7 more`."""
    more = f" and {len(names) - _MANY} more" if len(names) > _MANY else ""
    return f"{', '.join(names[:_MANY])}{more}"


def upright(text: str) -> str:
    """The text with U+FFFD for what turns it around: overrides and the like (UAX #9, section 2)."""
    return _TURNING.sub("\ufffd", text)


def as_json(data: object, *, indent: int | None = None) -> str:
    """JSON in printable ASCII: all but DEL is escaped by `json` itself."""
    return json.dumps(data, indent=indent).replace("\x7f", "\\u007f")


def duration(seconds: float) -> str:
    """So many seconds in the largest unit of which they are two or more: `30 s`, `2 h`."""
    for unit, length in _UNITS:
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
