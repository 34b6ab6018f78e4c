"""The notification type `email`: made in the worker, sent by the outbox sender."""

from __future__ import annotations

import logging
import socket
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self
from weakref import WeakKeyDictionary

from pyq_email_notify.files import Image, default_for, read_template
from pyq_email_notify.mailbox import is_address, notifying_mailbox
from pyq_email_notify.notice import Notice
from pyq_email_notify.preview import Preview, Previewer
from pyq_email_notify.template import Template, fill
from pyq_email_notify.variables import MAX_VALUE, Variables
from pyq_email_notify.wording import one_line
from pyquarantine_core.body import Body
from pyquarantine_core.errors import (
    ConfigError,
    InDoubtError,
    OutboxError,
    RefusedError,
    UnreachableError,
)
from pyquarantine_core.header import Header
from pyquarantine_core.message import Message
from pyquarantine_core.submission import Failure, SmtpSession, SubmissionError
from pyquarantine_core.types import Delivery, Notification, Options, Services

logger = logging.getLogger(__name__)

REPLACEMENT_ID = "removed_for_security_reasons"
"""Content-ID of the image that stands for those of a message, as in 2.x."""

_ERRORS: Mapping[Failure, type[OutboxError]] = {
    Failure.PERMANENT: RefusedError,
    Failure.TEMPORARY: OutboxError,
    Failure.UNREACHABLE: UnreachableError,
}


@dataclass(frozen=True, slots=True)
class Settings:
    """The options, files read.

    Attributes:
        server: host and port.
        envelope_from: bare address; `""` for the null sender.
        from_header: template of the From header.
        subject: template of the subject.
        template: of the body.
        replacement: image that stands for those of the preview.
        strip_images: leave images out of the preview.
        embedded: images that the template refers to.
        paths: of the template and all images.
    """

    server: tuple[str, int]
    envelope_from: str
    from_header: str
    subject: str
    template: Template
    replacement: Image | None = None
    strip_images: bool = False
    embedded: Sequence[Image] = ()
    paths: Sequence[str] = ()

    @classmethod
    def from_options(cls, options: Options) -> Self:
        """Read the files.

        Raises:
            ConfigError: one of them cannot be used.
        """
        replaced = options.get("repl_img")
        replacement = None if replaced is None else Image.read("repl_img", replaced, REPLACEMENT_ID)
        embedded = tuple(Image.read("embed_imgs", path) for path in options["embed_imgs"])
        ids = Counter(image.content_id for image in embedded)
        for content_id, count in ids.items():
            if count > 1:
                raise ConfigError(f"embed_imgs: two images are named {content_id}")
        if ids[REPLACEMENT_ID]:
            raise ConfigError(f"embed_imgs: {REPLACEMENT_ID} is what repl_img is called")
        return cls(
            server=(options["smtp_host"], options["smtp_port"]),
            envelope_from=options["envelope_from"].replace("<>", ""),
            from_header=options["from_header"],
            subject=options["subject"],
            template=Template.from_html(read_template("template", options["template"])),
            replacement=replacement,
            strip_images=options["strip_imgs"],
            embedded=embedded,
            paths=[
                options["template"],
                *([] if replaced is None else [replaced]),
                *options["embed_imgs"],
            ],
        )


class EmailNotification(Notification):
    """Sends each recipient a mail of its own."""

    def __init__(self, name: str, settings: Settings) -> None:
        self._name = name
        self._settings = settings
        replacement = settings.replacement
        self._previewer = Previewer(
            None if replacement is None else replacement.content_id,
            strip_images=settings.strip_images,
        )
        self._domain = _domain(settings.envelope_from)
        own = settings.envelope_from
        self._own_address = own if is_address(own) else f"postmaster@{self._domain}"
        self._previews = _Previews(self._previewer)
        self._session = SmtpSession(settings.server)

    @classmethod
    def from_options(cls, options: Options, services: Services) -> Self:
        return cls(services.name, Settings.from_options(options))

    def set_up(self) -> None:
        """Say what an admin may not have meant."""
        for path in filter(default_for, self._settings.paths):
            logger.warning("notifications.%s: %s is missing, using a default", self._name, path)
        sender = self._settings.envelope_from
        if sender and not is_address(sender):
            logger.warning(
                "notifications.%s: the envelope_from %r is no address: servers will refuse it",
                self._name,
                sender,
            )

    def prepare(self, message: Message, recipient: str) -> bytes:
        """The notification of a recipient, ready to be sent (RFC 5322, lines in CRLF)."""
        settings = self._settings
        variables = Variables.of(message, recipient)
        preview = self._previews.of(message)
        subject = one_line(fill(settings.subject, variables.values), MAX_VALUE)
        images = list(settings.embedded)
        if preview.has_images and settings.replacement is not None:
            images.append(settings.replacement)
        return Notice(
            sender=notifying_mailbox(settings.from_header, variables.sender, self._own_address),
            recipient=recipient,
            subject=subject,
            domain=self._domain,
            html=settings.template.fill_html(variables.for_html(subject, preview)),
            text=settings.template.fill_text(variables.for_text(subject, preview)),
            images=[image.entity for image in images],
        ).content()

    def deliver(self, item: Delivery) -> None:
        """Send a notification to its recipient, on the connection of the last one if there is.

        Raises:
            RefusedError: the server will never take it, or it cannot be sent.
            UnreachableError: the server takes nothing now.
            OutboxError: it has not taken this one now.
        """
        try:
            self._session.send(self._settings.envelope_from, [item.recipient], item.content)
        except InDoubtError as error:
            raise UnreachableError(str(error)) from error
        except SubmissionError as error:
            raise _ERRORS[error.failure](str(error)) from error

    def finish(self) -> None:
        self._session.close()


class _Previews:
    """Previews of messages under way: all recipients of a message get the same one."""

    def __init__(self, previewer: Previewer) -> None:
        self._previewer = previewer
        self._lock = threading.Lock()
        self._made: WeakKeyDictionary[Message, _Made] = WeakKeyDictionary()

    def of(self, message: Message) -> Preview:
        """The preview of a message as it is now."""
        with self._lock:
            made = self._made.get(message)
        if made is None or made.headers is not message.headers or made.body is not message.body:
            made = _Made(message.headers, message.body, self._previewer.make(message))
            with self._lock:
                self._made[message] = made
        return made.preview


@dataclass(frozen=True, slots=True)
class _Made:
    """A preview, and what it was made from."""

    headers: tuple[Header, ...]
    body: Body
    preview: Preview


def _domain(sender: str) -> str:
    """Domain for Message-IDs: that of the envelope sender, else the name of this host."""
    for domain in (sender.rpartition("@")[2] if is_address(sender) else "", socket.gethostname()):
        if is_address(f"postmaster@{domain}"):
            return domain
    return "localhost"
