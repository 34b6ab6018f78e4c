"""What the daemon leaves on the disk and shows of itself: for its own user alone."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from pyquarantine_core.testing.daemon import write_config
from pyquarantine_core.testing.mta import Mail, Verdict, send
from pyquarantine_core.testing.pytest_plugin import DaemonFactory
from pyquarantine_core.testing.sockets import free_port

from .conftest import Admin

MAIL = Mail("a@example.net", ("u@example.org",), b"Subject: x\n\nHello\n")
PASSWORD = "correct-horse%2Fbattery"
"""As a config has it; percent-decoded it has a slash."""


def config(directory: Path) -> dict[str, Any]:
    """A quarantine with a notification, with everything below a directory that is missing."""
    (directory / "template").write_text("<p>{SUBJECT}</p>")
    var = directory / "var"
    smtp = {"smtp_host": "127.0.0.1", "smtp_port": 1}  # nobody listens: they wait
    hold = {"storage": "held", "notification": "n", "milter_action": "DISCARD", **smtp}
    return {
        "socket_mode": "0600",
        "outbox": f"{var}/spool/outbox",
        "metrics": f"127.0.0.1:{free_port()}",
        "lists": {"l": {"type": "db", "connection": f"sqlite:///{var}/lists.db", "table": "l"}},
        "storages": {"held": {"type": "file", "directory": f"{var}/storages/held"}},
        "notifications": {
            "n": {
                "type": "email",
                "envelope_from": "filter@example.org",
                "from_header": "filter@example.org",
                "subject": "held",
                "template": f"{directory}/template",
                **smtp,
            }
        },
        "rules": [
            {
                "name": "all",
                "actions": [{"name": "hold", "type": "quarantine", "options": hold}],
            }
        ],
    }


@contextmanager
def no_umask() -> Iterator[None]:
    before = os.umask(0)
    try:
        yield
    finally:
        os.umask(before)


def test_without_an_umask_nothing_is_open_to_others(
    start_daemon: DaemonFactory, admin: Admin, tmp_path: Path
) -> None:
    rules = config(tmp_path)
    with no_umask():
        daemon = start_daemon(rules)
        assert send(daemon.address, MAIL).verdict is Verdict.DISCARD
        daemon.wait_for_log("outbox: all of 'n' wait for ")
        admin.out("list", "l", "add", "-f", "a@example.net")
        (held,) = admin.held("hold")
        admin.out("quarantine", "hold", "metadata", held["id"])
        daemon.reload()
        assert send(daemon.address, MAIL).verdict is Verdict.DISCARD
    made = [tmp_path / "var", *(tmp_path / "var").rglob("*")]
    assert {"lists.db", "outbox", "metrics", "held", held["id"], ".wake", ".sender"} <= {
        one.name for one in made
    }
    assert [one for one in made if one.lstat().st_mode & 0o077] == []


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_a_password_of_the_config_is_shown_nowhere(scheme: str, tmp_path: Path) -> None:
    """The database takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as database:
        place = f"127.0.0.1:{database.getsockname()[1]}/lists"
        url = f"{scheme}://filter:{PASSWORD}@{place}"
        lists = {"l": {"type": "db", "connection": url, "table": "l"}}
        rule = {"name": "r", "conditions": {"list": "l"}, "actions": []}
        action = {"name": "a", "type": "add_header", "options": {"field": "X", "value": "y"}}
        path = write_config(
            tmp_path / "pyquarantine.conf",
            {
                "socket": f"unix:{tmp_path}/socket",
                "lists": lists,
                "rules": [{**rule, "actions": [action]}],
            },
        )
        admin = Admin(path)
        programs = Path(sys.executable).parent
        commands: list[list[str | Path]] = [
            [programs / "pyquarantine-milter", "-c", path, "--debug"],
            [programs / "pyquarantine-milter", "-c", path, "-t"],
            [programs / "pyquarantine", "-c", path, "show"],
            [programs / "pyquarantine", "-c", path, "plugins"],
            [programs / "pyquarantine", "-c", path, "list", "l", "list"],
            [
                programs / "pyquarantine",
                "-c",
                path,
                "--debug",
                "list",
                "l",
                "add",
                "-f",
                "a@b.example",
            ],
        ]
        with ThreadPoolExecutor(len(commands)) as pool:
            shown = list(pool.map(_all_it_shows, commands))
    assert f"ERROR: lists.l: {url.replace(f':{PASSWORD}', '')}: " in shown[0]
    for command, text in zip(commands, shown, strict=True):
        assert str(path) in text  # among what the system shows of the process
        for secret in (PASSWORD, PASSWORD.replace("%2F", "/"), "correct-horse", "battery"):
            assert secret not in text, command
    path.write_text(path.read_text().replace('"add_header"', '"add_heather"'))
    failed = admin.run("show")
    assert failed.returncode == 78
    assert b"battery" not in failed.stdout + failed.stderr


def _all_it_shows(command: list[str | Path]) -> str:
    """What a command prints, and what the system shows of it and its children."""
    shown = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        while process.poll() is None:
            shown += [_seen(pid) for pid in _family(process.pid)]
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.1)
        assert process.stdout is not None
        shown.append(process.stdout.read().decode())
    return "\n".join(shown)


def _family(pid: int) -> Iterator[int]:
    yield pid
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return
    for child in children:
        yield from _family(int(child))


def _seen(pid: int) -> str:
    """What ps(1) shows."""
    try:
        shown = (
            Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/environ").read_bytes()
        )
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return shown.decode()


def remade(directory: Path) -> None:
    directory.mkdir()


def link_elsewhere(directory: Path) -> None:
    """As an admin moves it to a larger disk."""
    larger = directory.with_name("larger")
    larger.mkdir()
    directory.symlink_to(larger)


@pytest.mark.parametrize("replace", [remade, link_elsewhere])
@pytest.mark.parametrize("name", ["storages/held", "spool/outbox"])
def test_a_directory_that_is_replaced_is_used_from_then_on(
    name: str,
    replace: Callable[[Path], None],
    start_daemon: DaemonFactory,
    admin: Admin,
    tmp_path: Path,
) -> None:
    daemon = start_daemon(config(tmp_path))
    directory, old = tmp_path / "var" / name, tmp_path / "old"
    assert send(daemon.address, MAIL).verdict is Verdict.DISCARD
    daemon.wait_for_log("outbox: all of 'n' wait for ")
    before = contents(directory)
    directory.rename(old)
    replace(directory)
    assert send(daemon.address, MAIL).verdict is Verdict.DISCARD
    assert contents(old) == before
    assert before != {}
    assert len(contents(directory)) == len(before)
    assert not contents(directory).keys() & before.keys()
    assert len(admin.held("hold")) == (1 if name == "storages/held" else 2)
    waiting = json.loads(admin.out("outbox", "list", "--json"))["items"]
    assert len(waiting) == (1 if name == "spool/outbox" else 2)


def file(path: Path) -> None:
    path.write_text("not a directory")


def dangling_link(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere"))


def link_to_itself(path: Path) -> None:
    path.symlink_to(path)


def fifo(path: Path) -> None:
    os.mkfifo(path)


def nothing(path: Path) -> None:
    assert not path.exists()


@pytest.mark.parametrize("replace", [nothing, file, dangling_link, link_to_itself, fifo])
@pytest.mark.parametrize("name", ["storages/held", "spool/outbox"])
def test_while_something_else_is_in_place_of_a_directory_mail_waits_at_the_client(
    name: str,
    replace: Callable[[Path], None],
    start_daemon: DaemonFactory,
    admin: Admin,
    tmp_path: Path,
) -> None:
    daemon = start_daemon(config(tmp_path))
    directory, old = tmp_path / "var" / name, tmp_path / "old"
    assert send(daemon.address, MAIL).verdict is Verdict.DISCARD
    daemon.wait_for_log("outbox: all of 'n' wait for ")
    before = contents(tmp_path / "var")
    directory.rename(old)
    replace(directory)
    for number in range(3):
        mail = Mail(MAIL.sender, MAIL.recipients, MAIL.content, queue_id=f"Q{number}")
        assert send(daemon.address, mail).verdict is Verdict.TEMPFAIL
    daemon.wait_for_log("Q2: verdict=tempfail ")
    assert daemon.log.count(": tempfail: ") == 3
    assert "Traceback" not in daemon.log
    if replace is not nothing:
        directory.unlink()
    old.rename(directory)
    assert contents(tmp_path / "var") == before
    assert send(daemon.address, MAIL).verdict is Verdict.DISCARD
    assert len(admin.held("hold")) == 2


def contents(directory: Path) -> dict[str, bytes]:
    """The messages and notifications in a directory."""
    return {
        str(one.relative_to(directory)): one.read_bytes()
        for one in directory.rglob("20*")
        if stat.S_ISREG(one.lstat().st_mode)
    }
