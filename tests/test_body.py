from __future__ import annotations

import os
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyquarantine_core.body import SPOOL_LIMIT, Body
from pyquarantine_core.testing.disks import disk_of


def open_files() -> set[str]:
    """What the descriptors of this process lead to."""
    with os.scandir("/proc/self/fd") as entries:
        return {str(Path(entry).readlink()) for entry in entries if Path(entry).is_symlink()}


@given(st.lists(st.binary(max_size=30)), st.integers(0, 100), st.data())
def test_it_reads_as_the_bytes_put_together_in_memory_and_on_disk(
    chunks: list[bytes], limit: int, data: st.DataObject
) -> None:
    whole = b"".join(chunks)
    offset = data.draw(st.integers(0, len(whole) + 2))
    size = data.draw(st.none() | st.integers(0, len(whole) + 2))
    with closing(Body(chunks, spool_limit=limit)) as body:
        assert len(body) == len(whole)
        assert body.spooled is (len(whole) > limit)
        assert body.read() == whole
        assert body.read(offset, size) == whole[offset:][:size]
        assert b"".join(body.chunks(7)) == whole
        view = body.view()
        assert (view[:], view.find(b"\0", offset)) == (whole, whole.find(b"\0", offset))
        assert all(len(chunk) == 7 for chunk, _ in pairwise(body.chunks(7)))


@given(st.binary(max_size=60), st.integers(0, 80), st.data())
def test_splices_change_what_they_say_and_nothing_else(
    whole: bytes, limit: int, data: st.DataObject
) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(whole)), max_size=8).map(sorted))
    places = zip(cuts[::2], cuts[1::2], strict=False)
    splices = [(start, end, data.draw(st.binary(max_size=30))) for start, end in places]
    expected, at = b"", 0
    for start, end, new in splices:
        expected += whole[at:start] + new
        at = end
    expected += whole[at:]
    source = Body([whole[:20], whole[20:]], spool_limit=limit)
    body = source.spliced(splices)
    again = body.spliced([(0, 0, b"before"), (len(body), len(body), b"after")])
    assert source.read() == whole
    source.append(b"more")
    source.close()
    for more in (b"", b"end"):
        body.append(more)
        now = expected + more
        assert len(body) == len(now)
        assert body.read() == b"".join(body.chunks(7)) == body.view()[:] == now
    body.close()
    assert again.read() == b"before" + expected + b"after"
    again.close()


def test_splices_share_what_is_on_disk() -> None:
    with closing(Body([b"x" * SPOOL_LIMIT, b"y"])) as source:
        before = open_files()
        bodies = [source.spliced([(1, 2, b"z" * (n + 1))]) for n in range(8)]
        assert open_files() == before, "there is no other file"
        for body in bodies:
            body.close()


def test_many_splices_do_not_stay_in_memory() -> None:
    source = Body([b"x" * 100], spool_limit=100)
    with closing(source.spliced([(0, 0, b"y" * 100)])) as body:
        assert body.spooled
        assert body.read() == b"y" * 100 + b"x" * 100
    with disk_of(50), pytest.raises(OSError, match="File too large"):
        source.spliced([(0, 0, b"y" * 100)])
    assert source.read() == b"x" * 100


def test_a_large_body_leaves_memory_for_a_file_without_a_name() -> None:
    body = Body([b"x" * SPOOL_LIMIT])
    before = open_files()
    body.append(b"y")
    (spool,) = open_files() - before
    assert spool.endswith("(deleted)"), "so that a crash leaves nothing behind"
    assert body.read(SPOOL_LIMIT - 1) == b"xy"
    body.close()
    assert open_files() == before


def test_one_reader_does_not_disturb_another() -> None:
    body = Body([b"0123456789"], spool_limit=4)
    one, other = body.chunks(3), body.chunks(5)
    assert [next(one), next(other), next(one), body.read(9), next(other)] == [
        b"012",
        b"01234",
        b"345",
        b"9",
        b"56789",
    ]
    body.close()


def test_after_a_full_disk_what_was_there_is_still_readable() -> None:
    body = Body([b"x" * 100], spool_limit=100)
    with disk_of(4096):
        body.append(b"y" * 100)
        with pytest.raises(OSError, match="File too large"):
            body.append(b"z" * 10_000)
    assert body.read() == b"x" * 100 + b"y" * 100
    body.append(b"end")
    assert body.read(200) == b"end"
    body.close()


def test_of_a_write_that_failed_nothing_is_seen() -> None:
    body = Body(spool_limit=1)
    with disk_of(4096), pytest.raises(OSError, match="File too large"):
        body.append(b"x" * 5000)
    assert body.view()[:] == body.read() == b""
    body.close()


def test_when_the_disk_is_full_at_once_the_body_stays_in_memory() -> None:
    body = Body([b"x" * 100], spool_limit=100)
    with disk_of(50), pytest.raises(OSError, match="File too large"):
        body.append(b"y")
    assert body.read() == b"x" * 100
    body.close()
