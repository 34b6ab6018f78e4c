"""Of actions."""

from __future__ import annotations

from .one import Break

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
