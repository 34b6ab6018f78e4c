"""What is configured, and what could be."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

import click

from pyquarantine_core.cli.output import as_json_option, print_json, print_table
from pyquarantine_core.cli.session import Session
from pyquarantine_core.config import Config
from pyquarantine_core.config_schema import merged_schema
from pyquarantine_core.masking import masked
from pyquarantine_core.quarantine import quarantines
from pyquarantine_core.reference import reference
from pyquarantine_core.resolved import resolved
from pyquarantine_core.ruleset import OnError, Step


@click.command()
@click.option("--markdown", is_flag=True, help="Print it as a reference for people.")
@click.pass_obj
def schema(session: Session, markdown: bool) -> None:
    """Print the JSON Schema of the config file, for editors."""
    if markdown:
        click.echo(reference(session.registry), nl=False)
    else:
        print_json(merged_schema(session.registry))


@click.command()
@as_json_option
@click.pass_obj
def show(session: Session, as_json: bool) -> None:
    """Show the rules, quarantines and lists; with --json every option, defaults filled in.

    Passwords are masked.
    """
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
        click.echo()
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
