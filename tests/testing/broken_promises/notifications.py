"""Of notifications."""

from __future__ import annotations

from .one import Break

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
