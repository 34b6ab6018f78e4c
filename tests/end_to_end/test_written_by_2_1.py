"""What pyquarantine 2.1.0 has written is used unmodified: config, held mail and lists; and back."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from pyquarantine_core.testing.daemon import Daemon, write_config
from pyquarantine_core.testing.mail_client import parsed, shown
from pyquarantine_core.testing.mta import Mail, Verdict, send
from pyquarantine_core.testing.pytest_plugin import PostfixFactory
from pyquarantine_core.testing.sink import SmtpSink
from pyquarantine_core.testing.submit import submit

from .conftest import Admin
from .version_2_1 import PROGRAMS, Version21

pytestmark = pytest.mark.old

TEMPLATES = "lib/python*/site-packages/pyquarantine/misc/templates"
"""What 2.1.0 has for its users to begin with, in its virtual environment."""
CONFIG = Path(__file__).with_name("version_2_1.conf")
"""Everything that a config of 2.1.0 can say; DIR, PORT and TEMPLATES stand for the test's own."""

SPAM = b"X-Spam: Yes, score=7\nFrom: =?utf-8?q?J=C3=B6rg?= <j@example.net>\nMessage-ID: <1@x>\n"
HELD = {
    "several recipients": Mail(
        "<Bounce@Example.NET>",
        ("<u1@example.org>", "<U2@Example.ORG>", "<u3@example.org>"),
        SPAM + b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n =?utf-8?q?_aus_K=C3=B6ln?=\n\ntext\n",
    ),
    "8-bit": Mail(
        "j@example.net",
        ("u1@example.org",),
        SPAM + b"Subject: raw \xcf\xf0\xe8\nDKIM-Signature: a=1;\n\tb=2\nContent-Type: text/plain;"
        b' charset="windows-1251"\nContent-Transfer-Encoding: 8bit\n\n\xcf\xf0\n.\n..dots \n\n',
        mail_options=("BODY=8BITMIME",),
    ),
    "null sender": Mail("<>", ("u1@example.org",), SPAM + b"Subject: bounce\n\n\n"),
    "internationalised": Mail(
        "jörg@example.net",
        ("üser@example.org",),
        SPAM + "Subject: grüße\n\nx\n".encode(),
        mail_options=("SMTPUTF8",),
    ),
    "multipart": Mail(
        "a@example.net",
        ("u1@example.org",),
        SPAM + b'Subject: report\nContent-Type: multipart/mixed; boundary="b"\n\npreamble\n--b\n\n'
        b"one\n--b\nContent-Type: application/pdf\nContent-Transfer-Encoding: base64\n\nJVBERg==\n"
        b"--b--\nepilogue\n",
    ),
}
CLEAN = Mail("a@example.net", ("u1@example.org",), b"Subject: hello\n\nx\n")
VIRUS = Mail(
    "a@example.net",
    ("u1@example.org",),
    b"From: a@example.net\nSubject: evil\nX-Virus: Eicar\nContent-Type: text/html\n\n<p>Look</p>\n",
)


@pytest.fixture
def old(tmp_path: Path, smtp_sink: SmtpSink, admin: Admin) -> Version21:
    """2.1.0 with CONFIG, which `admin` has, too."""
    for name in ("spam", "virus", "plain", "all"):
        (tmp_path / name).mkdir()
    (templates,) = PROGRAMS.parent.glob(TEMPLATES)
    values = {"DIR": tmp_path, "PORT": smtp_sink.port, "TEMPLATES": templates}
    text = CONFIG.read_text()
    for name, value in values.items():
        text = text.replace(name, str(value))
    admin.config.write_text(text)
    return Version21(admin.config)


def notify_nobody(admin: Admin) -> Path:
    """A config as CONFIG, but without notifications: they go through /var, the outbox's default."""
    lines = admin.config.read_text().splitlines()
    config = json.loads("\n".join(one for one in lines if not one.lstrip().startswith("#")))
    del config["notifications"]
    actions = config["rules"][0]["actions"]
    config["rules"][0]["actions"] = [one for one in actions if one["type"] != "notify"]
    del actions[0]["options"]["notification"]
    return write_config(admin.config.with_name("quiet.conf"), config)


def snapshot(directory: Path) -> dict[str, tuple[int, bytes]]:
    """The files of a directory, and when each was written."""
    return {one.name: (one.stat().st_mtime_ns, one.read_bytes()) for one in directory.iterdir()}


@pytest.fixture
def held(old: Version21, tmp_path: Path) -> dict[str, str]:
    """Mail that 2.1.0 holds in "spam": its IDs by the names of HELD."""
    entries = {}
    with old.daemon() as address:
        for name, mail in HELD.items():
            before = set(snapshot(tmp_path / "spam"))
            assert send(address, mail).verdict is Verdict.DISCARD
            data, _metadata = sorted(set(snapshot(tmp_path / "spam")) - before)
            entries[name] = data
    return entries


def test_its_config_is_accepted_as_it_is(old: Version21, admin: Admin) -> None:
    assert "Configuration OK" in old.check_config()
    before = admin.config.read_bytes()
    assert (
        "Configuration OK"
        in subprocess.run(
            [sys.executable, "-m", "pyquarantine_core.daemon", "-c", admin.config, "-t"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    )
    daemon = Daemon(notify_nobody(admin), "inet:0@127.0.0.1").start()
    result = send(daemon.address, CLEAN)
    assert daemon.stop() == 0
    assert result.delivered is not None
    assert b"X-Seen: yes\r\n" in result.delivered.content
    assert b"Subject: [EXTERNAL] hello\r\n" in result.delivered.content
    assert admin.config.read_bytes() == before
    shown = admin.out("show").decode()
    for name in ("virus", "spam", "plain"):
        assert name in old.out("show")
        assert f"inbound/{name}" in shown


class TestHeldMail:
    def test_is_listed_with_its_envelope_and_subject(
        self, held: dict[str, str], old: Version21, admin: Admin
    ) -> None:
        listed = {one["id"]: one for one in admin.held("spam")}
        assert sorted(listed) == sorted(old.out("quarantine", "spam", "list", "-b").split())
        for entry_id in held.values():
            written = json.loads(old.out("quarantine", "spam", "metadata", entry_id))
            for key, its in [
                ("sender", "mailfrom"),
                ("recipients", "recipients"),
                ("subject", "subject"),
                ("queue_id", "queue_id"),
            ]:
                assert listed[entry_id][key] == written[its]
            metadata = json.loads(admin.out("quarantine", "spam", "metadata", entry_id))
            assert metadata == written
            assert metadata["vars"]["SPAM_SCORE"] == "7"
        several = listed[held["several recipients"]]
        assert several["subject"] == "Grüße aus Köln"
        assert sorted(several["recipients"]) == [f"u{n}@example.org" for n in (1, 2, 3)]
        batch = admin.out("quarantine", "spam", "list", "-b", "-t", "U2@example.org").decode()
        assert batch.split() == [held["several recipients"]]

    def test_is_left_as_it_is_by_reading(
        self, held: dict[str, str], admin: Admin, tmp_path: Path
    ) -> None:
        before = snapshot(tmp_path / "spam")
        admin.held("spam")
        for entry_id in held.values():
            got = admin.out("quarantine", "spam", "get", entry_id)
            assert got == (tmp_path / "spam" / entry_id).read_bytes()
            admin.out("quarantine", "spam", "metadata", entry_id)
            admin.out("quarantine", "spam", "copy", entry_id, "-t", "x@example.org")
        daemon = Daemon(notify_nobody(admin), "inet:0@127.0.0.1").start()
        assert daemon.stop() == 0
        assert snapshot(tmp_path / "spam") == before

    @pytest.mark.parametrize("name", list(HELD))
    def test_is_released_and_copied_as_stored(
        self, name: str, held: dict[str, str], admin: Admin, smtp_sink: SmtpSink, tmp_path: Path
    ) -> None:
        entry_id = held[name]
        stored = (tmp_path / "spam" / entry_id).read_bytes()
        written = json.loads((tmp_path / "spam" / f"{entry_id}.metadata").read_text())
        admin.out("quarantine", "spam", "copy", entry_id, "-t", "postmaster@example.org")
        admin.out("quarantine", "spam", "release", entry_id, "-a")
        copied, released = smtp_sink.received
        assert copied.recipients == ("postmaster@example.org",)
        assert released.recipients == tuple(written["recipients"])
        assert released.sender == copied.sender == written["mailfrom"]
        assert released.content == copied.content == stored
        assert not list((tmp_path / "spam").glob(f"{entry_id}*"))
        assert len(admin.held("spam")) == len(HELD) - 1

    def test_is_released_to_one_and_deleted_for_another_and_2_1_reads_the_rest(
        self, held: dict[str, str], old: Version21, admin: Admin, smtp_sink: SmtpSink
    ) -> None:
        entry_id = held["several recipients"]
        before = json.loads(old.out("quarantine", "spam", "metadata", entry_id))
        admin.out("quarantine", "spam", "release", entry_id, "-t", "U1@example.org")
        assert [one.recipients for one in smtp_sink.received] == [("u1@example.org",)]
        admin.out("quarantine", "spam", "delete", entry_id, "-t", "u3@example.org")
        after = json.loads(old.out("quarantine", "spam", "metadata", entry_id))
        assert after == {**before, "recipients": ["u2@example.org"]}
        old.out("quarantine", "spam", "release", entry_id, "-t", "u2@example.org")
        assert smtp_sink.received[-1].recipients == ("u2@example.org",)
        assert len(admin.held("spam")) == len(HELD) - 1

    def test_is_deleted_and_purged(
        self, held: dict[str, str], admin: Admin, tmp_path: Path
    ) -> None:
        admin.out("quarantine", "spam", "delete", held["8-bit"], "-a")
        long_ago = tmp_path / "spam" / f"{held['multipart']}.metadata"
        long_ago.write_text(json.dumps(json.loads(long_ago.read_text()) | {"timestamp": 1}))
        admin.out("quarantine", "spam", "purge", "--older-than", "7")
        left = {one["id"] for one in admin.held("spam")}
        assert left == set(held.values()) - {held["8-bit"], held["multipart"]}

    def test_without_metadata_is_listed_and_released_to_those_who_are_named(
        self, old: Version21, admin: Admin, smtp_sink: SmtpSink, tmp_path: Path
    ) -> None:
        with old.daemon() as address:
            send(address, Mail("a@x", ("u1@example.org",), b"X-Plain: y\nSubject: p\n\nx\n"))
        (entry,) = admin.held("plain")
        assert entry["recipients"] is None
        admin.out(
            *("quarantine", "plain", "release", entry["id"]),
            *("--from", "a@x", "-t", "u1@example.org"),
        )
        assert smtp_sink.received[0].content == (tmp_path / "plain" / entry["id"]).read_bytes()

    def test_for_an_address_without_its_quotes_is_copied_to_the_right_one_and_deleted(
        self, old: Version21, admin: Admin, smtp_sink: SmtpSink
    ) -> None:
        """What docs/migrating.md says to do."""
        with old.daemon() as address:
            send(address, Mail("a@x.example", ('"a b"@example.org',), SPAM + b"Subject: x\n\nx\n"))
        (entry,) = admin.held("spam")
        assert entry["recipients"] == ["a b@example.org"]
        refused = admin.run("quarantine", "spam", "release", entry["id"], "-a")
        assert b"'a b@example.org' is no address that can be sent" in refused.stderr
        admin.out("quarantine", "spam", "copy", entry["id"], "-t", '"a b"@example.org')
        assert smtp_sink.received[0].recipients == ('"a b"@example.org',)
        admin.out("quarantine", "spam", "delete", entry["id"], "-t", "a b@example.org")
        assert admin.held("spam") == []

    @pytest.mark.usefixtures("old")
    def test_can_be_notified_of(self, admin: Admin, smtp_sink: SmtpSink) -> None:
        with Version21(notify_nobody(admin)).daemon() as address:  # it may freeze when it notifies
            assert send(address, VIRUS).reply == "554 5.7.0 A virus"
        (entry,) = admin.held("virus")
        admin.out("quarantine", "virus", "notify", entry["id"], "-a")
        (mail,) = smtp_sink.wait_for(1)
        assert mail.sender == "filter@example.org"
        assert mail.recipients == ("u1@example.org",)
        assert parsed(mail.content)["Subject"] == "[VIRUS] evil"
        assert "<p>Look</p>" in (shown(mail.content, "html") or "")


class TestLists:
    @pytest.fixture
    def listed(self, old: Version21) -> None:
        """Entries that the commands of 2.1.0 have added."""
        add = ("list", "allow", "add")
        old.out(*add, "-f", "Friend@Example.net", "-t", "u1@example.org", "-c", "a friend", "-p")
        old.out(*add, "-f", "@example.com", "-t", "")

    @pytest.mark.usefixtures("listed")
    def test_are_listed_changed_and_read_by_2_1_again(self, old: Version21, admin: Admin) -> None:
        friend, partner = json.loads(admin.out("list", "allow", "list", "--json"))
        assert (friend["from"], friend["to"]) == ("Friend@Example.net", "u1@example.org")
        assert (friend["comment"], friend["permanent"]) == ("a friend", True)
        assert (partner["from"], partner["to"]) == ("@example.com", "")
        assert (partner["comment"], partner["permanent"]) == ("added by CLI", False)
        assert admin.run("list", "allow", "add", "-f", "x@example.com").returncode == 1
        admin.out("list", "allow", "add", "-f", "new@example.net", "-t", "u1@example.org")
        admin.out("list", "allow", "delete", str(partner["id"]))
        shown = old.out("list", "allow", "list")
        assert "new@example.net" in shown
        assert "@example.com" not in shown

    @pytest.mark.usefixtures("listed")
    def test_let_the_same_mail_pass(self, old: Version21, admin: Admin, tmp_path: Path) -> None:
        spam = SPAM + b"Subject: x\n\nx\n"
        mails = [
            Mail("a@example.com", ("u1@example.org", "u2@example.org"), spam),
            Mail("a@example.net", ("u1@example.org",), spam),
        ]
        with old.daemon() as address:
            verdicts = [send(address, mail).verdict for mail in mails]
        assert verdicts == [Verdict.ACCEPT, Verdict.DISCARD]
        daemon = Daemon(notify_nobody(admin), "inet:0@127.0.0.1").start()
        assert [send(daemon.address, mail).verdict for mail in mails] == verdicts
        partly = send(
            daemon.address,
            Mail("friend@example.net", ("<U1@example.org>", "u2@example.org"), spam),
        )
        assert daemon.stop() == 0
        assert partly.delivered is not None
        assert partly.delivered.recipients == ("U1@example.org",)
        held = [one["recipients"] for one in admin.held("spam")]
        assert sorted(held) == [["u1@example.org"], ["u1@example.org"], ["u2@example.org"]]
        with closing(sqlite3.connect(tmp_path / "lists.db")) as database:
            tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            assert tables.fetchall() == [("allowlist",)]


def test_the_way_over_and_back_on_one_socket_loses_no_mail(
    old: Version21,
    admin: Admin,
    throwaway_postfix: PostfixFactory,
    smtp_sink: SmtpSink,
    tmp_path: Path,
) -> None:
    """The steps of docs/migrating.md, behind Postfix."""
    mail = SPAM + b"To: u1@example.org\nSubject: to hold\n\nx\n"
    (tmp_path / "message.eml").write_bytes(mail)
    with old.daemon() as address:
        postfix = throwaway_postfix(address, settings={"milter_default_action": "tempfail"})

        def answer() -> str:
            return str(submit(postfix.port, "a@example.net", ["u1@example.org"], mail).final)

        assert answer().startswith("250 ")
        explained = admin.out("explain", str(tmp_path / "message.eml")).decode()
        assert "DISCARD, at the end of the message" in explained
    assert answer().startswith("451 ")
    with Daemon(notify_nobody(admin), address):
        assert answer().startswith("250 ")
        second, first = admin.held("spam")
    listed = old.out("quarantine", "spam", "list", "-b").split()
    assert sorted(listed) == [first["id"], second["id"]]
    old.out("quarantine", "spam", "release", second["id"], "-a")
    assert [one["id"] for one in admin.held("spam")] == [first["id"]]
    with old.daemon(address):
        assert answer().startswith("250 ")
    assert len(admin.held("spam")) == 2
    postfix.wait_until_idle()
    (released,) = smtp_sink.received
    assert released.content.endswith(b"Subject: to hold\r\n\r\nx\r\n")
