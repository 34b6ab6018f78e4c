"""`pyquarantine list NAME ...` on a real table, and on lists of strangers."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pyquarantine_core.testing.rules import rule

from .conftest import Ended

if TYPE_CHECKING:
    from .conftest import InstallPlugin, Pyquarantine

NO_ENTRIES = [
    *("bob", "bob@", "*@example.org", "<>", "a b@example.org", "@", ".", "a@b..c"),
    f"{'x' * 300}@example.org",
]
ADD = rule("add_header", {"field": "X-Seen", "value": "yes"})

Call = Callable[..., Ended]
Entries = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def call(pyquarantine: Pyquarantine, tmp_path: Path) -> Call:
    """Calls the program with two lists in one database: `allow` and `block`."""
    database = f"sqlite:///{tmp_path}/lists.db"
    lists = {
        name: {"type": "db", "name": name, "connection": database, "table": name}
        for name in ("allow", "block")
    }
    pyquarantine.configure({"lists": lists, "rules": [ADD]})
    return pyquarantine


@pytest.fixture
def entries(call: Call) -> Entries:
    """What `list` prints as JSON."""

    def listed(*arguments: str, name: str = "allow") -> list[dict[str, Any]]:
        done = call("list", name, "list", "--json", *arguments)
        assert (done.status, done.error) == (0, "")
        found: list[dict[str, Any]] = json.loads(done.out)
        return found

    return listed


class TestAdd:
    def test_an_entry_is_kept_in_lower_case_with_comment_and_mark(
        self, call: Call, entries: Entries
    ) -> None:
        done = call(
            *("list", "allow", "add", "-f", "Bob@Example.ORG", "-t", "@us.example"),
            *("-c", "asked for it", "-p"),
        )
        assert done == Ended(0, "added entry 1 (from bob@example.org to @us.example)\n", "")
        (entry,) = entries()
        moments = [datetime.fromisoformat(entry.pop(key)) for key in ("created", "last_used")]
        now = datetime.now().astimezone()
        assert all(timedelta(0) <= now - one < timedelta(minutes=1) for one in moments)
        assert entry == {
            "id": "1",
            "from": "bob@example.org",
            "to": "@us.example",
            "permanent": True,
            "comment": "asked for it",
        }

    def test_what_is_left_out_means_anyone(self, call: Call, entries: Entries) -> None:
        assert call("list", "allow", "add", "-f", ".example.org").status == 0
        assert call("list", "allow", "add", "-t", "me@us.example").status == 0
        assert [(one["from"], one["to"]) for one in entries()] == [
            (".example.org", ""),
            ("", "me@us.example"),
        ]

    def test_one_of_the_two_must_be_said(self, call: Call) -> None:
        done = call("list", "allow", "add", "-c", "everybody")
        assert done.status == 2
        assert "say -f FROM, -t TO or both" in done.error

    def test_everybody_to_everybody_must_be_meant(self, call: Call, entries: Entries) -> None:
        assert call("list", "allow", "add", "-f", "", "-t", "").status == 0
        assert [(one["from"], one["to"]) for one in entries()] == [("", "")]

    def test_what_another_entry_covers_is_refused_with_that_entry(
        self, call: Call, entries: Entries
    ) -> None:
        call("list", "allow", "add", "-f", ".example.org", "-c", "partner")
        done = call("list", "allow", "add", "-f", "bob@mail.example.org", "-t", "me@us.example")
        assert done.status == 1
        assert ".example.org" in done.out
        assert "partner" in done.out
        assert done.error == (
            "pyquarantine: already covered by the above; --force adds it all the same\n"
        )
        assert len(entries()) == 1

    def test_with_force_it_is_added(self, call: Call, entries: Entries) -> None:
        call("list", "allow", "add", "-f", ".example.org")
        assert call("list", "allow", "add", "-f", "bob@example.org", "--force").status == 0
        assert len(entries()) == 2

    def test_an_entry_that_covers_others_is_new(self, call: Call) -> None:
        call("list", "allow", "add", "-f", "bob@example.org")
        assert call("list", "allow", "add", "-f", "@example.org").status == 0
        assert call("list", "allow", "add", "-f", ".example.org").status == 0

    @pytest.mark.parametrize("force", [[], ["--force"]])
    def test_the_same_again_is_refused_in_any_spelling(
        self, call: Call, entries: Entries, force: list[str]
    ) -> None:
        call("list", "allow", "add", "-f", "bob@example.org")
        for spelling in ("bob@example.org", "BOB@Example.org", "prvs=0123abcdef=bob@example.org"):
            done = call("list", "allow", "add", "-f", spelling, *force)
            assert done == Ended(
                1, "", "pyquarantine: there already is entry 1 (from bob@example.org to anyone)\n"
            )
        assert len(entries()) == 1

    @pytest.mark.parametrize("wrong", NO_ENTRIES)
    def test_what_is_no_entry_is_refused_with_what_would_be(self, call: Call, wrong: str) -> None:
        done = call("list", "allow", "add", "-f", wrong)
        assert done.status == 1
        assert done.error == (
            f"pyquarantine: {wrong!r} is no entry; it should be an address (user@example.org), a "
            "domain (@example.org), a domain and all below it (.example.org), or empty for anyone\n"
        )


class TestList:
    @pytest.fixture(autouse=True)
    def filled(self, call: Call) -> None:
        call("list", "allow", "add", "-f", "bob@example.org", "-t", "me@us.example")
        call("list", "allow", "add", "-f", "@example.net")

    def test_the_table_says_who_anyone_is(self, call: Call) -> None:
        done = call("list", "allow", "list")
        header, _, first, second = done.out.splitlines()
        assert header.split()[:3] == ["ID", "From", "To"]
        assert first.split()[:3] == ["1", "bob@example.org", "me@us.example"]
        assert second.split()[:3] == ["2", "@example.net", "(anyone)"]

    def test_filters_take_wildcards_in_any_case(self, entries: Entries) -> None:
        assert [one["id"] for one in entries("-f", "*EXAMPLE*")] == ["1", "2"]
        assert [one["id"] for one in entries("-f", "bob@*", "-f", "@example.net")] == ["1", "2"]
        assert [one["id"] for one in entries("-f", "bob@example.org")] == ["1"]
        assert [one["id"] for one in entries("-t", "")] == ["2"]
        assert entries("-f", "bob@*", "-t", "") == []

    def test_older_than_looks_at_the_last_use(self, entries: Entries, tmp_path: Path) -> None:
        with closing(sqlite3.connect(tmp_path / "lists.db")) as database, database:
            then = datetime.now() - timedelta(days=10)
            database.execute("UPDATE allow SET last_used = ? WHERE id = 1", [str(then)])
        assert [one["id"] for one in entries("-o", "9.5")] == ["1"]
        assert entries("-o", "10.5") == []

    def test_another_list_in_the_same_database_has_its_own_entries(
        self, call: Call, entries: Entries
    ) -> None:
        assert entries(name="block") == []
        assert call("list", "block", "list").out == "list 'block' has no entry\n"
        call("list", "block", "add", "-f", "bob@example.org", "-t", "me@us.example")
        assert len(entries(name="block")) == 1
        assert len(entries()) == 2

    def test_a_comment_cannot_steer_the_terminal(self, call: Call) -> None:
        call("list", "allow", "add", "-f", "eve@example.com", "-c", "\x1b[2Jhidden")
        assert r"\x1b[2Jhidden" in call("list", "allow", "list").out


class TestDelete:
    def test_an_entry_is_named_and_gone(self, call: Call, entries: Entries) -> None:
        call("list", "allow", "add", "-f", "bob@example.org")
        done = call("list", "allow", "delete", "1")
        assert done == Ended(0, "deleted entry 1 (from bob@example.org to anyone)\n", "")
        assert entries() == []

    @pytest.mark.parametrize("missing", ["7", "x", "-1", "1 OR 1=1", "9" * 30])
    def test_one_that_is_not_there_is_an_error(
        self, call: Call, entries: Entries, missing: str
    ) -> None:
        call("list", "allow", "add", "-f", "bob@example.org")
        done = call("list", "allow", "delete", "--", missing)
        assert done == Ended(1, "", f"pyquarantine: there is no entry {missing!r}\n")
        assert len(entries()) == 1


def test_an_unknown_list_is_answered_with_those_there_are(call: Call) -> None:
    done = call("list", "alow", "list")
    assert done == Ended(1, "", "pyquarantine: no list is named 'alow'; there is allow, block\n")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("allow",), "Error: say what to do with 'allow': list, add, delete"),
        (("add",), "Error: name a list before 'add': allow, block"),
    ],
)
def test_half_a_command_is_answered_with_the_other_half(
    call: Call, arguments: tuple[str, ...], error: str
) -> None:
    done = call("list", *arguments)
    assert (done.status, done.error.splitlines()[-1]) == (2, error)


def test_show_names_the_lists_and_no_password(call: Call, tmp_path: Path) -> None:
    assert "\n\n List    Type\n" in call("show").out
    done = call("show", "--json")
    assert json.loads(done.out)["lists"]["allow"]["connection"] == "***"
    assert str(tmp_path) not in done.out


STRANGER = """
from datetime import datetime
from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.types import ListEntry, ListType, MailList, ManagedList

class Fixed(MailList):
    def covers(self, sender, recipient):
        return True

KEPT = []

class Kept(ManagedList):
    def covers(self, sender, recipient):
        return bool(self.covering(sender, recipient))

    def covering(self, sender, recipient):
        return [one for one in KEPT if one.sender == sender]

    def entries(self):
        return iter(KEPT)

    def as_kept(self, new):
        return new

    def add(self, new):
        now = datetime.now().astimezone()
        added = ListEntry(id="a", sender=new.sender, recipient=new.recipient,
                          created=now, last_used=now)
        KEPT.append(added)
        return added

    def delete(self, entry_id):
        return KEPT.pop()

@hookimpl
def pyquarantine_lists():
    for name, made in ("fixed", Fixed), ("kept", Kept):
        yield ListType(name=name, summary="", schema={"type": "object"},
                       build=lambda options, services, made=made: made())
"""


class TestStrangers:
    @pytest.fixture
    def call(self, install_plugin: InstallPlugin, pyquarantine: Pyquarantine) -> Call:
        install_plugin("pyq_stranger", STRANGER)
        lists = {name: {"type": name} for name in ("fixed", "kept")}
        pyquarantine.configure({"lists": lists, "rules": [ADD]})
        return pyquarantine

    def test_a_list_that_can_be_managed_is_managed_by_the_same_commands(self, call: Call) -> None:
        assert call("list", "kept", "add", "-f", "bob").out == (
            "added entry a (from bob to anyone)\n"
        )
        assert call("list", "kept", "add", "-f", "bob", "-t", "me").status == 1
        assert "bob" in call("list", "kept", "list").out
        assert call("list", "kept", "delete", "a").status == 0

    def test_one_that_cannot_says_so(self, call: Call) -> None:
        done = call("list", "fixed", "list")
        assert done == Ended(
            1,
            "",
            "pyquarantine: the entries of 'fixed', a list of type 'fixed', "
            "cannot be managed here\n",
        )
