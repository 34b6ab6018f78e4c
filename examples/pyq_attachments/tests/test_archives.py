"""What is found in archives, and what no archive can do to the filter."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Any

import pyq_attachments
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyq_attachments.archives import MAX_DEPTH, MAX_NAMES, Archives

from pyquarantine_core.testing.mail_mix import HEAD, attachment, multipart
from pyquarantine_core.testing.rules import matches, received

TEXT = b"Content-Type: text/plain\n\nHello\n"


def packed(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", method) as writer:
        for name, content in files.items():
            writer.writestr(name, content)
    return archive.getvalue()


def nested(depth: int, files: Mapping[str, bytes]) -> bytes:
    content = packed(files)
    for number in range(depth - 1):
        content = packed({f"{number}.zip": content})
    return content


def found(name: str, content: bytes, **wanted: Any) -> bool:
    mail = HEAD + multipart("mixed", TEXT, attachment(name, content, "application/octet-stream"))
    return matches({"attachments": wanted}, received(mail), pyq_attachments)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("name", ["a.zip", "a.dat"])
def test_names_in_an_archive_are_found(name: str, method: int) -> None:
    content = packed({"docs/readme.txt": b"x", "docs/Setup.EXE": b"MZ"}, method)
    assert found(name, content, names=[r"\.exe$"])
    assert not found(name, content, names=[r"\.js$"], unreadable=True)


def test_names_in_archives_in_archives_are_found_so_deep_and_no_deeper() -> None:
    deepest = nested(MAX_DEPTH, {"x.exe": b""})
    assert found("a.zip", deepest, names=[r"\.exe$"])
    too_deep = packed({"more.zip": deepest})
    assert not found("a.zip", too_deep, names=[r"\.exe$"])
    assert found("a.zip", too_deep, names=[r"\.exe$"], unreadable=True)


def test_too_many_names_are_not_read() -> None:
    content = packed({f"{number}.txt": b"" for number in range(MAX_NAMES + 1)})
    assert len(list(Archives().names(content, "a.zip"))) == 1
    assert not found("a.zip", content, names=["txt$"])
    assert found("a.zip", content, unreadable=True)


def test_the_limit_on_names_is_that_of_the_message() -> None:
    half = packed({f"{number}.txt": b"" for number in range(MAX_NAMES // 2 + 1)})
    assert not found("a.zip", packed({"1.zip": half}), unreadable=True)
    assert found("a.zip", packed({"1.zip": half, "2.zip": half}), unreadable=True)


def test_a_bomb_is_not_unpacked() -> None:
    bomb = packed({"inner.zip": bytes(200_000_000)})
    assert len(bomb) < 300_000
    assert not found("a.zip", bomb, names=["exe$"])
    assert found("a.zip", bomb, unreadable=True)


def test_an_archive_that_claims_to_be_small_is_not_believed() -> None:
    bomb = bytearray(packed({"inner.zip": bytes(100_000_000)}))
    at = bomb.index(b"PK\x01\x02") + 24
    bomb[at : at + 4] = (10).to_bytes(4, "little")
    assert found("a.zip", bytes(bomb), unreadable=True)


def test_an_encrypted_archive_shows_its_names_and_counts_as_unreadable() -> None:
    content = bytearray(packed({"x.exe": b"secret", "in.zip": b"secret"}))
    start = 0
    while (start := content.find(b"PK\x01\x02", start + 1)) > 0:
        content[start + 8] |= 1
    assert found("a.zip", bytes(content), names=["exe$"])
    assert found("a.zip", bytes(content), unreadable=True)


@given(st.binary(max_size=300))
def test_any_bytes_are_taken_for_an_archive(content: bytes) -> None:
    list(Archives().names(content, "a.zip"))


@given(st.integers(0, 400), st.binary(min_size=1, max_size=8))
def test_a_damaged_archive_is_read_as_far_as_it_goes(at: int, damage: bytes) -> None:
    content = nested(2, {"x.exe": b"MZ" * 50, "y.txt": b"y"})
    at = min(at, len(content))
    damaged = content[:at] + damage + content[at + len(damage) :]
    assert all(name.startswith("a.zip") for name, _ in Archives().names(damaged, "a.zip"))


def test_types_are_matched_in_any_case_with_wildcards() -> None:
    mail = HEAD + multipart("mixed", TEXT, attachment("a.mp4", b"x", "Video/MP4"))
    for wanted, matched in (("video/*", True), ("video/mp4", True), ("image/*", False)):
        condition = {"attachments": {"types": [wanted]}}
        assert matches(condition, received(mail), pyq_attachments) is matched
