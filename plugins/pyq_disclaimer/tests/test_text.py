"""How a disclaimer stands in plain text, and how the text is written after that."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyq_disclaimer.action import AddDisclaimer as Action
from pyq_disclaimer.action import ErrorPolicy
from pyq_disclaimer.template import Templates

from pyquarantine_core.message import Message
from pyquarantine_core.testing.mail_client import as_sent, parsed, shown
from pyquarantine_core.testing.rules import received

if TYPE_CHECKING:
    from .conftest import AddDisclaimer

FLOWED = b"Content-Type: text/plain; charset=utf-8; format=flowed\n\n"


def body_of(message: Message) -> bytes:
    return message.body.read()


@pytest.mark.parametrize(
    ("action", "text", "expected"),
    [
        ("append", "D", b"text\r\nD\r\n"),
        ("append", "\nD\n", b"text\r\n\r\nD\r\n"),
        ("prepend", "D", b"D\r\ntext\r\n"),
        ("prepend", "D\n\n", b"D\r\n\r\ntext\r\n"),
        ("Prepend", "D\r\nE\r\n", b"D\r\nE\r\ntext\r\n"),
    ],
)
def test_it_has_lines_of_its_own(
    action: str, text: str, expected: bytes, add_disclaimer: AddDisclaimer
) -> None:
    message, _ = add_disclaimer(b"Subject: x\n\ntext\n", text=text, action=action)
    assert body_of(message) == expected


def test_a_part_without_a_last_line_break_gets_one(add_disclaimer: AddDisclaimer) -> None:
    mail = b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\ntext\n--b--\n"
    message, _ = add_disclaimer(mail, text="D")
    assert body_of(message) == b"--b\r\n\r\ntext\r\nD\r\n--b--\r\n"


def test_it_does_not_flow_into_the_text_nor_the_text_into_it(add_disclaimer: AddDisclaimer) -> None:
    disclaimer = "D \n> quoted\n From\nFrom me\n-- \nend "
    message, _ = add_disclaimer(FLOWED + b"text \n", text=disclaimer)
    expected = b"text \r\n\r\nD\r\n > quoted\r\n  From\r\n From me\r\n-- \r\nend\r\n"
    assert body_of(message) == expected
    message, _ = add_disclaimer(FLOWED + b"-- \n", text="D")
    assert body_of(message) == b"-- \r\nD\r\n"
    message, _ = add_disclaimer(FLOWED + b"text \n", text="D ", action="prepend")
    assert body_of(message) == b"D\r\ntext \r\n"


def test_a_change_of_charset_keeps_the_other_parameters(add_disclaimer: AddDisclaimer) -> None:
    mail = b'Content-Type: text/plain; format=flowed; charset="us-ascii"; delsp=yes\n\ntext\n'
    message, _ = add_disclaimer(mail, text="ü")
    (kind,) = [one.value for one in message.headers if one.name == "Content-Type"]
    assert kind == "text/plain; format=flowed; charset=utf-8; delsp=yes"


@pytest.mark.parametrize(
    ("encoding", "text", "expected"),
    [
        ("7bit", "D", "7bit"),
        ("7bit", "ünd so weiter", "quoted-printable"),
        ("8bit", "ü", "8bit"),
        ("quoted-printable", "ü", "quoted-printable"),
        ("base64", "D", "base64"),
        ("7bit", "x" * 1000, "quoted-printable"),
    ],
)
def test_the_transfer_encoding_stays_when_it_does(
    encoding: str, text: str, expected: str, add_disclaimer: AddDisclaimer
) -> None:
    mail = f"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: {encoding}\n\n"
    content = "dGV4dA==\n" if encoding == "base64" else "text\n"
    message, _ = add_disclaimer((mail + content).encode(), text=text)
    assert parsed(as_sent(message))["Content-Transfer-Encoding"] == expected
    assert shown(as_sent(message), "plain") in {f"text\n{text}", f"text\n{text}\n"}


def test_all_alternatives_get_it(add_disclaimer: AddDisclaimer) -> None:
    part = "--b\nContent-Type: text/%s\n\n%s\n"
    parts = part % ("plain", "1") + part % ("html", "2") + part % ("html", "3") + "--b--\n"
    mail = f"Content-Type: multipart/alternative; boundary=b\n\n{parts}"
    message, _ = add_disclaimer(mail.encode(), text="D", html="D")
    found = [one.get_content().split() for one in parsed(as_sent(message)).iter_parts()]
    assert found == [["1", "D"], ["2D"], ["3D"]]


def test_of_related_parts_the_one_named_gets_it(add_disclaimer: AddDisclaimer) -> None:
    mail = (
        b'Content-Type: multipart/related; boundary=b; start="<2@x>"\n\n'
        b"--b\nContent-Type: text/html\nContent-ID: <1@x>\n\n1\n"
        b"--b\nContent-Type: text/html\nContent-ID: <2@x>\n\n2\n--b--\n"
    )
    message, _ = add_disclaimer(mail, html="D")
    found = [one.get_content().split() for one in parsed(as_sent(message)).iter_parts()]
    assert found == [["1"], ["2D"]]


def test_a_related_root_without_text_leaves_it_to_the_others(add_disclaimer: AddDisclaimer) -> None:
    mail = (
        b"Content-Type: multipart/related; boundary=b\n\n"
        b"--b\nContent-Type: image/png\n\n1\n--b\nContent-Type: text/html\n\n2\n--b--\n"
    )
    message, _ = add_disclaimer(mail, html="D")
    assert parsed(as_sent(message)).get_content_type() == "multipart/related"
    assert b"2D\r\n" in body_of(message)


@pytest.mark.parametrize("charset", ["utf-8", "utf-16-le"])
def test_a_byte_order_mark_stays_first(charset: str, add_disclaimer: AddDisclaimer) -> None:
    def before_and_after(subtype: str, text: str) -> str:
        head = f"Content-Type: text/{subtype}; charset={charset}\n"
        data = base64.encodebytes(f"\ufeff{text}".encode(charset))
        mail = head.encode() + b"Content-Transfer-Encoding: base64\n\n" + data
        message, _ = add_disclaimer(mail, text="D", html="D", action="prepend")
        return base64.b64decode(body_of(message)).decode(charset)

    assert before_and_after("plain", "text\r\n") == "\ufeffD\r\ntext\r\n"
    html = "<!DOCTYPE html><html><body>text</body></html>\r\n"
    assert before_and_after("html", html) == "\ufeff" + html.replace("<body>", "<body>D")


@pytest.mark.parametrize(
    "mail",
    [
        b"Content-Transfer-Encoding: x-uuencode\n\ntext\n",
        b"Content-Type: multipart/mixed\n\ntext\n",
        b"Content-Type: multipart/mixed; boundary=b\n\ntext\n",
        b"Content-Type: multipart/related; boundary=b\n\ntext\n",
        b"Content-Type: text/plain; charset=iso-2022-jp\n\n\x1b$B\xff\n",
        b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n" * 11_000,
    ],
)
def test_what_cannot_be_read_is_wrapped_like_what_is_signed(
    mail: bytes, add_disclaimer: AddDisclaimer
) -> None:
    message, _ = add_disclaimer(mail)
    assert as_sent(message, original=True) in as_sent(message)
    assert "CAUTION" in (shown(as_sent(message), "plain") or "")


PIECES = st.sampled_from(
    [
        b"--b", b"--c", b"--b--", b"\n", b"\n\n", b"text", b"\xff", b"<body>", b"</body>", b"<!--",
        b"Content-Type: multipart/alternative; boundary=c", b"Content-Type: message/rfc822",
        b"Content-Type: text/html; charset=utf-8", b"Content-Transfer-Encoding: base64", b"=?",
        b"Content-Type: multipart/signed; boundary=c", b"Content-Disposition: attachment", b"\0",
    ]
)  # fmt: skip


@given(st.lists(PIECES, max_size=30).map(b"".join) | st.binary(), st.booleans(), st.booleans())
@settings(max_examples=300)
def test_any_message_gets_it_in_its_text_or_around_it(
    body: bytes, prepend: bool, html: bool
) -> None:
    action = Action(
        Templates("DISCLAIMER", "DISCLAIMER"), ErrorPolicy.WRAP, prepend=prepend, add_html_body=html
    )
    message = received(b"Content-Type: multipart/mixed; boundary=b\n\n" + body)
    action.apply(message)
    data = as_sent(message)
    # quoted-printable and 7bit show it as it is; base64 in one of three ways
    codes = (b"DISCLAIMER", b"RElTQ0xBSU1FU", b"ESVNDTEFJTUVS", b"JU0NMQUlNRV")
    assert any(code in data.replace(b"\r\n", b"") for code in codes)
    assert len(data) >= len(as_sent(message, original=True))
