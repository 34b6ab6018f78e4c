"""The notification: what every one keeps to, and what a real HTTP server gets of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from socket import socket
from threading import Thread
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from pyquarantine_core.errors import OutboxError, RefusedError, UnreachableError
from pyquarantine_core.testing.contracts import NotificationContract
from pyquarantine_core.testing.rules import load, received, rule
from pyquarantine_core.types import Delivery, Notification

import pyq_sample as plugin


class Hook:
    """A web server that keeps what is posted to it, and answers with `status`."""

    def __init__(self) -> None:
        self.posted: list[tuple[str, bytes]] = []
        self.status = "204 No Content"

    def __call__(self, request: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        content = request["wsgi.input"].read(int(request["CONTENT_LENGTH"]))
        self.posted.append((f"{request['PATH_INFO']}?{request['QUERY_STRING']}", content))
        start(self.status, [])
        return []


class Quiet(WSGIRequestHandler):
    def log_message(self, *_arguments: object) -> None:
        """Keep the report of the tests clean."""


@pytest.fixture
def hook() -> Hook:
    return Hook()


@pytest.fixture
def url(hook: Hook) -> Iterator[str]:
    """Where the hook can be reached."""
    with make_server("127.0.0.1", 0, hook, handler_class=Quiet) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/hook?room=mail"
        server.shutdown()
        thread.join()


class TestContract(NotificationContract):
    plugin = plugin
    type = "sample"
    bad_options = (({"url": "file:///etc/passwd"}, "is not an http or https URL"),)

    @pytest.fixture
    def options(self, url: str) -> dict[str, str]:
        return {"url": url}

    @pytest.fixture
    def inbox(self, hook: Hook) -> Callable[[], Sequence[tuple[str, bytes]]]:
        return lambda: [(json.loads(content)["recipient"], content) for _, content in hook.posted]


def build(**options: object) -> Notification:
    notifications = {"hook": {"type": "sample", **options}}
    config = load({"notifications": notifications, "rules": [rule("nothing", {})]}, plugin)
    return config.notifications["hook"].notification


def test_what_was_prepared_is_posted(hook: Hook, url: str) -> None:
    notification = build(url=url)
    message = received("Subject: Grüße\n\n".encode(), sender="a@example.org")
    content = notification.prepare(message, "b@example.org")
    notification.deliver(Delivery("hook", "b@example.org", content))
    ((path, posted),) = hook.posted
    assert path == "/hook?room=mail"
    assert json.loads(posted) == {
        "recipient": "b@example.org",
        "sender": "a@example.org",
        "subject": "Grüße",
        "queue_id": message.queue_id,
    }


@pytest.mark.parametrize(
    ("status", "error"),
    [("503 Service Unavailable", OutboxError), ("422 Unprocessable Content", RefusedError)],
)
def test_an_error_of_the_server_says_whether_it_is_tried_again(
    status: str, error: type[OutboxError], hook: Hook, url: str
) -> None:
    hook.status = status
    with pytest.raises(OutboxError, match=f"answers {status}") as caught:
        build(url=url).deliver(Delivery("hook", "b@example.org", b"{}"))
    assert caught.type is error


def test_while_there_is_no_server_all_of_them_wait() -> None:
    with socket() as unused:
        unused.bind(("127.0.0.1", 0))
        hook = build(url=f"http://127.0.0.1:{unused.getsockname()[1]}/")
        with pytest.raises(UnreachableError, match="cannot be reached"):
            hook.deliver(Delivery("hook", "b@example.org", b"{}"))
