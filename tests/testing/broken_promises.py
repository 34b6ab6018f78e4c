"""Plugins that break one promise each: what is changed in one that keeps them all.

The plugins are the stand-ins (`pyquarantine_core.testing.stand_ins`) and those in `stranger`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Break:
    """A plugin with one promise broken.

    Attributes:
        test: the test that must notice it.
        file: of the plugin, the one to change.
        old: what stands there.
        new: what is put in its place.
    """

    test: str
    file: str
    old: str
    new: str


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

NOTIFICATION = [
    Break(
        "no_text_of_a_message_becomes_a_header",
        "notification.py",
        "{message.sender!a}",
        "{message.sender}",
    ),
    Break(
        "any_message_gives_bytes_and_stays_as_it_is",
        "notification.py",
        "{message.sender!a}",
        "{message.sender}",
    ),
    Break(
        "any_message_gives_bytes_and_stays_as_it_is",
        "notification.py",
        "        return f",
        "        message.variables['TOLD'] = 'yes'\n        return f",
    ),
    Break("any_recipient_gives_bytes", "notification.py", "{recipient!a}", "{recipient}"),
    Break(
        "preparing_delivers_nothing",
        "notification.py",
        "        return f",
        "        (self._directory / recipient).write_bytes(b'\"\"\\n')\n        return f",
    ),
    Break(
        "it_is_delivered_unchanged_by_another_process_to_its_recipient_alone",
        "notification.py",
        'b"\\n" + item.content',
        'b"\\n" + item.content.strip()',
    ),
    Break(
        "it_is_delivered_unchanged_by_another_process_to_its_recipient_alone",
        "notification.py",
        "        head = json.dumps(item.recipient).encode()",
        "        head = json.dumps(self._last).encode()",
    ),
    Break(
        "one_that_is_tried_again_is_delivered_again",
        "notification.py",
        "token_hex(8)",
        "item.recipient",
    ),
]

LIST = [
    Break(
        "an_entry_covers_its_pair_and_no_other",
        "mail_list.py",
        "(one for one in found if one.recipient in recipients)",
        "(one for one in found if one.recipient in recipients or one.recipient)",
    ),
    Break(
        "letter_case_never_counts_in_entries_and_mail",
        "mail_list.py",
        "candidates(sender), candidates(recipient)",
        "[sender, ''], [recipient, '']",
    ),
    Break(
        "a_tagged_sender_is_who_it_was",
        "mail_list.py",
        "candidates(sender), candidates(recipient)",
        "[sender.lower(), ''], [recipient.lower(), '']",
    ),
    Break(
        "an_empty_side_is_anyone_the_null_sender_too",
        "mail_list.py",
        "candidates(sender), candidates(recipient)",
        "candidates(sender)[:1], candidates(recipient)[:1]",
    ),
    Break(
        "the_most_specific_entry_comes_first_the_sender_before_the_recipient",
        "mail_list.py",
        "(senders.index(one.sender), recipients.index(one.recipient))",
        "(recipients.index(one.recipient), senders.index(one.sender))",
    ),
    Break(
        "it_says_true_or_false",
        "mail_list.py",
        "return bool(found)",
        "return found",
    ),
    Break(
        "a_pair_is_added_once",
        "mail_list.py",
        "if any((one.sender",
        "if False and any((one.sender",
    ),
    Break(
        "what_is_no_entry_is_refused_in_one_line",
        "mail_list.py",
        "sender=as_entry(new.sender)",
        "sender=new.sender.strip().lower()",
    ),
    Break(
        "a_deleted_entry_covers_nobody",
        "mail_list.py",
        "                    entries.remove(one)\n",
        "",
    ),
    Break(
        "what_is_no_entry_cannot_be_deleted",
        "mail_list.py",
        'raise ListError(f"there is no entry',
        'raise KeyError(f"there is no entry',
    ),
    Break(
        "the_entry_that_counted_was_used_and_no_other",
        "mail_list.py",
        "if one.id == used.id else one for",
        "if one.id != used.id else one for",
    ),
    Break(
        "processes_add_and_ask_at_the_same_time",
        "mail_list.py",
        "            fcntl.flock(lock, fcntl.LOCK_EX)\n",
        "",
    ),
    Break(
        "entries_come_oldest_first_each_with_an_id_of_its_own",
        "mail_list.py",
        "return iter(self._read())",
        "return reversed(self._read())",
    ),
]

CONDITION = [
    Break(
        "it_answers_with_a_match_that_is_true_or_false_and_says_why",
        "condition.py",
        "Match(bool(found)",
        "Match(int(found)",
    ),
    Break(
        "it_answers_with_a_match_that_is_true_or_false_and_says_why",
        "condition.py",
        "        return Match(",
        "        return bool(",
    ),
    Break(
        "it_is_decided_at_its_stage_and_what_comes_later_changes_nothing",
        "condition.py",
        "for one in message.headers",
        "for one in message.headers if message.body is not None",
    ),
    Break(
        "it_is_decided_at_its_stage_and_what_comes_later_changes_nothing",
        "condition.py",
        "        return Match(",
        "        found = found or len(message.current_body) > 3\n        return Match(",
    ),
    Break(
        "it_looks_at_no_part_that_it_does_not_declare_to_read",
        "condition.py",
        "reads=Part.HEADERS",
        "reads=Part.NOTHING",
    ),
    Break(
        "it_changes_nothing",
        "condition.py",
        "        return Match(",
        "        message.variables['FOUND'] = 'yes'\n        return Match(",
    ),
    Break(
        "it_answers_the_same_when_asked_again_and_by_many_threads",
        "condition.py",
        "        return Match(",
        "        self.times = getattr(self, 'times', 0) + 1\n        found = self.times % 3\n"
        "        return Match(",
    ),
    Break(
        "it_matches_what_it_should_and_nothing_else",
        "condition.py",
        "Match(bool(found)",
        "Match(not found",
    ),
    Break(
        "every_option_is_described_and_its_default_is_valid",
        "condition.py",
        ', "description": "Header that must be there."',
        "",
    ),
    Break(
        "a_value_that_an_option_cannot_take_is_told_in_one_line",
        "condition.py",
        '"type": "string", ',
        "",
    ),
]

ACTION = [
    Break(
        "it_works_on_any_message_with_what_it_declares",
        "action.py",
        "changes=Part.HEADERS",
        "changes=Part.NOTHING",
    ),
    Break(
        "it_works_on_any_message_with_what_it_declares",
        "action.py",
        "needs=Stage.HEADERS",
        "needs=Stage.ENVELOPE",
    ),
    Break(
        "it_works_on_any_message_with_what_it_declares",
        "action.py",
        '"utf-8"',
        '"ascii"',
    ),
    Break(
        "it_works_on_any_message_with_what_it_declares",
        "action.py",
        "        message.add_header(",
        "        return True\n        message.add_header(",
    ),
    Break(
        "the_message_as_received_stays_as_it_was",
        "action.py",
        "        message.add_header(",
        "        del message.received_headers[:1]\n        message.add_header(",
    ),
    Break(
        "equal_messages_are_treated_alike",
        "action.py",
        "        message.add_header(",
        "        length += id(message)\n        message.add_header(",
    ),
    Break(
        "pretended_it_leaves_all_as_it_is",
        "action.py",
        "        message.add_header(",
        "        message.smtputf8 = True\n        message.receive_header('X', b'y')\n"
        "        message.add_header(",
    ),
    Break(
        "threads_use_it_at_the_same_time",
        "action.py",
        "        message.add_header(",
        "        self.busy = getattr(self, 'busy', 0) + 1\n        if self.busy > 100:\n"
        "            raise RuntimeError\n        message.add_header(",
    ),
    Break(
        "the_options_that_it_must_refuse_are_told_in_one_line",
        "action.py",
        '"minimum": 1, ',
        "",
    ),
]
