"""Mail that tries to get past a rule, through real Postfix: what is held is gone from delivery."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pyquarantine_core.testing.mail import Mail
from pyquarantine_core.testing.mta import Verdict
from pyquarantine_core.testing.pytest_plugin import PostfixFactory
from pyquarantine_core.testing.sink import SmtpSink
from pyquarantine_core.testing.submit import submit, submit_all

from ..hostile import encoded_words, header_fields
from ..hostile.case import FORBIDDEN, SECOND, Case
from .conftest import Admin, DaemonFactory


def config(directory: Path, port: int, **conditions: Any) -> dict[str, Any]:
    (directory / "template").write_text("<p>{SUBJECT}</p>{HTML_TEXT}")
    smtp = {"smtp_host": "127.0.0.1", "smtp_port": port}
    hold = {"storage": "held", "notification": "n", "milter_action": "DISCARD", **smtp}
    return {
        "limits": {"pattern_seconds": 30},  # a busy machine refuses no mail then
        "outbox": f"{directory}/outbox",
        "storages": {"held": {"type": "file", "directory": f"{directory}/held"}},
        "notifications": {
            "n": {
                "type": "email",
                "envelope_from": "filter@example.org",
                "from_header": "filter@example.org",
                "subject": "held",
                "template": f"{directory}/template",
                "smtp_host": "127.0.0.1",
                "smtp_port": 1,  # nobody listens: they wait
            }
        },
        "rules": [
            {
                "name": "all",
                "actions": [
                    {
                        "name": "hold",
                        "type": "quarantine",
                        "conditions": conditions,
                        "options": hold,
                    }
                ],
            }
        ],
    }


def test_no_disguise_of_a_word_in_a_subject_gets_past_a_pattern(
    start_daemon: DaemonFactory,
    throwaway_postfix: PostfixFactory,
    smtp_sink: SmtpSink,
    admin: Admin,
    tmp_path: Path,
) -> None:
    cases: list[Case] = [*encoded_words.cases(), *header_fields.cases()]
    patterns = [f"^Subject:.*(?:{FORBIDDEN}|{SECOND})"]
    daemon = start_daemon(config(tmp_path, smtp_sink.port, headers=patterns))
    postfix = throwaway_postfix(daemon.address)
    mails = [
        Mail("a@example.net", (f"u{number}@example.org",), case.build())
        for number, case in enumerate(cases)
    ]
    for case, sent in zip(cases, submit_all(postfix.port, mails), strict=True):
        assert sent.accepted, (case.name, sent.final)
    postfix.wait_until_idle()
    names = {f"u{number}@example.org": case for number, case in enumerate(cases)}
    delivered = {to for one in smtp_sink.received for to in one.recipients}
    held = {to for one in admin.held("hold") for to in one["recipients"]}
    wanted = {to for to, case in names.items() if case.verdict is Verdict.DISCARD}
    assert sorted(names[to].name for to in delivered & wanted) == []
    assert held == wanted
    assert delivered == names.keys() - wanted
    assert len(wanted) > 150


@pytest.mark.parametrize(
    ("count", "notified"),
    [
        pytest.param(10_000, False, id="10,000 recipients"),
        pytest.param(1_000, True, id="all that Postfix takes by default, each of them notified"),
    ],
)
def test_a_message_for_very_many_is_held_for_all_of_them(
    start_daemon: DaemonFactory,
    throwaway_postfix: PostfixFactory,
    smtp_sink: SmtpSink,
    admin: Admin,
    tmp_path: Path,
    count: int,
    notified: bool,
) -> None:
    rules = config(tmp_path, smtp_sink.port, envto=r"^u\d+@example\.org$")
    if not notified:
        del rules["rules"][0]["actions"][0]["options"]["notification"]
    daemon = start_daemon(rules)
    limit = {"smtpd_recipient_limit": f"{count}", "smtpd_recipient_overshoot_limit": f"{count}"}
    postfix = throwaway_postfix(daemon.address, settings=limit)
    recipients = [f"u{number}@example.org" for number in range(count)]
    content = b"Subject: x\n\nHello\n"
    assert submit(postfix.port, "a@example.net", recipients, content, timeout=300).accepted
    postfix.wait_until_idle()
    assert smtp_sink.received == ()
    (entry,) = admin.held("hold")
    assert entry["recipients"] == recipients
    waiting = [one for one in (tmp_path / "outbox").iterdir() if one.name[0] == "2"]
    assert len(waiting) == (count if notified else 0)
    assert max(map(len, daemon.log.splitlines())) < 5000
