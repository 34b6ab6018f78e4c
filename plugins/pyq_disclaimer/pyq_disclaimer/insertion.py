"""How a disclaimer is put into a text."""

from __future__ import annotations

import html
import re

from pyq_disclaimer.html_body import body_end, body_start
from pyq_disclaimer.template import Disclaimer
from pyquarantine_core.limits import over
from pyquarantine_core.mime.content import ContentError
from pyquarantine_core.mime.text import PartText, TextEdit

_BREAK = re.compile("\r\n|\n")
_BOMS = ("\ufeff", "\ufeff".encode().decode("latin-1"))
"""Byte order marks, decoded and in UTF-8 as a view by bytes has it."""
_STUFFED = (" ", ">", "From ")
"""How lines begin that get another space in format=flowed (RFC 3676, section 4.4)."""
_SIGNATURE = "-- "


def edit_text(text: PartText, disclaimer: Disclaimer, *, prepend: bool, depth: int) -> TextEdit:
    """The disclaimer before or after a text of its kind, in its line breaks.

    Raises:
        ContentError: it is HTML that leaves more than `depth` elements open.
    """
    if text.part.type == "text/html":
        new = _BREAK.sub(text.newline, disclaimer.html)
        if prepend:
            begin = _after_bom(text.view)
            at = begin + body_start(text.view[begin:])
        else:
            end = body_end(text.view)
            tags = end.open.end_tags()
            if tags.count("</") > depth:
                excess = f"an HTML text leaves more than {depth} elements open"
                raise ContentError(over(excess, "html_depth"))
            at, new = end.offset, tags + new
        return TextEdit(at, at, new)
    flowed = text.part.content_type.parameters.get("format", "").lower() == "flowed"
    new = _fixed_lines(disclaimer.text) if flowed else disclaimer.text
    if prepend:
        new += "" if new.endswith("\n") else "\n"
        at = _after_bom(text.view)
    else:
        last = text.view.rpartition("\n")[2] if not text.view.endswith("\n") else ""
        new = ("\n" if last else "") + new
        if flowed and _ends_flowed(text.view):
            new = "\n" + new
        at = len(text.view)
    return TextEdit(at, at, _BREAK.sub(text.newline, new))


def as_html(text: str, disclaimer: Disclaimer, *, prepend: bool) -> str:
    """A plain text in HTML, with the disclaimer; its lines stay."""
    shown = _BREAK.sub("<br>\r\n", html.escape(text, quote=False))
    own = _BREAK.sub("\r\n", disclaimer.html)
    content = f"{own}{shown}" if prepend else f"{shown}{own}"
    return f"<html><body>\r\n{content}\r\n</body></html>\r\n"


def _after_bom(view: str) -> int:
    return next((len(bom) for bom in _BOMS if view.startswith(bom)), 0)


def _fixed_lines(text: str) -> str:
    """Lines of format=flowed that do not flow into the next."""
    lines = [line if line == _SIGNATURE else line.rstrip(" ") for line in text.split("\n")]
    return "\n".join(f" {line}" if line.startswith(_STUFFED) else line for line in lines)


def _ends_flowed(view: str) -> bool:
    last = view.removesuffix("\n").removesuffix("\r").rpartition("\n")[2]
    return last.endswith(" ") and last != _SIGNATURE
