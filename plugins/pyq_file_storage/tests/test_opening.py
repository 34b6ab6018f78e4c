from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pyq_file_storage.storage import FileStorage

from pyquarantine_core.errors import StorageError

if TYPE_CHECKING:
    from .conftest import Unprivileged


def test_a_missing_directory_is_created_for_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        FileStorage(tmp_path / "a" / "b" / "c").set_up()
    finally:
        os.umask(before)
    for path in ("a", "a/b", "a/b/c"):
        assert (tmp_path / path).stat().st_mode & 0o7777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give directories away")
def test_what_root_makes_belongs_to_the_owner_of_the_directory_above(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    os.chown(tmp_path / "state", 12345, 12346)
    FileStorage(tmp_path / "state" / "a" / "b").set_up()
    for path in ("a", "a/b"):
        status = (tmp_path / "state" / path).stat()
        assert (status.st_uid, status.st_gid) == (12345, 12346)


def test_an_existing_directory_stays_as_it_is(directory: Path) -> None:
    directory.mkdir(mode=0o750)
    before = directory.stat()
    FileStorage(directory).set_up()
    after = directory.stat()
    assert (after.st_mode, after.st_ino) == (before.st_mode, before.st_ino)
    assert after.st_mtime_ns == before.st_mtime_ns


def test_a_link_to_a_directory_may_be_configured(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    FileStorage(tmp_path / "link").set_up()


@pytest.mark.parametrize("path", ["file", "file/below", "dangling"])
def test_what_is_not_a_directory_is_one_clear_error(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "dangling").symlink_to("nowhere")
    with pytest.raises(StorageError, match=f"^cannot store in {tmp_path / path}: .*director"):
        FileStorage(tmp_path / path).set_up()


def test_a_directory_that_is_not_writable_is_one_clear_error(unprivileged: Unprivileged) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o555)
        with unprivileged(), pytest.raises(StorageError) as caught:
            FileStorage(directory).set_up()
        assert str(caught.value) == f"cannot store in {directory}: it is not writable"


def test_a_directory_that_may_not_be_created_is_one_clear_error(
    unprivileged: Unprivileged,
) -> None:
    with tempfile.TemporaryDirectory() as name:
        parent = Path(name)
        parent.chmod(0o555)
        with unprivileged(), pytest.raises(StorageError, match="Permission denied"):
            FileStorage(parent / "held").set_up()
