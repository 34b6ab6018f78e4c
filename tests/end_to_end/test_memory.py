"""What memory messages take, and what of it a worker keeps for the next one."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest

from pyquarantine_core.testing.mta import Mail, MilterConnection, Verdict

from .conftest import DaemonFactory
from .test_reload import adds

PAGE = os.sysconf("SC_PAGESIZE")
SIZE = 1_000_000
MAIL = Mail("a@x.example", ("b@x.example",), b"Subject: x\n\n" + (b"x" * 62 + b"\n") * (SIZE // 63))


def keeps(directory: Path) -> dict[str, object]:
    """An original of each message is stored, by one worker."""
    storage = {"type": "file", "directory": str(directory), "original": True}
    store = {"name": "store", "type": "store", "options": {"storage": "all"}}
    rules = [{"name": "all", "actions": [store]}]
    return {"workers": 1, "storages": {"all": storage}, "rules": rules}


def new_pages(pid: int) -> int:
    """Pages of memory that the kernel had to give a process so far (minflt of proc(5))."""
    _, _, rest = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")
    return int(rest.split()[7])


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="these are settings of glibc's malloc"
)
def test_a_message_lives_in_the_memory_of_the_one_before(
    tmp_path: Path, start_daemon: DaemonFactory
) -> None:
    messages = 20
    directory = tmp_path / "all"
    directory.mkdir()
    daemon = start_daemon(keeps(directory))
    (worker,) = daemon.workers()
    with MilterConnection(daemon.address) as connection:
        for _ in range(5):
            assert connection.send(MAIL).verdict is Verdict.ACCEPT
        before = new_pages(worker)
        for _ in range(messages):
            assert connection.send(MAIL).verdict is Verdict.ACCEPT
    assert (new_pages(worker) - before) * PAGE / messages < SIZE / 10


def test_the_daemons_environment_has_the_last_word(
    monkeypatch: pytest.MonkeyPatch, start_daemon: DaemonFactory
) -> None:
    monkeypatch.setenv("MALLOC_ARENA_MAX", "3")
    daemon = start_daemon(adds("x"))
    for worker in daemon.workers():
        environment = Path(f"/proc/{worker}/environ").read_bytes().split(b"\0")
        assert b"MALLOC_ARENA_MAX=3" in environment
        assert sum(one.startswith(b"MALLOC_TRIM_THRESHOLD_=") for one in environment) == 1
