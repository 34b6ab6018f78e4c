"""`pyquarantine plugins`: what is installed, what it provides, and how a new one begins."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from pyquarantine_core.cli.output import as_json_option, print_json, print_table
from pyquarantine_core.cli.session import Session
from pyquarantine_core.config_keys import STORAGE_KEYS
from pyquarantine_core.config_schema import definitions
from pyquarantine_core.errors import PluginError
from pyquarantine_core.printable import printable
from pyquarantine_core.registry import Declaration, Plugin, Registry, Status
from pyquarantine_core.scaffold import KINDS, create
from pyquarantine_core.schema_words import Option, SchemaWords, plain
from pyquarantine_core.types import DefaultFile, Kind, TypeDeclaration

COLUMNS = ("Plugin", "Version", "Package", "Status", "Provides")


@click.group(invoke_without_command=True)
@as_json_option
@click.pass_context
def plugins(context: click.Context, as_json: bool) -> None:
    """List the installed plugins, what they provide, and why one is not in use."""
    if context.invoked_subcommand is not None:
        if as_json:
            raise click.UsageError(f"--json goes after {context.invoked_subcommand}", context)
        return
    registry = context.ensure_object(Session).whole_registry
    if as_json:
        print_json([_as_data(plugin) for plugin in registry.plugins])
        return
    print_table(
        COLUMNS,
        [
            (
                plugin.name,
                plugin.version,
                plugin.package,
                plugin.status.value,
                plugin.cause or "\n".join(_provides(registry, plugin)),
            )
            for plugin in registry.plugins
        ],
        empty="no plugin is installed; try: pip install pyquarantine-core[all]",
    )


@plugins.command()
@click.argument("name")
@as_json_option
@click.pass_obj
def show(session: Session, name: str, as_json: bool) -> None:
    """Show all options of a plugin.

    NAME is that of the plugin, of its package or of something that it provides.
    """
    found = session.whole_registry.named(name)
    if as_json:
        print_json([_in_full(plugin) for plugin in found])
        return
    for index, plugin in enumerate(found):
        if index:
            click.echo()
        _show(session.whole_registry, plugin)


@plugins.command()
@click.pass_obj
def check(session: Session) -> None:
    """Fail when a plugin cannot be used, and say why.

    That is when it failed, or when another one claims the same name.
    """
    registry = session.whole_registry
    for plugin in registry.plugins:
        for text in plugin.warnings:
            click.echo(f"{printable(plugin.label)} is outdated: {printable(text)}", err=True)
    mistakes = [
        f"{plugin.label} ({plugin.name}) failed: {plugin.cause}"
        for plugin in registry.plugins
        if plugin.status is Status.FAILED
    ]
    mistakes += registry.conflicts()
    if mistakes:
        raise PluginError("\n".join(mistakes))
    active = sum(plugin.status is Status.ACTIVE for plugin in registry.plugins)
    are = "plugin is" if active == 1 else "plugins are"
    click.echo(f"{active} {are} in use, none failed")


@plugins.command()
@click.argument("name")
@click.option(
    "--kind",
    type=click.Choice([kind.singular for kind in KINDS]),
    required=True,
    help="What it shall provide.",
)
@click.option(
    "--directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(),
    help="Where its own directory is made; by default here.",
)
@click.pass_obj
def new(session: Session, name: str, kind: str, directory: Path) -> None:
    """Begin a plugin: a working one, with tests.

    It is written to a new directory, pyq-NAME, as a package that can be published.
    """
    (provided,) = (one for one in KINDS if one.singular == kind)
    names, target = create(provided, name, directory, session.whole_registry)
    click.echo(f"cd {shlex.quote(str(target))} && pip install -e '.[dev]'    # makes it known")
    click.echo("pytest    # its tests pass; change them first, then the code")
    click.echo(f"pyquarantine plugins show {names.type}    # the {kind}, as configs may use it")


def _provides(registry: Registry, plugin: Plugin) -> Iterator[str]:
    for kind, declarations in plugin.provides.items():
        yield f"{kind.value}: {', '.join(one.name for one in declarations)}"
    if plugin.observes:
        yield "hears of every message done"
    elif not plugin.provides:
        yield "nothing"
    for kind, declarations in plugin.provides.items():
        for one in declarations:
            if rivals := registry.rivals(plugin, kind, one.name):
                yield f"the {kind.singular} {one.name} is also in {', '.join(rivals)}: unusable"
    yield from (f"outdated: {text}" for text in plugin.warnings)


def _show(registry: Registry, plugin: Plugin) -> None:
    click.echo(printable(f"{plugin.name}: {plugin.status.value}, from {plugin.label}"))
    for line in [plugin.cause] if plugin.cause else _provides(registry, plugin):
        click.echo(f"  {printable(line)}")
    for kind, declarations in plugin.provides.items():
        for one in declarations:
            if isinstance(one, DefaultFile):
                continue
            click.echo(f"\n{kind.singular} {printable(one.name)}: {printable(one.summary)}")
            if isinstance(one, TypeDeclaration):
                _show_options(kind, one)


def _show_options(kind: Kind, declaration: TypeDeclaration) -> None:
    rows = [
        (
            option.path,
            plain(option.type),
            "(required)" if option.required else option.default,
            plain(option.meaning),
        )
        for option in _options(kind, declaration)
    ]
    print_table(("Option", "Type", "Default", "Meaning"), rows, empty="it has no options")
    if kind is Kind.STORAGE:
        click.echo(f"and, as every storage: {', '.join(STORAGE_KEYS)}")


def _options(kind: Kind, declaration: TypeDeclaration) -> Sequence[Option]:
    """The options of a type; what is a key itself comes first, with its value."""
    name = f"{kind.singular}.{declaration.name}"
    found = definitions(name, declaration.schema)
    words = SchemaWords(found)
    schema = found[name]
    if kind not in {Kind.CONDITION, Kind.SERVICE}:
        return list(words.options(schema))
    value = Option(declaration.name, words.type(schema), False, "", schema.get("description", ""))
    return [value, *words.options(schema, f"{declaration.name}.")]


def _as_data(plugin: Plugin) -> dict[str, object]:
    return {
        "name": plugin.name,
        "version": plugin.version,
        "package": plugin.package,
        "status": plugin.status.value,
        "cause": plugin.cause,
        "provides": {
            kind.value: [one.name for one in declarations]
            for kind, declarations in plugin.provides.items()
        },
        "observes": plugin.observes,
        "warnings": list(plugin.warnings),
    }


def _in_full(plugin: Plugin) -> dict[str, object]:
    types = {
        kind.value: [_type_as_data(kind, one) for one in declarations]
        for kind, declarations in plugin.provides.items()
    }
    return {**_as_data(plugin), "provides": types}


def _type_as_data(kind: Kind, declaration: Declaration) -> dict[str, object]:
    if isinstance(declaration, DefaultFile):
        return {"name": declaration.name}
    data: dict[str, object] = {"name": declaration.name, "summary": declaration.summary}
    if isinstance(declaration, TypeDeclaration):
        data["options"] = [
            {
                "name": option.path,
                "type": plain(option.type),
                "required": option.required,
                **({"default": json.loads(option.default)} if option.default else {}),
                "description": plain(option.meaning),
            }
            for option in _options(kind, declaration)
        ]
    return data
