"""Example configs, through real Postfix, for clients inside and outside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyquarantine_core.config_file import read_config_file
from pyquarantine_core.testing.mta import Mail, Verdict
from pyquarantine_core.testing.mta import send as hand_over
from pyquarantine_core.testing.pytest_plugin import PostfixFactory
from pyquarantine_core.testing.sink import SmtpSink
from pyquarantine_core.testing.submit import submit

from .conftest import Admin, DaemonFactory

COOKBOOK = Path(__file__).parent.parent.parent / "docs" / "cookbook"
OUTSIDE = {"ADDR": "192.0.2.25", "NAME": "mail.example.net"}


def quarantines(directory: Path, port: int) -> dict[str, Any]:
    def quarantine(name: str, header: str, **options: str) -> dict[str, Any]:
        smtp = {"smtp_host": "localhost", "smtp_port": port}
        return {
            "name": name,
            "type": "quarantine",
            "conditions": {"headers": [header]},
            "options": {"storage": name, **smtp, **options},
        }

    return {
        "storages": {
            name: {"type": "file", "directory": f"{directory}/{name}"} for name in ("virus", "spam")
        },
        "rules": [
            {
                "name": "inbound",
                "conditions": {"local": False},
                "actions": [
                    quarantine(
                        "virus",
                        "^X-Virus: Yes",
                        milter_action="REJECT",
                        reject_reason="Message rejected due to virus",
                    ),
                    quarantine("spam", "^X-Spam: Yes", milter_action="DISCARD"),
                ],
            }
        ],
    }


SUBJECT_MARK: dict[str, Any] = {
    "rules": [
        {
            "name": "inbound",
            "conditions": {"local": False},
            "actions": [
                {
                    "name": "add_subject_prefix",
                    "type": "mod_header",
                    "options": {
                        "field": "^(Subject|Thread-Topic)$",
                        "search": "^(?P<subject>.*)",
                        "value": "[EXTERNAL] \\g<subject>",
                    },
                }
            ],
        },
        {
            "name": "outbound",
            "conditions": {"local": True},
            "actions": [
                {
                    "name": "remove_subject_prefix",
                    "type": "mod_header",
                    "options": {
                        "field": "^(Subject|Thread-Topic)$",
                        "search": "^(?P<prefix>.*)\\[EXTERNAL\\] (?P<suffix>.*)$",
                        "value": "\\g<prefix>\\g<suffix>",
                    },
                }
            ],
        },
    ]
}


def mail(*headers: str) -> bytes:
    return "\n".join(("From: a@example.net", "To: u@example.org", *headers, "", "text")).encode()


def test_virus_is_rejected_spam_discarded_and_both_are_held(
    start_daemon: DaemonFactory,
    throwaway_postfix: PostfixFactory,
    smtp_sink: SmtpSink,
    admin: Admin,
    tmp_path: Path,
) -> None:
    daemon = start_daemon(quarantines(tmp_path, smtp_sink.port))
    postfix = throwaway_postfix(daemon.address)
    recipients = ["u@example.org"]

    def send(*headers: str, client: dict[str, str] | None = None) -> str:
        done = submit(
            postfix.port, "a@example.net", recipients, mail(*headers), xclient=client or OUTSIDE
        )
        return str(done.final)

    assert send("Subject: v", "X-Virus: Yes") == "554 5.7.0 Message rejected due to virus"
    assert send("Subject: s", "X-Spam: Yes").startswith("250 ")
    assert send("Subject: ham").startswith("250 ")
    assert send("Subject: from inside", "X-Spam: Yes", client={"ADDR": "10.0.0.7"}).startswith(
        "250"
    )
    postfix.wait_until_idle()

    delivered = sorted(one.content.partition(b"Subject: ")[2] for one in smtp_sink.received)
    assert [one.partition(b"\r\n")[0] for one in delivered] == [b"from inside", b"ham"]
    (virus,) = admin.held("virus")
    (spam,) = admin.held("spam")
    assert (virus["subject"], virus["recipients"]) == ("v", ["u@example.org"])
    assert (spam["subject"], spam["sender"]) == ("s", "a@example.net")
    assert spam["queue_id"]
    assert spam["quarantine"] == "inbound/spam"


def test_subjects_are_marked_on_the_way_in_and_cleared_on_the_way_out(
    start_daemon: DaemonFactory, throwaway_postfix: PostfixFactory, smtp_sink: SmtpSink
) -> None:
    postfix = throwaway_postfix(start_daemon(SUBJECT_MARK).address)
    subjects = ["Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=", "Thread-Topic: hello", "X-Other: hello"]
    submit(postfix.port, "a@example.net", ["u@example.org"], mail(*subjects), xclient=OUTSIDE)
    smtp_sink.wait_for(1, 30)
    (marked,) = smtp_sink.received
    lines = marked.content.split(b"\r\n")
    assert b"Thread-Topic: [EXTERNAL] hello" in lines
    assert b"X-Other: hello" in lines
    (subject,) = [line for line in lines if line.startswith(b"Subject: ")]
    assert subject.startswith(b"Subject: [EXTERNAL] =?utf-8?")

    answer = [f"Subject: Re: {subject.decode().partition(' ')[2]}"]
    submit(postfix.port, "u@example.org", ["a@example.net"], mail(*answer))
    smtp_sink.wait_for(2, 30)
    answered = smtp_sink.received[1].content
    assert b"EXTERNAL" not in answered
    assert b"Subject: Re: =?utf-8?" in answered


def test_the_cookbook_tells_recipients_what_is_held_unless_they_want_its_sender(
    start_daemon: DaemonFactory, smtp_sink: SmtpSink, admin: Admin, tmp_path: Path
) -> None:
    recipe = tmp_path / "recipe.conf"
    text = (COOKBOOK / "virus-and-spam.conf").read_text()
    text = text.replace("/var/lib/pyquarantine", str(tmp_path)).replace(
        "10025", str(smtp_sink.port)
    )
    recipe.write_text(text)
    config = read_config_file(recipe).data
    daemon = start_daemon({**config, "outbox": f"{tmp_path}/outbox"})
    admin.out("list", "wanted", "add", "-f", "@example.net", "-t", "fan@example.org")

    def verdict(header: str, *recipients: str) -> Verdict | None:
        content = mail("Subject: Offer", header)
        return hand_over(daemon.address, Mail("a@example.net", recipients, content)).verdict

    assert verdict("X-Virus: Yes", "u@example.org") is Verdict.REJECT
    assert verdict("X-Spam: Yes", "u@example.org", "fan@example.org") is Verdict.ACCEPT
    told = smtp_sink.wait_for(2, 30)
    assert [one.recipients for one in told] == [("u@example.org",), ("u@example.org",)]
    subjects = sorted(one.content.partition(b"Subject: ")[2].partition(b"\r")[0] for one in told)
    assert subjects == [b"[SPAM] Offer", b"[VIRUS] Offer"]
