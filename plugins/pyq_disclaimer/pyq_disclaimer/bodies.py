"""Which parts of a message its readers see as its text."""

from __future__ import annotations

from pyquarantine_core.mime.content import ContentError
from pyquarantine_core.mime.protection import is_protected
from pyquarantine_core.mime.structure import MimePart, Structure

TEXTS = frozenset({"text/plain", "text/html"})


def text_bodies(structure: Structure) -> list[MimePart]:
    """The text that a mail client shows first, in each of its forms.

    Of a multipart/alternative these are all, for nobody knows which a client shows; of a
    multipart/related the root, if it has a text; of any other multipart the first part with a
    text. Attachments and attached messages are none.

    Raises:
        ContentError: the text must not, or cannot, be edited.
    """
    if structure.limit:
        raise ContentError(f"it has {structure.limit}")
    if structure.doubt:
        raise ContentError(f"mail clients read it in different ways: it has {structure.doubt}")
    return _bodies(structure.root)


def _bodies(part: MimePart) -> list[MimePart]:
    if is_protected(part):
        raise ContentError(f"it is signed or encrypted ({part.type})")
    if part.is_multipart:
        return _bodies_inside(part)
    if part.type.startswith("multipart/"):
        raise ContentError(f"a {part.type} has no boundary")
    return [part] if part.type in TEXTS and not part.is_attachment else []


def _bodies_inside(part: MimePart) -> list[MimePart]:
    if not part.parts:
        raise ContentError(f"a {part.type} has no parts")
    if part.type == "multipart/alternative":
        return [body for one in part.parts for body in _bodies(one)]
    parts = part.parts
    if part.type == "multipart/related":
        first = _related_root(part)
        parts = [first, *(one for one in parts if one is not first)]
    return next((bodies for one in parts if (bodies := _bodies(one))), [])


def _related_root(part: MimePart) -> MimePart:
    """The part that the others belong to (RFC 2387, section 3.2): the one named, or the first."""
    wanted = part.content_type.parameters.get("start", "").strip()
    for one in part.parts:
        if wanted and (one.value("content-id") or b"").strip() == wanted.encode():
            return one
    return part.parts[0]
