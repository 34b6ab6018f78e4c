"""`pyquarantine outbox ...`: notifications that are not delivered yet, on the command line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from pyquarantine_core import undelivered
from pyquarantine_core.cli.audit import announce, log_change
from pyquarantine_core.cli.output import as_json_option, local_time, print_json, print_table
from pyquarantine_core.cli.session import Session
from pyquarantine_core.printable import duration, printable
from pyquarantine_core.undelivered import OutboxQuery, Undelivered

COLUMNS = ("ID", "Queue ID", "Notification", "Recipient", "Tries", "Next try", "Age", "Last error")

failed_option = click.option("--failed", is_flag=True, help="Only those that failed.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def outbox() -> None:
    """Show, retry and drop notifications that are not delivered yet."""


@outbox.command("list")
@click.argument("ids", metavar="[ID]...", nargs=-1)
@failed_option
@as_json_option
@click.pass_obj
def list_(session: Session, ids: Sequence[str], failed: bool, as_json: bool) -> None:
    """List notifications that wait, then those that failed, oldest first.

    An ID may have shell wildcards.
    """
    spool = session.config.outbox.spool
    found = undelivered.find(spool, OutboxQuery(ids, failed=failed or None))
    if as_json:
        print_json({"dropped": spool.dropped, "items": [_as_data(one) for one in found]})
        return
    now = datetime.now(UTC)
    empty = "nothing has failed" if failed else "the outbox is empty"
    print_table(COLUMNS, [_as_row(one, now) for one in found], empty=empty)
    if spool.dropped:
        click.echo(f"dropped because the outbox was full: {spool.dropped}")


def _changes(function: Callable[..., None]) -> Callable[..., None]:
    """The parameters of commands that change something."""
    for decorate in (
        click.pass_obj,
        as_json_option,
        failed_option,
        click.option("--all", "everything", is_flag=True, help="All, or all that failed."),
        click.argument("ids", metavar="[ID]...", nargs=-1),
    ):
        function = decorate(function)
    return function


@outbox.command()
@_changes
def retry(
    session: Session, ids: Sequence[str], everything: bool, failed: bool, as_json: bool
) -> None:
    """Try notifications again at once, also those that failed.

    An ID may have shell wildcards.
    """
    query = _query(ids, everything, failed)
    _report("to be tried", undelivered.retry(session.config.outbox.spool, query), as_json)


@outbox.command()
@_changes
def drop(
    session: Session, ids: Sequence[str], everything: bool, failed: bool, as_json: bool
) -> None:
    """Delete notifications; nobody will get them.

    An ID may have shell wildcards.
    """
    query = _query(ids, everything, failed)
    _report("dropped", undelivered.drop(session.config.outbox.spool, query), as_json)


def _query(ids: Sequence[str], everything: bool, failed: bool) -> OutboxQuery:
    if everything == bool(ids):
        raise click.UsageError("say either ID or --all")
    return OutboxQuery(ids, failed=failed or None)


def _report(done: str, what: Sequence[Undelivered], as_json: bool) -> None:
    if as_json:
        print_json([_as_data(one) for one in what])
    for one in what:
        to = f" (to <{printable(one.recipient)}>)" if one.recipient else ""
        (log_change if as_json else announce)("outbox", f"{done}: {one.id}{to}")
    if not what and not as_json:
        click.echo("there was nothing to do")


def _as_data(one: Undelivered) -> dict[str, Any]:
    return {
        "id": one.id,
        "state": "failed" if one.failed else "waiting",
        "queue_id": one.queue_id,
        "notification": one.notification,
        "recipient": one.recipient,
        "attempts": one.attempts,
        "next_try": one.next_try and one.next_try.isoformat(timespec="seconds"),
        "since": one.since and one.since.isoformat(timespec="seconds"),
        "size": one.size,
        "error": one.error,
    }


def _as_row(one: Undelivered, now: datetime) -> tuple[str, ...]:
    if one.next_try is None:
        next_try = "(failed)"
    else:
        next_try = "now" if one.next_try <= now else local_time(one.next_try)
    return (
        one.id,
        one.queue_id,
        one.notification,
        one.recipient,
        str(one.attempts),
        next_try,
        "" if one.since is None else duration((now - one.since).total_seconds()),
        one.error,
    )
