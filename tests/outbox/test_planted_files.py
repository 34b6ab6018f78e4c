"""What is in the outbox and no notification of ours holds nobody up and leads nowhere."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pyquarantine_core import undelivered
from pyquarantine_core.durable import NotPlainError
from pyquarantine_core.spool import CONCLUDED

from .conftest import Post

ID = "20200101000000000000_abcdef01"


def plant(path: Path, what: str, elsewhere: Path) -> None:
    match what:
        case "link":
            path.symlink_to(elsewhere)
        case "FIFO":
            os.mkfifo(path)
        case "directory":
            path.mkdir()
        case "hard link":
            os.link(elsewhere, path)


@pytest.mark.parametrize("what", ["link", "FIFO", "directory"])
def test_it_is_moved_aside_and_the_others_are_delivered(
    what: str, post: Post, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "secret"
    elsewhere.write_text('{"notification": "notes", "recipient": "a@x.example"}\nsecret\n')
    plant(post.directory / ID, what, elsewhere)
    post.put("b@x.example")
    post.clock.advance(CONCLUDED + 1)  # a directory looks like what is being committed
    post.send()
    assert post.notes.told == ["b@x.example"]
    assert post.failed == [ID]
    assert elsewhere.read_text().endswith("secret\n")


@pytest.mark.parametrize("what", ["link", "FIFO", "directory"])
def test_listing_and_trying_again_show_nothing_of_it(what: str, post: Post, tmp_path: Path) -> None:
    elsewhere = tmp_path / "secret"
    elsewhere.write_text("secret\n")
    plant(post.directory / ID, what, elsewhere)
    (one,) = undelivered.find(post.spool)
    assert one.error == f"{ID} is no notification: Not a plain file"


@pytest.mark.parametrize("name", [".sender", ".changes", ".dropped"])
@pytest.mark.parametrize("what", ["link", "hard link"])
def test_a_lock_that_leads_elsewhere_is_not_opened(
    name: str, what: str, post: Post, tmp_path: Path
) -> None:
    """Root would give that file to the owner of the outbox, and write to it."""
    elsewhere = tmp_path / "precious"
    elsewhere.write_text("precious")
    before = elsewhere.stat()
    (post.directory / name).unlink(missing_ok=True)
    plant(post.directory / name, what, elsewhere)
    (item,) = post.put("a@x.example")
    changes: dict[str, Callable[[], object]] = {
        ".sender": lambda: post.spool.claimed().__enter__(),
        ".changes": lambda: post.spool.remove(item),
        ".dropped": post.spool.count_dropped,
    }
    with pytest.raises(OSError) as caught:  # noqa: PT011 - of a link the system says it itself
        changes[name]()
    assert what == "link" or isinstance(caught.value, NotPlainError)
    after = elsewhere.stat()
    assert elsewhere.read_text() == "precious"
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)


HEAD = '{"notification": "notes", "recipient": "a", "queue_id": "4X", "error": "", '
BROKEN = {
    "nested without end": "[" * 200_000,
    "from no time": HEAD + '"attempts": 0, "since": NaN}',
    "from beyond all time": HEAD + '"attempts": 0, "since": 1e300}',
    "tried without end": HEAD + '"attempts": 1e999, "since": 0}',
}


@pytest.mark.parametrize("what", BROKEN)
def test_json_that_cannot_be_is_moved_aside_and_the_others_are_delivered(
    what: str, post: Post
) -> None:
    (post.directory / ID).write_text(BROKEN[what] + "\n\n")
    os.utime(post.directory / ID, (0, 0))  # it is due
    assert f"{ID} is no notification" in undelivered.find(post.spool)[0].error
    post.put("b@x.example")
    post.send()
    assert post.notes.told == ["b@x.example"]
    assert post.failed == [ID]


@pytest.mark.parametrize("what", ["link", "FIFO", "directory", *BROKEN])
def test_in_place_of_a_deferral_it_holds_nothing_up(what: str, post: Post, tmp_path: Path) -> None:
    elsewhere = tmp_path / "secret"
    elsewhere.write_text(HEAD + '"attempts": 1, "next_try": 4000000000}')
    path = post.directory / ".deferred" / "planted"
    if what in BROKEN:
        path.write_text(BROKEN[what].replace("since", "next_try"))
    else:
        plant(path, what, elsewhere)
    post.put("b@x.example")
    post.send()
    assert post.notes.told == ["b@x.example"]
