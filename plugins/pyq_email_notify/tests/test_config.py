"""What a config may say, and what is told an admin whose config cannot be used."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pyq_email_notify
import pytest
from pyq_email_notify.default_files import default_files

from pyquarantine_core.errors import ConfigError
from pyquarantine_core.testing.rules import load, rule

from .conftest import GIF, PNG, Image, Notifier

# As the config that pyquarantine 2.x came with has it; the address is garbled there, too.
EXAMPLE = """
{
    "notifications": {
        "virus": {
            "type": "email",
            "smtp_host": "localhost",
            "smtp_port": 2525,
            "envelope_from": "[email protected]",
            "from_header": "{FROM}",
            "subject": "[VIRUS] {SUBJECT}",
            "template": "/etc/pyquarantine/templates/notification.template",
            "repl_img": "/etc/pyquarantine/templates/removed.png"
        }
    },
    "rules": [{"name": "r", "actions": [{"name": "a", "type": "nothing", "options": {}}]}]
}
"""


def test_the_example_of_2_x_loads_and_uses_the_defaults_that_come_with_us(
    caplog: pytest.LogCaptureFixture,
) -> None:
    notification = load(EXAMPLE, pyq_email_notify).notifications["virus"].notification
    assert caplog.messages == []
    with caplog.at_level(logging.WARNING):
        notification.set_up()
    *missing, sender = caplog.messages
    assert missing == [
        f"notifications.virus: {file.path} is missing, using a default"
        for file in default_files()
        if not file.path.exists()
    ]
    assert "the envelope_from '[email protected]' is no address" in sender


def test_the_default_template_shows_what_a_recipient_needs(notify: Notifier) -> None:
    packaged = Path(pyq_email_notify.__file__).parent / "defaults" / "notification.template"
    told = notify(
        b"From: Eve <e@example.net>\nTo: all\nSubject: Win\n\nClick\n",
        template_path=str(packaged),
    )
    for shown in ("[SPAM] Win", "Eve &lt;e@example.net&gt;", "a@example.net", "Click"):
        assert shown in told.html
    assert "Subject: [SPAM] Win\nFrom: Eve <e@example.net>\n" in told.text
    assert "{" not in told.html


def refusal(notify: Notifier, **options: object) -> str:
    with pytest.raises(ConfigError) as caught:
        notify.build(**options)  # type: ignore[arg-type] # on purpose
    (line,) = str(caught.value).splitlines()
    place, _, text = line.partition(": notifications.n")
    assert place.startswith("pyquarantine.conf:")
    return text.removeprefix(".").replace(str(notify.directory), "DIR")


def test_a_file_that_cannot_be_read_is_named(notify: Notifier) -> None:
    missing = f"{notify.directory}/missing"
    for option, value in (("repl_img", missing), ("embed_imgs", [missing])):
        assert refusal(notify, **{option: value}) == (
            f"{option}: cannot read DIR/missing: No such file or directory"
        )
    assert refusal(notify, template_path=missing) == (
        "template: cannot read DIR/missing: No such file or directory"
    )
    assert refusal(notify, template_path=str(notify.directory)) == (
        "template: cannot read DIR: Is a directory"
    )


def test_a_template_must_be_utf_8(notify: Notifier, image: Image) -> None:
    path = image("latin.template", "Grüße".encode("latin-1"))
    assert refusal(notify, template_path=path) == (
        "template: DIR/latin.template is not a text in UTF-8"
    )


def test_a_byte_order_mark_and_crlf_do_no_harm(notify: Notifier, image: Image) -> None:
    path = image("dos.template", b"\xef\xbb\xbf<p>one\r\n<p>two\r\n")
    told = notify(template_path=path)
    assert told.html == "<p>one\n<p>two\n"
    assert b"\r\r" not in told.raw


def test_an_image_must_be_one_that_mail_clients_show(notify: Notifier, image: Image) -> None:
    path = image("logo.svg", b"<svg onload=alert(1)>")
    assert refusal(notify, embed_imgs=[path]) == (
        "embed_imgs: DIR/logo.svg is no PNG, GIF, JPEG or WebP image"
    )


@pytest.mark.parametrize("name", ["a b.png", "a>.png", "ü.png", 'a".png'])
def test_an_image_must_have_a_name_that_can_be_referred_to(
    name: str, notify: Notifier, image: Image
) -> None:
    assert "must have a name of letters" in refusal(notify, embed_imgs=[image(name, PNG)])


def test_two_images_cannot_have_one_name(notify: Notifier, image: Image) -> None:
    (notify.directory / "other").mkdir()
    one, two = image("x.png", PNG), image("other/x.png", GIF)
    assert refusal(notify, embed_imgs=[one, two]) == "embed_imgs: two images are named x.png"
    replacement = image("removed_for_security_reasons", PNG)
    assert refusal(notify, embed_imgs=[replacement]) == (
        "embed_imgs: removed_for_security_reasons is what repl_img is called"
    )


@pytest.mark.parametrize("kind", [PNG, GIF, b"\xff\xd8\xff\xe0 jpeg", b"RIFF\n\0\0\0WEBPVP8 "])
def test_common_images_are_taken(kind: bytes, notify: Notifier, image: Image) -> None:
    assert notify(embed_imgs=[image("x", kind)]).images == {"<x>": kind}


@pytest.mark.parametrize("value", ["a@x\r\nBcc: v@x", "<a@x>", "a\0b", "a@x> SIZE=1"])
def test_the_envelope_sender_cannot_carry_a_command(value: str, notify: Notifier) -> None:
    assert refusal(notify, envelope_from=value).endswith(
        "is not a bare address, or <> for the null sender"
    )


@pytest.mark.parametrize(
    "missing", ["smtp_host", "smtp_port", "envelope_from", "from_header", "subject", "template"]
)
def test_what_is_missing_is_named(missing: str) -> None:
    config = json.loads(EXAMPLE)
    del config["notifications"]["virus"][missing]
    with pytest.raises(ConfigError, match=f"notifications.virus: '{missing}' is missing"):
        load(config | {"rules": [rule("nothing", {})]}, pyq_email_notify)
