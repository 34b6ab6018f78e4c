"""The contract of lists: whom they cover, and for those that people manage, what entries do."""

from __future__ import annotations

from abc import abstractmethod
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pyquarantine_core import lists
from pyquarantine_core.config import Config
from pyquarantine_core.errors import ListError
from pyquarantine_core.testing import hostile
from pyquarantine_core.testing.contracts.common import TypeContract, in_threads
from pyquarantine_core.testing.elsewhere import Elsewhere, Spec, Teller
from pyquarantine_core.types import Kind, ListEntry, MailList, ManagedList, NewListEntry

BOB = "bob@example.org"
US = "me@us.example"
TAGGED = (
    "prvs=0123456789=bob@example.org",
    "prvs=bob/0123456789@example.org",
    "SRS0=HHH=TT=example.org=bob@forwarder.example",
    "SRS1=HHH=other.example==HHH=TT=example.org=bob@forwarder.example",
    "bob+me=us.example@example.org",
)
"""Bob's address as BATV, SRS and VERP write it (docs/configuration.md)."""


class ListContract(TypeContract):
    """What conditions and quarantines rely on in any list.

    Attributes:
        covered: a pair of sender and recipient that the list with these options covers, if any.
        not_covered: a pair that it does not.
    """

    kind: Kind = Kind.LIST
    covered: tuple[str, str] | None = None
    not_covered: tuple[str, str] = ("nobody@nowhere.example", "nobody@nowhere.example")

    @pytest.fixture
    def mail_list(self, spec: Spec, config: Config) -> MailList:
        """The list, open."""
        found = spec.component(config)
        assert isinstance(found, MailList)
        return found

    def test_it_says_true_or_false(self, mail_list: MailList) -> None:
        assert mail_list.covers(*self.not_covered) is False
        if self.covered is not None:
            assert mail_list.covers(*self.covered) is True

    def test_letter_case_never_counts(self, mail_list: MailList) -> None:
        if self.covered is not None:
            sender, recipient = self.covered
            assert mail_list.covers(sender.upper(), recipient.title()) is True

    @pytest.mark.parametrize("odd", ["", *hostile.TEXTS])
    def test_no_address_makes_it_fail_or_is_covered_by_chance(
        self, mail_list: MailList, odd: str
    ) -> None:
        text = hostile.TEXTS.get(odd, odd)
        for address in (text, f"{text}@example.org", f"bob@{text}", f'"{text}"@example.org'):
            assert type(mail_list.covers(address, self.not_covered[1])) is bool
            assert mail_list.covers(self.not_covered[0], address) is False

    def test_threads_ask_it_at_the_same_time(self, mail_list: MailList) -> None:
        answers: list[bool] = []

        def ask() -> None:
            answers.extend([mail_list.covers(*self.not_covered) for _ in range(10)])

        in_threads(ask, 8)
        assert answers == [False] * 80


class ManagedListContract(ListContract):
    """What `pyquarantine list` relies on, too; the list is empty in the beginning."""

    # -- what a subclass gives ---------------------------------------------------------------

    @abstractmethod
    def make_unused(self, options: Any) -> None:
        """Make all entries of the closed list unused for a long time, by other means."""

    # -- what its tests use ------------------------------------------------------------------

    @pytest.fixture
    def managed(self, mail_list: MailList) -> ManagedList:
        """The list, open and empty."""
        assert isinstance(mail_list, ManagedList)
        return mail_list

    # -- whom it covers ----------------------------------------------------------------------

    def test_an_empty_list_covers_nobody(self, managed: ManagedList) -> None:
        assert list(managed.entries()) == []
        assert managed.covers(BOB, US) is False
        assert managed.covers("", "") is False

    def test_an_entry_covers_its_pair_and_no_other(self, managed: ManagedList) -> None:
        add(managed, BOB, US)
        assert managed.covers(BOB, US) is True
        for sender, recipient in (("rob@example.org", US), (BOB, "you@us.example"), ("", US)):
            assert managed.covers(sender, recipient) is False

    def test_letter_case_never_counts_in_entries_and_mail(self, managed: ManagedList) -> None:
        add(managed, "Bob@Example.ORG", US)
        assert managed.covers("BOB@example.org", "ME@US.Example") is True

    def test_an_empty_side_is_anyone_the_null_sender_too(self, managed: ManagedList) -> None:
        add(managed, "", US)
        assert managed.covers(BOB, US) is True
        assert managed.covers("", US) is True
        assert managed.covers(BOB, "you@us.example") is False

    def test_an_empty_entry_covers_all(self, managed: ManagedList) -> None:
        add(managed, "", "")
        assert managed.covers(BOB, US) is True
        assert managed.covers("", "") is True

    @pytest.mark.parametrize("tagged", TAGGED)
    def test_a_tagged_sender_is_who_it_was(self, managed: ManagedList, tagged: str) -> None:
        add(managed, BOB, US)
        assert managed.covers(tagged, US) is True
        assert managed.covers(tagged.replace("bob", "rob"), US) is False

    def test_the_most_specific_entry_comes_first_the_sender_before_the_recipient(
        self, managed: ManagedList
    ) -> None:
        specific = [(BOB, US), (BOB, ""), ("", US), ("", "")]
        for pair in reversed(specific):
            add(managed, *pair)
        assert pairs(managed, BOB, US) == specific

    def test_no_address_breaks_out_of_a_query(self, managed: ManagedList) -> None:
        add(managed, BOB, US)
        for text in (*hostile.TEXTS.values(), "%@example.org", "_ob@example.org", "*"):
            assert managed.covers(text, US) is False
            assert managed.covers(BOB, text) is False
        assert managed.covers(BOB, US) is True

    # -- entries -----------------------------------------------------------------------------

    def test_an_entry_comes_back_as_it_was_added(self, managed: ManagedList) -> None:
        before = datetime.now(UTC) - timedelta(seconds=1)
        comment = "Grüße; DROP TABLE '\"\U0001f4e7"
        new = NewListEntry(sender=BOB, recipient=US, comment=comment, permanent=True)
        added = managed.add(new)
        assert list(managed.entries()) == [added]
        assert (added.sender, added.recipient) == (BOB, US)
        assert (added.comment, added.permanent) == (comment, True)
        assert before <= added.created <= datetime.now(UTC)
        assert before <= added.last_used <= datetime.now(UTC)

    def test_entries_come_oldest_first_each_with_an_id_of_its_own(
        self, managed: ManagedList
    ) -> None:
        added = [add(managed, f"{number}@example.org", "").id for number in range(12)]
        assert [entry.id for entry in managed.entries()] == added
        assert len(set(added)) == 12

    def test_an_entry_is_added_in_the_spelling_that_the_list_keeps(
        self, managed: ManagedList
    ) -> None:
        new = NewListEntry(sender=" BOB@Example.org ", recipient="ME@us.example")
        kept, added = managed.as_kept(new), managed.add(new)
        assert (added.sender, added.recipient) == (kept.sender, kept.recipient)
        assert managed.as_kept(kept) == kept
        assert managed.covers(BOB, US) is True

    @pytest.mark.parametrize(
        "wrong", ["a b", "a@b@c@", "\0", "a\nb@example.org", "\udcff", "x" * 999]
    )
    def test_what_is_no_entry_is_refused_in_one_line(
        self, managed: ManagedList, wrong: str
    ) -> None:
        for new in (
            NewListEntry(sender=wrong, recipient=""),
            NewListEntry(sender="", recipient=wrong),
        ):
            for take in (managed.as_kept, managed.add):
                with pytest.raises(ListError) as caught:
                    take(new)
                assert str(caught.value).isprintable()
        assert list(managed.entries()) == []

    def test_a_pair_is_added_once(self, managed: ManagedList) -> None:
        add(managed, BOB, US)
        with pytest.raises(ListError):
            add(managed, BOB.upper(), US)
        assert pairs(managed, BOB, US) == [(BOB, US)]

    def test_what_another_entry_covers_is_added_by_force_alone(self, managed: ManagedList) -> None:
        add(managed, BOB, "")
        new = NewListEntry(sender=BOB, recipient=US)
        with pytest.raises(lists.CoveredError):
            lists.add(managed, new)
        lists.add(managed, new, force=True)
        assert pairs(managed, BOB, US) == [(BOB, US), (BOB, "")]

    def test_a_deleted_entry_covers_nobody(self, managed: ManagedList) -> None:
        kept, gone = add(managed, BOB, ""), add(managed, BOB, US)
        assert managed.delete(gone.id) == gone
        assert list(managed.entries()) == [kept]
        assert managed.delete(kept.id) == kept
        assert managed.covers(BOB, US) is False

    @pytest.mark.parametrize("wrong", ["", "x", "-1", "0", "9" * 30, "1; --", "\0", "\udcff", "²"])
    def test_what_is_no_entry_cannot_be_deleted(self, managed: ManagedList, wrong: str) -> None:
        add(managed, BOB, US)
        with pytest.raises(ListError):
            managed.delete(wrong)
        assert managed.covers(BOB, US) is True

    def test_looking_covers_nothing_up(self, spec: Spec, managed: ManagedList) -> None:
        add(managed, BOB, US)
        other = spec.component(spec.load())
        assert isinstance(other, ManagedList)
        other.open()
        assert list(other.entries()) == list(managed.entries())
        other.close()

    def test_the_entry_that_counted_was_used_and_no_other(
        self, managed: ManagedList, options: Any
    ) -> None:
        for sender in (BOB, ""):
            add(managed, sender, US)
        managed.close()
        self.make_unused(options)
        managed.open()
        before = datetime.now(UTC) - timedelta(hours=1)
        assert managed.covers(BOB, US) is True
        managed.close()
        managed.open()
        assert [entry.last_used > before for entry in managed.entries()] == [True, False]

    # -- many at once ------------------------------------------------------------------------

    def test_processes_add_and_ask_at_the_same_time(
        self, managed: ManagedList, elsewhere: Elsewhere
    ) -> None:
        add(managed, BOB, US)
        processes = elsewhere.at_once(add_many, *[(f"p{number}", 8) for number in range(4)])
        assert all(process.hear() for process in processes)
        for process in processes:
            process.finish()
        assert len({entry.id for entry in managed.entries()}) == 33

    def test_of_processes_that_add_one_pair_one_does(
        self, managed: ManagedList, elsewhere: Elsewhere
    ) -> None:
        processes = elsewhere.at_once(add_one, *[(BOB, US)] * 4)
        assert sorted(process.hear() for process in processes) == [False, False, False, True]
        for process in processes:
            process.finish()
        assert pairs(managed, BOB, US) == [(BOB, US)]


# -- tasks for other processes ---------------------------------------------------------------


def add_many(managed: ManagedList, test: Teller, prefix: str, count: int) -> None:
    """Add so many entries; tell whether Bob was covered all the time."""
    test.tell("ready")
    test.wait()
    covered = True
    for number in range(count):
        add(managed, f"{prefix}-{number}@example.org", US)
        covered = covered and managed.covers(BOB, US)
    test.tell(covered)


def add_one(managed: ManagedList, test: Teller, sender: str, recipient: str) -> None:
    """Add an entry; tell whether it was new."""
    test.tell("ready")
    test.wait()
    try:
        add(managed, sender, recipient)
    except ListError:
        test.tell(False)
    else:
        test.tell(True)


# -- help ------------------------------------------------------------------------------------


def add(managed: ManagedList, sender: str, recipient: str) -> ListEntry:
    """Add an entry."""
    return managed.add(NewListEntry(sender=sender, recipient=recipient))


def pairs(managed: ManagedList, sender: str, recipient: str) -> list[tuple[str, str]]:
    """The entries that hold, as pairs."""
    return [(one.sender, one.recipient) for one in managed.covering(sender, recipient)]
