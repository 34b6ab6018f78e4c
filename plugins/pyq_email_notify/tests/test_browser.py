"""Notifications as a browser shows them: nothing runs, nothing is asked for, nothing leads away."""

from __future__ import annotations

from typing import Any

import pytest
from pyq_email_notify.notification import REPLACEMENT_ID

from pyquarantine_core.testing.browser import Page, browse
from pyquarantine_core.testing.mail_mix import MIX

from .conftest import PNG, Image, Notifier
from .test_hostile_html import CASES

pytestmark = pytest.mark.browser

CANARY = "http://evil.example"
"""A server that is asked for something when the HTML of a stranger is alive."""
TEMPLATE = (
    "<!DOCTYPE html><h1>{SUBJECT}</h1><p>{FROM} {TO} {ENVELOPE_FROM}</p>"
    '<div id="preview">{HTML_TEXT}</div><p id="after">after</p>'
)
ALIVE = {
    "script": "<script src={}></script>",
    "img": "<img src={}>",
    "style": "<p style='background: url({})'>x",
    "link": "<link rel=stylesheet href={}>",
    "frame": "<iframe src={}></iframe>",
    "onerror": "<img src=x onerror='new Image().src = \"{}\"'>",
}
"""HTML that asks for something, by what it does that with."""
LOOK = """
const preview = document.getElementById("preview");
const attributes = new Set([...preview.querySelectorAll("*")].flatMap(one =>
  [...one.attributes].map(attribute => attribute.name)));
for (const name of ["align", "alt", "colspan", "dir", "rowspan", "src"]) attributes.delete(name);
for (const one of preview.querySelectorAll("*")) one.click();
const box = preview.getBoundingClientRect(), after = document.getElementById("after");
return {
  leads_away: document.links.length + document.forms.length + document.scripts.length,
  alive: preview.querySelectorAll(
    "base, button, embed, iframe, input, link, meta, object, style, video").length,
  attributes: [...attributes],
  alerts: window.top.alerts || 0,
  shows_something: preview.innerText.trim() !== "" || preview.querySelector("img") !== null,
  outside: after.parentElement === document.body
    && after.getBoundingClientRect().top >= box.bottom
    && window.getComputedStyle(after).fontSize === "16px",
  pictures: [...preview.querySelectorAll("img")].map(one => one.src),
};
"""
HARMLESS = {
    "leads_away": 0,
    "alive": 0,
    "attributes": [],
    "alerts": 0,
    "shows_something": True,
    "outside": True,
}


def html_mail(document: str) -> bytes:
    """A message whose attacks lead to the canary."""
    document = document.replace("https:", "http:").replace("alert(1)", "(top.alerts = 1)")
    head = b"Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"
    return head + document.encode("utf-8", "replace")


MAILS = {
    **MIX,
    **{name: html_mail(one) for name, one in CASES.items()},
    **{name: html_mail(one.format(f"{CANARY}/{name}")) for name, one in ALIVE.items()},
}


def test_the_canary_sees_what_is_alive() -> None:
    pages = {name: Page.of_message(MAILS[name]) for name in [*ALIVE, "script in xmp"]}
    seen = browse(pages, "return window.top.alerts", scripts=True)
    assert {f"GET {CANARY}/{name}" for name in ALIVE} <= set(seen.requests)
    assert seen.found["script in xmp"] == 1


@pytest.mark.parametrize("replaced", [False, True], ids=["alternative texts", "repl_img"])
def test_no_preview_is_alive_or_leads_away(replaced: bool, notify: Notifier, image: Image) -> None:
    options: dict[str, Any] = {"repl_img": image("gone.png", PNG)} if replaced else {}
    pages = {
        name: Page.of_message(notify(one, template=TEMPLATE, **options).raw)
        for name, one in MAILS.items()
    }
    seen = browse(pages, LOOK, scripts=True)
    assert seen.requests == ()
    for name, found in seen.found.items():
        pictures = found.pop("pictures")
        assert set(pictures) <= ({f"cid:{REPLACEMENT_ID}"} if replaced else set()), name
        assert found == HARMLESS, name
