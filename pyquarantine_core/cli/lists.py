"""`pyquarantine list NAME ...`: the entries of lists on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import click

from pyquarantine_core import lists
from pyquarantine_core.cli.audit import announce
from pyquarantine_core.cli.output import as_json_option, local_time, print_json, print_table
from pyquarantine_core.cli.session import Session
from pyquarantine_core.errors import ListError
from pyquarantine_core.printable import printable
from pyquarantine_core.types import ListEntry, ManagedList, NewListEntry

COLUMNS = ("ID", "From", "To", "Created", "Last used", "Permanent", "Comment")


@dataclass(frozen=True, slots=True)
class _Named:
    """A list that is looked up, and opened, when a command needs it."""

    session: Session
    name: str

    @property
    def entries(self) -> ManagedList:
        found = lists.find_list(self.session.config, self.name)
        self.session.open(found)
        return found

    @property
    def entries_to_read(self) -> ManagedList:
        """The same, and nothing that is missing is made."""
        found = lists.find_list(self.session.config, self.name)
        found.open_read_only()
        self.session.closing.callback(found.close)
        return found


@click.group(
    "list",
    context_settings={"help_option_names": ["-h", "--help"]},
    subcommand_metavar="COMMAND ...",
    invoke_without_command=True,
)
@click.argument("name")
@click.pass_context
def list_(context: click.Context, name: str) -> None:
    """Show, add and delete the entries of the list NAME.

    `pyquarantine show` tells which lists there are.
    """
    session = context.find_object(Session)
    assert session is not None
    context.obj = _Named(session, name)
    if context.invoked_subcommand is None:
        assert isinstance(context.command, click.Group)
        commands = context.command.commands
        if name in commands:
            known = ", ".join(session.config.lists) or "none configured"
            raise click.UsageError(f"name a list before {name!r}: {known}")
        raise click.UsageError(f"say what to do with {name!r}: {', '.join(commands)}")


@list_.command("list")
@click.option(
    "-f", "--from", "senders", metavar="FROM", multiple=True, help="For this; `*` is a wildcard."
)
@click.option(
    "-t", "--to", "recipients", metavar="TO", multiple=True, help="To this recipient; likewise."
)
@click.option(
    "-o", "--older-than", type=click.FloatRange(min=0), metavar="DAYS", help="Unused for so long."
)
@as_json_option
@click.pass_obj
def list_entries(
    named: _Named,
    senders: Sequence[str],
    recipients: Sequence[str],
    older_than: float | None,
    as_json: bool,
) -> None:
    """List entries, oldest first."""
    query = lists.ListQuery(senders, recipients, older_than)
    found = lists.find(named.entries_to_read, query)
    if as_json:
        print_json([_as_data(entry) for entry in found])
    else:
        what = "entry" if query == lists.ListQuery() else "such entry"
        empty = f"list {named.name!r} has no {what}"
        print_table(COLUMNS, [_as_row(entry) for entry in found], empty=empty)


@list_.command()
@click.option("-f", "--from", "sender", metavar="FROM", help="Whom it is for; left out: anyone.")
@click.option("-t", "--to", "recipient", metavar="TO", help="Likewise.")
@click.option("-c", "--comment", default="", help="For people.")
@click.option("-p", "--permanent", is_flag=True, help="No clean-up may remove it.")
@click.option("--force", is_flag=True, help="Even where another entry covers it.")
@click.pass_obj
def add(
    named: _Named,
    sender: str | None,
    recipient: str | None,
    comment: str,
    permanent: bool,
    force: bool,
) -> None:
    """Add an entry.

    FROM and TO are an address, @domain, .domain (the domain and all below it), or empty (anyone).
    """
    if sender is None and recipient is None:
        raise click.UsageError("say -f FROM, -t TO or both")
    new = NewListEntry(
        sender=sender or "", recipient=recipient or "", comment=comment, permanent=permanent
    )
    try:
        added = lists.add(named.entries, new, force=force)
    except lists.CoveredError as error:
        print_table(COLUMNS, [_as_row(entry) for entry in error.entries])
        raise ListError("already covered by the above; --force adds it all the same") from error
    announce(named.name, f"added {printable(lists.described(added))}")


@list_.command()
@click.argument("entry_id", metavar="ID")
@click.pass_obj
def delete(named: _Named, entry_id: str) -> None:
    """Delete an entry."""
    deleted = named.entries.delete(entry_id)
    announce(named.name, f"deleted {printable(lists.described(deleted))}")


def _as_data(entry: ListEntry) -> dict[str, object]:
    return {
        "id": entry.id,
        "from": entry.sender,
        "to": entry.recipient,
        "created": entry.created.isoformat(timespec="seconds"),
        "last_used": entry.last_used.isoformat(timespec="seconds"),
        "permanent": entry.permanent,
        "comment": entry.comment,
    }


def _as_row(entry: ListEntry) -> tuple[str, ...]:
    return (
        entry.id,
        entry.sender or "(anyone)",
        entry.recipient or "(anyone)",
        local_time(entry.created),
        local_time(entry.last_used),
        "yes" if entry.permanent else "",
        entry.comment,
    )
