"""The core's own commands: what is installed, and what is configured."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

import click

from pyquarantine_core.cli import cli
from pyquarantine_core.cli.output import as_json_option, print_json, print_table
from pyquarantine_core.cli.session import Session
from pyquarantine_core.config import Config
from pyquarantine_core.engine import OnError, Step
from pyquarantine_core.masking import masked
from pyquarantine_core.quarantine import quarantines
from pyquarantine_core.reference import reference
from pyquarantine_core.registry import Plugin
from pyquarantine_core.resolved import resolved
from pyquarantine_core.schema import merged_schema


@cli.command()
@as_json_option
@click.pass_obj
def plugins(session: Session, as_json: bool) -> None:
    """List the installed plugins, what they provide, and why one is not in use."""
    found = session.registry.plugins
    if as_json:
        print_json([_as_data(plugin) for plugin in found])
        return
    print_table(
        ("Plugin", "Version", "Package", "Status", "Provides"),
        [
            (
                plugin.name,
                plugin.version,
                plugin.package,
                plugin.status.value,
                plugin.cause or _provides(plugin),
            )
            for plugin in found
        ],
        empty="no plugin is installed; try: pip install pyquarantine-core[all]",
    )


@cli.command()
@click.option("--markdown", is_flag=True, help="Print it as a reference for people.")
@click.pass_obj
def schema(session: Session, markdown: bool) -> None:
    """Print the JSON Schema of the config file, for editors."""
    if markdown:
        click.echo(reference(session.registry), nl=False)
    else:
        print_json(merged_schema(session.registry))


@cli.command()
@as_json_option
@click.pass_obj
def show(session: Session, as_json: bool) -> None:
    """Show the configuration as it will run, defaults filled in and passwords masked."""
    config = session.config
    if as_json:
        print_json(masked(resolved(config), config.registry))
        return
    click.echo(f"socket: {config.settings.get('socket', '(given on the command line)')}\n")
    _show_rules(config)
    _show_quarantines(config)
    _show_lists(config)


def _show_rules(config: Config) -> None:
    rows = []
    rules = zip(config.rules.rules, config.settings["rules"], strict=True)
    for rule, said in rules:
        rows.append((rule.step.name, "", _conditions(said), _traits(rule.step)))
        rows += [
            (f"  {its['name']}", action.type.name, _conditions(its), _traits(action.step))
            for action, its in zip(rule.actions, said["actions"], strict=True)
        ]
    print_table(("Rule and actions", "Type", "Conditions", ""), rows)


def _show_quarantines(config: Config) -> None:
    rows = [
        (
            one.name,
            one.holding.storage.name,
            f"{one.holding.smtp_host} port {one.holding.smtp_port}",
            one.holding.action or "(go on)",
        )
        for one in quarantines(config)
    ]
    if rows:
        click.echo()
        print_table(("Quarantine", "Storage", "Released to", "MTA is told"), rows)


def _show_lists(config: Config) -> None:
    rows = [(name, options["type"]) for name, options in config.settings["lists"].items()]
    if rows:
        print_table(("List", "Type"), rows)


def _conditions(step: Mapping[str, Any]) -> str:
    return "\n".join(
        f"{key}: {json.dumps(value, ensure_ascii=False)}"
        for key, value in step.get("conditions", {}).items()
    )


def _traits(step: Step) -> str:
    traits = ["pretend"] if step.pretend else []
    traits += ["on_error: continue"] if step.on_error is OnError.CONTINUE else []
    if step.logger.level != logging.INFO:
        traits.append(f"loglevel: {logging.getLevelName(step.logger.level).lower()}")
    return ", ".join(traits)


def _provides(plugin: Plugin) -> str:
    if not plugin.provides and not plugin.observes:
        return "nothing (is @hookimpl missing?)"
    return "\n".join(
        f"{kind.value}: {', '.join(one.name for one in declarations)}"
        for kind, declarations in plugin.provides.items()
    )


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
    }
