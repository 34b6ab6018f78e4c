"""Release, copy and delete, as an admin types them."""

from __future__ import annotations

import json
import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest

from pyquarantine_core.testing.mta import Mail, send
from pyquarantine_core.testing.processes import PATIENCE
from pyquarantine_core.testing.sink import SmtpSink

from .conftest import Admin, DaemonFactory
from .test_recipients import SPELLINGS, config

CONTENT = (
    b"From: =?utf-8?q?J=C3=B6rg?= <j@example.net>\r\nSubject: \xcf\xf0\xe8\xe2\xe5\xf2\r\n"
    b"X-Spam: Yes\r\nDKIM-Signature: a=1;\r\n\tb=2\r\n\r\n.\r\n..two\r\n\xff\xfe\r\n\r\nend\r\n"
)


@pytest.fixture
def hold(
    start_daemon: DaemonFactory, smtp_sink: SmtpSink, admin: Admin, tmp_path: Path
) -> dict[str, Any]:
    """One message held for three recipients, as listed."""
    daemon = start_daemon(config(tmp_path, smtp_sink.port, milter_action="DISCARD"))
    send(daemon.address, Mail("<bounce@example.net>", tuple(SPELLINGS), CONTENT))
    (entry,) = admin.held("hold")
    return entry


def test_the_last_release_takes_the_entry_away(
    hold: dict[str, Any], admin: Admin, smtp_sink: SmtpSink, tmp_path: Path
) -> None:
    admin.out("quarantine", "hold", "release", hold["id"], "-a")
    assert [one.recipients for one in smtp_sink.received] == [
        ("u1@example.org", "U2@Example.ORG", "u3@example.org")
    ]
    assert list((tmp_path / "spam").iterdir()) == []


def test_a_failed_release_leaves_the_entry_whole(
    hold: dict[str, Any], admin: Admin, smtp_sink: SmtpSink
) -> None:
    for failure in ("451 4.3.0 full", "554 5.0.0 no"):
        smtp_sink.refuse_data = failure
        done = admin.run("quarantine", "hold", "release", hold["id"], "-a")
        assert done.returncode == 1
        assert f"{hold['id']} was not sent and is still held: " in done.stderr.decode()
        assert failure in done.stderr.decode()
        assert done.stderr.count(b"\n") == 1
        assert admin.held("hold") == [hold]


def test_a_release_whose_answer_is_lost_is_not_sent_again_unasked(
    hold: dict[str, Any], admin: Admin, smtp_sink: SmtpSink
) -> None:
    release = ("quarantine", "hold", "release", hold["id"])
    smtp_sink.refuse_recipients = {"u3@example.org": "450 4.2.1 later"}
    smtp_sink.drop_after_data = True
    done = admin.run(*release, "-a")
    assert done.returncode == 1
    assert b"it may have taken the message all the same" in done.stderr
    assert b"may have been sent to u1@example.org, U2@Example.ORG: " in done.stderr
    assert b"release it to them (-t) with --again" in done.stderr
    doubtful = ["u1@example.org", "U2@Example.ORG"]
    assert admin.held("hold") == [hold | {"in_doubt": doubtful}]
    assert b"u1@example.org (in doubt)" in admin.out("quarantine", "hold", "list")

    smtp_sink.drop_after_data = False
    smtp_sink.refuse_recipients = {}
    done = admin.run(*release, "-a")
    assert done.returncode == 1
    assert b"was sent to nobody now, since u1@example.org, U2@Example.ORG may have" in done.stderr
    checked = admin.run("check")
    assert checked.returncode == 1
    assert b"for you to decide" in checked.stdout

    admin.out(*release, "-t", "u3@example.org")
    admin.out("quarantine", "hold", "delete", hold["id"], "-t", "u1@example.org")
    (left,) = admin.held("hold")
    assert left["recipients"] == left["in_doubt"] == ["U2@Example.ORG"]
    admin.out(*release, "-a", "--again")
    assert [one.recipients for one in smtp_sink.received] == [
        ("u3@example.org",),
        ("U2@Example.ORG",),
    ]
    assert admin.held("hold") == []
    assert admin.out("check") == b"nothing is wrong\n"


def test_a_release_that_is_interrupted_says_who_may_have_it(
    hold: dict[str, Any], admin: Admin, smtp_sink: SmtpSink
) -> None:
    smtp_sink.hold_answers = True
    with admin.begin("quarantine", "hold", "release", hold["id"], "-t", "u1@example.org") as begun:
        smtp_sink.wait_for(1)
        with admin.begin("quarantine", "hold", "delete", hold["id"], "-a") as waiting:
            assert waiting.stderr is not None
            assert waiting.stderr.readline().decode() == (
                f"pyquarantine: something else is at work with {hold['id']}; waiting for it\n"
            )
            begun.send_signal(signal.SIGINT)
            _, said = begun.communicate(timeout=PATIENCE)
            assert waiting.wait(PATIENCE) == 0
    assert begun.returncode == 1
    assert said.decode().startswith(
        f"pyquarantine: {hold['id']} may have been sent to u1@example.org: you interrupted it; look"
    )
    assert said.count(b"\n") == 1
    assert admin.held("hold") == []


def test_a_release_that_is_interrupted_before_the_server_has_it_leaves_the_entry_as_it_was(
    hold: dict[str, Any], admin: Admin, smtp_sink: SmtpSink
) -> None:
    smtp_sink.drop_after_data = True
    admin.run("quarantine", "hold", "release", hold["id"], "-t", "u1@example.org")
    (doubtful,) = admin.held("hold")
    assert doubtful["in_doubt"] == ["u1@example.org"]
    smtp_sink.stop()
    with (
        socket.create_server(("127.0.0.1", smtp_sink.port)) as mute,
        admin.begin("quarantine", "hold", "release", hold["id"], "-t", "u3@example.org") as begun,
    ):
        connection, _ = mute.accept()
        begun.send_signal(signal.SIGINT)
        _, said = begun.communicate(timeout=PATIENCE)
        connection.close()
    assert (begun.returncode, said.decode()) == (
        1,
        f"pyquarantine: {hold['id']} was not sent and is still held: you interrupted it\n",
    )
    assert admin.held("hold") == [doubtful]


def test_a_recipient_that_the_server_refuses_stays_on_the_entry(
    hold: dict[str, Any], admin: Admin, smtp_sink: SmtpSink
) -> None:
    smtp_sink.refuse_recipients = {"u1@example.org": "550 5.1.1 unknown"}
    done = admin.run("quarantine", "hold", "release", hold["id"], "-a")
    assert done.returncode == 1
    assert "u1@example.org: 550 5.1.1 unknown" in done.stderr.decode()
    assert [one.recipients for one in smtp_sink.received] == [("U2@Example.ORG", "u3@example.org")]
    (left,) = admin.held("hold")
    assert left["recipients"] == ["u1@example.org"]


def test_a_copy_goes_to_anybody_and_the_entry_stays(
    hold: dict[str, Any], admin: Admin, smtp_sink: SmtpSink
) -> None:
    admin.out("quarantine", "hold", "copy", hold["id"], "-t", "postmaster@example.org")
    (copied,) = smtp_sink.received
    assert copied.recipients == ("postmaster@example.org",)
    assert copied.content == CONTENT
    assert admin.held("hold") == [hold]


def test_delete_takes_recipients_off_or_the_whole_entry(
    hold: dict[str, Any], admin: Admin, smtp_sink: SmtpSink
) -> None:
    admin.out("quarantine", "hold", "delete", hold["id"], "-t", "u1@example.org")
    assert admin.held("hold")[0]["recipients"] == ["U2@Example.ORG", "u3@example.org"]
    assert admin.run("quarantine", "hold", "delete", hold["id"]).returncode == 2
    admin.out("quarantine", "hold", "delete", hold["id"], "-a")
    assert admin.held("hold") == []
    assert smtp_sink.received == ()


def test_an_entry_without_metadata_is_listed_as_unknown_and_released_to_named_people(
    hold: dict[str, Any], admin: Admin, smtp_sink: SmtpSink, tmp_path: Path
) -> None:
    (tmp_path / "spam" / f"{hold['id']}.metadata").unlink()
    (entry,) = admin.held("hold")
    assert (entry["sender"], entry["recipients"]) == (None, None)
    assert "(unknown)" in admin.out("quarantine", "hold", "list").decode()
    refused = admin.run("quarantine", "hold", "release", hold["id"], "-a")
    assert refused.returncode == 1
    assert b"-t" in refused.stderr
    refused = admin.run("quarantine", "hold", "release", hold["id"], "-t", "u@example.org")
    assert refused.returncode == 1
    assert b"--from" in refused.stderr
    to_u = ("quarantine", "hold", "release", hold["id"], "-t", "u@example.org", "--from", "a@b.cd")
    smtp_sink.drop_after_data = True
    unclear = admin.run(*to_u)
    assert f"{hold['id']} may have been sent to u@example.org: " in unclear.stderr.decode()
    assert unclear.stderr.endswith(b"before you release it to them again\n")
    smtp_sink.drop_after_data = False
    release = ("release", hold["id"], "--from", "s@example.net", "-t", "u@example.org")
    admin.out("quarantine", "hold", *release)
    (released,) = smtp_sink.received
    assert (released.sender, released.recipients) == ("s@example.net", ("u@example.org",))
    assert released.content == CONTENT


def test_what_is_no_plain_entry_is_refused(
    hold: dict[str, Any], admin: Admin, smtp_sink: SmtpSink, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret\n")
    (tmp_path / "spam" / "link").symlink_to(secret)
    os.mkfifo(tmp_path / "spam" / "pipe")
    for bad in ("../secret", str(secret), "link", "pipe", ".", "", f"{hold['id']}.metadata"):
        for command in (["get"], ["metadata"], ["release", "-a"], ["delete", "-a"]):
            done = admin.run("quarantine", "hold", command[0], *command[1:], "--", bad)
            assert done.returncode == 1, (bad, command)
            assert b"secret\n" not in done.stdout
            assert done.stderr.count(b"\n") == 1
    assert secret.exists()
    assert admin.held("hold") == [hold]
    assert smtp_sink.received == ()


def test_listings_filter_by_sender_recipient_and_age(
    hold: dict[str, Any], admin: Admin, tmp_path: Path
) -> None:
    def found(*options: str) -> bool:
        return bool(admin.out("quarantine", "hold", "list", "-b", *options))

    assert admin.out("quarantine", "hold", "list", "-b").decode() == f"{hold['id']}\n"
    assert found("-f", "Bounce@example.net")
    assert not found("-f", "other@example.net")
    assert found("-t", "u3@example.org", "-f", "*@example.net")
    assert not found("-t", "u3@example.org", "-o", "1")
    metadata = tmp_path / "spam" / f"{hold['id']}.metadata"
    known = json.loads(metadata.read_text())
    metadata.write_text(json.dumps(known | {"timestamp": known["timestamp"] - 2 * 86400}))
    assert found("-o", "1")
    table = admin.out("quarantine", "hold", "list").decode()
    assert "Recipients" in table
    assert all(address in table for address in hold["recipients"])


def test_purge_deletes_what_is_old_and_nothing_else(
    hold: dict[str, Any], admin: Admin, tmp_path: Path
) -> None:
    (tmp_path / "spam" / "20240101000000_OLD").write_bytes(b"Subject: old\r\n\r\n")
    os.utime(tmp_path / "spam" / "20240101000000_OLD", (1_700_000_000, 1_700_000_000))
    database = tmp_path / "spam" / "lists.db"
    database.write_bytes(b"SQLite format 3")
    os.utime(database, (1_700_000_000, 1_700_000_000))
    purge = ("quarantine", "hold", "purge", "--older-than", "7")
    assert admin.out(*purge, "--dry-run") == b"would delete 20240101000000_OLD\n"
    assert len(admin.held("hold")) == 3
    assert admin.out(*purge) == b"deleted 1 of all/hold\n"
    assert database.exists()
    database.unlink()
    assert admin.held("hold") == [hold]
    assert admin.run("quarantine", "hold", "purge").returncode == 2


def test_hostile_headers_reach_no_terminal(
    start_daemon: DaemonFactory, smtp_sink: SmtpSink, admin: Admin, tmp_path: Path
) -> None:
    daemon = start_daemon(config(tmp_path, smtp_sink.port, milter_action="DISCARD"))
    subject = b"Subject: =?utf-8?q?=1B]0;owned=07=E2=80=AEfdp?= \x1b[31m\n"
    send(
        daemon.address,
        Mail("<a\x1b[2J@example.net>", ("<u@example.org>",), b"X-Spam: Yes\n" + subject + b"\nx\n"),
    )
    (entry,) = admin.held("hold")
    outputs = [
        admin.out("quarantine", "hold", "list"),
        admin.out("quarantine", "hold", "list", "--json"),
        admin.out("quarantine", "hold", "metadata", entry["id"]),
        daemon.log.encode(),
    ]
    for output in outputs:
        assert b"\x1b" not in output
        assert "\u202e".encode() not in output
    assert b"\\x1b]0;owned" in outputs[0]
