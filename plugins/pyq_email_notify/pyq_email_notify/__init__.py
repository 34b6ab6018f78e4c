"""The notification type `email`: tells a recipient by mail, from a template, with a preview."""

from __future__ import annotations

from collections.abc import Iterable

from pyq_email_notify.default_files import default_files
from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.types import BuiltBy, DefaultFile, NotificationType

__version__ = "3.0.0"

_PATH = {"type": "string", "pattern": r"^[^\u0000-\u001f\u007f]+$", "x-expected": "a path"}

SCHEMA = {
    "type": "object",
    "required": ["smtp_host", "smtp_port", "envelope_from", "from_header", "subject", "template"],
    "properties": {
        "smtp_host": {
            "type": "string",
            "minLength": 1,
            "description": "SMTP server that notifications are sent to.",
        },
        "smtp_port": {
            "type": "integer",
            "minimum": 1,
            "maximum": 65535,
            "description": "Its port; one whose mail does not come through this filter.",
        },
        "envelope_from": {
            "type": "string",
            "pattern": r"^(?:<>|[^<>\u0000-\u001f\u007f]*)$",
            "x-expected": "a bare address, or <> for the null sender",
            "description": "Envelope sender of notifications; <> or nothing for the null sender.",
        },
        "from_header": {
            "type": "string",
            "minLength": 1,
            "description": "The From header. {FROM} is that of the message.",
        },
        "subject": {
            "type": "string",
            "description": "The subject. {SUBJECT} is that of the message; metavariables may "
            "be used, too.",
        },
        "template": {**_PATH, "description": "Path of the HTML template, in UTF-8."},
        "strip_imgs": {
            "type": "boolean",
            "default": False,
            "description": "Leave images out of the preview, whatever repl_img says.",
        },
        "repl_img": {
            **_PATH,
            "description": "Path of an image to show for every image of the preview. Without it "
            "and strip_imgs, their alternative texts are shown.",
        },
        "embed_imgs": {
            "type": "array",
            "items": _PATH,
            "default": [],
            "description": "Paths of images for the template, which refers to them by file name, "
            "as in cid:logo.png.",
        },
    },
}


@hookimpl
def pyquarantine_notifications() -> Iterable[NotificationType]:
    yield NotificationType(
        name="email",
        summary="An e-mail made from a template",
        schema=SCHEMA,
        build=BuiltBy("pyq_email_notify.notification:EmailNotification.from_options"),
    )


@hookimpl
def pyquarantine_files() -> Iterable[DefaultFile]:
    return default_files()
