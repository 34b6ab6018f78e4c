"""`pyquarantine check`: what is wrong in the storages, and putting it right."""

from __future__ import annotations

import sys

import click

from pyquarantine_core.check import Checked
from pyquarantine_core.check import check as check_storage
from pyquarantine_core.cli.output import as_json_option, print_json
from pyquarantine_core.cli.session import Session
from pyquarantine_core.errors import PyquarantineError
from pyquarantine_core.printable import printable


@click.command()
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@as_json_option
@click.pass_obj
def check(session: Session, dry_run: bool, as_json: bool) -> None:
    """Find what a crash has left in the storages, and put it right.

    Nothing is deleted, and nothing that a running process uses is touched. Exit status 1 says that
    something was wrong, even if it is mended now.
    """
    config = session.config
    found: list[Checked] = []
    failures: dict[str, str] = {}
    for name, handle in config.storages.items():
        try:
            session.open(handle.storage)
            for one in check_storage(config, handle, mend=not dry_run):
                found.append(one)
                if not as_json:
                    click.echo(_line(one))
        except (PyquarantineError, OSError) as error:
            failures[name] = str(error)
            click.echo(f"pyquarantine: {name}: {printable(str(error))}", err=True)
    if as_json:
        print_json([_as_data(one) for one in found])
    elif not found and not failures:
        click.echo("nothing is wrong")
    if found or failures:
        sys.exit(1)


def _line(one: Checked) -> str:
    fault = one.fault
    if one.failure:
        state = f"not mended: {one.failure}"
    elif fault.mend is None:
        state = f"for you to decide: {fault.remedy}"
    else:
        state = fault.remedy if one.mended else f"would be {fault.remedy}"
    return printable(f"{one.storage}: {fault.name} {fault.problem}; {state}")


def _as_data(one: Checked) -> dict[str, object]:
    return {
        "storage": one.storage,
        "name": one.fault.name,
        "problem": one.fault.problem,
        "remedy": one.fault.remedy,
        "mendable": one.fault.mend is not None,
        "mended": one.mended,
        "failure": one.failure or None,
    }
