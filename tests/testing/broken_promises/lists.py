"""Of lists."""

from __future__ import annotations

from .one import Break

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
