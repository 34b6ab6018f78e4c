"""How entries of a storage are found: the part of its contract that listings rely on."""

from __future__ import annotations

from typing import Any

import pytest

from pyquarantine_core.config import Config
from pyquarantine_core.errors import EntryNotFoundError
from pyquarantine_core.quarantine import Quarantine
from pyquarantine_core.testing.contracts.common import TypeContract
from pyquarantine_core.testing.contracts.storing import (
    RECIPIENTS,
    SENDER,
    new_message,
    store,
    store_and_tell,
)
from pyquarantine_core.testing.elsewhere import NAME, Elsewhere, Spec
from pyquarantine_core.types import Entry, Holding, Query, Storage, StorageHandle

NO_IDS = ("", ".", "..", "/", "../x", "a/b", "\0", "a\nb", "\udcff", "no-such-entry", "x" * 5_000)
"""What no entry is named, and no storage may stumble over."""


class FindingContract(TypeContract):
    """The part about finding."""

    @pytest.fixture
    def storage(self, spec: Spec, config: Config) -> Storage:
        """The storage, open."""
        found = spec.component(config)
        assert isinstance(found, Storage)
        return found

    def test_entries_come_oldest_first_and_sort_by_their_ids(self, storage: Storage) -> None:
        stored = [store(storage, new_message()) for _ in range(30)]
        assert [entry.id for entry in storage.entries()] == stored
        assert sorted(set(stored)) == stored

    def test_what_is_found_comes_newest_first_and_page_by_page(self, storage: Storage) -> None:
        newest_first = [store(storage, new_message()) for _ in range(10)][::-1]
        assert _ids(storage, Query()) == newest_first
        assert _ids(storage, Query(), limit=4) == newest_first[:4]
        assert _ids(storage, Query(), before=newest_first[3], limit=4) == newest_first[4:8]
        assert _ids(storage, Query(), before=newest_first[7], limit=4) == newest_first[8:]
        assert _ids(storage, Query(), before=newest_first[9]) == []

    def test_entries_are_found_by_sender_recipient_and_age(self, storage: Storage) -> None:
        spam = store(storage, new_message(sender="spammer@example.net"))
        other = store(storage, new_message(recipients=("three@example.org",)))
        held = Quarantine("r/a", Holding(StorageHandle(NAME, storage, True, True, None), "", 25))

        def found(**filters: Any) -> list[str]:
            return [entry.id for entry in held.find(Query(**filters))]

        assert found() == [other, spam]
        assert found(senders=("*@EXAMPLE.net",)) == [spam]
        assert found(recipients=("three@*",)) == [other]
        assert found(older_than=1) == []
        assert found(older_than=-1) == [other, spam]
        assert held.get(spam).id == spam

    def test_all_that_match_are_found_and_no_others(self, storage: Storage) -> None:
        senders = ("", SENDER, "FROM@example.org", "[x]@example.org", "straße@example.org")
        for number, sender in enumerate(senders):
            recipients = (f"u{number}@example.org", "all@example.org")
            store(storage, new_message(sender, recipients), quarantine=f"r/{number % 2}")
            store(storage, new_message(sender), metadata=False)
        entries = list(storage.entries())[::-1]
        patterns = (*senders, "*", "?*", "[a-z]*@*", "STRASSE@*", "nobody@example.org")
        queries = [
            *(Query(senders=(one,)) for one in patterns),
            *(Query(recipients=(one, "u1@*")) for one in patterns),
            *(Query(not_of=frozenset(one)) for one in (["r/0"], ["r/0", "r/1"], ["x"])),
            Query((SENDER, "[[]x]@*"), ("u?@example.org",), -1, frozenset(["r/1"])),
            Query(older_than=1e300),
        ]
        for query in queries:
            expected = [one for one in entries if query.matches(one)]
            assert list(storage.find(query)) == expected, query
            assert list(storage.find(query, limit=1)) == expected[:1], query

    def test_what_has_changed_is_found_as_it_is_now(self, storage: Storage) -> None:
        changed, gone = store(storage, new_message()), store(storage, new_message())
        first, second = (Query(recipients=(one,)) for one in RECIPIENTS)
        assert _ids(storage, first) == [gone, changed]
        with storage.claim(changed) as claim:
            claim.keep_only(RECIPIENTS[1:])
        with storage.claim(gone) as claim:
            claim.delete()
        assert _ids(storage, first) == []
        assert _ids(storage, second) == _ids(storage, Query()) == [changed]

    def test_entries_may_go_while_they_are_listed(self, storage: Storage) -> None:
        stored = [store(storage, new_message()) for _ in range(10)]
        seen = []
        for entry in storage.find(Query(recipients=RECIPIENTS)):
            seen.append(entry.id)
            with storage.claim(entry.id) as claim:
                claim.delete()
        assert seen == stored[::-1]
        assert list(storage.find(Query())) == []

    def test_what_other_processes_have_stored_is_found_at_once(
        self, storage: Storage, elsewhere: Elsewhere
    ) -> None:
        stored = {store(storage, new_message())}
        assert set(_ids(storage, Query())) == stored  # what is kept of a look may be kept too long
        processes = elsewhere.at_once(store_and_tell, *[(10,)] * 3)
        for _ in range(10):
            stored.update(process.hear() for process in processes)
            assert stored <= {entry.id for entry in storage.find(Query())}
            assert stored <= {entry.id for entry in storage.find(Query(recipients=RECIPIENTS))}
        for process in processes:
            process.finish()
        assert _ids(storage, Query()) == sorted(stored, reverse=True)

    @pytest.mark.parametrize("wrong", NO_IDS)
    def test_what_is_no_entry_is_not_found(self, storage: Storage, wrong: str) -> None:
        store(storage, new_message())
        for look in (storage.get, storage.open_message, storage.metadata):
            with pytest.raises(EntryNotFoundError):
                look(wrong)
        with pytest.raises(EntryNotFoundError), storage.claim(wrong):
            pass
        assert all(isinstance(one, Entry) for one in storage.find(Query(), before=wrong))


def _ids(storage: Storage, query: Query, **page: Any) -> list[str]:
    return [entry.id for entry in storage.find(query, **page)]
