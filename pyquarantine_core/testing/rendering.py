"""Pages as headless Chromium renders them, with scripts on: what they do, and where they paint.

What strangers wrote must stay inside of the elements that are made for it. Two pictures tell: both
with these elements covered, one with what is in them, one without. They are equal unless something
is painted beyond.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pyquarantine_core.testing.devtools import Browser, BrowserFailed, PageLeft
from pyquarantine_core.testing.pages import Page, PageServer

WIDTH, HEIGHT = 800, 1000
"""Pixels of the window."""
REPORTED = {
    "Content-Security-Policy-Report-Only": "default-src 'none'; style-src-attr 'unsafe-inline';"
    " base-uri 'none'; form-action 'none'; img-src cid: http://127.0.0.1:*/favicon.ico"
}
"""Makes Chromium tell of each script, handler, style sheet, base and form, and forbid none."""

_LISTEN = """
window.violations = [];
document.addEventListener("securitypolicyviolation", event =>
  window.violations.push(`${event.effectiveDirective} ${event.blockedURI}`));
"""
_TOUCH = """
(async theirs => {
  for (const one of document.querySelectorAll(theirs)) {
    for (const kind of ["mouseover", "mouseenter", "pointerover", "focusin", "wheel"])
      one.dispatchEvent(new Event(kind, {bubbles: true}));
    if (one.focus) one.focus();
    if (one.click) one.click();
  }
  for (let count = 0; count < 2; count++)
    await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
  if (document.activeElement) document.activeElement.blur();
  window.scrollTo(0, 0);
})
"""
_COVER = """
(theirs => {
  for (const one of document.querySelectorAll(theirs)) {
    const box = one.getBoundingClientRect(), cover = document.createElement("div");
    const left = Math.floor(box.left), top = Math.floor(box.top);
    cover.style = `all: initial; position: fixed; background: gray; z-index: 2147483647;
      left: ${left}px; top: ${top}px; width: ${Math.ceil(box.right) - left}px;
      height: ${Math.ceil(box.bottom) - top}px`;
    document.documentElement.append(cover);
  }
})
"""
_HIDE = """
(theirs => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`:is(${theirs}), :is(${theirs}) * { visibility: hidden !important }`);
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
})
"""


@dataclass(slots=True)
class Rendered:
    """What became of a page.

    Attributes:
        found: what the look into it returned; an empty dict when it went elsewhere before.
        requests: URLs of all that it asked for, itself apart.
        ran: what its scripts did: dialogs and windows that they opened, leaving the page.
        violations: of `REPORTED`, what would be forbidden.
        painted_outside: whether anything is painted beyond the elements for it.
    """

    found: Any = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    ran: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    painted_outside: bool = False


def render(
    pages: Mapping[str, Page], look: str, *, theirs: str, paint: bool = True
) -> dict[str, Rendered]:
    """Show pages one after the other, hover, click and focus what strangers wrote, and look.

    Args:
        pages: by name.
        look: an expression of JavaScript, evaluated in the page when all of that is over.
        theirs: selector of the elements that are made for what strangers wrote.
        paint: compare what is painted beyond them.

    Raises:
        BrowserFailed: there is no Chromium, or it has not shown all pages.
    """
    paths = {name: f"/page/{number}" for number, name in enumerate(pages)}
    with PageServer({paths[name]: page for name, page in pages.items()}) as server:
        tab = _Tab(server.address.removesuffix("/"), theirs)
        with Browser(server.server_port, tab.hear) as browser:
            tab.prepare(browser)
            rendered = {}
            for name, path in paths.items():
                already = len(server.requests)
                rendered[name] = tab.show(browser, path, look, paint)
                rendered[name].requests += server.requests[already:]
        return rendered


class _Tab:
    def __init__(self, address: str, theirs: str) -> None:
        self._address = address
        self._theirs = json.dumps(theirs)
        self._inside = json.dumps(f":is({theirs}) *")
        self._browser: Browser | None = None
        self._own = ""
        self._page = Rendered()
        self._loaded: set[str] = set()

    def prepare(self, browser: Browser) -> None:
        self._browser = browser
        for domain in ("Page", "Network", "Runtime"):
            browser.command(f"{domain}.enable")
        browser.command("Page.setLifecycleEventsEnabled", enabled=True)
        browser.command("Target.setDiscoverTargets", discover=True)
        browser.command("Emulation.setScrollbarsHidden", hidden=True)
        browser.command("Emulation.setFocusEmulationEnabled", enabled=True)
        browser.command(
            "Emulation.setDeviceMetricsOverride",
            width=WIDTH,
            height=HEIGHT,
            deviceScaleFactor=1,
            mobile=False,
        )
        browser.command("Page.addScriptToEvaluateOnNewDocument", source=_LISTEN)
        self._page = Rendered()

    def hear(self, event: str, told: Mapping[str, Any]) -> None:
        if event == "Network.requestWillBeSent":
            url = told["request"]["url"]
            if url not in {self._own, f"{self._address}/favicon.ico"}:
                self._page.requests.append(url)
        elif event == "Page.lifecycleEvent" and told["name"] == "load":
            self._loaded.add(told["loaderId"])
        elif event == "Page.javascriptDialogOpening":
            self._page.ran.append(f"{told['type']}: {told['message']}")
            assert self._browser is not None
            self._browser.post("Page.handleJavaScriptDialog", accept=True)
        elif event == "Target.targetCreated" and self._own:
            target = told["targetInfo"]
            if target["type"] == "page":
                self._page.ran.append("opened a window")
                assert self._browser is not None
                self._browser.post("Target.closeTarget", targetId=target["targetId"])

    def show(self, browser: Browser, path: str, look: str, paint: bool) -> Rendered:
        self._own = self._address + path
        page = self._page = Rendered()
        loader = browser.command("Page.navigate", url=self._own)["loaderId"]
        browser.wait_until(lambda: loader in self._loaded, f"load {self._own}")
        try:
            self._run(browser, f"{_TOUCH}({self._inside})")
            page.found = self._run(browser, look)
            page.violations = self._run(browser, "window.violations")
            if paint:
                self._run(browser, f"{_COVER}({self._theirs})")
                filled = self._picture(browser)
                self._run(browser, f"{_HIDE}({self._theirs})")
                page.painted_outside = self._picture(browser) != filled
        except PageLeft:
            page.ran.append("went elsewhere")
        return page

    def _run(self, browser: Browser, script: str) -> Any:
        answer = browser.command(
            "Runtime.evaluate",
            expression=script,
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
        )
        if "exceptionDetails" in answer:
            raise BrowserFailed(f"{self._own}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def _picture(self, browser: Browser) -> str:
        return str(browser.command("Page.captureScreenshot", optimizeForSpeed=True)["data"])
