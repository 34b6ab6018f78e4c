"""`pyquarantine reload`: new config, new plugins, no connection lost."""

from __future__ import annotations

import click

from pyquarantine_core import control
from pyquarantine_core.cli.session import Session


@click.command()
@click.option(
    "--timeout",
    type=click.IntRange(min=1),
    default=150,
    show_default=True,
    help="Seconds to wait for the outcome.",
)
@click.pass_obj
def reload(session: Session, timeout: int) -> None:
    """Make the daemon take up its config and plugins anew, and tell whether it did."""
    note = control.ask_to_reload(session.path, timeout)
    click.echo("reloaded")
    if note:
        click.echo(f"warning: {note}", err=True)
