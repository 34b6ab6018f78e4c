"""Messages whose charset or transfer encoding hides what their HTML is."""

from __future__ import annotations

import base64
import quopri
from collections.abc import Iterator

SCRIPT = "<script>alert(1)</script>"
IMG = "<img src=x onerror=alert(1)>"
_CHARSETS = [
    *("utf-16", "utf-16le", "utf-16be", "utf-32", "utf-8-sig", "utf-7", "cp037", "cp500"),
    *("cp1026", "iso-2022-jp", "iso-2022-kr", "hz", "shift_jis", "euc-jp", "big5", "gb18030"),
]
_NAMES = [
    *("utf-7", "UTF7", "unicode-1-1-utf-7", "x-user-defined", "replacement", "iso-2022-cn", "none"),
    *("us-ascii", "utf-8", "windows-1252", "iso-2022-jp", "iso-2022-kr", "hz-gb-2312", "utf-16"),
    *("x-mac-roman", "'utf-8'", '"utf-7', "utf-8;charset=utf-7", "cp65001", "scsu", "bocu-1"),
    *("cesu-8", "utf-ebcdic", "johab", "gb18030", "shift_jis", "\xe4", "utf-8\x00", "idna", "hex"),
]
_BYTES = {
    "utf-7": b"+ADw-script+AD4-alert(1)+ADw-/script+AD4-+ADw-img src=x onerror=alert(1)+AD4-",
    "utf-7 with its mark": b"+/v8-+ADw-script+AD4-alert(1)+ADw-/script+AD4-",
    "JIS escapes": b"<p>\x1b(J\\x\x1b$B<script>\x1b(Balert(1)</script>",
    "JIS escape inside a tag": b"<scr\x1b(Bipt>alert(1)</scr\x1b(Bipt><img src=x "
    b"on\x1b(Berror=alert(1)>",
    "JIS escape that hides a quote": b"<p title='\x1b$B'\x1b(B onclick=alert(1)>x",
    "JIS escape that is never closed": b"<p>x\x1b$B</p><script>alert(1)</script>",
    "HZ escapes": b"~{<script>~}alert(1)~{</script>~}<p title='~{'~}' onclick=alert(1)>",
    "Korean escapes": b"\x1b$)C\x0e<script>\x0falert(1)\x0e</script>\x0f",
    "lead byte before a quote": b"<p title='\x81' onclick=alert(1) x='>y",
    "lead byte before a bracket": b"x\xe3<script>alert(1)</script>\xf0\x9f<img src=x "
    b"onerror=alert(1)>",
    "lead byte at the end": b"<p>x\xe3\x81",
    "overlong": b"\xc0\xbcscript\xc0\xbealert(1)\xe0\x80\xbcimg src=x onerror=alert(1)\xe0\x80\xbe",
    "surrogates in UTF-8": b"\xed\xa0\x80\xed\xb0\x80<script>\xed\xbf\xbfalert(1)",
    "high bytes": b"\xbcscript\xbealert(1)\xbc/script\xbe\x8b\x9b\xff\xfe\xfd",
    "backslash and yen": b"<p title='\x5c' onclick=alert(1) a='>\xa5x",
    "NUL in between": b"<\x00s\x00c\x00r\x00i\x00p\x00t\x00>\x00alert(1)\x00",
    "byte order mark inside": b"<scr\xef\xbb\xbfipt>alert(1)</script>\xef\xbb\xbf<img src=x "
    b"onerror=alert(1)>",
    "marks of other charsets": b"\xff\xfe<\x00p\x00>\x00x\x00"
    b"<\x00s\x00c\x00r\x00i\x00p\x00t\x00>\x00",
    "mark of UTF-32": b"\x00\x00\xfe\xff\x00\x00\x00<\x00\x00\x00p\x00\x00\x00>",
    "shift out": b"\x0e<script>alert(1)</script>\x0f\x8e\x8f<img src=x onerror=alert(1)>",
    "controls in tags": b"<scr\x08ipt>alert(1)</script><\x7fimg src=x "
    b"onerror=alert(1)><p\x0bonclick=x>",
    "escapes of a terminal": b"\x1b[2J\x1b]0;x\x07\x9b31m<script>alert(1)</script>",
}
_META = [
    b"<meta charset=utf-7>",
    b"<meta charset=iso-2022-jp>",
    b"<meta http-equiv=Content-Type content='text/html; charset=utf-16'>",
    b"<meta charset=x-user-defined>",
    b"<?xml version='1.0' encoding='utf-7'?>",
    b"<!-- <meta charset=utf-7> --><meta charset='gb18030'>",
]


def _mail(content: bytes, charset: str | None, encoding: str = "8bit") -> bytes:
    kind = "text/html" if charset is None else f"text/html; charset={charset}"
    head = f"Content-Type: {kind}\nContent-Transfer-Encoding: {encoding}\n\n"
    return head.encode("latin-1") + content


def _mails() -> Iterator[tuple[str, bytes]]:
    html = f"<p>x</p>{SCRIPT}{IMG}"
    for charset in _CHARSETS:
        data = base64.encodebytes(html.encode(charset))
        yield f"in {charset}", _mail(data, charset, "base64")
        yield f"in {charset}, unnamed", _mail(data, None, "base64")
        yield f"in {charset}, called utf-8", _mail(data, "utf-8", "base64")
    for name in _NAMES:
        yield f"called {name!r}", _mail(_BYTES["utf-7"] + html.encode(), name)
    for name, data in _BYTES.items():
        for called in (None, "utf-8", "us-ascii", "iso-2022-jp", "shift_jis", "gb18030"):
            yield f"{name}, called {called}", _mail(data, called)
    for meta in _META:
        yield f"{meta!r} and UTF-7", _mail(meta + _BYTES["utf-7"] + b"\xff", None)
        yield f"{meta!r} and JIS", _mail(meta + _BYTES["JIS escapes"] + b"\xff", None)
    yield (
        "quoted-printable",
        _mail(quopri.encodestring(html.encode(), quotetabs=True), "utf-8", "quoted-printable"),
    )
    yield (
        "every byte quoted",
        _mail(b"".join(b"=%02X" % one for one in html.encode()), None, "Quoted-Printable"),
    )
    yield (
        "quoted with soft breaks",
        _mail(b"<scr=\nipt>al=\r\nert(1)</scr=   \nipt>", None, "quoted-printable"),
    )
    yield "quoted badly", _mail(b"=3Cscript=3e=ZZ=alert(1)=3", None, "quoted-printable")
    yield "base64 with rubbish", _mail(b"PHNj*cmlw\ndD5h=bGVydCgxKTwvc2NyaXB0Pg", None, "base64")
    yield (
        "uuencode",
        _mail(
            b"begin 644 x.html\n9/'-C<FEP=#YA;&5R=\"@Q*3PO<V-R:7!T/@``\n`\nend\n",
            None,
            "x-uuencode",
        ),
    )
    yield "an unknown encoding", _mail(html.encode(), "utf-8", "x-none")
    yield (
        "an encoding given twice",
        b"Content-Transfer-Encoding: base64\n" + _mail(html.encode(), "utf-8", "8bit"),
    )


MAILS = dict(_mails())
