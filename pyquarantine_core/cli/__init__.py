"""The program `pyquarantine`: commands of the core, and those that plugins add."""

from __future__ import annotations

import difflib
import io
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

import click

from pyquarantine_core import __version__
from pyquarantine_core.cli.session import Session
from pyquarantine_core.config_file import DEFAULT_PATH
from pyquarantine_core.errors import ConfigError, PluginError, PyquarantineError, why
from pyquarantine_core.log import sanitise_last_resort
from pyquarantine_core.printable import printable
from pyquarantine_core.types import CommandType, Kind


def _command(name: str, summary: str, place: str) -> CommandType:
    """A command of the core, declared as plugins declare theirs: imported when it is used."""

    def build() -> click.Command:
        module, _, attribute = place.partition(":")
        command = getattr(import_module(f"{__name__}.{module}"), attribute)
        assert isinstance(command, click.Command)
        return command

    return CommandType(name=name, summary=summary, build=build)


CORE: Mapping[str, CommandType] = {
    one.name: one
    for one in (
        _command(
            "check",
            "Find what a crash has left in the storages, and put it right.",
            "check:check",
        ),
        _command(
            "schema", "Print the JSON Schema of the config file, for editors.", "commands:schema"
        ),
        _command(
            "show",
            "Show the rules, quarantines and lists; with --json every option, defaults filled in.",
            "commands:show",
        ),
        _command(
            "explain",
            "Show what the rules would do with MESSAGE (a file, - for standard input), and why.",
            "explain:explain",
        ),
        _command("list", "Show, add and delete the entries of the list NAME.", "lists:list_"),
        _command(
            "outbox",
            "Show, retry and drop notifications that are not delivered yet.",
            "outbox:outbox",
        ),
        _command(
            "plugins",
            "List the installed plugins, what they provide, and why one is not in use.",
            "plugins:plugins",
        ),
        _command(
            "reload",
            "Make the daemon take up its config and plugins anew, and tell whether it did.",
            "reload:reload",
        ),
    )
}


class CommandGroup(click.Group):
    """The core's commands, then the plugins'; a plugin never takes the place of a core command."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        added = _session(ctx).registry.names(Kind.COMMAND)
        return [*CORE, *(name for name in added if name not in CORE)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in CORE:
            return CORE[cmd_name].build()
        registry = _session(ctx).registry
        if cmd_name not in registry.names(Kind.COMMAND):
            return None
        declaration = registry.find(Kind.COMMAND, cmd_name)
        assert isinstance(declaration, CommandType)
        plugin = registry.provider(Kind.COMMAND, cmd_name)
        where = f"{plugin.label}: the command {cmd_name!r} cannot be built"
        try:
            command: object = declaration.build()
        except (Exception, SystemExit) as error:
            raise PluginError(f"{where}: {why(error)}") from error
        if not isinstance(command, click.Command):
            raise PluginError(f"{where}: {command!r} is not a click command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, but an unknown command names plugins that failed or were denied."""
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            try:
                _session(ctx).registry.find(Kind.COMMAND, args[0])
            except PluginError as error:
                near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
                hint = (
                    f"; did you mean {near[0]!r}?" if near and "did you" not in str(error) else ""
                )
                raise click.UsageError(f"{error}{hint}", ctx) from None
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List commands without building them."""
        added = _session(ctx).registry.all(Kind.COMMAND, CommandType)
        known = [*CORE.values(), *(one for one in added if one.name not in CORE)]
        with formatter.section("Commands"):
            formatter.write_dl([(one.name, one.summary) for one in known])


def _session(context: click.Context) -> Session:
    if context.obj is None:
        context.obj = Session(context.params.get("path") or DEFAULT_PATH)
    assert isinstance(context.obj, Session)
    return context.obj


_CONFIG = ("-c", "--config")


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    *_CONFIG,
    "path",
    type=click.Path(path_type=Path),
    default=DEFAULT_PATH,
    show_default=True,
    is_eager=True,  # --help lists the plugins that this config lets in
    help="Config file to read.",
)
@click.version_option(__version__, "-v", "--version", message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context, path: Path) -> None:  # noqa: ARG001 - _session reads it
    """Look at and manage a pyquarantine installation."""
    context.call_on_close(_session(context).closing.close)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program; a mistake is one line, with exit status 1, 2 (usage) or 78 (config)."""
    sanitise_last_resort()
    try:
        cli.main(arguments, prog_name="pyquarantine", standalone_mode=False)
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        if isinstance(error, click.NoSuchOption) and error.option_name in _CONFIG:
            shown.write(f"It goes before the command: pyquarantine {error.option_name} FILE ...")
        click.echo("\n".join(map(printable, shown.getvalue().rstrip("\n").split("\n"))), err=True)
        sys.exit(error.exit_code)
    except click.exceptions.Exit as end:
        sys.exit(end.exit_code)
    except click.Abort:
        _fail("interrupted", 1)
    except ConfigError as error:
        _fail(str(error), os.EX_CONFIG)
    except PyquarantineError as error:
        _fail(str(error), 1)
    except OSError as error:
        _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error), 1)


def _fail(error: str, status: int) -> None:
    for line in error.splitlines():
        click.echo(f"pyquarantine: {printable(line)}", err=True)
    sys.exit(status)
