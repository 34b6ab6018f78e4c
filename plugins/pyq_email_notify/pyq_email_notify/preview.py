"""The preview of a message: what a mail client would show of it, harmless and not too long."""

from __future__ import annotations

import html
import re
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from urllib.parse import quote

from pyq_email_notify.html_text import text_of_clean
from pyq_email_notify.meta_charset import meta_charset
from pyq_email_notify.outline import outlined
from pyq_email_notify.sanitiser import sanitiser
from pyq_email_notify.wording import readable
from pyquarantine_core.body import View
from pyquarantine_core.limits import Limits, over
from pyquarantine_core.message import Message
from pyquarantine_core.mime.structure import MimePart, scan
from pyquarantine_core.mime.text import read_text

NO_TEXT = "This message has no text."
CUT = "The preview ends here. The message is longer."

_TABS = 8
_KEPT_BLANK = re.compile("^ |(?<= ) ", re.MULTILINE)
_IMAGE = '<img alt="{}">'


@dataclass(frozen=True, slots=True)
class Preview:
    """A preview in both forms.

    Attributes:
        html: elements that stand for themselves, each closed.
        text: the same for the plain alternative.
        has_images: whether the HTML shows the replacement image.
    """

    html: str
    text: str
    has_images: bool


class Previewer:
    """Makes previews.

    Args:
        image: Content-ID of the image that stands for every image; None for none.
        strip_images: leave out the alternative texts of images, too.
    """

    def __init__(self, image: str | None = None, *, strip_images: bool = False) -> None:
        show = None if strip_images else image
        self._cleaner = sanitiser(None if show is None else f"cid:{quote(show, safe='@')}")
        self._image = partial(_image, shown=show is not None, stripped=strip_images)
        self._large = threading.Lock()

    def make(self, message: Message) -> Preview:
        """The preview of a message.

        Raises:
            HeaderLimitError: the header is larger than what is kept of one (`limits`).
            OSError: the body is large, and there is no descriptor left, or no room for what
                another action has made of it.
        """
        pieces, cut = self._pieces(message)
        if cut:
            message.log.info("the preview of the message is cut: %s", cut)
        clean = readable(self._cleaner.clean("<hr>".join(pieces)))  # references are characters now
        text = text_of_clean(clean).strip("\n")
        has_images = "<img " in clean
        notes = [] if cut or has_images or text.strip("- \n") else [NO_TEXT]
        notes += [CUT] if cut else []
        return Preview(
            html=clean + "".join(f"<p><em>{note}</em></p>" for note in notes),
            text="\n\n".join([*filter(None, [text]), *notes]) + "\n",
            has_images=has_images,
        )

    def _pieces(self, message: Message) -> tuple[list[str], str]:
        """The texts as HTML, each as it may meet a parser, and by what bound there are more."""
        headers = ((header.name, header.raw) for header in message.headers)
        # Large bodies one after another: together they would take their memory and no less time.
        turn = self._large if message.body.spooled else nullcontext()
        with turn:
            body = message.body.view()
            structure = scan(headers, body, message.limits)
            pieces, cut = self._pieces_of(structure.root, body, message.limits)
            return pieces, cut or structure.limit

    def _pieces_of(self, root: MimePart, body: View, limits: Limits) -> tuple[list[str], str]:
        pieces: list[str] = []
        room = limits.preview_characters
        too_long = over(f"more than {room} characters", "preview_characters")
        for part in _shown(root):
            if room <= 0:
                return pieces, too_long
            if len(pieces) >= limits.preview_texts:
                return pieces, over(f"more than {limits.preview_texts} texts", "preview_texts")
            end = min(part.end, part.start + limits.preview_bytes)
            is_html = part.type == "text/html"
            told_inside = meta_charset if is_html else _nothing
            whole = read_text(replace(part, end=end), body, told_inside)
            text = readable(whole).strip("\n").rstrip()
            shown = text[:room]
            piece = self._outlined(shown, limits) if is_html else _as_html(shown)
            pieces += [piece] if piece.strip() else []
            room -= len(shown)
            if shown != text:
                return pieces, too_long
            if end < part.end:
                excess = f"a text of more than {limits.preview_bytes} bytes"
                return pieces, over(excess, "preview_bytes")
        return pieces, ""

    def _outlined(self, document: str, limits: Limits) -> str:
        return outlined(document, self._image, limits.preview_depth)


def _shown(root: MimePart) -> Iterator[MimePart]:
    """The texts that mail clients show, in order; any text at all when there is none."""
    found = False
    for part in _texts(root):
        found = True
        yield part
    if not found:
        yield from (
            part
            for part in root.walk()
            if not part.parts and part.type.startswith(("text/", "multipart/"))
        )


def _texts(root: MimePart) -> Iterator[MimePart]:
    waiting = [root]
    while waiting:
        part = waiting.pop()
        if part.is_attachment and part is not root:
            continue
        if part.type == "multipart/alternative":
            waiting += _best(part.parts)
        elif part.type == "multipart/related":
            waiting += part.parts[:1]
        elif part.parts:
            waiting += reversed(part.parts)
        elif part.type in {"text/html", "text/plain"}:
            yield part


def _best(alternatives: list[MimePart]) -> list[MimePart]:
    """The last one with a text in HTML, else the last one with any (RFC 2046, section 5.1.4)."""
    kinds = [{one.type for one in part.walk() if not one.is_attachment} for part in alternatives]
    for wanted in ("text/html", "text/plain"):
        for part, types in reversed(list(zip(alternatives, kinds, strict=True))):
            if wanted in types:
                return [part]
    return []


def _nothing(_: bytes) -> str:
    return ""


def _as_html(text: str) -> str:
    """A plain text with its lines and blanks."""
    kept = _KEPT_BLANK.sub("\xa0", text.expandtabs(_TABS))
    return "<div>" + html.escape(kept).replace("\n", "<br>\n") + "</div>" if kept else ""


def _image(alternative: str, *, shown: bool, stripped: bool) -> str:
    if shown:
        return _IMAGE.format(html.escape(alternative))
    return html.escape(f"[{alternative}]") if alternative and not stripped else ""
