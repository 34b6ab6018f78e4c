"""`pyquarantine quarantine NAME ...`: held mail on the command line."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import click

from pyquarantine_core.cli.audit import announce, log_change
from pyquarantine_core.cli.output import local_time, print_json, print_json_list, print_table
from pyquarantine_core.cli.session import Session
from pyquarantine_core.errors import OutboxError, ReleaseError
from pyquarantine_core.printable import printable
from pyquarantine_core.quarantine import (
    Quarantine,
    Released,
    find_quarantine,
    quarantines,
)
from pyquarantine_core.types import Entry, Query

PAGE = 50
"""Entries that are listed on a terminal, unless somebody wants more; a pipe must miss nothing."""


@dataclass(frozen=True, slots=True)
class _Named:
    """A quarantine that is looked up, and opened, when a command needs it."""

    session: Session
    name: str

    @property
    def quarantine(self) -> Quarantine:
        found = find_quarantine(self.session.config, self.name)
        self.session.open(found.holding.storage.storage)
        return found

    @property
    def quarantine_to_notify(self) -> Quarantine:
        """The same, and what it tells recipients with is open, too."""
        found = self.quarantine
        if found.holding.notifier is not None:
            self.session.open(found.holding.notifier.notification)
        return found


entry_id = click.argument("entry_id", metavar="ID")
some_recipients = click.option(
    "-t", "--to", "recipients", metavar="RCPT", multiple=True, help="This recipient; repeatable."
)
every_recipient = click.option("-a", "--all", "everybody", is_flag=True, help="All recipients.")
other_sender = click.option(
    "--from", "sender", metavar="ADDRESS", help="Envelope sender, instead of the original one."
)


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    subcommand_metavar="COMMAND ...",
    invoke_without_command=True,
)
@click.argument("name")
@click.pass_context
def quarantine(context: click.Context, name: str) -> None:
    """Find, show, release and delete the mail that the quarantine NAME holds.

    NAME is the name of its action, or RULE/ACTION. `pyquarantine show` lists them.
    """
    session = context.find_object(Session)
    assert session is not None
    context.obj = _Named(session, name)
    if context.invoked_subcommand is None:
        assert isinstance(context.command, click.Group)
        commands = context.command.commands
        known = ", ".join(one.name for one in quarantines(session.config)) or "none configured"
        if name in commands:
            raise click.UsageError(f"name a quarantine before {name!r}: {known}")
        raise click.UsageError(f"say what to do with {name!r}: {', '.join(commands)}")


@quarantine.command("list")
@click.option(
    "-f", "--from", "senders", metavar="FROM", multiple=True, help="From this; `*` is a wildcard."
)
@click.option(
    "-t", "--to", "recipients", metavar="TO", multiple=True, help="To this recipient; likewise."
)
@click.option(
    "-o", "--older-than", type=click.FloatRange(min=0), metavar="DAYS", help="Held for so long."
)
@click.option(
    "-n",
    "--limit",
    type=click.IntRange(min=0),
    metavar="N",
    help=f"At most so many, 0: all.  [default: {PAGE} on a terminal, else all]",
)
@click.option("--before", metavar="ID", help="Only those older than this one: the next page.")
@click.option("-b", "--batch", is_flag=True, help="Print IDs alone, one a line.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_(
    named: _Named,
    senders: tuple[str, ...],
    recipients: tuple[str, ...],
    older_than: float | None,
    limit: int | None,
    before: str | None,
    batch: bool,
    as_json: bool,
) -> None:
    """List held mail, newest first."""
    query = Query(senders, recipients, older_than)
    if batch or as_json:
        found = named.quarantine.find(query, before=before, limit=limit or None)
        if batch:
            for entry in found:
                click.echo(entry.id)
        else:
            print_json_list(map(_as_data, found))
        return
    page = (PAGE if sys.stdout.isatty() else 0) if limit is None else limit
    entries = list(named.quarantine.find(query, before=before, limit=page + 1 if page else None))
    shown = entries[:page] if page else entries
    everything = query == Query() and before is None
    print_table(
        ("ID", "When", "Size", "From", "Recipients", "Subject"),
        [_as_row(entry) for entry in shown],
        empty=f"{named.name} holds no {'mail' if everything else 'such mail'}",
    )
    if len(shown) < len(entries):
        click.echo(f"there are older ones: --before {printable(shown[-1].id)}", err=True)


@quarantine.command()
@entry_id
@click.pass_obj
def get(named: _Named, entry_id: str) -> None:
    """Print the stored message: its bytes, or on a terminal its text without control characters."""
    with named.quarantine.open_message(entry_id) as stored:
        if sys.stdout.isatty():
            for line in stored:
                click.echo(printable(line.rstrip(b"\r\n").decode("utf-8", "replace")))
        else:
            shutil.copyfileobj(stored, sys.stdout.buffer)
            sys.stdout.buffer.flush()


@quarantine.command()
@entry_id
@click.pass_obj
def metadata(named: _Named, entry_id: str) -> None:
    """Print what is known of a held message, as JSON."""
    print_json(dict(named.quarantine.metadata(entry_id)))


@quarantine.command()
@entry_id
@some_recipients
@every_recipient
@other_sender
@click.option("--again", is_flag=True, help="Also to those who may have got it already.")
@click.pass_obj
def release(
    named: _Named,
    entry_id: str,
    recipients: Sequence[str],
    everybody: bool,
    sender: str | None,
    again: bool,
) -> None:
    """Send a held message to its recipients, and take those off it."""
    wanted = _wanted(recipients, everybody)
    result = named.quarantine.release(entry_id, wanted, sender=sender, again=again)
    _report(named, "released", entry_id, result)


@quarantine.command()
@entry_id
@click.option(
    "-t", "--to", "recipients", metavar="RCPT", multiple=True, required=True, help="Anybody."
)
@other_sender
@click.pass_obj
def copy(named: _Named, entry_id: str, recipients: Sequence[str], sender: str | None) -> None:
    """Send a copy of a held message to anybody; it stays held."""
    result = named.quarantine.copy(entry_id, recipients, sender=sender)
    _report(named, "copied", entry_id, result)


@quarantine.command()
@entry_id
@some_recipients
@every_recipient
@click.pass_obj
def notify(named: _Named, entry_id: str, recipients: Sequence[str], everybody: bool) -> None:
    """Tell recipients of a held message about it, again and at once."""
    wanted = _wanted(recipients, everybody)
    result = named.quarantine_to_notify.notify(entry_id, wanted)
    for recipient in result.told:
        announce(named.quarantine.name, f"notified {printable(recipient)} of {printable(entry_id)}")
    if result.failed:
        reasons = "; ".join(f"{printable(one)}: {why}" for one, why in result.failed.items())
        raise OutboxError(f"not notified of {entry_id}: {reasons}")


@quarantine.command()
@entry_id
@some_recipients
@every_recipient
@click.pass_obj
def delete(named: _Named, entry_id: str, recipients: Sequence[str], everybody: bool) -> None:
    """Delete a held message, for some or all of its recipients."""
    kept = named.quarantine.delete(entry_id, _wanted(recipients, everybody))
    whom = f" for {', '.join(map(printable, recipients))}" if recipients else ""
    rest = "others remain" if kept else "it is gone"
    announce(named.quarantine.name, f"deleted {printable(entry_id)}{whom}; {rest}")


@quarantine.command()
@click.option(
    "--older-than",
    "days",
    type=click.FloatRange(min=0),
    metavar="DAYS",
    required=True,
    help="Held for so long.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be deleted, and delete nothing.")
@click.pass_obj
def purge(named: _Named, days: float, dry_run: bool) -> None:
    """Delete all mail that has been held for so many days."""
    held = named.quarantine
    if dry_run:
        for entry in held.purgeable(days):
            click.echo(f"would delete {entry.id}")
        return
    total = sum(1 for _ in held.purgeable(days))
    with click.progressbar(
        held.purge(days), length=total, label=f"purging {held.name}", file=sys.stderr
    ) as entries:
        count = sum(1 for _ in entries)
    log_change(held.name, f"deleted {count}: all that were held for {days:g} days")
    click.echo(f"deleted {count} of {held.name}")


def _wanted(recipients: Sequence[str], everybody: bool) -> Sequence[str] | None:
    if everybody == bool(recipients):
        raise click.UsageError("say either -t RCPT or -a")
    return None if everybody else recipients


def _report(named: _Named, done: str, entry_id: str, result: Released) -> None:
    for recipient in result.sent:
        announce(named.quarantine.name, f"{done} {printable(entry_id)} to {printable(recipient)}")
    if result.refused:
        reasons = "; ".join(
            f"{printable(recipient)}: {reply}" for recipient, reply in result.refused.items()
        )
        raise ReleaseError(f"{entry_id} is still held, the server refused {reasons}")
    if done == "released" and result.kept:
        click.echo(f"{printable(entry_id)} is still held")


def _as_data(entry: Entry) -> dict[str, object]:
    return {
        "id": entry.id,
        "stored_at": entry.stored_at.isoformat(timespec="seconds"),
        "size": entry.size,
        "sender": entry.sender,
        "recipients": None if entry.recipients is None else list(entry.recipients),
        "subject": entry.subject,
        "queue_id": entry.queue_id,
        "quarantine": entry.quarantine,
        "in_doubt": list(entry.in_doubt),
    }


def _as_row(entry: Entry) -> tuple[str, ...]:
    unknown = "(unknown)"
    return (
        entry.id,
        local_time(entry.stored_at),
        str(entry.size),
        unknown if entry.sender is None else entry.sender or "<>",
        unknown if entry.recipients is None else "\n".join(_recipients(entry)),
        entry.subject,
    )


def _recipients(entry: Entry) -> Iterator[str]:
    for one in entry.recipients or ():
        yield f"{one} (in doubt)" if one in entry.in_doubt else one
