"""Every kind of mail through every action, from outside and from inside, through real Postfix."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pyquarantine_core.config import load
from pyquarantine_core.quarantine import find_quarantine
from pyquarantine_core.testing.daemon import Daemon, write_config
from pyquarantine_core.testing.mail import Mail, crlf
from pyquarantine_core.testing.mail_client import files, parsed, parts_lost, shown
from pyquarantine_core.testing.mail_mix import MIX, PROTECTED, WITHOUT_TEXT
from pyquarantine_core.testing.postfix import Postfix
from pyquarantine_core.testing.sink import SmtpSink
from pyquarantine_core.testing.submit import Submission, submit_all

SENT = {name: crlf(content) for name, content in MIX.items()}
CLIENTS = {"inbound": {"ADDR": "192.0.2.25"}, "outbound": {"ADDR": "10.0.0.7"}}
TEXT = "CAUTION: {} außen\n"
HTML = "<p>CAUTION: {} <b>außen</b></p>\n"
LINK = 'href="http://example.com/?a=1&amp;b=2"'
NEW_LINK = 'href="https://{}.example/?u=http%3A%2F%2Fexample.com%2F%3Fa%3D1%26b%3D2"'
TRACE = re.compile(rb"Received:[^\r]*(?:\r\n[ \t][^\r]*)*\r\n")
"""What Postfix puts before a message."""


def rule(directory: Path, port: int, direction: str) -> dict[str, Any]:
    """All actions; the recipient's address says which one is wanted."""
    for name, template in (("text", TEXT), ("html", HTML)):
        (directory / f"{direction}.{name}").write_text(template.format(direction))
    templates = {
        "text_template": f"{directory}/{direction}.text",
        "html_template": f"{directory}/{direction}.html",
    }
    verdict = {"inbound": "DISCARD", "outbound": "REJECT"}[direction]
    smtp = {"smtp_host": "127.0.0.1", "smtp_port": port}
    actions = {
        "add_header": {"field": "X-Direction", "value": direction},
        "mod_header": {"field": "^Subject$", "search": "hello", "value": direction},
        "del_header": {"field": {"inbound": "^Subject$", "outbound": "^From$"}[direction]},
        "append": {"action": "append", "error_policy": "wrap", **templates},
        "prepend": {"action": "prepend", "error_policy": "ignore", **templates},
        "refuse": {"action": "append", "error_policy": "reject", **templates},
        "rewrite_links": {"repl": f"https://{direction}.example/?u={{URL}}"},
        "store": {"storage": f"{direction}-stored"},
        "notify": {"notification": direction},
        "quarantine": {"storage": f"{direction}-held", "milter_action": verdict, **smtp},
    }
    disclaimer = dict.fromkeys(("append", "prepend", "refuse"), "add_disclaimer")
    return {
        "name": direction,
        "conditions": {"local": direction == "outbound"},
        "actions": [
            {
                "name": name,
                "type": disclaimer.get(name, name),
                "conditions": {"envto": f"^{name}-"},
                "options": options,
            }
            for name, options in actions.items()
        ],
    }


def config(directory: Path, port: int) -> dict[str, Any]:
    storages = [f"{direction}-{kind}" for direction in CLIENTS for kind in ("stored", "held")]
    (directory / "template").write_text("<p>{SUBJECT}</p>{HTML_TEXT}")
    notification = {
        "type": "email",
        "smtp_host": "127.0.0.1",
        "smtp_port": port,
        "envelope_from": "filter@example.org",
        "from_header": "filter@example.org",
        "template": f"{directory}/template",
    }
    return {
        "outbox": f"{directory}/outbox",
        "storages": {one: {"type": "file", "directory": f"{directory}/{one}"} for one in storages},
        "notifications": {one: notification | {"subject": f"{one} {{SUBJECT}}"} for one in CLIENTS},
        "rules": [rule(directory, port, direction) for direction in CLIENTS],
    }


@dataclass(frozen=True)
class Site:
    """A Postfix with the daemon, whose mail ends in a sink."""

    directory: Path
    postfix: Postfix
    sink: SmtpSink

    def send(self, action: str, direction: str) -> Mapping[str, Submission]:
        """Send the mix for an action; returns the replies."""
        self.sink.clear()
        mails = [
            Mail("a@example.net", (f"{action}-{number}@example.org",), content)
            for number, content in enumerate(SENT.values())
        ]
        replies = submit_all(self.postfix.port, mails, xclient=CLIENTS[direction])
        return dict(zip(SENT, replies, strict=True))

    def received(self, count: int, *, sender: str = "a@example.net") -> Mapping[str, bytes]:
        """So many messages that the sink has got from a sender, by their names in the mix."""
        names = list(SENT)
        return {
            names[int(re.findall(r"\d+", one.recipients[0])[0])]: one.content
            for one in self.sink.wait_for(count, 60)
            if one.sender == sender
        }

    def delivered(self, action: str, direction: str) -> Mapping[str, bytes]:
        """Send the mix for an action; returns what was delivered, all of it."""
        assert all(reply.accepted for reply in self.send(action, direction).values())
        return without_trace(self.received(len(SENT)))


def without_trace(contents: Mapping[str, bytes]) -> Mapping[str, bytes]:
    return {name: TRACE.sub(b"", content, count=1) for name, content in contents.items()}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("site")
    with SmtpSink() as sink:
        path = write_config(directory / "pyquarantine.conf", config(directory, sink.port))
        errors = {"smtpd_soft_error_limit": "1000", "smtpd_hard_error_limit": "1000"}
        with (
            Daemon(path, "inet:0@127.0.0.1") as daemon,
            Postfix(sink.port, daemon.address, settings=errors) as postfix,
        ):
            yield Site(directory, postfix, sink)


pytestmark = pytest.mark.parametrize("direction", CLIENTS)


def test_a_header_is_added(site: Site, direction: str) -> None:
    added = f"\r\nX-Direction: {direction}\r\n\r\n".encode()
    expected = {name: one.replace(b"\r\n\r\n", added, 1) for name, one in SENT.items()}
    assert site.delivered("add_header", direction) == expected


def test_a_header_is_changed(site: Site, direction: str) -> None:
    changed = f"Subject: {direction}\r\n".encode()
    expected = {name: one.replace(b"Subject: hello\r\n", changed, 1) for name, one in SENT.items()}
    assert site.delivered("mod_header", direction) == expected


def test_a_header_is_deleted(site: Site, direction: str) -> None:
    gone = {"inbound": b"Subject: hello\r\n", "outbound": b"From: a@example.net\r\n"}[direction]
    expected = {name: one.replace(gone, b"", 1) for name, one in SENT.items()}
    assert site.delivered("del_header", direction) == expected


@pytest.mark.parametrize("action", ["append", "prepend"])
def test_a_disclaimer_shows_and_all_else_stays(site: Site, action: str, direction: str) -> None:
    for name, got in site.delivered(action, direction).items():
        content = SENT[name]
        if name in PROTECTED and action == "prepend":  # ignored
            assert got == content
            continue
        if name in PROTECTED:
            assert content.partition(b"\r\n\r\n")[2] in got
        else:
            assert files(got) == files(content)
            assert_disclaimer_at_its_end(content, got, action, direction)
        plain, html = shown(got, "plain"), shown(got, "html")
        assert plain is None or TEXT.format(direction) in plain
        assert html is None or HTML.format(direction) in html
        assert plain is not None or html is not None


def assert_disclaimer_at_its_end(before: bytes, after: bytes, action: str, direction: str) -> None:
    """The texts have nothing but the disclaimer more, and are all that has changed."""
    texts = [kind for kind in ("plain", "html") if shown(before, kind) is not None]
    if texts:
        assert parts_lost(before, after) == len(texts)
    for kind in texts:
        old, new = (shown(one, kind) or "" for one in (before, after))
        first, found, last = new.partition({"plain": TEXT, "html": HTML}[kind].format(direction))
        assert found
        if "\ufffd" not in old:  # the charset was missing; now there is one
            assert (first + last).split() == old.split()
        outside = first if action == "prepend" else last
        assert "Hello" not in outside


def test_8_bit_mail_is_delivered_to_the_byte(site: Site, direction: str) -> None:
    head = (
        b"From: a@x\r\nSubject: raw \xcf\xf0\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: text/html; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    )
    before, after = b"<html><body>", b"\xe4\x80 .\r\n.\r\n..\r\nFrom me \r\n\r\n</body></html>\r\n"
    site.sink.clear()
    mail = Mail("a@example.net", ("prepend-0@example.org",), head + before + after)
    submit_all(site.postfix.port, [mail], xclient=CLIENTS[direction])
    (got,) = without_trace(site.received(1)).values()
    new = HTML.format(direction).replace("\n", "\r\n").encode("latin-1")
    assert got == head + before + new + after


def test_mail_that_cannot_have_a_disclaimer_is_refused(site: Site, direction: str) -> None:
    replies = site.send("refuse", direction)
    refused = {name for name, reply in replies.items() if not reply.accepted}
    assert refused == set(PROTECTED)
    assert {replies[name].final.code for name in refused} == {554}
    got = site.received(len(SENT) - len(refused))
    assert set(got) == set(SENT) - refused
    assert all("CAUTION" in str(shown(one, "plain") or shown(one, "html")) for one in got.values())


def test_links_lead_elsewhere_and_all_else_stays(site: Site, direction: str) -> None:
    link = NEW_LINK.format(direction)
    for name, got in site.delivered("rewrite_links", direction).items():
        content = SENT[name]
        html = shown(content, "html")
        if html is None or name in PROTECTED or name in WITHOUT_TEXT:
            assert got == content
        else:
            assert shown(got, "html") == html.replace(LINK, link)
            assert link in str(shown(got, "html"))
            assert shown(got, "plain") == shown(content, "plain")
            assert files(got) == files(content)
            assert parts_lost(content, got) == 1


def test_what_is_stored_and_what_is_delivered_is_what_was_sent(site: Site, direction: str) -> None:
    assert site.delivered("store", direction) == SENT
    stored = [one.read_bytes() for one in (site.directory / f"{direction}-stored").iterdir()]
    assert sorted(stored) == sorted(SENT.values())


def test_recipients_are_told_and_get_their_mail(site: Site, direction: str) -> None:
    assert all(reply.accepted for reply in site.send("notify", direction).values())
    told = site.received(2 * len(SENT), sender="filter@example.org")
    assert without_trace(site.received(2 * len(SENT))) == SENT
    assert set(told) == set(SENT)
    for name, content in told.items():
        notice = parsed(content)
        assert notice["Subject"] == f"{direction} hello"
        assert re.fullmatch(r"notify-\d+@example.org", notice["To"])
        if "Hello" in str(shown(SENT[name], "plain")):
            assert "Hello" in str(shown(content, "html"))


def test_held_mail_is_released_as_it_was_sent(site: Site, direction: str) -> None:
    replies = site.send("quarantine", direction)
    assert all(reply.accepted == (direction == "inbound") for reply in replies.values())
    site.postfix.wait_until_idle()
    assert site.sink.received == ()
    held = find_quarantine(load(site.directory / "pyquarantine.conf"), f"{direction}/quarantine")
    for entry in list(held.find()):
        assert not held.release(entry.id, None).kept
    assert site.received(len(SENT)) == SENT
    assert list(held.find()) == []
