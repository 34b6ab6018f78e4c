"""The contract of storages: no mail is lost, none is kept twice, none is released twice."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pyquarantine_core.body import Body
from pyquarantine_core.errors import EntryNotFoundError, StorageError
from pyquarantine_core.testing import hostile
from pyquarantine_core.testing.contracts.common import in_threads
from pyquarantine_core.testing.contracts.finding import FindingContract
from pyquarantine_core.testing.contracts.storing import (
    PREFIX,
    RECIPIENTS,
    SENDER,
    STORED,
    delete_all,
    hold,
    kept_as,
    new_message,
    stage,
    store,
    store_many,
    store_slowly,
    take_off,
)
from pyquarantine_core.testing.elsewhere import Elsewhere
from pyquarantine_core.testing.rules import received
from pyquarantine_core.types import Entry, Kind, Query, Storage
from pyquarantine_core.types.storage import STORED_AS


class StorageContract(FindingContract):
    """What the core and the quarantine commands rely on in a storage."""

    kind: Kind = Kind.STORAGE

    # -- what a subclass may give ------------------------------------------------------------

    def traces(self, options: Any) -> Collection[str]:  # noqa: ARG002 - for those that override it
        """All that the storage keeps anywhere, entry or not; by default nobody looks."""
        return ()

    # -- what is stored ----------------------------------------------------------------------

    def test_a_message_is_kept_byte_for_byte_as_it_was_received(self, storage: Storage) -> None:
        message = new_message()
        message.add_header("X-Added", "later")
        message.replace_body(Body([b"another"]))
        entry_id = store(storage, message, original=True)
        assert kept_as(storage, entry_id) == STORED

    def test_or_as_the_rules_have_changed_it(self, storage: Storage) -> None:
        message = new_message()
        message.add_header("X-Added", "later")
        message.replace_body(Body([b"another"]))
        kept = kept_as(storage, store(storage, message, original=False))
        assert kept == b"Subject: Hello\r\nX-8bit: \xe4\xff\r\nX-Added: later\r\n\r\nanother"

    def test_a_large_body_is_kept_whole_after_the_message_is_gone(self, storage: Storage) -> None:
        message = new_message()
        body = bytes(range(256)) * 5_000
        message.received_body.append(body)
        entry_id = store(storage, message)
        message.close()
        assert kept_as(storage, entry_id) == STORED + body
        assert storage.get(entry_id).size == len(STORED) + len(body)

    def test_an_entry_tells_what_is_known_of_the_message(self, storage: Storage) -> None:
        message = new_message()
        message.variables["GROUP"] = "value"
        message.smtputf8 = True
        before = datetime.now(UTC)
        entry_id = store(storage, message, quarantine="rule/action")
        entry = storage.get(entry_id)
        assert (entry.id, entry.size, entry.subject) == (entry_id, len(STORED), "Hello")
        assert (entry.sender, entry.recipients) == (SENDER, RECIPIENTS)
        assert (entry.queue_id, entry.smtputf8) == (message.queue_id, True)
        assert entry.quarantine == "rule/action"
        assert entry.variables["GROUP"] == "value"
        assert entry.variables[f"{PREFIX}_ID"] == entry_id
        assert before - timedelta(seconds=1) <= entry.stored_at <= datetime.now(UTC)
        assert storage.metadata(entry_id)

    def test_it_is_kept_for_those_it_was_stored_for_alone(self, storage: Storage) -> None:
        entry_id = store(storage, new_message(), recipients=RECIPIENTS[:1])
        assert storage.get(entry_id).recipients == RECIPIENTS[:1]

    def test_without_metadata_the_message_alone_is_kept(self, storage: Storage) -> None:
        entry_id = store(storage, new_message(), metadata=False)
        assert storage.metadata(entry_id) == {}
        assert [entry.id for entry in storage.entries()] == [entry_id]
        assert (storage.get(entry_id).sender, storage.get(entry_id).recipients) == (None, None)
        assert kept_as(storage, entry_id) == STORED
        with storage.claim(entry_id) as claim:
            with pytest.raises(StorageError):
                claim.keep_only(RECIPIENTS[:1])
            assert claim.read() == STORED

    def test_metavariables_are_set_only_with_a_prefix(self, storage: Storage) -> None:
        effect = stage(storage, new_message(), metavar=None)
        effect.prepare()
        assert effect.variables == {}
        effect.undo()
        effect = stage(storage, new_message())
        effect.prepare()
        assert set(effect.variables) <= {f"{PREFIX}_{name}" for name in STORED_AS}
        assert f"{PREFIX}_ID" in effect.variables
        assert all(type(value) is str for value in effect.variables.values())
        effect.undo()

    @pytest.mark.parametrize("odd", hostile.TEXTS)
    def test_hostile_text_comes_back_as_it_was(self, storage: Storage, odd: str) -> None:
        text = hostile.TEXTS[odd]
        message = hostile.with_text(text)
        message.variables.update({"GROUP": text, text: "value"})
        entry_id = store(storage, message, quarantine="rule/action")
        entry = storage.get(entry_id)
        assert entry in list(storage.entries())
        assert entry in list(storage.find(Query((text,), (text,))))
        assert (entry.sender, entry.recipients) == (text, (text, "u@example.org"))
        assert (entry.variables["GROUP"], entry.variables[text]) == (text, "value")
        assert entry.subject == message.subject
        assert kept_as(storage, entry_id) == b"".join(message.chunks())

    @pytest.mark.parametrize("queue_id", ["", "../../x", "a\0b", "\udcff", "a\nb", "x" * 1_000])
    def test_a_hostile_queue_id_harms_nothing(self, storage: Storage, queue_id: str) -> None:
        message = new_message()
        message.queue_id = queue_id
        entry_id = store(storage, message)
        assert entry_id.isprintable()
        assert storage.get(entry_id).queue_id == queue_id

    @pytest.mark.parametrize("odd", hostile.CONTENTS)
    def test_a_hostile_message_is_kept_byte_for_byte(self, storage: Storage, odd: str) -> None:
        message = received(hostile.CONTENTS[odd])
        entry_id = store(storage, message, original=True)
        assert kept_as(storage, entry_id) == b"".join(message.chunks(original=True))

    # -- prepare, commit, undo ---------------------------------------------------------------

    def test_an_effect_says_what_it_would_do_and_does_nothing_yet(
        self, storage: Storage, options: Any
    ) -> None:
        before = self.traces(options)
        effect = stage(storage, new_message())
        assert effect.describe().isprintable()
        assert effect.describe()
        assert list(storage.entries()) == []
        assert self.traces(options) == before

    def test_what_is_prepared_is_not_seen_before_it_is_committed(self, storage: Storage) -> None:
        effect = stage(storage, new_message())
        effect.prepare()
        entry_id = effect.variables[f"{PREFIX}_ID"]
        assert list(storage.entries()) == []
        with pytest.raises(EntryNotFoundError):
            storage.get(entry_id)
        with pytest.raises(EntryNotFoundError), storage.claim(entry_id):
            pass
        effect.commit()
        effect.conclude()
        assert [entry.id for entry in storage.entries()] == [entry_id]

    def test_what_was_not_prepared_cannot_be_committed(self, storage: Storage) -> None:
        effect = stage(storage, new_message())
        with pytest.raises(StorageError):
            effect.commit()
        assert list(storage.entries()) == []

    @pytest.mark.parametrize("steps", [(), ("prepare",), ("prepare", "commit")])
    @pytest.mark.parametrize("metadata", [True, False])
    def test_undo_leaves_nothing_however_far_it_got(
        self, storage: Storage, options: Any, steps: tuple[str, ...], metadata: bool
    ) -> None:
        kept = store(storage, new_message())
        before = self.traces(options)
        effect = stage(storage, new_message(), metadata=metadata)
        for step in steps:
            getattr(effect, step)()
        effect.undo()
        effect.undo()
        assert [entry.id for entry in storage.entries()] == [kept]
        assert self.traces(options) == before

    # -- processes that die ------------------------------------------------------------------

    def test_of_a_process_killed_before_its_commit_nothing_is_seen(
        self, storage: Storage, elsewhere: Elsewhere
    ) -> None:
        process = elsewhere.start(store_slowly)
        process.hear()
        process.kill()
        assert list(storage.entries()) == []
        kept = store(storage, new_message())
        assert [entry.id for entry in storage.entries()] == [kept]

    def test_of_a_process_killed_after_its_commit_all_is_there(
        self, storage: Storage, elsewhere: Elsewhere
    ) -> None:
        process = elsewhere.start(store_slowly)
        prepared = process.hear()
        process.go_on()
        assert process.hear() == prepared
        process.kill()
        (entry,) = storage.entries()
        assert (entry.id, entry.sender, entry.recipients) == (prepared, SENDER, RECIPIENTS)
        assert kept_as(storage, entry.id) == STORED

    def test_a_claim_ends_with_its_process(self, storage: Storage, elsewhere: Elsewhere) -> None:
        entry_id = store(storage, new_message())
        process = elsewhere.start(hold, entry_id)
        assert process.hear() == "claimed"
        process.kill()
        with storage.claim(entry_id) as claim:
            assert claim.read() == STORED

    # -- many at once ------------------------------------------------------------------------

    def test_threads_store_at_the_same_time(self, storage: Storage) -> None:
        stored: list[str] = []

        def work() -> None:
            stored.extend([store(storage, new_message()) for _ in range(10)])

        in_threads(work, 6)
        assert len(set(stored)) == 60
        assert [entry.id for entry in storage.entries()] == sorted(stored)

    def test_processes_store_at_the_same_time_and_share_no_id(
        self, storage: Storage, elsewhere: Elsewhere
    ) -> None:
        processes = elsewhere.at_once(store_many, *[(15,)] * 4)
        stored = [one for process in processes for one in process.hear()]
        for process in processes:
            process.finish()
        assert len(set(stored)) == 60
        assert [entry.id for entry in storage.entries()] == sorted(stored)
        assert {kept_as(storage, one) for one in stored} == {STORED}

    def test_mail_is_stored_and_released_at_the_same_time(
        self, storage: Storage, elsewhere: Elsewhere
    ) -> None:
        held = [store(storage, new_message()) for _ in range(10)]
        storing, releasing = elsewhere.start(store_many, 15), elsewhere.start(delete_all, held)
        for process in (storing, releasing):
            process.hear()
            process.go_on()
        assert releasing.hear() == 10
        stored = storing.hear()
        for process in (storing, releasing):
            process.finish()
        assert [entry.id for entry in storage.entries()] == stored

    # -- claims ------------------------------------------------------------------------------

    def test_a_claim_shows_the_entry_and_its_bytes(self, storage: Storage) -> None:
        entry_id = store(storage, new_message())
        with storage.claim(entry_id) as claim:
            assert claim.entry == storage.get(entry_id)
            assert claim.read() == claim.read() == STORED

    def test_recipients_are_taken_off_and_all_else_stays(self, storage: Storage) -> None:
        entry_id = store(storage, new_message(), quarantine="rule/action")
        before = storage.get(entry_id)
        with storage.claim(entry_id) as claim:
            claim.keep_only(RECIPIENTS[1:])
            assert claim.entry.recipients == RECIPIENTS[1:]
        after = storage.get(entry_id)
        assert after.recipients == RECIPIENTS[1:]
        assert _without_recipients(after) == _without_recipients(before)
        assert kept_as(storage, entry_id) == STORED

    def test_those_in_doubt_are_named_until_it_is_known(self, storage: Storage) -> None:
        entry_id = store(storage, new_message())
        with storage.claim(entry_id) as claim:
            claim.keep_only(RECIPIENTS, in_doubt=RECIPIENTS[:1])
            assert claim.entry.in_doubt == RECIPIENTS[:1]
        assert storage.get(entry_id).in_doubt == RECIPIENTS[:1]
        with storage.claim(entry_id) as claim:
            claim.keep_only(RECIPIENTS[1:])
        assert storage.get(entry_id).in_doubt == ()

    @pytest.mark.parametrize("how", ["delete", "keep nobody"])
    def test_what_is_deleted_is_gone(self, storage: Storage, options: Any, how: str) -> None:
        kept = store(storage, new_message())
        before = self.traces(options)
        entry_id = store(storage, new_message())
        with storage.claim(entry_id) as claim:
            claim.delete() if how == "delete" else claim.keep_only(())
        assert [entry.id for entry in storage.entries()] == [kept]
        with pytest.raises(EntryNotFoundError), storage.claim(entry_id):
            pass
        assert self.traces(options) == before

    def test_an_error_within_a_claim_comes_out_and_ends_it(self, storage: Storage) -> None:
        entry_id = store(storage, new_message())
        with pytest.raises(ConnectionRefusedError), storage.claim(entry_id):
            raise ConnectionRefusedError
        with storage.claim(entry_id) as claim:
            assert claim.entry.recipients == RECIPIENTS

    def test_of_processes_that_delete_an_entry_one_does(
        self, storage: Storage, elsewhere: Elsewhere
    ) -> None:
        entry_id = store(storage, new_message())
        processes = elsewhere.at_once(delete_all, *[([entry_id],)] * 4)
        assert sorted(process.hear() for process in processes) == [0, 0, 0, 1]
        for process in processes:
            process.finish()

    def test_of_processes_that_take_off_one_recipient_each_none_undoes_another(
        self, storage: Storage, elsewhere: Elsewhere
    ) -> None:
        recipients = tuple(f"{number}@example.org" for number in range(4))
        entry_id = store(storage, new_message(recipients=recipients))
        takers = elsewhere.at_once(take_off, *[(entry_id, one) for one in recipients[:3]])
        for process in takers:
            process.finish()
        assert storage.get(entry_id).recipients == recipients[3:]

    def test_while_one_claims_an_entry_another_waits(
        self, storage: Storage, elsewhere: Elsewhere
    ) -> None:
        entry_id = store(storage, new_message())
        first = elsewhere.start(hold, entry_id)
        assert first.hear() == "claimed"
        (second,) = elsewhere.at_once(take_off, (entry_id, RECIPIENTS[0]))
        assert not second.tells_within(0.5)
        first.go_on()
        for process in (first, second):
            assert process.hear() == "taken off"
            process.finish()
        assert list(storage.entries()) == []


def _without_recipients(entry: Entry) -> tuple[object, ...]:
    return entry.id, entry.size, entry.sender, entry.subject, entry.variables, entry.quarantine
