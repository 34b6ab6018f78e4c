"""Nothing that runs, looks like the template's, leads anywhere or is fetched survives in a preview.

The cases are generated: each way to write an attack is a template, filled with what it may carry.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyq_email_notify.preview import Preview, Previewer
from pyq_email_notify.sanitiser import ATTRIBUTE_VALUES, TAGS

from pyquarantine_core.testing.rules import received

PICTURE = "removed.png"
JS = "alert(1)"

HANDLERS = ["onerror", "onload", "OnClIcK", "onmouseover", "onfocus", "ontoggle", "onbegin"]
CARRIERS = [
    "<img src=x {0}={1}>",
    "<b {0}='{1}'>x</b>",
    '<p/{0}="{1}">x',
    "<svg><animate {0}={1}></svg>",
    "<td\f{0}\n=\t{1}>x",
    "<p a='>' {0}={1}>x",
    '<p """{0}={1}>x',
]
SCHEMES = [
    "javascript:{}",
    "JaVaScRiPt:{}",
    "java\tscript:{}",
    "java&#10;script:{}",
    "&#106;avascript&colon;{}",
    "\x01javascript:{}",
    "data:text/html,<script>{}</script>",
    "vbscript:{}",
    "//evil.example/{}",
    "https://evil.example/{}",
    "cid:other@{}",
    "\\\\evil.example\\{}",
]
PLACES = [
    '<a href="{}">x</a>',
    '<form action="{}"><input name=a></form>',
    '<iframe src="{}"></iframe>',
    '<img src="{}">',
    '<table background="{}"><tr><td>x</table>',
    "<p style='background:url(\"{}\")'>x",
    '<blockquote cite="{}">x</blockquote>',
]
WHOLE = {
    "script": "<script>alert(1)</script>",
    "script without end": "<script>alert(1)",
    "script in odd case": "<ScRiPt\n>alert(1)</sCrIpT\t>",
    "script with a slash": "<script/x>alert(1)</script>",
    "script inside a tag": "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "script after a comment": "<!--><script>alert(1)</script>-->",
    "script after a bang comment": "<!-- --!><script>alert(1)</script>",
    "script in a title": "<title><img title='</title><script>alert(1)</script>'></title>",
    "script in noscript": "<noscript><p title='</noscript><script>alert(1)</script>'>",
    "script in textarea": "<textarea><p title='</textarea><img src=x onerror=alert(1)>'>",
    "script in xmp": "<xmp><p title='</xmp><script>alert(1)</script>'>",
    "script in CDATA": "<svg><![CDATA[><img src=x onerror=alert(1)>]]></svg>",
    "style in math": "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style>",
    "style in svg": "<svg></p><style><a id='</style><img src=x onerror=alert(1)>'>",
    "form in form": "<form><math><mtext></form><form><mglyph><style></math><img src onerror=x>",
    "template": "<template><script>alert(1)</script></template>",
    "nested select": "<select><option><style></select><img src=x onerror=alert(1)></style>",
    "plaintext": "<plaintext><script>alert(1)</script>",
    "null bytes": "<scr\0ipt>alert(1)</scr\0ipt><im\0g src=x o\0nerror=alert(1)>",
    "namespace": "<x:script xmlns:x='http://www.w3.org/1999/xhtml'>alert(1)</x:script>",
    "meta refresh": "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
    "base": "<base href=https://evil.example/><p>x",
    "link": "<link rel=stylesheet href=https://evil.example/x.css>",
    "style": "<style>*{position:fixed;background:url(//evil.example)}</style>",
    "overlay": "<div style='position:fixed;top:0;left:0;width:100%;height:100%'>x</div>",
    "class and id": "<div class=header id=top name=top>x</div>",
    "closing the box": "</div></td></tr></table></body></html><h1>outside</h1>",
    "closing cells": "</td></tr></table><table><tr><td>x",
    "object": "<object data=//evil.example><param name=x value=y></object>",
    "button": "<button formaction=javascript:alert(1)>x</button><isindex action=javascript:x>",
    "entities": "&lt;script&gt;alert(1)&lt;/script&gt;",
    "double entities": "&amp;lt;img src=x onerror=alert(1)&amp;gt;",
    "conditional comment": "<!--[if gte IE 4]><script>alert(1)</script><![endif]-->",
    "processing instruction": "<?xml version='1.0'?><?php alert(1) ?>",
    "variables": "{HTML_TEXT}{FROM}{{SUBJECT}}",
    "unclosed attribute": "<p title='x><script>alert(1)</script>",
    "unclosed tag": "<img src=x onerror=alert(1) ",
    "marquee": "<marquee onstart=alert(1)>x</marquee><details open ontoggle=alert(1)>x",
    "video": "<video src=x onerror=alert(1)><source src=//evil.example></video>",
    "area": "<map name=m><area href=javascript:alert(1)></map><img usemap=#m>",
    "contenteditable": "<div contenteditable autofocus tabindex=1 accesskey=x>x</div>",
    "bidi": "<bdo dir=rtl>evil</bdo>\u202egnp.exe",
    "is and slots": "<p is=x-y slot=z part=w data-x=y aria-label=x role=alert>x",
}


def cases() -> Iterator[tuple[str, str]]:
    """Names and documents."""
    yield from WHOLE.items()
    for handler, carrier in product(HANDLERS, CARRIERS):
        yield f"{handler} in {carrier}", carrier.format(handler, JS)
    for scheme, place in product(SCHEMES, PLACES):
        yield f"{scheme!r} in {place}", place.format(scheme.format(JS))


CASES = dict(cases())


class Reader(HTMLParser):
    """Collects the tags of a document, as another parser than the sanitiser's reads them."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.starts: list[tuple[str, dict[str, str | None]]] = []
        self.depth = 0
        self.lowest = 0
        self.feed(document)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs)
        self.starts.append((tag, dict(attrs)))
        self.depth += tag not in {"br", "hr", "img"}

    def handle_endtag(self, tag: str) -> None:
        self.depth -= 1
        self.lowest = min(self.lowest, self.depth)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(f"a declaration: {decl}")

    def handle_pi(self, data: str) -> None:
        raise AssertionError(f"a processing instruction: {data}")

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(f"a declaration: {data}")


def preview(document: str, *, image: str | None) -> Preview:
    head = b"Content-Type: text/html; charset=utf-8\n\n"
    return Previewer(image).make(received(head + document.encode("utf-8", "replace")))


def assert_harmless(shown: str, image: str | None) -> None:
    document = Reader(shown)
    for tag, attributes in document.starts:
        if tag == "img":
            assert image is not None
            assert attributes.pop("src") == f"cid:{image}"
            attributes.pop("alt")
            assert attributes == {}
        else:
            assert tag in TAGS
            for name, value in attributes.items():
                assert value in ATTRIBUTE_VALUES[tag][name]
    assert (document.depth, document.lowest) == (0, 0)
    assert re.search("[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", shown) is None


@pytest.mark.parametrize("name", CASES)
def test_only_what_is_harmless_is_left_of(name: str) -> None:
    for image in (None, PICTURE):
        assert_harmless(preview(CASES[name], image=image).html, image)


def test_what_is_left_is_text_that_can_be_read() -> None:
    shown = preview(
        "<p onclick=x>Dear <a href='javascript:x'>client</a><script>x</script>,", image=None
    )
    assert shown.html == "<p>Dear client,</p>"
    assert shown.text == "Dear client,\n"


def test_all_cases_one_after_the_other_are_harmless_too() -> None:
    for image in (None, PICTURE):
        assert_harmless(preview("\n".join(CASES.values()), image=image).html, image)
        assert_harmless(preview("\n".join(reversed(CASES.values())), image=image).html, image)


TAG_SOUP = st.lists(
    st.one_of(
        st.sampled_from(sorted(CASES.values())),
        st.sampled_from(sorted(TAGS)).map("<{}>".format),
        st.sampled_from(sorted(TAGS)).map("</{}>".format),
        st.sampled_from(
            ["<svg>", "</svg>", "<math>", "<style>", "<!--", "-->", "<a href=x>", "'", '"', ">"]
        ),
        st.text(max_size=5),
    ),
    max_size=30,
).map("".join)


@settings(deadline=None)
@given(TAG_SOUP)
def test_no_soup_of_tags_is_harmful(document: str) -> None:
    for image in (None, PICTURE):
        assert_harmless(preview(document, image=image).html, image)


@settings(deadline=None)
@given(TAG_SOUP)
def test_what_was_cleaned_is_clean(document: str) -> None:
    once = preview(document, image=None).html
    again = preview(once, image=None).html
    assert "".join(again.split()) == "".join(once.split())
