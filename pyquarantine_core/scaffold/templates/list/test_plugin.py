"""The list: what every list keeps to, and what its file means."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyquarantine_core.errors import ListError
from pyquarantine_core.testing.contracts import ListContract
from pyquarantine_core.testing.rules import load, rule
from pyquarantine_core.types import MailList

import pyq_sample as plugin

ANYONE = "u@example.com"


def build(**options: object) -> MailList:
    lists = {"partners": {"type": "sample", **options}}
    return load({"lists": lists, "rules": [rule("nothing", {})]}, plugin).lists["partners"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "partners"
    file.write_text("# partners\nAlice@example.org\n\n  @example.net\tsales@Example.com\n")
    return file


class TestContract(ListContract):
    plugin = plugin
    type = "sample"
    covered = ("alice@example.org", ANYONE)
    bad_options = (({"path": "partners"}, "'partners' is not an absolute path"),)

    @pytest.fixture
    def options(self, file: Path) -> dict[str, str]:
        return {"path": str(file)}


@pytest.mark.parametrize(
    ("sender", "recipient", "expected"),
    [
        ("alice@example.org", ANYONE, True),
        ("bob@example.org", ANYONE, False),
        ("bob@example.net", "Sales@example.com", True),
        ("bob@example.net", ANYONE, False),
        ("bob@sub.example.net", "sales@example.com", False),
        ("#", ANYONE, False),
        ("", ANYONE, False),
    ],
)
def test_it_covers_the_pairs_in_the_file(
    sender: str, recipient: str, expected: bool, file: Path
) -> None:
    assert build(path=str(file)).covers(sender, recipient) is expected


def test_what_is_written_to_the_file_later_counts(file: Path) -> None:
    partners = build(path=str(file))
    assert not partners.covers("bob@example.org", ANYONE)
    file.write_text("bob@example.org\n")
    assert partners.covers("bob@example.org", ANYONE)
    assert not partners.covers("alice@example.org", ANYONE)


def test_comments_may_begin_with_something_else(file: Path) -> None:
    file.write_text("; alice@example.org\n#bob@example.org\n")
    partners = build(path=str(file), comment=";")
    assert partners.covers("#bob@example.org", ANYONE)
    assert not partners.covers("; alice@example.org", ANYONE)


def test_a_line_that_cannot_be_understood_is_named(file: Path) -> None:
    file.write_text("alice@example.org\na b c\n")
    with pytest.raises(ListError, match="partners:2: more than a sender and a recipient"):
        build(path=str(file)).set_up()


def test_it_does_not_start_without_the_file(tmp_path: Path) -> None:
    with pytest.raises(ListError, match="No such file"):
        build(path=str(tmp_path / "none")).set_up()
