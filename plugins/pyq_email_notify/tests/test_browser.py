"""Notifications as a browser shows them: nothing runs, asks for anything, leads away or gets out.

Every name on the network leads to a server of the test. The browser itself tells of requests,
dialogs and windows, and of all that a strict policy would forbid; pictures tell where is painted.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from importlib import resources
from typing import Any, Protocol, TypedDict

import pyq_email_notify
import pytest
from pyq_email_notify.notification import REPLACEMENT_ID

from pyquarantine_core.testing.browser import browse
from pyquarantine_core.testing.mail_mix import MIX
from pyquarantine_core.testing.pages import Page
from pyquarantine_core.testing.rendering import REPORTED, Rendered, render

from .conftest import PNG, Image, Notifier
from .hostile import DOCUMENTS, ESCAPING, HTML_MAILS, plain_mail

pytestmark = pytest.mark.browser

DEFAULT = resources.files(pyq_email_notify) / "defaults" / "notification.template"
THEIRS = "[data-theirs]"
TEMPLATE = re.sub(
    r"<(div|span)([^<>]*>\s*(?:<strong>)?\{)",
    r"<\1 data-theirs\2",
    DEFAULT.read_text(encoding="utf-8"),
)
"""The default, with a mark at each element for what strangers wrote."""
PLAIN_TEMPLATE = (
    "<!DOCTYPE html><h1>{SUBJECT}</h1><p>{FROM} {TO} {ENVELOPE_FROM}</p>"
    '<div id="preview">{HTML_TEXT}</div><p id="after">after</p>'
)
LOOK = """
(() => {
  const theirs = [...document.querySelectorAll("[data-theirs]")], own = [];
  const inside = theirs.flatMap(one => [...one.querySelectorAll("*")]);
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode, around = text.parentElement;
    if (!text.data.trim() || around.closest("[data-theirs]")) continue;
    const range = document.createRange();
    range.selectNodeContents(text);
    const {x, width} = range.getBoundingClientRect();
    around.scrollIntoView({block: "center"});
    const first = range.getClientRects()[0];
    const above = first && document.elementFromPoint(first.x + 1, first.y + first.height / 2);
    own.push([text.data.trim(), x, width, above === around ? "in sight" : "covered"]);
  }
  window.scrollTo(0, 0);
  return {
    own,
    places: theirs.length,
    wider_than_window: document.scrollingElement.scrollWidth > window.innerWidth,
    alive: [...new Set([...inside.filter(one => !(one instanceof HTMLElement)),
      ...document.querySelectorAll("a, area, audio, base, button, embed, form, frame, iframe," +
        "input, link, object, script, select, slot, style, template, textarea, video")
    ].map(one => one.localName))],
    attributes: [...new Set(inside.flatMap(one => [...one.attributes].map(a => a.name)))].filter(
      name => !["align", "alt", "colspan", "dir", "rowspan", "src"].includes(name)),
    pictures: [...new Set([...document.images].map(one => one.src))],
  };
})()
"""
TEXT_LOOK = """
({type: document.contentType, elements: document.querySelectorAll("body *").length,
  text: document.querySelector("pre").textContent})
"""
FRAME_LOOK = """
const preview = document.getElementById("preview"), after = document.getElementById("after");
for (const one of preview.querySelectorAll("*")) one.click();
return {
  shows_something: preview.innerText.trim() !== "" || preview.querySelector("img") !== null,
  outside: after.parentElement === document.body
    && after.getBoundingClientRect().top >= preview.getBoundingClientRect().bottom
    && window.getComputedStyle(after).fontSize === "16px",
};
"""
CANARY = "http://evil.example"
ALIVE: Mapping[str, tuple[str, str]] = {
    "script": ("<script>alert('script')</script>", "alert: script"),
    "handler": ("<img src=x onerror='alert(\"handler\")'>", "alert: handler"),
    "click": ("<p onclick='alert(\"click\")'>x", "alert: click"),
    "focus": ("<input onfocus='alert(\"focus\")'>", "alert: focus"),
    "srcdoc": ("<iframe srcdoc='<script>alert(\"srcdoc\")</script>'></iframe>", "alert: srcdoc"),
    "svg": ("<svg onload='alert(\"svg\")'></svg>", "alert: svg"),
    "animation": (
        "<style>@keyframes x{}</style><p style='animation:x' onanimationend='alert(\"end\")'>",
        "alert: end",
    ),
    "link": ("<a href='javascript:alert(\"link\")'>x</a>", "alert: link"),
    "window": (f"<a href={CANARY}/window target=_blank>x</a>", "opened a window"),
    "script from elsewhere": (f"<script src={CANARY}/script></script>", f"{CANARY}/script"),
    "image": (f"<img src={CANARY}/image>", f"{CANARY}/image"),
    "secure image": ("<img src=https://evil.example/>", "https://evil.example/"),
    "sheet": (f"<link rel=stylesheet href={CANARY}/sheet>", f"{CANARY}/sheet"),
    "background": (f"<p style='background:url({CANARY}/background)'>x", f"{CANARY}/background"),
    "frame": (f"<iframe src={CANARY}/frame></iframe>", f"{CANARY}/frame"),
    "refresh": (
        f"<meta http-equiv=refresh content='0;url={CANARY}/refresh'>",
        f"{CANARY}/refresh",
    ),
    "handler that never runs": ("<p onpaste=x>", "script-src-attr inline"),
    "style": ("<style>p { color: red }</style>", "style-src-elem inline"),
    "base": ("<base href=/x>", "base-uri"),
    "fixed": ("<div style='position:fixed;top:0'>x</div>", "painted outside"),
    "shadow": ("<p style='text-shadow:0 -200px red'>x", "painted outside"),
    "outline": ("<p style='outline:300px solid red'>x", "painted outside"),
    "margin": ("<p style='margin-top:-150px'>x", "painted outside"),
    "marks": (ESCAPING["stacked marks in a heading"], "painted outside"),
    "no end": ("</div>out", "text outside: out"),
}
"""HTML that is alive, and what is seen of it where nothing protects the reader."""
UNPROTECTED = TEMPLATE.replace(" overflow:", " x-overflow:")


def seen(page: Rendered) -> set[str]:
    """All that a page has done."""
    done = {*page.requests, *page.ran, *page.violations}
    texts = [text for text, *_ in page.found.get("own", ())]
    done |= {f"text outside: {one}" for one in texts if f">{one}<" not in TEMPLATE}
    return done | ({"painted outside"} if page.painted_outside else set())


def without_copies(pages: Mapping[str, Page]) -> dict[str, Page]:
    """Of equal pages the last: of most attacks nothing is left, and that is shown once."""
    names = {page.content: name for name, page in pages.items()}
    return {name: pages[name] for name in names.values()}


class Everywhere(TypedDict):
    """A message, and what is known of it."""

    content: bytes
    sender: str
    recipient: str
    variables: dict[str, str]
    subject: str


def everywhere(text: str) -> Everywhere:
    """A message with a text in each place that a notification shows something of, as no HTML."""
    word = base64.b64encode(text[:3000].encode("utf-8", "replace")).decode()
    header = f"Subject: =?utf-8?b?{word}?=\nFrom: =?utf-8?b?{word}?= <a@example.net>\n"
    return {
        "content": f"{header}To: =?utf-8?b?{word}?= <b@example.org>\n".encode() + plain_mail(text),
        "sender": text[:3000],
        "recipient": text[:3000],
        "variables": {"V": text},
        "subject": "{V}: {SUBJECT}",
    }


class Harmless(Protocol):
    """None of the pages does anything, or looks in any way different outside of the places.

    Args:
        pages: by name.
        pictures: URLs that they may show.
        paint: compare what is painted outside.
    """

    def __call__(
        self, pages: Mapping[str, Page], pictures: set[str], *, paint: bool = True
    ) -> None: ...


@pytest.fixture
def assert_harmless(notify: Notifier) -> Harmless:
    benign = Page.of_message(notify(template=TEMPLATE).raw, headers=REPORTED)

    def check(pages: Mapping[str, Page], pictures: set[str], *, paint: bool = True) -> None:
        every = {**without_copies(pages), "benign": benign}
        rendered = render(every, LOOK, theirs=THEIRS, paint=paint)
        usual = rendered["benign"].found
        assert len(usual["own"]) == 8
        assert {one[-1] for one in usual["own"]} == {"in sight"}
        for name, page in rendered.items():
            assert seen(page) <= pictures, name
            assert set(page.found["pictures"]) <= pictures, name
            assert page.found == {**usual, "pictures": page.found["pictures"]}, name

    return check


def test_what_is_alive_is_seen() -> None:
    """The proof that the other tests would see it."""
    pages = {
        name: Page(UNPROTECTED.replace("{HTML_TEXT}", html).encode(), headers=REPORTED)
        for name, (html, _) in ALIVE.items()
    }
    rendered = render(pages, LOOK, theirs=THEIRS)
    unseen = {
        name: seen(rendered[name])
        for name, (_, sign) in ALIVE.items()
        if not any(one.startswith(sign) for one in seen(rendered[name]))
    }
    assert unseen == {}


@pytest.mark.parametrize("replaced", [False, True], ids=["alternative texts", "repl_img"])
def test_nothing_of_an_html_message_is_alive_or_leaves_its_box(
    replaced: bool, notify: Notifier, image: Image, assert_harmless: Harmless
) -> None:
    options: dict[str, Any] = {"repl_img": image("gone.png", PNG)} if replaced else {}
    pages = {
        name: Page.of_message(notify(one, template=TEMPLATE, **options).raw, headers=REPORTED)
        for name, one in {**MIX, **HTML_MAILS}.items()
    }
    if replaced:  # the others look as without it
        pages = {name: page for name, page in pages.items() if b"<img" in page.content}
    assert_harmless(pages, {f"cid:{REPLACEMENT_ID}"} if replaced else set())


def test_nothing_of_a_plain_message_or_any_header_is_alive_or_leaves_its_box(
    notify: Notifier, assert_harmless: Harmless
) -> None:
    pages = {
        name: Page.of_message(notify(**everywhere(one), template=TEMPLATE).raw, headers=REPORTED)
        for name, one in DOCUMENTS.items()
    }
    assert_harmless({name: pages[name] for name in ESCAPING}, set())
    assert_harmless(pages, set(), paint=False)  # the others have no characters that they do not


def test_the_plain_alternative_is_text_and_nothing_else(notify: Notifier) -> None:
    told = {name: notify(one, template=TEMPLATE) for name, one in {**MIX, **HTML_MAILS}.items()}
    told |= {
        f"{name} everywhere": notify(**everywhere(one), template=TEMPLATE)
        for name, one in ESCAPING.items()
    }
    pages = {
        name: Page.of_message(one.raw, "plain", headers=REPORTED) for name, one in told.items()
    }
    shown = render(without_copies(pages), TEXT_LOOK, theirs="pre", paint=False)
    for name, page in shown.items():
        assert seen(page) == set(), name
        text = told[name].text
        assert page.found == {"type": "text/plain", "elements": 1, "text": text}, name


def test_an_admins_own_template_stays_around_it_in_web_mail(notify: Notifier) -> None:
    pages = {
        name: Page.of_message(notify(one, template=PLAIN_TEMPLATE).raw)
        for name, one in {**MIX, **HTML_MAILS}.items()
    }
    shown = browse(without_copies(pages), FRAME_LOOK, scripts=True)
    assert shown.requests == ()
    for name, found in shown.found.items():
        assert found == {"shows_something": True, "outside": True}, name
