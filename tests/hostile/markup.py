"""HTML that takes parsers into quadratic time, or tries to run: it is edited, or wrapped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .case import Case, contents

SIZE = 150_000
"""Bytes of the large ones."""
UNITS: Mapping[str, str] = {
    "elements inside each other": "<div>",
    "formatting that is never closed": "<p><b title=1>x</p>",
    "tables inside each other": "<table><tr><td>",
    "lists inside each other": "<ul><li>",
    "links inside each other": "<a href=http://x.example/>",
    "end tags alone": "</div></b></table>",
    "opening brackets": "<",
    "closing brackets": ">",
    "ampersands": "&",
    "references": "&amp;&#0;&#x110000;&notareference",
    "open comments": "<!--",
    "open comments and dashes": "<!-- - ",
    "comments of nothing": "<!-->",
    "open CDATA": "<svg><![CDATA[",
    "processing instructions": "<?x ",
    "quotes that are never closed": '<a b="',
    "equals signs": "<a =====",
    "attributes": "<a x=y x=y x=y x=y x=y>",
    "attributes without an end": "<a x y z ",
    "slashes": "<a/////",
    "SVG and MathML": "<svg><math><mi><svg><desc>",
    "templates": "<template><select><option>",
    "scripts that never end": "<script>",
    "styles that never end": "<style>",
    "titles that never end": "<title>",
    "plain text": "<plaintext>",
    "NUL": "<b\0>\0</b>",
    "line breaks in tags": "<a\r\n\f\thref\n=\n'x'\n>",
    "conditional comments": "<!--[if mso]><a href=http://x.example/>x</a><![endif]-->",
    "images": "<img src=http://x.example/1.png onerror=alert(1)>",
    "forms": "<form action=http://x.example/><input type=password>",
    "frames": "<iframe srcdoc='<script>alert(1)</script>'>",
    "bases": "<base href=http://x.example/>",
    "refreshes": "<meta http-equiv=refresh content='0;url=http://x.example/'>",
    "charsets": "<meta charset=utf-7><meta charset=utf-16>",
}
DOCUMENTS: Mapping[str, str] = {
    "a script": "<script>alert(1)</script>",
    "a script in a URL": "<a href='java\tscript:alert(1)'>x</a>",
    "a script in an entity": "<a href='&#106;avascript:alert(1)'>x</a>",
    "a style that hides": "<style>*{display:none!important}</style><p>x",
    "a body that hides": "<body style='display:none'><p>x",
    "a comment around the end": "<body><p>x<!-- </body></html>",
    "two bodies": "<body><p>1</body><body hidden><p>2</body>",
    "an end before the start": "</body></html><p>x",
    "nothing": "",
    "blanks": " \n\t ",
}


def cases() -> Iterator[Case]:
    head = b"Subject: x\nContent-Type: text/html; charset=utf-8\n\n"
    for name, unit in UNITS.items():
        for size in (len(unit), SIZE):
            content = (unit * (size // len(unit))).encode()
            yield from contents({f"{name}, {size} bytes": head + content})
    for name, document in DOCUMENTS.items():
        yield from contents({name: head + document.encode()})
    large = b"<p>Hello <a href=http://x.example/>there</a></p>\n" * 100_000
    yield from contents({"more than an edit takes": head + large})
