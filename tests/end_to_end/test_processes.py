"""What the daemon's processes have, trust and need of the machine that they run on."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from pyquarantine_core import control
from pyquarantine_core.testing.daemon import Daemon, write_config
from pyquarantine_core.testing.mta import send

from ..conftest import InstallPlugin
from .conftest import Admin, DaemonFactory
from .test_reload import MAIL, added, adds
from .test_services import SERVICE


def test_a_module_in_the_directory_it_was_started_from_is_not_run(tmp_path: Path) -> None:
    directory = tmp_path / "anybody's"
    directory.mkdir()
    (directory / "tempfile.py").write_text("raise SystemExit('run as root')\n")
    config = write_config(tmp_path / "c.conf", adds("x", socket="inet:0@127.0.0.1"))
    program = Path(sys.executable).with_name("pyquarantine-milter")
    with subprocess.Popen(
        [program, "--debug", "-c", config], cwd=directory, stderr=subprocess.PIPE, text=True
    ) as daemon:
        assert daemon.stderr is not None
        started = any(" listening at " in line for line in daemon.stderr)
        daemon.terminate()
        daemon.stderr.read()
    assert started
    assert daemon.returncode == 0


@pytest.mark.usefixtures("for_daemons")
def test_workers_alone_have_the_listening_socket(
    install_plugin: InstallPlugin, start_daemon: DaemonFactory
) -> None:
    """What else has it keeps the MTA waiting at a daemon that is gone, and a new one from it."""
    install_plugin("greeting", SERVICE.format(name="greet"))
    daemon = start_daemon(adds("x", greet="hello"))
    daemon.wait_for_log("hello from ")
    inode = listening_inode(int(daemon.address.partition(":")[2].partition("@")[0]))
    holders = [pid for pid in daemon.workers() if f"socket:[{inode}]" in open_files(pid)]
    assert (len(holders), len(daemon.workers())) == (2, 3)


def test_a_reload_that_cannot_run_a_program_changes_nothing(tmp_path: Path, admin: Admin) -> None:
    """As when its virtual environment is being made anew."""
    python = environment_like_ours(tmp_path / "venv")
    write_config(admin.config, adds("x"))
    with Daemon(admin.config, "inet:0@127.0.0.1", python=str(python)) as daemon:
        python.rename(tmp_path / "gone")
        done = admin.run("reload")
        assert f"not reloaded, nothing has changed: {python} cannot be run" in done.stderr.decode()
        assert added(send(daemon.address, MAIL)) == ["x"]
        (tmp_path / "gone").rename(python)
        assert admin.out("reload") == b"reloaded\n"


@pytest.mark.usefixtures("for_daemons")
def test_a_reload_is_confirmed_even_if_the_old_generation_dies_meanwhile(
    install_plugin: InstallPlugin, start_daemon: DaemonFactory, admin: Admin, tmp_path: Path
) -> None:
    fifo = tmp_path / "fifo"
    install_plugin(
        "slow", f"import os\nif os.path.exists({str(fifo)!r}):\n    open({str(fifo)!r}).read()"
    )
    daemon = start_daemon(adds("x"))
    (old,) = daemon.generations()
    os.mkfifo(fifo)
    program = Path(sys.executable).with_name("pyquarantine")
    with subprocess.Popen(
        [program, "-c", str(admin.config), "reload"],
        env={**os.environ, "PYTHONPATH": ""},  # the command itself does without that plugin
        stdout=subprocess.PIPE,
    ) as reload:
        daemon.wait_for_log("reloading")
        with fifo.open("w"):
            fifo.unlink()
            os.kill(old, signal.SIGKILL)
            daemon.wait_for_log(f"generation {old} ended (-9)")
        assert reload.stdout is not None
        assert reload.stdout.read() == b"reloaded\n"


def test_the_word_of_a_stranger_who_took_the_daemons_name_does_not_count(admin: Admin) -> None:
    nobody = pwd.getpwnam("nobody")
    write_config(admin.config, adds("x"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as squatter:
        squatter.bind(control._name(admin.config))
        os.seteuid(nobody.pw_uid)
        try:
            squatter.listen()
        finally:
            os.seteuid(0)
        done = admin.run("reload")
    assert done.returncode == 1
    assert f"not asked: who listens for {admin.config} is nobody" in done.stderr.decode()


def listening_inode(port: int) -> str:
    """Of the socket that listens at this port of IPv4 (proc(5), /proc/net/tcp)."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1].endswith(f":{port:04X}") and fields[3] == "0A":
            return fields[9]
    raise AssertionError(port)


def open_files(pid: int) -> list[str]:
    return [str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()]


def environment_like_ours(directory: Path) -> Path:
    """A virtual environment with all that ours has; returns its interpreter."""
    ours = Path(sys.prefix)
    python = directory / "bin" / "python"
    python.parent.mkdir(parents=True)
    shutil.copy(ours / "pyvenv.cfg", directory)
    (directory / "lib").symlink_to(ours / "lib")
    python.symlink_to(Path(sys.executable).resolve())
    return python
