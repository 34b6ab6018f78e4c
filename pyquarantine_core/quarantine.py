"""What can be done with held mail. Commands print it; a web page could serve it."""

from __future__ import annotations

import difflib
import re
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, BinaryIO

from pyquarantine_core.address import same_address
from pyquarantine_core.errors import (
    EntryNotFoundError,
    InDoubtError,
    PyquarantineError,
    ReleaseError,
    StorageError,
)
from pyquarantine_core.limits import DEFAULT_LIMITS, Limits
from pyquarantine_core.release_doubt import Doubt, refuse_doubtful
from pyquarantine_core.types import Delivery, HoldsMail, Query

if TYPE_CHECKING:
    from pyquarantine_core.config import Config
    from pyquarantine_core.types import Claim, Entry, Holding


_BEGINS_WITH_TIME = re.compile("[0-9]{14}")

SMTP_PORT = 25
"""Where an MTA takes mail from others (RFC 5321)."""


@dataclass(frozen=True, slots=True)
class Released:
    """What became of a release.

    Attributes:
        sent: recipients that the server took the message for.
        refused: the others, each with the server's reply; they stay on the entry.
        kept: whether the entry is still there.
    """

    sent: tuple[str, ...]
    refused: Mapping[str, str]
    kept: bool


@dataclass(frozen=True, slots=True)
class Notified:
    """What became of notifications.

    Attributes:
        told: recipients whose notification has been delivered.
        failed: the others, each with the reason.
    """

    told: tuple[str, ...]
    failed: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Quarantine:
    """The mail that one action holds.

    Attributes:
        name: `RULE/ACTION`.
        holding: where it is, and how it is released.
        neighbours: names of other quarantines in the same storage; their entries are not ours.
        limits: of the config, for previews.
    """

    name: str
    holding: Holding
    neighbours: frozenset[str] = frozenset()
    limits: Limits = DEFAULT_LIMITS

    def find(
        self,
        query: Query | None = None,
        *,
        before: str | None = None,
        limit: int | None = None,
    ) -> Iterator[Entry]:
        """The entries that match, newest first; `Storage.find` says what the arguments mean."""
        wanted = query or Query()
        ours = replace(wanted, not_of=wanted.not_of | self.neighbours)
        return self.holding.storage.storage.find(ours, before=before, limit=limit)

    def get(self, entry_id: str) -> Entry:
        """One entry.

        Raises:
            EntryNotFoundError: the ID is not a plain entry of this quarantine.
        """
        return self._own(self.holding.storage.storage.get(entry_id))

    def open_message(self, entry_id: str) -> BinaryIO:
        """The stored bytes of an entry."""
        self.get(entry_id)
        return self.holding.storage.storage.open_message(entry_id)

    def metadata(self, entry_id: str) -> Mapping[str, Any]:
        """The metadata of an entry as stored."""
        self.get(entry_id)
        return self.holding.storage.storage.metadata(entry_id)

    def release(
        self,
        entry_id: str,
        recipients: Sequence[str] | None,
        *,
        sender: str | None = None,
        again: bool = False,
    ) -> Released:
        """Send the stored bytes to recipients of the entry, and take those off it.

        Before the server may take the message, its recipients are recorded as in doubt: when this
        process is killed, or the server's answer is lost, the next release knows.

        Args:
            entry_id: which entry.
            recipients: to whom; None for all of the entry.
            sender: envelope sender; None for the original one.
            again: send it also to those of whom it is in doubt whether they have it.

        Raises:
            EntryNotFoundError: there is no such entry.
            ReleaseError: nobody got it, and the entry is as it was; or some may have it already,
                and it was not sent.
            InDoubtError: the answer was lost, or not waited for (KeyboardInterrupt); the entry says
                who is in doubt.
        """
        with self.holding.storage.storage.claim(entry_id) as claim:
            entry = self._own(claim.entry)
            wanted = _on_entry(entry, recipients)
            if not again:
                refuse_doubtful(entry, wanted)
            doubt = Doubt(claim)
            try:
                refused = self._submit(entry, sender, wanted, claim.read(), doubt.begin)
            except (InDoubtError, KeyboardInterrupt) as error:
                if doubt.offered:
                    raise doubt.told(error) from error
                doubt.end()
                raise _not_sent(entry, "you interrupted it") from error
            except ReleaseError:
                doubt.end()
                raise
            sent = tuple(one for one in wanted if one not in refused)
            try:
                kept = _settle_sent(claim, entry, sent)
            except (StorageError, OSError) as error:
                raise ReleaseError(
                    f"{entry.id} was sent to {', '.join(sent)}, but still names them: {error}; "
                    "do not release it to them again"
                ) from error
            return Released(sent, refused, kept)

    def copy(
        self, entry_id: str, recipients: Sequence[str], *, sender: str | None = None
    ) -> Released:
        """Send the stored bytes to anybody; the entry stays as it is."""
        entry = self.get(entry_id)
        with self.open_message(entry_id) as stored:
            refused = self._submit(entry, sender, recipients, stored.read())
        return Released(tuple(one for one in recipients if one not in refused), refused, kept=True)

    def notify(self, entry_id: str, recipients: Sequence[str] | None) -> Notified:
        """Tell recipients of the entry about it, again and at once; the entry stays as it is.

        Args:
            entry_id: which entry.
            recipients: whom; None for all of the entry.

        Raises:
            EntryNotFoundError: there is no such entry.
            PyquarantineError: this quarantine tells nobody.
        """
        notifier = self.holding.notifier
        if notifier is None:
            raise PyquarantineError(f"the quarantine {self.name} has no notification")
        from pyquarantine_core.stored import stored_message  # noqa: PLC0415 - for this alone

        entry = self.get(entry_id)
        wanted = _on_entry(entry, recipients)
        with self.open_message(entry_id) as stored:
            message = stored_message(entry, stored.read(), self.limits)
        failed = {}
        for recipient in wanted:
            content = notifier.notification.prepare(message, recipient)
            try:
                notifier.notification.deliver(Delivery(notifier.name, recipient, content))
            except (PyquarantineError, OSError) as error:
                failed[recipient] = str(error)
        notifier.notification.finish()
        message.close()
        return Notified(tuple(one for one in wanted if one not in failed), failed)

    def delete(self, entry_id: str, recipients: Sequence[str] | None) -> bool:
        """Take recipients off an entry (None: all); returns whether the entry is still there."""
        with self.holding.storage.storage.claim(entry_id) as claim:
            entry = self._own(claim.entry)
            if recipients is None:
                claim.delete()
                return False
            if entry.recipients is None:
                raise EntryNotFoundError(
                    f"the recipients of {entry.id} are not known; delete it for all (-a) or not"
                )
            gone = _on_entry(entry, recipients)
            return _settle(claim, entry, gone)

    def purgeable(self, older_than: float) -> Iterator[Entry]:
        """What was stored more than so many days ago.

        What may be no mail is not among it: a file of which nothing is known, and whose ID is no
        time, such as a database that somebody keeps there.
        """
        for entry in self.find(Query(older_than=older_than)):
            if entry.sender is not None or _BEGINS_WITH_TIME.match(entry.id):
                yield entry

    def purge(self, older_than: float) -> Iterator[Entry]:
        """Delete what is `purgeable`; yields each entry that is gone.

        One that somebody releases meanwhile, or deletes, is passed over.
        """
        for entry in self.purgeable(older_than):
            try:
                self.delete(entry.id, None)
            except EntryNotFoundError:
                continue
            yield entry

    def _own(self, entry: Entry) -> Entry:
        if entry.quarantine in self.neighbours:
            raise EntryNotFoundError(f"{entry.id} is held by {entry.quarantine}, not {self.name}")
        return entry

    def _submit(
        self,
        entry: Entry,
        sender: str | None,
        recipients: Sequence[str],
        content: bytes,
        before_data: Callable[[Sequence[str]], None] = lambda _: None,
    ) -> Mapping[str, str]:
        envelope_from = entry.sender if sender is None else sender
        if envelope_from is None:
            raise ReleaseError(f"the sender of {entry.id} is not known; name one (--from)")
        if not recipients:
            raise ReleaseError(f"{entry.id} has no recipient; name one (-t)")
        server = (self.holding.smtp_host, self.holding.smtp_port)
        from pyquarantine_core.submission import (  # noqa: PLC0415 - smtplib, for this alone
            SubmissionError,
            submit,
        )

        try:
            return submit(
                server,
                envelope_from,
                recipients,
                content,
                smtputf8=entry.smtputf8,
                before_data=before_data,
            )
        except SubmissionError as error:
            raise _not_sent(entry, error) from error


def quarantines(config: Config) -> list[Quarantine]:
    """All quarantines of a config, in its order."""
    holdings = {
        action.step.name: action.action.holding
        for action in config.rules.actions
        if isinstance(action.action, HoldsMail)
    }
    return [
        Quarantine(
            name,
            holding,
            frozenset(
                other
                for other, its in holdings.items()
                if other != name and its.storage.name == holding.storage.name
            ),
            config.rules.limits,
        )
        for name, holding in holdings.items()
    ]


def release_warning(holding: Holding) -> str:
    """What an admin should know of where released mail goes; empty when there is nothing to say.

    Filters see the mail that comes to port 25, and would hold it again.
    """
    if holding.smtp_port != SMTP_PORT:
        return ""
    where = f"released mail goes to port {SMTP_PORT} of"
    if _is_this_machine(holding.smtp_host):
        return f"{where} this machine and would be held again, unless that bypasses this filter"
    return f"{where} {holding.smtp_host} and would be held again, if that asks this filter"


def _is_this_machine(host: str) -> bool:
    """Whether it is without asking: names are not looked up."""
    host = host.strip("[]").rstrip(".").lower()
    if host in {"localhost", socket.gethostname().lower()}:
        return True
    try:
        return (address := ip_address(host)).is_loopback or address.is_unspecified
    except ValueError:
        return False


def find_quarantine(config: Config, name: str) -> Quarantine:
    """A quarantine by its action's name, or by `RULE/ACTION`.

    Raises:
        PyquarantineError: none, or more than one, has that name.
    """
    known = quarantines(config)
    exact = [one for one in known if one.name == name]
    found = exact or [one for one in known if one.name.partition("/")[2] == name]
    if len(found) == 1:
        return found[0]
    names = [one.name for one in found or known]
    if found:
        raise PyquarantineError(f"the quarantine {name!r} is ambiguous; say {' or '.join(names)}")
    short = {one.partition("/")[2]: one for one in names}
    near = difflib.get_close_matches(name, [*names, *short], n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there is {', '.join(names) or 'none'}"
    raise PyquarantineError(f"no quarantine is named {name!r}; {hint}")


def _on_entry(entry: Entry, recipients: Sequence[str] | None) -> tuple[str, ...]:
    """The entry's recipients that are asked for, in its spelling."""
    if entry.recipients is None:
        if recipients is None:
            raise ReleaseError(f"the recipients of {entry.id} are not known; name them (-t)")
        return tuple(recipients)
    if recipients is None:
        return entry.recipients
    for address in recipients:
        if not any(same_address(address, one) for one in entry.recipients):
            held = ", ".join(entry.recipients)
            raise EntryNotFoundError(f"{entry.id} is not held for {address} but for {held}")
    return tuple(
        one for one in entry.recipients if any(same_address(one, other) for other in recipients)
    )


def _not_sent(entry: Entry, why: object) -> ReleaseError:
    return ReleaseError(f"{entry.id} was not sent and is still held: {why}")


def _settle_sent(claim: Claim, entry: Entry, sent: Sequence[str]) -> bool:
    """`_settle` for those who have the message; an interrupt comes too late for them."""
    try:
        return _settle(claim, entry, sent)
    except KeyboardInterrupt:
        return _settle(claim, entry, sent)


def _settle(claim: Claim, entry: Entry, gone: Sequence[str]) -> bool:
    """Take recipients off an entry, the others as they were; whether the entry is still there.

    One whose recipients are not known stays as it is.

    Args:
        claim: on the entry.
        entry: as it was when it was claimed.
        gone: who has the message now, or shall not get it.
    """
    if entry.recipients is None:
        return True
    left = tuple(one for one in entry.recipients if one not in gone)
    in_doubt = tuple(one for one in left if one in entry.in_doubt)
    if claim.entry.recipients != left or claim.entry.in_doubt != in_doubt:
        claim.keep_only(left, in_doubt=in_doubt)
    return bool(left)
