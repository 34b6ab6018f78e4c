"""Where messages are not in order: what mail clients show of them, and what we see.

What clients do is taken from what is public of them:

* Thunderbird: the source of libmime (`MimeHeaders_get`, `MimeMultipart_check_boundary`) and jsmime
* Thunderbird for Android, which reads with mime4j: thunderbird-android pull request 1512
* Outlook Express and Exchange: Microsoft's articles KB 898124 and KB 167393
* Amavis and Perl's MIME-tools: CVE-2024-28054, `MIME::Entity/ambiguous_content`
* Postfix: its mime_state.c, which ends a header at the first line that is none
* Python: its email package, which is asked here

Where they are known to differ, the scan is in doubt, and nothing is edited.
"""

from __future__ import annotations

import email
import email.policy
from pathlib import Path

import pyq_disclaimer
import pyq_rewrite_links
import pytest

from pyquarantine_core.mime.structure import MimePart, Structure, scan
from pyquarantine_core.testing.mail import crlf
from pyquarantine_core.testing.rules import act, received

HTML = b"Content-Type: text/html\n\n<p>1</p>\n"
PLAIN = b"Content-Type: text/plain\n\n2\n"
MIXED = b"Content-Type: multipart/mixed; boundary=b\n"


def scanned(content: bytes) -> Structure:
    message = received(content)
    return scan([(one.name, one.raw) for one in message.headers], message.body.read())


def outline(part: MimePart) -> str:
    inner = ",".join(outline(one) for one in part.parts)
    return part.type + (f"({inner})" if inner else "")


def as_python_sees_it(content: bytes) -> str:
    """The outline of a message as Python's email package reads it."""

    def outlined(part: email.message.Message) -> str:
        inner = part.get_payload() if part.is_multipart() else []
        assert isinstance(inner, list)
        parts = ",".join(outlined(one) for one in inner if isinstance(one, email.message.Message))
        return part.get_content_type() + (f"({parts})" if parts else "")

    return outlined(email.message_from_bytes(crlf(content), policy=email.policy.compat32))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            "lines that end in LF alone",
            (MIXED + b"\n--b\n" + HTML + b"--b\n" + PLAIN + b"--b--\n", "text/html,text/plain"),
        ),
        (
            "a final boundary that is missing: the message ends the part",
            (MIXED + b"\n--b\n" + HTML + b"--b\n" + PLAIN, "text/html,text/plain"),
        ),
        (
            "parts before the first boundary",
            (MIXED + b"\n" + HTML + b"\n--b\n" + PLAIN + b"--b--\n", "text/plain"),
        ),
        (
            "parts after the final boundary",
            (MIXED + b"\n--b\n" + PLAIN + b"--b--\n--b\n" + HTML + b"--b--\n", "text/plain"),
        ),
        (
            "blanks after a boundary",
            (MIXED + b"\n--b \t\n" + HTML + b"--b  \n" + PLAIN + b"--b-- \n",
             "text/html,text/plain"),
        ),
        (
            "text after a boundary: it is none",
            (MIXED + b"\n--b\n" + PLAIN + b"--bx\n" + HTML + b"--b--x\n--b--\n", "text/plain"),
        ),
        (
            "a blank before a boundary: it is none",
            (MIXED + b"\n--b\n" + PLAIN + b" --b\n" + HTML + b"--b--\n", "text/plain"),
        ),
        (
            "a boundary in other letter case: it is none",
            (MIXED + b"\n--b\n" + PLAIN + b"--B\n" + HTML + b"--b--\n", "text/plain"),
        ),
        (
            "a boundary that begins with another one",
            (MIXED + b"\n--b\nContent-Type: multipart/alternative; boundary=bb\n\n--bb\n" + PLAIN
             + b"--bb\n" + HTML + b"--bb--\n--b--\n",
             "multipart/alternative(text/plain,text/html)"),
        ),
        (
            "a boundary of the outer multipart inside of the inner one, which has no end",
            (MIXED + b"\n--b\nContent-Type: multipart/alternative; boundary=c\n\n--c\n" + PLAIN
             + b"--b\n" + HTML + b"--b--\n",
             "multipart/alternative(text/plain),text/html"),
        ),
        (
            "a boundary that ends in dashes",
            (b"Content-Type: multipart/mixed; boundary=\"b--\"\n\n--b--\n" + HTML + b"--b----\n",
             "text/html"),
        ),
        (
            "a transfer encoding of a multipart: it means nothing (RFC 2045, 6.4)",
            (MIXED + b"Content-Transfer-Encoding: base64\n\n--b\n" + HTML + b"--b--\n",
             "text/html"),
        ),
        (
            "a header in the body of a part: after the empty line it is text",
            (MIXED + b"\n--b\nX-A: b\n\n" + HTML + b"--b--\n", "text/plain"),
        ),
        (
            "a part without a header",
            (MIXED + b"\n--b\n\n<p>1</p>\n--b--\n", "text/plain"),
        ),
        (
            "NUL in a text",
            (MIXED + b"\n--b\nContent-Type: text/html\n\n<p>\0</p>\n--b--\n", "text/html"),
        ),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)  # fmt: skip
def test_clients_agree_on_and_so_do_we(content: str, expected: tuple[bytes, str]) -> None:
    mail, parts = expected
    found = scanned(mail)
    assert outline(found.root) == f"multipart/mixed({parts})"
    assert as_python_sees_it(mail) == f"multipart/mixed({parts})"
    assert not found.doubt


def test_a_boundary_in_8_bit_is_compared_byte_by_byte_as_in_thunderbird() -> None:
    """Python's email package fails on it."""
    kind = b'Content-Type: multipart/mixed; boundary="\xff\xfe"\n'
    found = scanned(kind + b"\n--\xff\xfe\n" + HTML + b"--\xff\xfe--\n")
    assert outline(found.root) == "multipart/mixed(text/html)"
    assert not found.doubt


DOUBTFUL = {
    # Thunderbird takes the first, mime4j passes over an empty one, MIME-tools calls it ambiguous.
    "two Content-Types": (
        b"Content-Type: text/plain\nContent-Type: text/html\n\n<p>1</p>\n",
        "two different fields Content-Type",
    ),
    "an empty Content-Type and another": (
        b"Content-Type:\nContent-Type: text/html\n\n<p>1</p>\n",
        "two different fields Content-Type",
    ),
    "two Content-Types of a part": (
        MIXED + b"\n--b\nContent-Type: text/plain\nContent-type: text/html\n\n1\n--b--\n",
        "two different fields Content-Type",
    ),
    "two transfer encodings": (
        b"Content-Transfer-Encoding: 7bit\nContent-Transfer-Encoding: base64\n\nPHA+MTwvcD4=\n",
        "two different fields Content-Transfer-Encoding",
    ),
    "two dispositions": (
        b"Content-Disposition: inline\nContent-Disposition: attachment; filename=a\n\n1\n",
        "two different fields Content-Disposition",
    ),
    # CVE-2024-28054: Amavis took the last, clients the first.
    "two boundaries": (
        b"Content-Type: multipart/mixed; boundary=b; boundary=c\n\n--b\n" + PLAIN + b"--c\n" + HTML,
        "a boundary that can be read in two ways",
    ),
    # Thunderbird ends a value without quotes at a blank, Python at the semicolon.
    "a boundary with blanks and no quotes": (
        b"Content-Type: multipart/mixed; boundary=b c\n\n--b c\n" + HTML + b"--b c--\n",
        "a boundary that can be read in two ways",
    ),
    # Few clients know RFC 2231 here.
    "a boundary in sections": (
        b"Content-Type: multipart/mixed; boundary*0=a; boundary*1=b\n\n--ab\n" + HTML,
        "a boundary that can be read in two ways",
    ),
    "a percent-encoded boundary": (
        b"Content-Type: multipart/mixed; boundary*=us-ascii''%62\n\n--b\n" + HTML,
        "a boundary that can be read in two ways",
    ),
    "an encoded word for a type": (
        b"Content-Type: =?us-ascii?q?multipart/mixed?=; boundary=b\n\n--b\n" + HTML + b"--b--\n",
        "a Content-Type that may be a multipart",
    ),
    "a comment in a type": (
        b"Content-Type: multipart(x)/mixed; boundary=b\n\n--b\n" + HTML + b"--b--\n",
        "a Content-Type that may be a multipart",
    ),
    # Thunderbird passes over the line, Postfix and Python end the header there.
    "a header field after a line that is none": (
        MIXED + b"\n--b\nContent-Type: text/plain\nnone\nContent-Type: text/html\n\n1\n--b--\n",
        "a header field after a line that is none",
    ),
    "a header after a line that is none": (
        MIXED + b"\n--b\nnone\nContent-Disposition: attachment; filename=a.exe\n\n1\n--b--\n",
        "a header field after a line that is none",
    ),
    # jsmime takes a CR for the end of a line.
    "a boundary after a bare CR": (
        MIXED + b"\n--b\n" + PLAIN + b"2\r--b\r" + HTML.replace(b"\n", b"\r") + b"--b--\n",
        "a boundary beside a bare CR",
    ),
    "a boundary before a bare CR": (
        MIXED + b"\n--b\n" + PLAIN + b"2\n--b\rContent-Type: text/html\r\r3\n--b--\n",
        "a boundary beside a bare CR",
    ),
    "a boundary and an empty line that a bare CR begins": (
        MIXED + b"\n--b \r\r\nContent-Type: text/html\r\n\r\n1\r\n--b--\r\n",
        "a boundary beside a bare CR",
    ),
    "a field after a bare CR in another": (
        MIXED + b"\n--b\nX: y\rContent-Type: text/html\n\n1\n--b--\n",
        "a header field that odd white space may hide",
    ),
    "a field after a bare CR in another of the message": (
        b"Subject: x\rcontent-type: text/html\nContent-Type: text/plain\n\n1\n",
        "a header field that odd white space may hide",
    ),
    "a field after a bare CR in a message inside": (
        MIXED
        + b"\n--b\nContent-Type: message/rfc822\n\nX: y\rContent-Type: text/html\n\n1\n--b--\n",
        "a header field that odd white space may hide",
    ),
    "an end of a header by two bare CRs": (
        MIXED + b"\n--b\nX: y\r\rContent: x\nContent-Type: text/html\n\n1\n--b--\n",
        "a header field that odd white space may hide",
    ),
    "an end of a header by a bare CR at a line's end": (
        MIXED + b"\n--b\nX: y\r\r\nContent-Type: text/html\r\n\r\n1\n--b--\n",
        "a header field that odd white space may hide",
    ),
    "a field after a bare CR in a line that is none": (
        MIXED + b"\n--b\nnone\rContent-Type: text/html\n\n1\n--b--\n",
        "a header field that odd white space may hide",
    ),
    "a bare CR in a header field": (
        MIXED + b"\n--b\nContent-Type: text/plain;\r x=y\n\n1\n--b--\n",
        "a NUL or bare CR in Content-Type",
    ),
    "a field after a bare CR and a tab of paper": (
        MIXED + b"\n--b\nX: y\r\x0bContent-Type: text/html\n\n1\n--b--\n",
        "a header field that odd white space may hide",
    ),
    "a field after a bare CR and a blank at the start of a line": (
        MIXED + b"\n--b\nX: y\n\r Content-Type: text/html\n\n1\n--b--\n",
        "a header field that odd white space may hide",
    ),
    "a field after a blank at the start of a header": (
        MIXED + b"\n--b\n Content-Type: text/html\n\n1\n--b--\n",
        "a header field that odd white space may hide",
    ),
    "a field with a no-break space before its colon": (
        MIXED + b"\n--b\nContent-Type\xa0: text/html\n\n1\n--b--\n",
        "a header field that odd white space may hide",
    ),
    "a boundary before a bare CR that looks like a field": (
        b'Content-Type: multipart/mixed; boundary="b:"\n\n--b:\nX: y\n--b:\rZ: y\n\n1\n--b:--\n',
        "a boundary beside a bare CR",
    ),
    # Python shows such parts as they stand.
    "a transfer encoding with a semicolon": (
        b"Content-Type: text/html\nContent-Transfer-Encoding: base64;\n\n<a href=http://x.example/>\n",
        "a transfer encoding that can be read in two ways",
    ),
    "a transfer encoding with a comment": (
        MIXED + b"\n--b\nContent-Transfer-Encoding: (x) quoted-printable\n\na=3Db\n--b--\n",
        "a transfer encoding that can be read in two ways",
    ),
    # To C a string ends there.
    "NUL in a header field": (
        MIXED + b"\n--b\nContent-Type: text/html\0; name=a\n\n1\n--b--\n",
        "a NUL or bare CR in Content-Type",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DOUBTFUL)
def test_clients_differ_on_and_the_scan_says_so(name: str) -> None:
    content, doubt = DOUBTFUL[name]
    assert scanned(content).doubt == doubt


@pytest.mark.parametrize(
    "content",
    [
        b"Content-Type: text/html\nContent-Type:  TEXT/HTML\n\n<p>1</p>\n",
        b"Content-Type: multipart/mixed; boundary=b; boundary=\"b\"\n\n--b\n" + HTML + b"--b--\n",
        b"Content-Type: multipart/mixed; boundary=\"b c\"\n\n--b c\n" + HTML + b"--b c--\n",
        b"Content-Disposition: attachment; filename=a; filename*=utf-8''%61\n\n1\n",
        b"Content-Type: text/plain; boundary=b\n\n--b\n1\n",
        b"Content-Transfer-Encoding:\n  Base64 \n\nMQ==\n",
        b"Content-Transfer-Encoding: 7bit;\n\n1\n",
        MIXED + b"\n--b\nContent-Type: text/plain\nno empty line\n\nContent-Type: text\n--b--\n",
    ],
)  # fmt: skip
def test_what_is_said_twice_or_cannot_be_missed_is_no_doubt(content: bytes) -> None:
    assert not scanned(content).doubt


@pytest.mark.parametrize("name", DOUBTFUL)
def test_where_they_differ_a_disclaimer_is_put_around_the_message(
    name: str, tmp_path: Path
) -> None:
    (tmp_path / "t").write_text("CAUTION")
    templates = {"text_template": f"{tmp_path}/t", "html_template": f"{tmp_path}/t"}
    message = received(DOUBTFUL[name][0])
    before = message.body.read()
    after = act("add_disclaimer", {"action": "prepend", **templates}, message, pyq_disclaimer)
    assert outline(scanned(after.content).root).startswith(
        "multipart/mixed(multipart/alternative(text/plain,text/html),message/rfc822"
    )
    assert before in after.content


def test_where_they_differ_links_are_rewritten_all_the_same_and_the_log_warns(
    caplog: pytest.LogCaptureFixture,
) -> None:
    link = b"Content-Type: text/html\n\n<a href='http://x.example/'>1</a>\n"
    message = received(
        b"Content-Type: multipart/mixed; boundary=b; boundary=c\n\n--b\n" + link + b"--b--\n"
    )
    after = act("rewrite_links", {"repl": "https://y.example/"}, message, pyq_rewrite_links)
    assert b"<a href='https://y.example/'>" in after.content
    assert "links may be left: the message has a boundary that can be read in two ways" in (
        caplog.text
    )


class TestUuencode:
    """Outlook Express hides what follows a line `begin 644 a.exe` and shows a file (KB 898124).

    Thunderbird does so in messages without a Content-Type alone, Exchange not in a part that says
    it is a text (KB 167393). To us it is text, and stays as it is.
    """

    UU = b"begin 644 a.exe\n#0V%T\n`\nend\n"

    def test_it_is_text_and_a_disclaimer_stands_beside_it(self, tmp_path: Path) -> None:
        (tmp_path / "t").write_text("CAUTION\n")
        templates = {"text_template": f"{tmp_path}/t", "html_template": f"{tmp_path}/t"}
        for kind in (b"", b"Content-Type: text/plain\n"):
            message = received(kind + b"\nHello\n" + self.UU)
            after = act(
                "add_disclaimer", {"action": "prepend", **templates}, message, pyq_disclaimer
            )
            assert after.content.endswith(b"CAUTION\r\nHello\r\n" + crlf(self.UU))

    @pytest.mark.parametrize("encoding", [b"x-uuencode", b"uuencode", b"x-uue"])
    def test_as_a_transfer_encoding_it_is_not_known(self, encoding: bytes, tmp_path: Path) -> None:
        (tmp_path / "t").write_text("CAUTION\n")
        templates = {"text_template": f"{tmp_path}/t", "html_template": f"{tmp_path}/t"}
        head = b"Content-Transfer-Encoding: " + encoding + b"\n\n"
        after = act(
            "add_disclaimer",
            {"action": "prepend", **templates},
            received(head + self.UU),
            pyq_disclaimer,
        )
        assert b"Content-Type: message/rfc822" in after.content


@pytest.mark.parametrize("encoding", [b"base64", b"quoted-printable"])
def test_a_message_that_is_attached_in_an_encoding_is_not_looked_into(encoding: bytes) -> None:
    """RFC 2046 forbids it. Thunderbird decodes it; edits never go into attached messages."""
    inner = b"Content-Type: text/html\n\n<p>1</p>\n"
    attached = b"Content-Type: message/rfc822\nContent-Transfer-Encoding: " + encoding + b"\n\n"
    content = MIXED + b"\n--b\n" + PLAIN + b"--b\n" + attached + inner + b"--b--\n"
    assert outline(scanned(content).root) == "multipart/mixed(text/plain,message/rfc822)"
