"""Names of programs that are written so that one reader sees them and another does not."""

from __future__ import annotations

import io
import zipfile
from base64 import encodebytes
from collections.abc import Iterator, Mapping

from pyquarantine_core.testing.answers import Verdict

from .case import FILES, Case, contents, word
from .mime_structure import DATA, END, TEXT, mixed, parts

DISPOSITIONS: Mapping[str, bytes] = {
    "plain": b"attachment; filename=evil.exe",
    "in quotes": b'attachment; filename="evil.exe"',
    "in quotes that are never closed": b'attachment; filename="evil.exe',
    "with an escape": b'attachment; filename="evil\\.exe"',
    "in capitals": b"ATTACHMENT; FILENAME=EVIL.EXE",
    "inline": b"inline; filename=evil.exe",
    "of an unknown disposition": b"x-unknown; filename=evil.exe",
    "of no disposition": b"; filename=evil.exe",
    "with blanks around the sign": b"attachment; filename = evil.exe",
    "with a blank in it": b"attachment; filename=very evil.exe",
    "folded": b"attachment;\n\tfilename=evil.exe",
    "folded inside": b'attachment; filename="evil\n .exe"',
    "percent-encoded": b"attachment; filename*=utf-8''evil%2Eexe",
    "all percent-encoded": b"attachment; filename*=utf-8''%65%76%69%6C%2E%65%78%65",
    "percent-encoded without a charset": b"attachment; filename*=''evil%2Eexe",
    "in sections": b"attachment; filename*0=evil; filename*1=.exe",
    "in sections that are mixed up": b"attachment; filename*1=.exe; filename*0=evil",
    "in sections, some encoded": b"attachment; filename*0*=utf-8''evil%2E; filename*1=exe",
    "in sections of one character": b"attachment"
    + b"".join(b"; filename*%d=%c" % pair for pair in enumerate(b"evil.exe")),
    "in an encoded word": b'attachment; filename="' + word("utf-8", "q", b"evil.exe") + b'"',
    "in two encoded words": b'attachment; filename="'
    + word("utf-8", "b", b"evil") + b" " + word("utf-8", "q", b".exe") + b'"',
    "in an encoded word without quotes": b"attachment; filename=" + word("utf-8", "b", b"evil.exe"),
    "after 1,000 parameters": b"attachment; " + b"x=y; " * 1000 + b"filename=evil.exe",
    "beside a harmless one": b"attachment; filename=evil.exe; filename=good.txt",
    "with a path": b'attachment; filename="../../evil.exe"',
    "with a path of Windows": b'attachment; filename="C:\\\\evil.exe"',
    "of 10,000 characters": b"attachment; filename=" + b"a" * 10_000 + b".exe",
}  # fmt: skip
TYPES: Mapping[str, bytes] = {
    "as a name alone": b"application/octet-stream; name=evil.exe",
    "as a name in sections": b"application/octet-stream; name*0=evil; name*1=.exe",
    "as a name of a text": b"text/plain; name=evil.exe",
    "as a name of HTML": b"text/html; name=evil.exe",
    "as a name of a picture": b"image/png; name=evil.exe",
    "beside a type that is none": b"x\nContent-Disposition: attachment; filename=evil.exe",
}  # fmt: skip


def archive(*names: str) -> bytes:
    """A ZIP archive with files of these names."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as writer:
        for name in names:
            writer.writestr(name, b"MZ")
    return packed.getvalue()


def zipped(encoded: bytes, fields: bytes = b"Content-Transfer-Encoding: base64\n") -> bytes:
    """A message with an archive."""
    head = b"Content-Type: application/zip\nContent-Disposition: attachment; filename=a.zip\n"
    return mixed(parts(TEXT, head + fields + b"\n" + encoded) + END)


def cases() -> Iterator[Case]:
    named = {
        f"a name {how}": mixed(parts(TEXT, b"Content-Disposition: " + value + b"\n\n" + DATA) + END)
        for how, value in DISPOSITIONS.items()
    }
    typed = {
        f"a name {how}": mixed(parts(TEXT, b"Content-Type: " + value + b"\n\n" + DATA) + END)
        for how, value in TYPES.items()
    }
    yield from contents({**named, **typed}, Verdict.DISCARD, FILES)
    alone = {
        f"the whole message, a name {how}": b"Content-Disposition: " + value + b"\n\n" + DATA
        for how, value in list(DISPOSITIONS.items())[:10]
    }
    yield from contents(alone, Verdict.DISCARD, FILES)
    data = archive("docs/readme.txt", "docs/evil.exe")
    encoded = encodebytes(data)
    lines = encoded.splitlines(keepends=True)
    archives = {
        "base64": zipped(encoded),
        "base64 in one line": zipped(encoded.replace(b"\n", b"") + b"\n"),
        "base64 with a character a line": zipped(b"\n".join(b"%c" % one for one in encoded)),
        "base64 with junk in the lines": zipped(b"!".join(lines)),
        "base64 with blanks": zipped(encoded.replace(b"U", b" \tU ")),
        "base64 with 8 bit": zipped(encoded.replace(b"\n", b"\xff\n")),
        "base64 with NUL": zipped(encoded.replace(b"\n", b"\0\n")),
        "base64 without padding": zipped(encoded.replace(b"=", b"")),
        "base64 in capitals": zipped(encoded, b"CONTENT-TRANSFER-ENCODING: BASE64\n"),
        "base64 with a comment": zipped(encoded, b"Content-Transfer-Encoding: (x) base64\n"),
        "base64 with a semicolon": zipped(encoded, b"Content-Transfer-Encoding: base64; x\n"),
        "quoted-printable": zipped(
            b"=\n".join(b"=%02X" % one for one in data),
            b"Content-Transfer-Encoding: quoted-printable\n",
        ),
        "an unknown encoding": zipped(encoded, b"Content-Transfer-Encoding: x-none\n"),
        "uuencode": zipped(b"begin 644 a.zip\nend\n", b"Content-Transfer-Encoding: x-uuencode\n"),
        "a name that ends in a dot": zipped(encodebytes(archive("evil.exe"))),
        "a path that leads away": zipped(encodebytes(archive("../../evil.exe"))),
        "1,000 files before it": zipped(encodebytes(archive(*map(str, range(1000)), "evil.exe"))),
        "3,000 files before it": zipped(encodebytes(archive(*map(str, range(3000)), "evil.exe"))),
        "cut off": zipped(encodebytes(data[:-20])),
        "an archive in it": zipped(encodebytes(_nested(2))),
        "ten archives in it": zipped(encodebytes(_nested(10))),
    }  # fmt: skip
    in_archives = {f"in an archive: {name}": content for name, content in archives.items()}
    yield from contents(in_archives, Verdict.DISCARD, FILES)


def _nested(depth: int) -> bytes:
    inner = archive("evil.exe")
    for _ in range(depth):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as writer:
            writer.writestr("inner.zip", inner)
        inner = packed.getvalue()
    return inner
