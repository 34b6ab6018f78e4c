"""Of storages."""

from __future__ import annotations

from .one import Break

GET = "    def get(self, entry_id: str) -> Entry:\n"
FIND = "    def find(self, query, *, before=None, limit=None):\n        "


def finding(test: str, how: str) -> Break:
    """A storage that finds entries in a way of its own."""
    return Break(test, "storage.py", GET, f"{FIND}{how}\n\n{GET}")


STORAGE = [
    finding(
        "what_is_found_comes_newest_first_and_page_by_page",
        "return (one for one in self.entries() if query.matches(one))",
    ),
    finding(
        "what_is_found_comes_newest_first_and_page_by_page",
        "return super().find(query, before=before)",
    ),
    finding(
        "what_is_found_comes_newest_first_and_page_by_page",
        "return super().find(query, limit=limit)",
    ),
    finding(
        "all_that_match_are_found_and_no_others",
        "return (one for one in super().find(query, before=before, limit=limit)\n"
        "                if one.sender is not None)",
    ),
    finding(
        "all_that_match_are_found_and_no_others",
        "return filter(query.matches, super().find(type(query)(), before=before, limit=limit))",
    ),
    finding(
        "what_has_changed_is_found_as_it_is_now",
        "kept = self.__dict__.setdefault(str((query, before, limit)), [])\n"
        "        kept.extend([] if kept else super().find(query, before=before, limit=limit))\n"
        "        return iter(kept)",
    ),
    finding(
        "what_other_processes_have_stored_is_found_at_once",
        "kept = self.__dict__.setdefault(str((query, before, limit)), [])\n"
        "        kept.extend([] if kept else super().find(query, before=before, limit=limit))\n"
        "        return iter(kept)",
    ),
    finding(
        "entries_may_go_while_they_are_listed",
        "for number in range(100):\n"
        "            found = list(super().find(query, before=before))[number:]\n"
        "            yield from found[:1]",
    ),
    Break(
        "what_is_prepared_is_not_seen_before_it_is_committed",
        "storage.py",
        "VALUES (?, 0, ?, ?, ?)",
        "VALUES (?, 1, ?, ?, ?)",
    ),
    Break(
        "of_a_process_killed_before_its_commit_nothing_is_seen",
        "storage.py",
        "VALUES (?, 0, ?, ?, ?)",
        "VALUES (?, 1, ?, ?, ?)",
    ),
    Break(
        "of_a_process_killed_after_its_commit_all_is_there",
        "storage.py",
        '            done = database.execute("UPDATE entries SET seen = 1',
        '            done = database.execute("UPDATE entries SET seen = 0',
    ),
    Break(
        "undo_leaves_nothing_however_far_it_got",
        "storage.py",
        'DELETE FROM entries WHERE id = ?", (self._id,)',
        'DELETE FROM entries WHERE seen AND id = ?", (self._id,)',
    ),
    Break(
        "what_was_not_prepared_cannot_be_committed",
        "storage.py",
        "if not done.rowcount:",
        "if done.rowcount > 1:",
    ),
    Break(
        "processes_store_at_the_same_time_and_share_no_id",
        "storage.py",
        "{count + 1:012}-{token_hex(4)}",
        "{now:%Y%m%d%H%M%S}",
    ),
    Break(
        "entries_come_oldest_first_and_sort_by_their_ids",
        "storage.py",
        "{count + 1:012}-",
        "",
    ),
    Break(
        "a_message_is_kept_byte_for_byte_as_it_was_received",
        "storage.py",
        "chunks(original=self._new.original)",
        "chunks()",
    ),
    Break(
        "or_as_the_rules_have_changed_it",
        "storage.py",
        "chunks(original=self._new.original)",
        "chunks(original=True)",
    ),
    Break(
        "without_metadata_the_message_alone_is_kept",
        "storage.py",
        "kept if self._new.metadata else {}",
        "kept",
    ),
    Break(
        "hostile_text_comes_back_as_it_was",
        "storage.py",
        '"sender": message.sender,',
        '"sender": message.sender.encode(errors="replace").decode(),',
    ),
    Break(
        "it_is_kept_for_those_it_was_stored_for_alone",
        "storage.py",
        '"recipients": self._new.recipients,',
        '"recipients": message.addresses,',
    ),
    Break(
        "metavariables_are_set_only_with_a_prefix",
        "storage.py",
        'return self._new.named({"ID": self._id})',
        'return {f"{self._new.metavar}_ID": self._id}',
    ),
    Break(
        "what_is_no_entry_is_not_found",
        "storage.py",
        "if entry_id.isascii():",
        "if True:",
    ),
    Break(
        "while_one_claims_an_entry_another_waits",
        "storage.py",
        "        with self.transaction() as database:\n            yield _SqliteClaim",
        '        with self.transaction("BEGIN") as database:\n            yield _SqliteClaim',
    ),
    Break(
        "an_error_within_a_claim_comes_out_and_ends_it",
        "storage.py",
        "            yield _SqliteClaim(database, _entry(_row(database, entry_id)))",
        "            try:\n"
        "                yield _SqliteClaim(database, _entry(_row(database, entry_id)))\n"
        "            except OSError as error:\n"
        "                raise StorageError(str(error)) from error",
    ),
    Break(
        "what_is_deleted_is_gone",
        "storage.py",
        'DELETE FROM entries WHERE id = ?", (self.entry.id,)',
        'UPDATE entries SET seen = 0 WHERE id = ?", (self.entry.id,)',
    ),
    Break(
        "those_in_doubt_are_named_until_it_is_known",
        "storage.py",
        '"in_doubt": in_doubt',
        '"in_doubt": ()',
    ),
    Break(
        "recipients_are_taken_off_and_all_else_stays",
        "storage.py",
        "{**_metadata(row), **left}",
        "left",
    ),
    Break(
        "entries_are_found_by_sender_recipient_and_age",
        "storage.py",
        'datetime.fromisoformat(row["stored_at"])',
        "datetime(2024, 1, 1, tzinfo=UTC)",
    ),
    Break(
        "building_it_opens_nothing_that_lasts",
        "storage.py",
        "        self._path = path\n",
        "        self._path = path\n        self._file = open(path, 'ab', 0)\n",
    ),
    Break(
        "what_it_opens_it_closes_and_closing_again_does_no_harm",
        "storage.py",
        "    def set_up(self)",
        "    def open(self) -> None:\n        self._file = self._path.open()\n\n"
        "    def set_up(self)",
    ),
    Break(
        "every_option_is_described_and_its_default_is_valid",
        "__init__.py",
        '        "description": description,\n',
        "",
    ),
    Break(
        "a_value_that_an_option_cannot_take_is_told_in_one_line",
        "__init__.py",
        '        "type": "string",\n',
        "",
    ),
    Break(
        "the_options_that_it_must_refuse_are_told_in_one_line",
        "__init__.py",
        '        "pattern": r"^/[^\\u0000-\\u001f\\ud800-\\udfff]*$",\n',
        "",
    ),
    Break(
        "it_is_declared_with_a_line_that_says_what_it_is",
        "__init__.py",
        'summary="Messages in an SQLite database, for tests"',
        'summary="Messages in an SQLite database,\\nfor tests"',
    ),
]
