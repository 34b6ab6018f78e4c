"""The supervisor: owns the listening socket and runs a generation on it. It imports no plugin."""

from __future__ import annotations

import logging
import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import click

from pyquarantine_core import __version__, systemd
from pyquarantine_core.config_file import (
    DEFAULT_PATH,
    ConfigFile,
    format_error,
    read_config_file,
)
from pyquarantine_core.errors import ConfigError, InstallError, ListenError
from pyquarantine_core.log import set_up_logging
from pyquarantine_core.sockets import MODE, Address, Listener, group_id, listen

logger = logging.getLogger(__name__)

T = TypeVar("T")

GENERATION_TIMEOUT = 30.0
"""Seconds that a generation has to stop; it gives its messages less."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-c",
    "--config",
    "path",
    type=click.Path(path_type=Path),
    default=DEFAULT_PATH,
    show_default=True,
    help="Config file to read.",
)
@click.option(
    "-s", "--socket", "address", help="Where the MTA connects, instead of the config's `socket`."
)
@click.option("-d", "--debug", is_flag=True, help="Log everything, to standard error.")
@click.option("-t", "--test", is_flag=True, help="Check the config and exit.")
@click.option("--install", is_flag=True, help="Install unit, init script and default config.")
@click.option("--uninstall", is_flag=True, help="Remove those that nobody has changed.")
@click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False),
    help="For packagers: (un)install under this directory instead of /.",
)
@click.version_option(__version__, "-v", "--version", message="%(prog)s %(version)s")
def main(
    path: Path,
    address: str | None,
    debug: bool,
    test: bool,
    install: bool,
    uninstall: bool,
    root: Path | None,
) -> None:
    """Filter mail for Postfix or sendmail, in the foreground, until SIGTERM."""
    if install and uninstall:
        raise click.UsageError("say either --install or --uninstall")
    if install or uninstall:
        sys.exit(_change_service(root or Path("/"), install=install))
    if root is not None:
        raise click.UsageError("--root goes with --install or --uninstall")
    try:
        if test:
            _test(path, address)
            click.echo("Configuration OK")
            return
        set_up_logging(debug=debug)
        file = read_config_file(path)
        listener = _listen(file, address)
    except (ConfigError, ListenError) as error:
        click.echo(str(error), err=True)
        sys.exit(os.EX_CONFIG if isinstance(error, ConfigError) else 1)
    try:
        status = Supervisor(path, listener, debug=debug).run()
    except OSError as error:
        logger.error("cannot start: %s", error)
        status = 1
    finally:
        listener.close()
    sys.exit(status)


class Supervisor:
    """Runs a generation and passes SIGTERM on to it."""

    def __init__(self, config: Path, listener: Listener, *, debug: bool) -> None:
        self._config = config
        self._listener = listener
        self._debug = debug
        self._stopping = False
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, self._woke)

    def run(self) -> int:
        """Run until SIGTERM or until the generation ends; returns its exit status.

        The generation holds the reading end of a pipe whose writing end stays here: however
        the supervisor dies, the generation sees the end of the pipe and stops.
        """
        alive, held = os.pipe()
        ready, report = os.pipe()
        generation = subprocess.Popen(
            [
                sys.executable,
                *("-m", "pyquarantine_core.worker", "--config", str(self._config)),
                *("--listener", str(self._listener.fileno())),
                *("--supervisor", str(alive), "--ready", str(report)),
                *(["--debug"] if self._debug else []),
            ],
            pass_fds=(self._listener.fileno(), alive, report),
        )
        os.close(alive)
        os.close(report)
        watched = [self._woken, ready]
        while generation.poll() is None:
            readable, _, _ = select.select(watched, [], [])
            if ready in readable:
                watched.remove(ready)
                if os.read(ready, 1):
                    logger.info("listening at %s", self._listener)
                    systemd.notify(f"READY=1\nSTATUS=Listening at {self._listener}")
            if self._woken in readable:
                os.read(self._woken, 1024)
            if self._stopping:
                break
        if self._stopping:
            logger.info("stopping")
            systemd.notify("STOPPING=1")
        self._listener.close()
        generation.terminate()
        try:
            status = generation.wait(GENERATION_TIMEOUT)
        except subprocess.TimeoutExpired:
            logger.error("the workers do not stop; killing them")
            generation.kill()
            status = generation.wait()
        os.close(held)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # too late to be told again
        return status if status >= 0 else 1

    def _stop(self, *_: object) -> None:
        self._stopping = True
        self._woke()

    def _woke(self, *_: object) -> None:
        with suppress(BlockingIOError):
            os.write(self._wake, b".")


def _change_service(root: Path, *, install: bool) -> int:
    from pyquarantine_core import install as service  # noqa: PLC0415 - only for this

    try:
        for line in (
            service.install(root, service.running_program(root))
            if install
            else service.uninstall(root)
        ):
            click.echo(line)
    except InstallError as error:
        click.echo(str(error), err=True)
        return 1
    except OSError as error:
        hint = "; it takes root" if isinstance(error, PermissionError) else ""
        click.echo(f"{error.filename}: {error.strerror}{hint}", err=True)
        return 1
    return 0


def _test(path: Path, address: str | None) -> None:
    from pyquarantine_core import config, quarantine  # noqa: PLC0415 - a supervisor loads no plugin

    loaded = config.load(path)
    _address(loaded.file, address)
    _group(loaded.file)
    for one in quarantine.quarantines(loaded):
        if quarantine.releases_to_this_mta(one.holding):
            click.echo(
                f"{path}: warning: {one.name}: released mail goes to port {quarantine.SMTP_PORT} "
                "of this machine and would be held again, unless that bypasses this filter",
                err=True,
            )


def _listen(file: ConfigFile, override: str | None) -> Listener:
    address = _address(file, override)
    mode = file.data.get("socket_mode")
    if isinstance(mode, str) and not re.fullmatch(MODE, mode):
        text = f"{mode!r} is not an octal mode such as '0660'"
        raise ConfigError(format_error(file, ("socket_mode",), text))
    return _placed(
        file,
        "socket" if override is None else None,
        lambda: listen(
            address,
            mode=int(mode, 8) if isinstance(mode, str) else None,
            group=_group(file),
        ),
    )


def _group(file: ConfigFile) -> int | None:
    name = file.data.get("socket_group")
    return None if name is None else _placed(file, "socket_group", lambda: group_id(str(name)))


def _address(file: ConfigFile, override: str | None) -> Address:
    if override is not None:
        return _placed(file, None, lambda: Address.parse(override))
    text = file.data.get("socket")
    if text is None:
        raise ConfigError(
            format_error(file, (), "'socket' is missing; set it here or with --socket")
        )
    return _placed(file, "socket", lambda: Address.parse(str(text)))


def _placed(file: ConfigFile, key: str | None, find: Callable[[], T]) -> T:
    """What `find` finds; its error names the key, or the option --socket where there is none."""
    try:
        return find()
    except (ConfigError, ListenError) as error:
        text = f"--socket: {error}" if key is None else format_error(file, (key,), str(error))
        raise type(error)(text) from None


if __name__ == "__main__":
    main()
