"""`pyquarantine outbox ...`: what waits and what failed, on the command line."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from pyquarantine_core.cli import main
from pyquarantine_core.errors import OutboxError, RefusedError, UnreachableError
from pyquarantine_core.testing.rules import rule

from ..conftest import Ended
from .conftest import Post

if TYPE_CHECKING:
    from ..conftest import Pyquarantine

ADD = rule("add_header", {"field": "X-Seen", "value": "yes"})

Call = Callable[..., Ended]
Listed = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def call(post: Post, pyquarantine: Pyquarantine) -> Call:
    """Calls the program in this process, with the outbox of `post`."""
    pyquarantine.configure({"outbox": str(post.directory), "rules": [ADD]})
    return lambda *arguments: pyquarantine("outbox", *arguments)


def test_help_takes_no_config(capsys: pytest.CaptureFixture[str]) -> None:
    main(["-c", "/nowhere/pyquarantine.conf", "outbox", "retry", "--help"])
    assert "Try notifications again at once" in capsys.readouterr().out


@pytest.fixture
def listed(call: Call) -> Listed:
    """What `list --json` tells of notifications."""

    def run(*arguments: str) -> list[dict[str, Any]]:
        done = call("list", "--json", *arguments)
        assert (done.status, done.error) == (0, "")
        items: list[dict[str, Any]] = json.loads(done.out)["items"]
        return items

    return run


@pytest.fixture
def ids(post: Post) -> list[str]:
    """One that is tried later, one that failed, and one that is new."""
    post.notes.errors = {
        "later@x.example": OutboxError("451 4.3.0 \x1b[2Jlater"),
        "no@x.example": RefusedError("550 5.1.1 unknown"),
    }
    ids = post.put("later@x.example", "no@x.example")
    post.send()
    return ids + post.put("new@x.example")


class TestList:
    def test_an_empty_outbox(self, call: Call, post: Post) -> None:
        assert call("list").out == "the outbox is empty\n"
        post.directory.rename(post.directory.with_name("old"))
        assert call("list").out == "the outbox is empty\n"

    def test_it_says_all_that_is_known(self, ids: list[str], listed: Listed, post: Post) -> None:
        later, new, failed = listed()
        assert [later["id"], failed["id"], new["id"]] == ids
        assert later == {
            "id": ids[0],
            "state": "waiting",
            "queue_id": "4XyZ",
            "notification": "notes",
            "recipient": "later@x.example",
            "attempts": 1,
            "next_try": later["next_try"],
            "since": later["since"],
            "size": (post.directory / ids[0]).stat().st_size,
            "error": "451 4.3.0 \x1b[2Jlater",
        }
        assert (new["state"], new["attempts"], new["error"]) == ("waiting", 0, "")
        assert (failed["state"], failed["next_try"]) == ("failed", None)
        assert failed["error"] == "550 5.1.1 unknown"

    def test_people_see_a_table_that_cannot_steer_their_terminal(
        self, ids: list[str], call: Call
    ) -> None:
        done = call("list")
        assert all(one in done.out for one in ids)
        assert r"451 4.3.0 \x1b[2Jlater" in done.out
        assert "(failed)" in done.out

    def test_the_failed_alone(self, ids: list[str], call: Call, listed: Listed) -> None:
        assert [one["id"] for one in listed("--failed")] == [ids[1]]
        call("drop", "--failed", "--all")
        assert call("list", "--failed").out == "nothing has failed\n"

    def test_some_by_id_and_wildcard(self, ids: list[str], listed: Listed) -> None:
        assert [one["id"] for one in listed(ids[0], f"*{ids[2][-8:]}")] == [ids[0], ids[2]]

    def test_one_behind_a_dead_server_is_tried_when_that_is(
        self, listed: Listed, post: Post
    ) -> None:
        post.notes.errors = {"*": UnreachableError("mx.example port 25: Connection refused")}
        post.put("a@x.example", "b@x.example")
        post.send()
        first, second = listed()
        assert [first["attempts"], second["attempts"]] == [1, 0]
        assert second["error"] == "mx.example port 25: Connection refused"
        assert second["next_try"] == first["next_try"]

    def test_how_many_were_dropped(self, call: Call, post: Post) -> None:
        post.spool.count_dropped()
        post.spool.count_dropped()
        assert json.loads(call("list", "--json").out)["dropped"] == 2
        assert call("list").out.splitlines()[-1] == "dropped because the outbox was full: 2"

    def test_one_that_cannot_be_read(self, call: Call, listed: Listed, post: Post) -> None:
        (item_id,) = post.put("a@x.example")
        (post.directory / item_id).write_bytes(b"\xff")
        (one,) = listed()
        assert (one["id"], one["recipient"]) == (item_id, "")
        assert "is no notification" in one["error"]
        assert call("drop", item_id).status == 0
        assert listed() == []


class TestRetry:
    def test_one_that_waits_is_due_at_once_and_keeps_its_attempts(
        self, ids: list[str], call: Call, post: Post
    ) -> None:
        assert call("retry", ids[0]).out == f"to be tried: {ids[0]} (to <later@x.example>)\n"
        post.clock.now = time.time()
        post.send()
        assert post.notes.tried.count("later@x.example") == 2
        assert post.spool.peek(ids[0]).attempts == 2

    def test_one_that_failed_begins_anew(self, ids: list[str], call: Call, post: Post) -> None:
        post.notes.errors = {}
        assert call("retry", ids[1]).status == 0
        post.clock.now = time.time()
        post.send()
        assert "no@x.example" in post.notes.told
        assert post.failed == []

    def test_all(self, ids: list[str], call: Call, post: Post) -> None:
        post.notes.errors = {}
        assert len(call("retry", "--all").out.splitlines()) == 3
        post.clock.now = time.time()
        post.send()
        assert (post.waiting, post.failed) == ([], [])

    def test_all_that_failed(self, ids: list[str], call: Call) -> None:
        done = call("retry", "--failed", "--all", "--json")
        assert [one["id"] for one in json.loads(done.out)] == [ids[1]]

    def test_a_dead_server_is_called_again(self, call: Call, post: Post) -> None:
        post.notes.errors = {"*": UnreachableError("down")}
        _, second = post.put("a@x.example", "b@x.example")
        post.send()
        post.notes.errors = {}
        call("retry", second)
        post.clock.now = time.time()
        post.send()
        assert post.notes.told == ["b@x.example"]


class TestDrop:
    def test_it_is_gone_and_named(self, ids: list[str], call: Call, post: Post) -> None:
        assert call("drop", ids[0], ids[1]).out == (
            f"dropped: {ids[0]} (to <later@x.example>)\ndropped: {ids[1]} (to <no@x.example>)\n"
        )
        assert (post.waiting, post.failed) == ([ids[2]], [])

    def test_all(self, ids: list[str], call: Call, post: Post) -> None:
        call("drop", "--all")
        assert (post.waiting, post.failed) == ([], [])
        assert call("drop", "--all").out == "there was nothing to do\n"


@pytest.mark.parametrize("command", ["retry", "drop"])
class TestMistakes:
    def test_an_unknown_id_changes_nothing(
        self, command: str, ids: list[str], call: Call, post: Post
    ) -> None:
        before = [one.time for one in post.spool.waiting()]
        done = call(command, *ids, "2000*")
        assert (done.status, done.out) == (1, "")
        assert done.error == "pyquarantine: no notification in the outbox is '2000*'\n"
        assert [one.time for one in post.spool.waiting()] == before

    def test_a_waiting_one_is_not_among_the_failed(
        self, command: str, ids: list[str], call: Call
    ) -> None:
        done = call(command, "--failed", ids[0])
        assert done.error == f"pyquarantine: no failed notification in the outbox is '{ids[0]}'\n"

    @pytest.mark.parametrize("everything", [False, True])
    def test_which_must_be_said(self, command: str, everything: bool, call: Call) -> None:
        done = call(command, *(["x", "--all"] if everything else []))
        assert done.status == 2
        assert "say either ID or --all" in done.error
