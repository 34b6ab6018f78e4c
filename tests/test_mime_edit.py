"""Edits of a message: only what was edited changes, and it is read back as it was written."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyquarantine_core.message import Message
from pyquarantine_core.mime.content import ContentError, Encoded, encode_transfer
from pyquarantine_core.mime.edit import MessageEdit
from pyquarantine_core.mime.entities import multipart_entity, text_entity
from pyquarantine_core.mime.protection import is_protected
from pyquarantine_core.mime.structure import MimePart, scan
from pyquarantine_core.mime.text import EditedText, PartText, TextEdit
from pyquarantine_core.testing.mail_client import as_sent, parsed
from pyquarantine_core.testing.mail_mix import MIX
from pyquarantine_core.testing.rules import received

NEW = "Käse → 🧀"


def leaf_contents(edit: MessageEdit) -> list[bytes]:
    leaves = [one for one in edit.root.walk() if not one.parts]
    return [edit.body[one.start : one.end] for one in leaves]


def outline(part: MimePart) -> str:
    inner = ",".join(outline(one) for one in part.parts)
    return part.type.partition("/")[2] + (f"({inner})" if inner else "")


def utf8(text: str, wanted: str = "7bit") -> EditedText:
    return EditedText(encode_transfer(text.encode(), wanted), "utf-8")


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"Content-Type: text/plain",
        b"Content-Type: text/plain; charset=us-ascii; format=flowed\nContent-Transfer-Encoding:",
        b"X-Other: y\nContent-Type: text/plain;\n\tcharset=x; name=\"a;b\"",
        b"Content-Transfer-Encoding: 8bit",
        b"Content-Type: text/plain; \xeecharset=iso-2022-jp",
    ],
)  # fmt: skip
@pytest.mark.parametrize("content", [b"", b"\n", b"\nold", b"\nold\n"])
def test_a_new_text_brings_its_charset_and_encoding_into_any_header(
    header: bytes, content: bytes
) -> None:
    part = header + (b"\n" if header else b"") + content
    mail = b"Content-Type: multipart/mixed; boundary=b\n\n--b\n%b\n--b\n\nlast\n--b--\n" % part
    message = received(mail)
    edit = MessageEdit(message)
    edit.replace_text(edit.root.parts[0], utf8(NEW))
    edit.record()
    first, last = list(parsed(as_sent(message)).iter_parts())
    assert first.get_content().rstrip("\r\n") == NEW
    assert last.get_content().rstrip("\r\n") == "last"
    others = ("format", "name")
    before = list(parsed(mail).iter_parts())[0]  # noqa: RUF015 - reads like the line above
    assert [first.get_param(one) for one in others] == [before.get_param(one) for one in others]
    assert first["X-Other"] == before["X-Other"]


@pytest.mark.parametrize("header", [b"Subject: x", b"Content-Type: text/plain\nSubject: x"])
def test_of_a_message_without_parts_the_headers_are_set(header: bytes) -> None:
    message = received(header + b"\n\nold\n")
    edit = MessageEdit(message)
    edit.replace_text(edit.root, utf8(NEW))
    edit.record()
    mail = parsed(as_sent(message))
    assert mail.get_content().rstrip("\r\n") == NEW
    assert mail["MIME-Version"] == "1.0"
    assert message.headers[0].line == message.received_headers[0].line or mail["Subject"] == "x"


def test_a_large_message_is_enclosed_without_a_copy_of_it() -> None:
    message = received(b"Content-Type: image/png\n\n" + b"x" * 76 * 40_000)
    tracemalloc.start()
    edit = MessageEdit(message)
    edit.enclose(edit.root, "mixed", before=[text_entity("plain", "new")])
    edit.record()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < len(message.body) / 5
    message.close()


def test_once_a_large_message_is_edited_nothing_of_it_stays_in_memory() -> None:
    attached = b"x" * 76 + b"\n"
    mail = b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nold\n--b\n\n%b--b--\n"
    message = received(mail % (attached * 20_000))
    assert message.body.spooled
    edit = MessageEdit(message)
    edit.replace_text(edit.root.parts[0], utf8(NEW))
    edit.record()
    del edit
    assert "(deleted)" not in Path("/proc/self/maps").read_text(encoding="utf-8")
    assert as_sent(message).endswith(attached.replace(b"\n", b"\r\n") + b"--b--\r\n")
    message.close()


TWICE = b"Content-Type: text/plain\nX: y\ncontent-type:  Text/Plain\n"


def test_fields_that_say_the_same_twice_still_do() -> None:
    message = received(TWICE + b"\nold\n")
    edit = MessageEdit(message)
    edit.replace_text(edit.root, utf8(NEW))
    edit.record()
    assert [one.value for one in message.headers if one.name.lower() == "content-type"] == [
        "text/plain; charset=utf-8"
    ] * 2
    assert not MessageEdit(message).structure.doubt


def test_fields_of_a_part_that_say_the_same_twice_still_do() -> None:
    message = received(
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\n" + TWICE + b"\nold\n--b--\n"
    )
    edit = MessageEdit(message)
    edit.replace_text(edit.root.parts[0], utf8(NEW))
    edit.record()
    assert message.body.read().count(b"Content-Type: text/plain; charset=utf-8") == 2
    assert not MessageEdit(message).structure.doubt


def test_of_what_is_put_into_a_multipart_they_still_do() -> None:
    message = received(TWICE + b"\nold\n")
    edit = MessageEdit(message)
    edit.replace_text(edit.root, utf8(NEW))
    edit.enclose(edit.root, "mixed", before=[text_entity("plain", "first")])
    edit.record()
    again = MessageEdit(message)
    assert [one.type for one in again.root.parts] == ["text/plain", "text/plain"]
    assert not again.structure.doubt
    assert len([one for one in message.headers if one.name.lower() == "content-type"]) == 1


@pytest.mark.parametrize("name", MIX)
def test_a_message_put_into_a_multipart_is_whole(name: str) -> None:
    message = received(MIX[name])
    before = MessageEdit(message)
    edit = MessageEdit(message)
    edit.enclose(
        edit.root, "mixed", before=[text_entity("plain", "first")], after=[text_entity("html", NEW)]
    )
    edit.record()
    after = MessageEdit(message)
    assert outline(after.root) == f"mixed(plain,{outline(before.root)},html)"
    assert leaf_contents(after)[1:-1] == leaf_contents(before)
    inner = after.root.parts[1]
    kept = [(one.name, one.value) for one in before.root.fields if one.name.startswith("content-")]
    assert [(one.name, one.value.replace(b"\r\n", b"\n")) for one in inner.fields] == kept


@pytest.mark.parametrize("name", MIX)
def test_new_parts_stand_beside_old_ones(name: str) -> None:
    message = received(MIX[name])
    edit = MessageEdit(message)
    if not edit.root.parts:
        return
    before = leaf_contents(edit)
    pair = [text_entity("plain", "1"), text_entity("html", "2")]
    edit.insert_before(edit.root.parts[0], multipart_entity("alternative", pair))
    edit.insert_after(edit.root.parts[0], text_entity("plain", NEW))
    edit.record()
    after = MessageEdit(message)
    assert outline(after.root.parts[0]) == "alternative(plain,html)"
    contents = leaf_contents(after)
    assert contents[:2] == [b"1", b"2"]
    assert [one for one in contents if one in before] == before


def test_an_empty_line_that_belongs_to_the_boundary_is_made_up_for() -> None:
    message = with_body(b"--b\r\nX: y\r\n\r\n--b--\r\n")
    edit = MessageEdit(message)
    edit.replace_text(edit.root.parts[0], EditedText(Encoded(b"new", ""), None))
    edit.record()
    assert message.body.read() == b"--b\r\nX: y\r\n\r\nnew\r\n--b--\r\n"


@pytest.mark.parametrize(("content", "encoding"), [(b"\xff\n", "8bit"), (b"text\n", None)])
def test_what_holds_8_bit_says_so(content: bytes, encoding: str | None) -> None:
    message = received(b"Content-Type: text/plain; charset=iso-8859-1\n\n" + content)
    edit = MessageEdit(message)
    edit.enclose(edit.root, "mixed", before=[text_entity("plain", "first")])
    edit.record()
    assert parsed(as_sent(message))["Content-Transfer-Encoding"] == encoding


@pytest.mark.parametrize(
    ("header", "protected"),
    [
        (b"multipart/signed; boundary=b", True),
        (b"Multipart/Encrypted", True),
        (b"application/pkcs7-mime", True),
        (b"application/x-pkcs7-mime; smime-type=enveloped-data", True),
        (b'application/octet-stream; name="smime.P7M"', True),
        (b"application/pgp-encrypted", True),
        (b"application/pgp-signature", False),
        (b"application/octet-stream; name=a.pdf", False),
        (b"multipart/mixed; boundary=b", False),
    ],
)
def test_signed_and_encrypted_parts_are_known(header: bytes, protected: bool) -> None:
    assert is_protected(scan([("Content-Type", header)], b"").root) is protected


PIECES = st.sampled_from(
    [
        b"--b", b"--c", b"--b--", b"--c--", b"\r\n", b"\n", b"\r\n\r\n", b"\n\n", b"text", b"\xff",
        b"Content-Type: multipart/mixed; boundary=c", b"Content-Type: message/rfc822", b"X: y",
        b"Content-Type: text/html; charset=utf-8", b"Content-Transfer-Encoding: base64", b"\0",
    ]
)  # fmt: skip


def with_body(body: bytes) -> Message:
    message = Message()
    message.receive_header("Content-Type", b" multipart/mixed; boundary=b")
    message.received_body.append(body)
    return message


@given(st.lists(PIECES, max_size=30).map(b"".join) | st.binary(), st.data())
@settings(max_examples=300)
def test_whatever_the_message_an_edit_of_a_leaf_keeps_every_other_byte(
    body: bytes, draw: st.DataObject
) -> None:
    message = with_body(body)
    edit = MessageEdit(message)
    leaves = [one for one in edit.root.walk() if not one.parts and one is not edit.root]
    if not leaves:
        return
    part = draw.draw(st.sampled_from(leaves))
    edit.replace_text(part, EditedText(Encoded(b"<<new>>", part.encoding), None))
    edit.record()
    after = message.body.read()
    head, tail = body[: part.start], body[part.end :]
    assert after.startswith(head)
    assert after.endswith(tail)
    assert after[len(head) : len(after) - len(tail)].strip(b"\r\n") == b"<<new>>"


@pytest.mark.parametrize("new", [NEW, "plain", "Looks-Like: a header"])
def test_a_text_in_a_message_that_breaks_off_is_still_its_text(new: str) -> None:
    message = with_body(b"--b\r\nContent-Type: message/rfc822")
    edit = MessageEdit(message)
    (leaf,) = (one for one in edit.root.walk() if not one.parts)
    text = PartText.of(leaf, edit.body)
    edit.replace_text(leaf, text.edited([TextEdit(0, 0, new)]))
    edit.record()
    again = MessageEdit(message)
    assert outline(again.root) == "mixed(rfc822(plain))"
    *_, now = again.root.walk()
    assert PartText.of(now, again.body).decoded().rstrip() == new


@given(st.lists(PIECES, max_size=30).map(b"".join) | st.binary(), st.data())
@settings(max_examples=300)
def test_whatever_the_message_an_edited_leaf_reads_back_and_the_others_stay(
    body: bytes, draw: st.DataObject
) -> None:
    message = with_body(body)
    edit = MessageEdit(message)
    before = leaf_contents(edit)
    leaves = [one for one in edit.root.walk() if not one.parts]
    at = draw.draw(st.integers(0, len(leaves) - 1))
    if leaves[at] is edit.root or leaves[at].is_message:
        return
    try:
        text = PartText.of(leaves[at], edit.body)
    except ContentError:
        return
    edit.replace_text(leaves[at], text.edited([TextEdit(0, len(text.view), NEW)]))
    edit.record()
    again = MessageEdit(message)
    assert outline(again.root) == outline(edit.root)
    now = [one for one in again.root.walk() if not one.parts][at]
    assert PartText.of(now, again.body).decoded() == NEW
    after = leaf_contents(again)
    assert after[:at] + after[at + 1 :] == before[:at] + before[at + 1 :]
