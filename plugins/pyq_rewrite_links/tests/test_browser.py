"""Links as a browser finds them: none of them leads where it did."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

import pytest
from pyq_rewrite_links.links import link_edits

from pyquarantine_core.mime.structure import scan
from pyquarantine_core.mime.text import PartText
from pyquarantine_core.testing.browser import Page, browse

pytestmark = pytest.mark.browser

LINK = "<a href=http://evil.example>"
LINKS = [LINK, "<a\nhref='http://evil.example'/>", '<area class=">" href="http://evil.example">']
TAGS = (
    "svg /svg svg/ math /math mi /mi foreignObject desc title /title style /style script /script"
    " textarea /textarea xmp /xmp template table td /table select p /p br div /div font body"
)
PIECES = [
    *(f"<{name}>" for name in TAGS.split()),
    *("<![CDATA[", "]]>", "<!--", "-->", "<!-->", "--!>", "<!", "<?", "</", "<font color=x>"),
    *("x", "'", '"', ">", "<", "=", "<p a='", '<p a="', "<svg a=/>", "<p/"),
]
ROUNDS = 5000
LOOK = """
const links = text => [
  ...new DOMParser().parseFromString(text, "text/html").querySelectorAll("a[href], area[href]")];
return JSON.parse(document.getElementById("documents").textContent).map(
  text => links(text).map(one => one.getAttribute("href")));
"""


def documents() -> Iterator[str]:
    """The same ones every time."""
    chance = random.Random(0)
    for _ in range(ROUNDS):
        pieces = [chance.choice(PIECES if chance.random() < 0.8 else LINKS) for _ in range(8)]
        yield "".join([*pieces, LINK])


def rewritten(document: str) -> str:
    body = document.encode()
    text = PartText.of(scan([("Content-Type", b"text/html")], body).root, body)
    return text.edited(link_edits(text, "https://check.example")).content.data.decode()


def test_no_link_that_a_browser_follows_is_left() -> None:
    before = list(documents())
    after = [rewritten(one) for one in before]
    pages = {}
    for name, texts in (("before", before), ("after", after)):
        data = json.dumps(texts).replace("<", "\\u003c")
        script = f'<!DOCTYPE html><script type="application/json" id="documents">{data}</script>'
        pages[name] = Page(script.encode())
    found = browse(pages, LOOK).found
    assert sum(map(len, found["before"])) > ROUNDS
    left = [
        text
        for text, links in zip(before, found["after"], strict=True)
        if any(one != "https://check.example" for one in links)
    ]
    assert left == []
    assert list(map(len, found["after"])) == list(map(len, found["before"]))
