"""An action add_disclaimer with templates of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import pyq_disclaimer
import pytest

from pyquarantine_core.message import Message
from pyquarantine_core.testing.rules import Judged, judge, load, received, rule

TEXT = "CAUTION: from outside, by {ENVELOPE_FROM}\n"
HTML = '<div class="d">CAUTION: <b>from outside</b>, by {ENVELOPE_FROM}</div>\n'


class AddDisclaimer(Protocol):
    """Puts a message through add_disclaimer; the keywords are templates and options."""

    def __call__(
        self, content: bytes | Message, *, text: str = TEXT, html: str = HTML, **options: Any
    ) -> tuple[Message, Judged]: ...


@pytest.fixture
def add_disclaimer(tmp_path: Path) -> AddDisclaimer:
    def add(
        content: bytes | Message, *, text: str = TEXT, html: str = HTML, **options: Any
    ) -> tuple[Message, Judged]:
        paths = {}
        for name, template in (("text_template", text), ("html_template", html)):
            (tmp_path / name).write_bytes(template.encode())
            paths[name] = str(tmp_path / name)
        action = rule("add_disclaimer", {"action": "append", **paths, **options})
        message = content if isinstance(content, Message) else received(content)
        return message, judge(load({"rules": [action]}, pyq_disclaimer), message)

    return add
