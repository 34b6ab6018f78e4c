"""The program `pyquarantine-milter`: it listens, and leaves the rest to the supervisor."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from pyquarantine_core import __version__
from pyquarantine_core.config_file import (
    DEFAULT_PATH,
    ConfigFile,
    format_error,
    read_config_file,
)
from pyquarantine_core.config_keys import MODE
from pyquarantine_core.errors import ConfigError, InstallError, ListenError, PluginError
from pyquarantine_core.log import set_up_logging
from pyquarantine_core.sockets import Address, Listener, group_id, listen
from pyquarantine_core.supervisor import Supervisor

logger = logging.getLogger(__name__)

SOCKET_KEYS = ("socket", "socket_mode", "socket_group")
"""What the listening socket is made with; the first gives way to --socket."""

T = TypeVar("T")


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
@click.option("--install", is_flag=True, help="Install the service, default config and templates.")
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
        set_up_logging(debug=debug, as_json=file.data.get("log_format") == "json")
        listener = _listen(file, address)
    except (ConfigError, ListenError) as error:
        click.echo(str(error), err=True)
        sys.exit(os.EX_CONFIG if isinstance(error, ConfigError) else 1)
    try:
        fixed = SOCKET_KEYS if address is None else SOCKET_KEYS[1:]
        listening = {key: file.data.get(key) for key in fixed}
        status = Supervisor(path, listener, listening, debug=debug).run()
    except OSError as error:
        logger.error("cannot start: %s", error)
        status = 1
    finally:
        listener.close()
    sys.exit(status)


def _change_service(root: Path, *, install: bool) -> int:
    from pyquarantine_core import install as service  # noqa: PLC0415 - only for this
    from pyquarantine_core import loading  # noqa: PLC0415 - a supervisor loads no plugin

    try:
        if install:
            registry = loading.load_plugins(root / DEFAULT_PATH.relative_to("/"))
            for plugin in registry.failed:
                click.echo(f"warning: {plugin.label} failed: {plugin.cause}", err=True)
            lines = service.install(root, service.running_program(root), registry)
        else:
            lines = service.uninstall(root)
        for line in lines:
            click.echo(line)
    except (InstallError, PluginError) as error:
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
        if warning := quarantine.release_warning(one.holding):
            click.echo(f"{path}: warning: {one.name}: {warning}", err=True)


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
