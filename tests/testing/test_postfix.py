"""The throw-away Postfix, without a filter and with one."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pyquarantine_core.testing import postfix
from pyquarantine_core.testing.postfix import Postfix, PostfixFailed, PostfixUnavailable
from pyquarantine_core.testing.sockets import free_port
from pyquarantine_core.testing.submit import submit

if TYPE_CHECKING:
    from pyquarantine_core.testing.pytest_plugin import PostfixFactory
    from pyquarantine_core.testing.sink import SmtpSink
    from tests.testing.conftest import BareFilterFactory

CONTENT = b"Subject: hello\n\nbody\n"


def test_mail_passes_through(throwaway_postfix: PostfixFactory, smtp_sink: SmtpSink) -> None:
    postfix = throwaway_postfix()
    assert submit(postfix.port, "a@example.org", ["u@example.org"], CONTENT).accepted
    (received,) = smtp_sink.wait_for(1)
    assert (received.sender, received.recipients) == ("a@example.org", ("u@example.org",))
    assert received.content.endswith(b"\r\nSubject: hello\r\n\r\nbody\r\n")
    postfix.wait_until_idle()
    assert postfix.queue() == ()


def test_the_filter_sees_mail_of_one_port_only(
    throwaway_postfix: PostfixFactory, smtp_sink: SmtpSink, bare_filter: BareFilterFactory
) -> None:
    bare = bare_filter(answers={"envfrom": "REJECT"}, reply=["554", "5.7.0", "not here"])
    postfix = throwaway_postfix(bare.socket)
    sent = submit(postfix.port, "a@example.org", ["u@example.org"], CONTENT)
    assert str(sent.final) == "554 5.7.0 not here"
    assert submit(postfix.reinjection_port, "a@example.org", ["u@example.org"], CONTENT).accepted
    assert len(smtp_sink.wait_for(1)) == 1
    assert bare.event_names().count("connect") == 1


def test_a_client_may_pose_as_another(
    throwaway_postfix: PostfixFactory, bare_filter: BareFilterFactory
) -> None:
    bare = bare_filter()
    postfix = throwaway_postfix(bare.socket)
    posing = {"NAME": "mx.example", "ADDR": "192.0.2.7"}
    submit(postfix.port, "a@example.org", ["u@example.org"], CONTENT, xclient=posing)
    connects = [event for event in bare.events if event[0] == "connect"]
    assert [(connect[1], connect[3][0]) for connect in connects] == [
        ("localhost", "127.0.0.1"),
        ("mx.example", "192.0.2.7"),
    ]


def test_local_mail_has_a_filter_of_its_own(
    throwaway_postfix: PostfixFactory, smtp_sink: SmtpSink, bare_filter: BareFilterFactory
) -> None:
    bare = bare_filter(changes=[["addheader", "X-Seen", " yes"]])
    postfix = throwaway_postfix(non_smtpd_milter=bare.socket)
    postfix.sendmail("a@example.org", ("u@example.org",), CONTENT)
    assert b"\r\nX-Seen: yes\r\n" in smtp_sink.wait_for(1)[0].content


def test_deferred_mail_is_tried_again(
    throwaway_postfix: PostfixFactory, smtp_sink: SmtpSink
) -> None:
    postfix = throwaway_postfix()
    smtp_sink.refuse_data = "451 4.3.0 later"
    submit(postfix.port, "a@example.org", ["u@example.org"], CONTENT)
    smtp_sink.wait_for_failures(1)
    postfix.wait_until_idle()
    (queued,) = postfix.queue()
    assert (queued.queue_name, queued.recipients) == ("deferred", ("u@example.org",))
    assert "451 4.3.0 later" in queued.delay_reasons[0]
    smtp_sink.refuse_data = ""
    postfix.flush()
    assert len(smtp_sink.wait_for(1)) == 1


def test_without_its_filter_mail_has_to_wait(throwaway_postfix: PostfixFactory) -> None:
    postfix = throwaway_postfix("inet:1@127.0.0.1")
    sent = submit(postfix.port, "a@example.org", ["u@example.org"], CONTENT)
    assert sent.final.code == 451
    assert "connect to Milter service inet:127.0.0.1:1" in postfix.log()


def test_nothing_is_left_behind(smtp_sink: SmtpSink) -> None:
    with Postfix(smtp_sink.port) as postfix:
        directory = postfix.directory
        submit(postfix.port, "a@example.org", ["u@example.org"], CONTENT)
        smtp_sink.wait_for(1)
        daemons = processes_of(str(directory))
        assert daemons
    assert not directory.exists()
    assert not processes_of(str(directory))


def processes_of(directory: str) -> list[Path]:
    """What runs with the directory's name in its environment."""
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if directory.encode() in environment.read_bytes():
                found.append(environment.parent)
    return found


def test_a_bad_setting_shows_in_the_error(
    smtp_sink: SmtpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postfix, "START_TIMEOUT", 1.0)
    broken = Postfix(smtp_sink.port, settings={"smtpd_relay_restrictions": "permit"})
    with pytest.raises(PostfixFailed, match="specify at least one working instance"):
        broken.start()


def test_it_needs_root(smtp_sink: SmtpSink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(PostfixUnavailable, match="only be started by root"):
        Postfix(smtp_sink.port).start()


def test_it_needs_postfix(smtp_sink: SmtpSink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *args, **kwargs: None)
    with pytest.raises(PostfixUnavailable, match="not installed"):
        Postfix(smtp_sink.port).start()


def test_a_port_that_is_taken_meanwhile_is_given_up(
    smtp_sink: SmtpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports = iter([smtp_sink.port, free_port(), free_port(), free_port()])
    monkeypatch.setattr(postfix, "free_port", lambda: next(ports))
    with Postfix(smtp_sink.port) as started:
        assert submit(started.port, "a@example.org", ["u@example.org"], CONTENT).accepted
        assert len(smtp_sink.wait_for(1)) == 1
