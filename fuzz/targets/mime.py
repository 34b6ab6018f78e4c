"""The scanner of MIME, the reading of parts, and the edit of one."""

from __future__ import annotations

import contextlib

from fuzz.targets.messages import SEEDS, WORDS, message_of
from pyquarantine_core.body import View
from pyquarantine_core.mime.content import ContentError, Encoded
from pyquarantine_core.mime.edit import MessageEdit
from pyquarantine_core.mime.protection import holds_inline_pgp, is_protected
from pyquarantine_core.mime.structure import MimePart
from pyquarantine_core.mime.text import EditedText, PartText, read_text

__all__ = ["SEEDS", "WORDS", "check"]

NEW = b"<<new>>"


def check(data: bytes) -> None:
    """Parts lie inside each other in order, are read, and an edited one leaves all others."""
    message = message_of(data[1:])
    edit = MessageEdit(message)
    for part in edit.root.walk():
        _check_place(part, edit.body, is_root=part is edit.root)
        _read(part, edit.body)
    leaves = [one for one in edit.leaves() if one is not edit.root]
    if leaves:
        part = leaves[data[0] % len(leaves)]
        edit.replace_text(part, EditedText(Encoded(NEW, part.encoding), None))
        edit.record()
        head, tail = edit.body[: part.start], edit.body[part.end :]
        after = message.body.read()
        assert after.startswith(head)
        assert after.endswith(tail)
        assert after[len(head) : len(after) - len(tail)].strip(b"\r\n") == NEW
    message.close()


def _check_place(part: MimePart, body: View, *, is_root: bool) -> None:
    assert 0 <= part.header_start <= part.start <= part.end <= len(body)
    at = part.start
    for inner in part.parts:
        assert inner.parent is part
        assert at <= inner.boundary_start or part.is_message
        assert inner.end <= part.end
        at = inner.end
    if not is_root:
        for one in part.fields:
            name = body[one.start : one.end].partition(b":")[0]
            assert name.strip().decode().lower() == one.name
            assert body[one.start : one.end].endswith(one.value)


def _read(part: MimePart, body: View) -> None:
    assert isinstance(part.filename + part.charset + part.encoding + part.type, str)
    is_protected(part)
    read_text(part, body).encode()  # no surrogates
    with contextlib.suppress(ContentError):
        text = PartText.of(part, body)
        holds_inline_pgp(text.view)
        text.decoded()
