"""The action keeps the contract of all actions."""

from __future__ import annotations

import re
from pathlib import Path

import pyq_disclaimer
import pytest

from pyquarantine_core.message import Message
from pyquarantine_core.testing.contracts import ActionContract

from .conftest import HTML, TEXT

BOUNDARY = re.compile(rb"=_[0-9a-f]{32}")


class TestAddDisclaimer(ActionContract):
    plugin = pyq_disclaimer
    type = "add_disclaimer"
    bad_options = (
        (
            {"action": "append", "html_template": "/no/such", "text_template": "/no/such"},
            "No such file or directory",
        ),
    )

    @pytest.fixture
    def options(self, tmp_path: Path) -> dict[str, str]:
        templates = {}
        for name, template in (("text_template", TEXT), ("html_template", HTML)):
            (tmp_path / name).write_text(template)
            templates[name] = str(tmp_path / name)
        return {"action": "append", **templates}

    def comparable(self, message: Message) -> object:
        """All but the boundaries, which nobody may guess."""
        return BOUNDARY.sub(b"boundary", b"".join(message.chunks()))
