"""Each family of hostile mail through the real daemon: no crash, no hang, no wrong verdict."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from .__main__ import as_table, put_into
from .run import FAMILIES, Outcome, name_of, run

MOST_MEMORY = 250_000_000
"""Bytes that a worker may ever have; it begins with 30 MB, and bodies of 8 MB are edited."""


@pytest.mark.parametrize("family", FAMILIES, ids=name_of)
def test_each_message_gets_the_verdict_that_the_rules_say(
    family: ModuleType, tmp_path: Path
) -> None:
    outcome = run(family, tmp_path)
    assert outcome.complaints == []
    assert outcome.messages > 0
    assert 0 < outcome.memory < MOST_MEMORY


def test_there_are_many_and_each_has_a_name_of_its_own() -> None:
    count = 0
    for family in FAMILIES:
        names = [one.name for one in family.cases()]
        assert len(set(names)) == len(names)
        count += len(names)
    assert count >= 900


def test_the_table_counts_what_went_wrong(tmp_path: Path) -> None:
    outcomes = [
        Outcome("a family", 3, memory=40_000_000),
        Outcome("another", 2, ["x"], ["y"], ["z", "z"], memory=90_000_000),
    ]
    table = as_table(outcomes)
    assert table.splitlines()[2:] == [
        "| a family | 3 | 0 | 0 | 0 | 40 MB |",
        "| another | 2 | 1 | 1 | 2 | 90 MB |",
        "| **all** | 5 | 1 | 1 | 2 | 90 MB |",
    ]
    document = tmp_path / "document"
    document.write_text(
        "before\n<!-- made by `make hostile`: begin -->\nold\n<!-- end -->\nafter\n"
    )
    put_into(document, table)
    assert document.read_text() == (
        f"before\n<!-- made by `make hostile`: begin -->\n{table}<!-- end -->\nafter\n"
    )
