"""What the notification does."""

from __future__ import annotations

import json
from contextlib import closing
from http.client import HTTPConnection, HTTPSConnection
from typing import Self
from urllib.parse import urlsplit

from pyquarantine_core.errors import OutboxError, RefusedError, UnreachableError
from pyquarantine_core.message import Message
from pyquarantine_core.types import Delivery, Notification, Options, Services


class WebHook(Notification):
    """Posts who is told of which message, as a JSON object.

    Args:
        url: http or https.
        timeout: of the request, in seconds.
    """

    def __init__(self, url: str, timeout: float) -> None:
        self._url = url
        self._timeout = timeout

    @classmethod
    def from_options(cls, options: Options, _services: Services) -> Self:
        """From the options in the config: checked by the schema, with its defaults."""
        return cls(options["url"], options["timeout"])

    def prepare(self, message: Message, recipient: str) -> bytes:
        """What will be sent; it waits on disk, so that a crash does not lose it."""
        told = {
            "recipient": recipient,
            "sender": message.sender,
            "subject": message.subject,
            "queue_id": message.queue_id,
        }
        return json.dumps(told).encode()

    def deliver(self, item: Delivery) -> None:
        """Send it; after most errors the outbox tries it again, so it may arrive twice."""
        url = urlsplit(self._url)
        connect = HTTPSConnection if url.scheme == "https" else HTTPConnection
        with closing(connect(url.hostname or "", url.port, timeout=self._timeout)) as connection:
            try:
                connection.connect()
            except OSError as error:  # then there is no use in trying the others now
                raise UnreachableError(f"{url.hostname} cannot be reached: {error}") from error
            connection.request(
                "POST",
                f"{url.path or '/'}{'?' * bool(url.query)}{url.query}",
                item.content,
                {"Content-Type": "application/json"},
            )
            with connection.getresponse() as answer:
                said = f"{url.hostname} answers {answer.status} {answer.reason}"
        if answer.status in (400, 413, 422):  # this one will never be taken
            raise RefusedError(said)
        if answer.status >= 300:
            raise OutboxError(said)
