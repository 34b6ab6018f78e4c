"""Messages as people send them, one of each kind, for tests of what edits mail.

Each is LF-ended, as `rules.received` takes it, with its own boundaries and encodings.
"""

from __future__ import annotations

import base64
import quopri
from collections.abc import Mapping

HEAD = b"From: a@example.net\nTo: u@example.org\nSubject: hello\nMIME-Version: 1.0\n"
PDF = b"%PDF-1.4\n" + bytes(range(256)) * 3
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(255, -1, -1))
HTML = """\
<!DOCTYPE html>
<html><head><title>a <body> title</title><style>p > a { color: red }</style></head>
<body class="a>b"><p>Hello <a href="http://example.com/?a=1&amp;b=2">there</a></p>CONTENT</body></html>
"""
RUSSIAN = "Привет, как дела?\n"
GERMAN = "Grüße aus Köln\n"
JAPANESE = "こんにちは、元気ですか\n"
SIGNATURE = base64.encodebytes(b"0\x82\x01\x00 signature")


def entity(fields: str, content: bytes) -> bytes:
    """A part: header lines and content."""
    return fields.encode() + b"\n\n" + content


def multipart(subtype: str, *entities: bytes, boundary: str = "b1") -> bytes:
    """A multipart of these parts."""
    parts = b"".join(b"--%b\n%b\n" % (boundary.encode(), one) for one in entities)
    kind, _, rest = subtype.partition(";")
    head = f'Content-Type: multipart/{kind}; boundary="{boundary}"{";" + rest if rest else ""}'
    closing = b"--" + boundary.encode() + b"--\n"
    return entity(head, b"This is a multi-part message.\n" + parts + closing)


def attachment(name: str, data: bytes, fields: str = "application/pdf") -> bytes:
    """A file in base64."""
    return entity(
        f'Content-Type: {fields}; name="{name}"\nContent-Transfer-Encoding: base64\n'
        f'Content-Disposition: attachment; filename="{name}"',
        base64.encodebytes(data),
    )


def _html(content: str) -> str:
    return HTML.replace("CONTENT", content)


def _text(content: str, charset: str, encoding: str, subtype: str = "plain") -> bytes:
    data = content.encode(charset)
    if encoding == "base64":
        data = base64.encodebytes(data.replace(b"\n", b"\r\n"))
    if encoding == "quoted-printable":
        data = quopri.encodestring(data)
    return entity(
        f"Content-Type: text/{subtype}; charset={charset}\nContent-Transfer-Encoding: {encoding}",
        data,
    )


_PLAIN = _text("Hello\nthere\n", "us-ascii", "7bit")
_HTML = _text(_html(""), "us-ascii", "7bit", "html")
_ALTERNATIVE = multipart("alternative", _PLAIN, _HTML, boundary="alt")
_PICTURE = entity(
    "Content-Type: image/png\nContent-Transfer-Encoding: base64\nContent-ID: <picture@example>\n"
    "Content-Disposition: inline; filename=p.png",
    base64.encodebytes(PICTURE),
)
_RELATED = multipart(
    'related; type="text/html"',
    _text(_html('<img src="cid:picture@example">'), "utf-8", "quoted-printable", "html"),
    _PICTURE,
    boundary="rel",
)
_FORWARDED = HEAD + multipart("mixed", _PLAIN, attachment("in.pdf", PDF), boundary="inner")

EDITABLE: Mapping[str, bytes] = {
    "plain": HEAD + _PLAIN,
    "plain without MIME headers": b"From: a@example.net\nSubject: hello\n\nHello\nthere\n",
    "flowed": HEAD
    + entity(
        "Content-Type: text/plain; charset=utf-8; format=flowed; delsp=yes",
        b"A line that \ngoes on\nand one that ends so \n",
    ),
    "HTML": HEAD + _HTML,
    "HTML in UTF-8 and base64": HEAD + _text(_html(RUSSIAN), "utf-8", "base64", "html"),
    "HTML in Windows-1251 and 8-bit": HEAD + _text(_html(RUSSIAN), "windows-1251", "8bit", "html"),
    "HTML in Latin-1 and quoted-printable": HEAD
    + _text(_html(GERMAN), "iso-8859-1", "quoted-printable", "html"),
    "HTML in ISO-2022-JP": HEAD + _text(_html(JAPANESE), "iso-2022-jp", "7bit", "html"),
    "alternative": HEAD + _ALTERNATIVE,
    "alternative with related": HEAD + multipart("alternative", _PLAIN, _RELATED),
    "related": HEAD + _RELATED,
    "attachments": HEAD
    + multipart(
        "mixed",
        _ALTERNATIVE,
        attachment("a.pdf", PDF),
        attachment("notes.txt", GERMAN.encode(), "text/plain; charset=utf-8"),
        attachment("page.html", _html("").encode(), "text/html"),
    ),
    "text with a file": HEAD + multipart("mixed", _PLAIN, attachment("a.pdf", PDF)),
    "forwarded message": HEAD
    + multipart(
        "mixed",
        _PLAIN,
        entity(
            "Content-Type: message/rfc822\nContent-Disposition: attachment; filename=f.eml",
            _FORWARDED,
        ),
    ),
    "8-bit UTF-8": HEAD + _text(RUSSIAN, "utf-8", "8bit"),
    "8-bit without a charset": HEAD + b"\n" + GERMAN.encode("latin-1"),
    "Latin-1 and quoted-printable": HEAD + _text(GERMAN * 9, "iso-8859-1", "quoted-printable"),
    "Latin-1 and 8-bit": HEAD + _text(GERMAN, "iso-8859-1", "8bit"),
    "Windows-1251 and base64": HEAD + _text(RUSSIAN * 9, "windows-1251", "base64"),
    "ISO-2022-JP": HEAD + _text(JAPANESE, "iso-2022-jp", "7bit"),
    "8-bit beside a file": HEAD.replace(b"MIME", b"Content-Transfer-Encoding: 8bit\nMIME")
    + multipart("mixed", _text(RUSSIAN, "koi8-r", "8bit"), attachment("a.pdf", PDF)),
    "no body": HEAD + b"\n",
    "no headers but one": b"Subject: hello\n\n",
}
"""Mail whose text may be edited."""

WITHOUT_TEXT: Mapping[str, bytes] = {
    "a file": HEAD + attachment("a.pdf", PDF),
    "two files": HEAD + multipart("mixed", attachment("a.pdf", PDF), attachment("b.pdf", PICTURE)),
    "a text as a file": HEAD + attachment("notes.txt", GERMAN.encode(), "text/plain"),
    "a related picture": HEAD + multipart("related", _PICTURE),
}
"""Mail that shows no text."""

PROTECTED: Mapping[str, bytes] = {
    "signed with S/MIME": HEAD
    + multipart(
        'signed; protocol="application/pkcs7-signature"; micalg=sha-256',
        _text(RUSSIAN, "utf-8", "8bit"),
        attachment("smime.p7s", SIGNATURE, "application/pkcs7-signature"),
    ),
    "opaque S/MIME": HEAD + attachment("smime.p7m", SIGNATURE, "application/pkcs7-mime"),
    "old opaque S/MIME": HEAD + attachment("smime.p7m", SIGNATURE, "application/x-pkcs7-mime"),
    "signed with PGP/MIME": HEAD
    + multipart(
        'signed; protocol="application/pgp-signature"; micalg=pgp-sha256',
        _ALTERNATIVE,
        entity("Content-Type: application/pgp-signature", b"-----BEGIN PGP SIGNATURE-----\n"),
    ),
    "encrypted with PGP/MIME": HEAD
    + multipart(
        'encrypted; protocol="application/pgp-encrypted"',
        entity("Content-Type: application/pgp-encrypted", b"Version: 1\n"),
        entity("Content-Type: application/octet-stream", b"-----BEGIN PGP MESSAGE-----\n"),
    ),
    "signed inside a list's footer": HEAD
    + multipart(
        "mixed",
        multipart("signed", _PLAIN, attachment("s.asc", SIGNATURE), boundary="signed"),
        _PLAIN,
    ),
    "signed with PGP in the text": HEAD
    + entity(
        "Content-Type: text/plain",
        b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nHello\n"
        b"-----BEGIN PGP SIGNATURE-----\n\nabc\n-----END PGP SIGNATURE-----\n",
    ),
    "encrypted with PGP in base64": HEAD
    + _text("-----BEGIN PGP MESSAGE-----\n\nabc\n-----END PGP MESSAGE-----\n", "utf-8", "base64"),
}
"""Mail that is signed or encrypted."""

MIX: Mapping[str, bytes] = {**EDITABLE, **WITHOUT_TEXT, **PROTECTED}
"""All of it."""
