"""The preview: what of a message a recipient can read, whatever the message is like."""

from __future__ import annotations

import base64
import logging
import re
import tracemalloc

import pytest
from pyq_email_notify.preview import CUT, NO_TEXT

from pyquarantine_core.limits import DEFAULT_LIMITS as LIMITS
from pyquarantine_core.limits import Limits
from pyquarantine_core.testing.mail_mix import EDITABLE, GERMAN, JAPANESE, PROTECTED, RUSSIAN
from pyquarantine_core.testing.rules import received

from .conftest import Notifier

HTML = b"Content-Type: text/html; charset=utf-8\n\n"


def multipart(kind: str, *parts: bytes) -> bytes:
    inner = b"".join(b"--b\n" + part + b"\n" for part in parts)
    return b'Content-Type: multipart/%b; boundary="b"\n\n%b--b--\n' % (kind.encode(), inner)


def depth(document: str) -> int:
    """How deep the elements of a well-formed document are nested."""
    deepest = now = 0
    for closing, name in re.findall(r"<(/?)(\w+)", document):
        if name not in {"br", "hr", "img"}:
            now += -1 if closing else 1
            deepest = max(deepest, now)
    assert now == 0
    return deepest


@pytest.mark.parametrize("name", EDITABLE)
def test_the_text_of_every_kind_of_message_is_shown(name: str, notify: Notifier) -> None:
    told = notify(EDITABLE[name])
    shown = [
        text for text in ("Hello", "A line", RUSSIAN, GERMAN, JAPANESE) if text.strip() in told.text
    ]
    assert shown or NO_TEXT in told.text
    assert "\ufffd" not in told.text


def test_a_large_message_is_not_read_into_memory_for_it(notify: Notifier) -> None:
    attachment = b"Content-Type: application/pdf\n\n" + b"x" * 76 * 100_000
    message = received(multipart("mixed", attachment, HTML + b"<p>after it</p>"))
    tracemalloc.start()
    try:
        told = notify(message)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        message.close()
    assert "after it" in told.text
    assert most < 2_000_000


@pytest.mark.parametrize("name", PROTECTED)
def test_signed_and_encrypted_messages_have_a_preview(name: str, notify: Notifier) -> None:
    told = notify(PROTECTED[name])
    assert told.text.strip()


class TestText:
    @pytest.mark.parametrize(
        ("charset", "text"),
        [
            ("utf-8", "Grüße, Привет, こんにちは"),
            ("iso-8859-1", "Grüße"),
            ("windows-1251", "Привет"),
            ("koi8-r", "Привет"),
            ("iso-2022-jp", "こんにちは"),
            ("shift_jis", "こんにちは"),
            ("gb2312", "你好"),
            ("utf-16", "Grüße"),
        ],
    )
    @pytest.mark.parametrize("kind", ["plain", "html"])
    def test_it_is_read_in_its_charset(
        self, kind: str, charset: str, text: str, notify: Notifier
    ) -> None:
        head = f"Content-Type: text/{kind}; charset={charset}\nContent-Transfer-Encoding: base64"
        told = notify(head.encode() + b"\n\n" + base64.encodebytes(text.encode(charset)))
        assert text in told.html
        assert text in told.text

    @pytest.mark.parametrize(
        "meta",
        [
            '<meta charset="windows-1251">',
            '<META http-equiv=Content-Type content="text/html; charset=windows-1251">',
        ],
    )
    def test_html_without_a_charset_in_its_header_is_read_in_that_of_its_meta(
        self, meta: str, notify: Notifier
    ) -> None:
        told = notify(b"Content-Type: text/html\n\n" + f"{meta}<p>Привет</p>".encode("cp1251"))
        assert "<p>Привет</p>" in told.html

    @pytest.mark.parametrize("meta", ["x-no-such", "utf-7", "utf-16", "\0", "'"])
    def test_a_meta_that_names_no_charset_we_read_is_passed_over(
        self, meta: str, notify: Notifier
    ) -> None:
        content = f'<meta charset="{meta}"><p>Gr\xfc\xdfe</p>'.encode("cp1252")
        assert "<p>Grüße</p>" in notify(b"Content-Type: text/html\n\n" + content).html

    @pytest.mark.parametrize("charset", ["", "unknown-8bit", "x-no-such", "us-ascii", '"', "\0"])
    def test_an_unknown_charset_is_guessed(self, charset: str, notify: Notifier) -> None:
        head = f"Content-Type: text/plain; charset={charset}\n\n".encode()
        assert "Grüße" in notify(head + "Grüße".encode()).html
        assert "Grüße" in notify(head + "Grüße".encode("latin-1")).html

    def test_lines_and_blanks_are_kept_and_markup_is_text(self, notify: Notifier) -> None:
        told = notify(b"\n  a\n\n\tb  c &amp; <script>x</script>\n")
        assert told.html == (
            "<p>[SPAM]</p><div><div>&nbsp;&nbsp;a<br>\n<br>\n"
            + "&nbsp;" * 8
            + "b &nbsp;c &amp;amp; &lt;script&gt;x&lt;/script&gt;</div></div>\n"
        )
        assert told.text.endswith("  a\n\n        b  c &amp; <script>x</script>\n")

    def test_surrogates_and_controls_do_not_come_through(self, notify: Notifier) -> None:
        head = b"Content-Type: text/html; charset=utf-7\n\n"
        told = notify(head + b"a+2AA-b\0\x1b\x9b+ICg-c&#xd800;&#27;&#0;d&#8238;e")
        assert not set(told.html + told.text) & set("\0\x1b\x9b\u202e\ud800")
        assert told.text.startswith("[SPAM]\n\na")


class TestWhichPart:
    def test_html_is_preferred_and_attachments_are_left_out(self, notify: Notifier) -> None:
        attached = b"Content-Type: text/html\nContent-Disposition: attachment\n\nattached"
        mixed = multipart("alternative", b"\nplain", HTML + b"<b>rich</b>")
        told = notify(
            b"Content-Type: multipart/mixed; boundary=o\n\n--o\n%b\n--o\n%b\n--o--\n"
            % (mixed, attached)
        )
        assert "<b>rich</b>" in told.html
        assert "plain" not in told.html
        assert "attached" not in told.html

    def test_text_is_shown_when_there_is_no_html(self, notify: Notifier) -> None:
        told = notify(multipart("alternative", b"\nplain", b"Content-Type: text/calendar\n\nX"))
        assert "plain" in told.html
        assert "X" not in told.html

    def test_all_texts_of_a_mixed_message_are_shown(self, notify: Notifier) -> None:
        told = notify(multipart("mixed", b"\none", HTML + b"two", b"\nthree"))
        assert told.text.split() == ["[SPAM]", "one", "-" * 16, "two", "-" * 16, "three"]

    @pytest.mark.parametrize(
        "content",
        [
            b"Content-Type: multipart/mixed\n\nHello\n",
            b"Content-Type: multipart/mixed; boundary=x\n\nno such boundary\nHello\n",
            b'Content-Type: multipart/mixed; boundary="x\n\n--x\n\nHello\n',
            b"Content-Type: multipart/mixed; boundary=x\n\n--x\n\nHello",
            b"Content-Type: ;;;\n\nHello\n",
            b"Content-Type: text\n\nHello\n",
            b"Content-Transfer-Encoding: x-none\n\nHello\n",
            b"Content-Type: text/enriched\n\nHello\n",
            b"Content-Transfer-Encoding: base64\n\nSGVsbG8\n",
            b"Content-Type: message/rfc822\n\nSubject: x\n\nHello\n",
        ],
    )
    def test_a_broken_structure_still_shows_the_text(
        self, content: bytes, notify: Notifier
    ) -> None:
        assert "Hello" in notify(content).html

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"Subject: x\n",
            b"Subject: x\n\n",
            b"Content-Type: image/png\n\nxxx\n",
            HTML + b"<img src=x><style>p{}</style>",
            multipart("mixed", b"Content-Type: application/pdf\n\nHello"),
        ],
    )
    def test_a_message_without_text_says_so(self, content: bytes, notify: Notifier) -> None:
        told = notify(content)
        assert f"<em>{NO_TEXT}</em>" in told.html
        assert NO_TEXT in told.text


class TestBounds:
    @pytest.mark.parametrize("head", [b"\n", HTML], ids=["plain", "HTML"])
    def test_a_message_of_10_mb_is_cut_with_a_note(self, head: bytes, notify: Notifier) -> None:
        told = notify(head + b"Hello there, this goes on.\n" * 400_000)
        assert "Hello there" in told.html
        assert told.html.endswith(f"<p><em>{CUT}</em></p></div>\n")
        assert told.text.endswith(f"{CUT}\n")
        assert len(told.html) < 2 * LIMITS.preview_characters

    def test_a_message_that_fits_is_not_cut(self, notify: Notifier) -> None:
        assert CUT not in notify(b"\n" + b"x" * (LIMITS.preview_characters - 2) + b"\n").html
        assert CUT in notify(b"\n" + b"x" * (LIMITS.preview_characters + 1) + b"\n").html

    def test_of_many_texts_some_are_shown(self, notify: Notifier) -> None:
        told = notify(multipart("mixed", *(b"\npart %d" % number for number in range(2000))))
        assert "part 7" in told.html
        assert CUT in told.html

    @pytest.mark.parametrize(
        "unit",
        [
            "<div>",
            "<table><tr><td>",
            "<blockquote><ul><li>",
            "<p><b title={}>x</p>",
            "<li><i title={}>x",
            "<tr><b title={}>x",
            "<td><b title={}>x",
            "<dd><b title={}><dt>x",
            "<div><b title={}></div>x",
            "<b title={}><div></b></div>x",
            "<h1><b title={}><h2>x",
            "<caption><b title={}>x",
            "<a title={}><table>x",
            "<font title={}><p>x",
            "<svg><math><select><template>",
            "<table><img>",
            "</p>",
            "<img>",
            "<",
            "&",
        ],
    )
    def test_no_html_becomes_much_larger_or_deeper(self, unit: str, notify: Notifier) -> None:
        count = LIMITS.preview_characters // len(unit)
        document = "".join(unit.format(number) for number in range(count))
        for start in ("", "<table>", "".join(f"<b title=x{number}>" for number in range(200))):
            told = notify(HTML + start.encode() + document.encode(), template="{HTML_TEXT}")
            assert len(told.html) < 10 * LIMITS.preview_characters
            assert depth(told.html) <= 2 * LIMITS.preview_depth  # parsers add <tbody> and <tr>

    @pytest.mark.parametrize(
        ("limits", "content", "bound"),
        [
            (
                Limits(preview_characters=5),
                b"\n0123456789\n",
                "more than 5 characters (limits.preview_characters)",
            ),
            (
                Limits(preview_bytes=5),
                HTML + b"0123456789\n",
                "a text of more than 5 bytes (limits.preview_bytes)",
            ),
            (
                Limits(preview_texts=1),
                multipart("mixed", b"\n01234\n", b"\n56789\n"),
                "more than 1 texts (limits.preview_texts)",
            ),
            (
                Limits(mime_parts=2),
                multipart("mixed", b"\n01234\n", b"\n56789\n"),
                "more than 2 parts (limits.mime_parts)",
            ),
        ],
    )
    def test_they_are_the_admins_to_set_and_the_log_names_them_once(
        self,
        limits: Limits,
        content: bytes,
        bound: str,
        notify: Notifier,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        message = received(content)
        message.limits = limits
        notification = notify.build()
        with caplog.at_level(logging.INFO):
            told = [notification.prepare(message, f"u{one}@example.org") for one in range(3)]
        assert all(b"01234" in one and b"56789" not in one for one in told)
        assert all(CUT.encode() in one for one in told)
        (line,) = caplog.messages
        assert line.startswith("4XyZ1234: ")
        assert line.endswith(f"the preview of the message is cut: {bound}")


class TestStructure:
    """What HTML of people looks like afterwards."""

    @pytest.mark.parametrize(
        ("document", "shown"),
        [
            ("<p>one<p>two", "<p>one</p><p>two</p>"),
            ("<p>one</p>\n<p>two</p>", "<p>one</p>\n<p>two</p>"),
            ("<ul><li>one<li>two</ul>", "<ul><li>one</li><li>two</li></ul>"),
            (
                "<ul><li>a<ul><li>b</ul><li>c</ul>",
                "<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>",
            ),
            (
                "<table><tr><td>1<td>2<tr><td>3</table>4",
                "<table><tbody><tr><td>1</td><td>2</td></tr><tr><td>3</td></tr></tbody></table>4",
            ),
            (
                "<table><tr><td><div>1<td><b>2<tr><td>3</table>",
                "<td><div>1</div></td><td><b>2</b></td></tr><tr><td>3</td></tr></tbody></table>",
            ),
            (
                "<table><tr><td><table><tr><td>in</table>out</table>",
                "<td><table><tbody><tr><td>in</td></tr></tbody></table>out</td></tr></tbody></table>",
            ),
            ("<b>bold <i>both</b> x</i>", "<b>bold <i>both</i></b> x"),
            ("<b><p>in</p></b>", "<b><p>in</p></b>"),
            ("<div>a</div></div></p>b", "<div>a</div>b"),
            ("a<br>b<br/>c<hr>d", "a<br>b<br>c<hr>d"),
            ("1 < 2 &lt; 3 &amp; 4 & 5", "1 &lt; 2 &lt; 3 &amp; 4 &amp; 5"),
            ("<span style=color:red>red</span> <font size=7>big</font>", "red big"),
            ("<a href='http://x/'>text</a>", "text"),
            ('<p dir="rtl" align=center>x', '<p dir="rtl" align="center">x</p>'),
            ("<table><tr><td colspan=2 rowspan=999 width=9999>x", 'colspan="2">x</td>'),
            ("<title>t</title><style>p{}</style><script>x</script><!-- c --><p>y", "<p>y</p>"),
            ("<pre>a\n  b</pre>", "<pre>a\n  b</pre>"),
        ],
    )
    def test_it_is_kept_and_closed(self, document: str, shown: str, notify: Notifier) -> None:
        told = notify(HTML + document.encode(), template="{HTML_TEXT}")
        assert shown in told.html
        assert told.html.count("<") == told.html.count(">")

    def test_the_plain_alternative_keeps_lists_and_rows(self, notify: Notifier) -> None:
        told = notify(
            HTML + b"<h1>T</h1><ul><li>a</li><li>b</li></ul><table><tr><td>1</td><td>2</td></tr>"
            b"<tr><td>3</td></tr></table><p>x<br>y</p><pre> z\n  z</pre>",
            template="{HTML_TEXT}",
        )
        assert told.text == "T\n\n- a\n- b\n\n1 2\n3\n\nx\ny\n\n z\n  z\n"
