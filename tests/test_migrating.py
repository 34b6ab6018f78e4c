"""docs/migrating.md: complete where it lists what 2.x does not know."""

from __future__ import annotations

import re
from pathlib import Path

from pyquarantine_core import loading
from pyquarantine_core.config_schema import merged_schema

PAGE = Path(__file__).parent.parent / "docs" / "migrating.md"
KNOWN_TO_2_X = {
    *("socket", "local_addrs", "loglevel", "pretend"),
    *("storages", "notifications", "lists", "rules"),
    *("name", "conditions", "actions", "type", "options"),
}
"""Keys at the top, of rules and of actions in the schemas of 2.1.0."""


def test_all_keys_that_2_x_does_not_know_are_named_to_those_who_go_back() -> None:
    schema = merged_schema(loading.load())
    rule, action = (schema["$defs"][name]["properties"] for name in ("rule", "action"))
    new = {*schema["properties"], *rule, *action} - KNOWN_TO_2_X
    _, _, section = PAGE.read_text().partition("## How to go back")
    named = set(re.findall("`([a-z_.]+)`", section))
    assert {one for one in new if not one.startswith("outbox_")} <= named
    assert "outbox_..." in named
