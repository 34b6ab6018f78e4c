"""HTML as people see it: shown in headless Chromium, one page after the other, and looked into.

Every name on the network leads to the server of the test, which also sees whatever the pages ask
for: nothing leaves this machine.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any

from pyquarantine_core.testing.devtools import BrowserFailed, chromium_command, end_browser
from pyquarantine_core.testing.pages import Page, PageServer

__all__ = ["BrowserFailed", "Page", "Seen", "browse"]

TIMEOUT = 120.0
"""Seconds within which Chromium shows all pages."""

_SHOW_ALL = """<!DOCTYPE html><meta charset="utf-8"><body><script>
const look = (document, window) => { LOOK };
(async () => {
  const found = [];
  for (let number = 0; number < COUNT; number++) {
    const frame = Object.assign(document.createElement("iframe"), {width: 800, height: 600});
    if (!SCRIPTS) frame.sandbox = "allow-same-origin";
    const loaded = new Promise(done => { frame.onload = done; });
    frame.src = `/page/${number}`;
    document.body.append(frame);
    await loaded;
    try { found.push(look(frame.contentDocument, frame.contentWindow)); }
    catch (error) { found.push({error: String(error)}); }
    frame.remove();
  }
  await fetch("/found", {method: "POST", body: JSON.stringify(found)});
})();
</script>
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of pages.

    Attributes:
        found: by page, what the look into it returned.
        requests: method and URL of all that they asked servers for.
    """

    found: Mapping[str, Any]
    requests: tuple[str, ...]


def browse(pages: Mapping[str, Page], look: str, *, scripts: bool = False) -> Seen:
    """Show pages in a frame of 800 by 600 pixels, as web mail does, and look into each.

    Args:
        pages: by name.
        look: the body of a JavaScript function of a page's `document` and `window`, which returns
            what can be written as JSON. What it throws is returned as `error`.
        scripts: let scripts of pages run; web mail does not.

    Raises:
        BrowserFailed: there is no Chromium, or it has not shown all pages in time.
    """
    script = _SHOW_ALL.replace("LOOK", look).replace("COUNT", str(len(pages)))
    start = Page(script.replace("SCRIPTS", json.dumps(scripts)).encode())
    paths = {f"/page/{number}": page for number, page in enumerate(pages.values())}
    with PageServer({"/": start, **paths}) as server, TemporaryDirectory() as profile:
        process = subprocess.Popen(
            [
                *chromium_command(server.server_port, profile),
                *("--remote-debugging-port=0", server.address),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            if not server.done.wait(TIMEOUT):
                raise BrowserFailed(f"Chromium has not shown {len(pages)} pages in {TIMEOUT:.0f} s")
        finally:
            end_browser(process, TIMEOUT)
        return Seen(dict(zip(pages, server.found, strict=True)), tuple(server.requests))
