"""The outbox on disk: what a crash at any step leaves, and whose files they are."""

from __future__ import annotations

import errno
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pyquarantine_core.outbox_items import Deferral
from pyquarantine_core.spool import FORGOTTEN, Spool
from pyquarantine_core.types import Delivery

from .conftest import Post

CONTENT = b"Subject: x\r\n\r\n\0\xff\n"
STEPS = ("fsync", "link", "replace", "rename", "unlink", "utime")
NOBODY = 65534


class Crash(BaseException):
    """The power goes."""


@contextmanager
def crash_before(step: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Everything ends before this change of the file system, counted from one."""
    count = Counter[str]()

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def changed(*arguments: Any, **keywords: Any) -> Any:
            count["steps"] += 1
            if count["steps"] == step:
                raise Crash
            return call(*arguments, **keywords)

        return changed

    with monkeypatch.context() as patched:
        for name in STEPS:
            patched.setattr(os, name, counted(getattr(os, name)))
        yield


def copies(post: Post) -> list[bytes]:
    """The contents of all items, waiting or failed."""
    spool = post.spool
    found = [(one, False) for one in post.waiting] + [(one, True) for one in post.failed]
    return [spool.read(one, failed=failed).delivery.content for one, failed in found]


def change(post: Post, what: str) -> Callable[[], object]:
    """A change of the one item that is there."""
    spool = post.spool
    (item_id,) = post.put("a@x.example", content=CONTENT)
    item = spool.read(item_id)
    if what == "revive":
        spool.fail(item)
    return {
        "put_off": lambda: spool.put_off(replace(item, attempts=1), post.clock() + 30),
        "fail": lambda: spool.fail(replace(item, attempts=1, error="no")),
        "revive": lambda: spool.revive(item),
        "hasten": lambda: spool.hasten(item_id),
    }[what]


@pytest.mark.parametrize("step", range(1, 12))
@pytest.mark.parametrize("what", ["put_off", "fail", "revive", "hasten"])
def test_a_crash_during_a_change_loses_nothing(
    what: str, step: int, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    changing = change(post, what)
    try:
        with crash_before(step, monkeypatch):
            changing()
    except Crash:
        pass
    assert set(copies(post)) == {CONTENT}
    post.clock.advance(3600)
    post.send()
    if post.failed:
        assert post.notes.told == []
        post.spool.revive(post.spool.read(post.failed[0], failed=True))
        post.send()
    assert set(post.notes.told) == {"a@x.example"}
    assert post.waiting == []


@pytest.mark.parametrize("step", range(1, 7))
def test_a_crash_while_it_is_put_there_leaves_it_whole_or_not_at_all(
    step: int, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        with crash_before(step, monkeypatch):
            post.put("a@x.example", content=CONTENT)
    except Crash:
        assert copies(post) in ([], [CONTENT])
    else:
        assert copies(post) == [CONTENT]
    post.spool.sweep(time.time() + FORGOTTEN + 1)
    assert copies(post) in ([], [CONTENT])
    assert [one.name for one in post.directory.iterdir() if one.name.startswith(".2")] == []


def test_what_another_process_is_writing_is_not_swept(post: Post) -> None:
    (item_id,) = post.spool.stage("4XyZ", Delivery("notes", "a@x.example", CONTENT))
    assert post.spool.sweep(time.time()) == 0
    post.spool.commit(item_id)
    assert post.waiting == [item_id]


def test_what_was_swept_cannot_be_committed(post: Post) -> None:
    (item_id,) = post.spool.stage("4XyZ", Delivery("notes", "a@x.example", CONTENT))
    assert post.spool.sweep(time.time() + FORGOTTEN + 1) == 1
    with pytest.raises(FileNotFoundError):
        post.spool.commit(item_id)
    assert copies(post) == []


def test_a_sweep_takes_nothing_else(post: Post) -> None:
    post.put("a@x.example")
    post.spool.count_dropped()
    post.spool.defer(Deferral("notes", 1, post.clock() + 30, "down"))
    with post.spool.claimed() as claim:
        assert claim is not None
        before = sorted(post.directory.rglob("*"))
        assert post.spool.sweep(time.time() + FORGOTTEN + 1) == 0
        assert sorted(post.directory.rglob("*")) == before


@pytest.mark.parametrize("discard_late", [False, True])
def test_what_is_undone_leaves_nothing(post: Post, discard_late: bool) -> None:
    (item_id,) = post.spool.stage("4XyZ", Delivery("notes", "a@x.example", CONTENT))
    if discard_late:
        post.spool.commit(item_id)
    post.spool.discard(item_id)
    assert list(post.directory.glob("*[0-9]*")) == []


@pytest.mark.parametrize("step", [1, 2], ids=["the file", "the directory"])
def test_a_disk_that_breaks_is_an_error_and_leaves_nothing(
    step: int, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = step

    def break_at_last(_descriptor: int) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise OSError(errno.EIO, "Input/output error")

    def put() -> None:
        (item_id,) = post.spool.stage("4XyZ", Delivery("notes", "a@x.example", CONTENT))
        try:
            post.spool.commit(item_id)
        finally:
            post.spool.discard(item_id)

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", break_at_last)
        with pytest.raises(OSError, match="Input/output error"):
            put()
    assert list(post.directory.glob("*[0-9]*")) == []


def test_files_of_other_kinds_are_not_taken_for_notifications(post: Post) -> None:
    (post.directory / "README").write_text("mine")
    (post.directory / "backup").mkdir()
    post.send()
    assert (post.waiting, post.failed) == ([], [])
    assert (post.directory / "README").exists()


def test_what_root_writes_belongs_to_the_owner_of_the_directory(post: Post) -> None:
    (item_id,) = post.put("a@x.example")
    assert (post.directory / item_id).stat().st_uid == 0
    for path in (post.directory, *post.directory.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    spool = Spool(post.directory)
    spool.fail(spool.read(item_id))
    spool.revive(spool.read(item_id, failed=True))
    spool.defer(Deferral("notes", 1, time.time() + 30, "down"))
    spool.count_dropped()
    assert {one.stat().st_uid for one in post.directory.rglob("*")} == {NOBODY}
    assert {one.stat().st_mode & 0o077 for one in post.directory.rglob("*")} == {0}


def test_the_directory_is_for_its_owner_alone(tmp_path: Path) -> None:
    Spool(tmp_path / "a" / "outbox").make()
    for path in (tmp_path / "a" / "outbox", tmp_path / "a" / "outbox" / "failed"):
        assert path.stat().st_mode & 0o777 == 0o700
