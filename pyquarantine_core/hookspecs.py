"""The hooks: everything a plugin can give to pyquarantine. This file is the plugin manual.

A plugin is a module (or an object) that an entry point of the group `pyquarantine` names:

    [project.entry-points.pyquarantine]
    greeting = "pyq_greeting"

It implements any of the hooks below, marked with `hookimpl`. Each hook is called once, when the
plugin is loaded; what it yields is checked there and then. When anything about a plugin fails (its
import, a hook, a declaration, a hook name that this core does not know), the whole plugin is
listed as failed with the reason, and a config that names one of its types is refused. A hook of
a newer core is marked `@hookimpl(optionalhook=True)`; older cores then pass over it.
"""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from pyquarantine_core.types import (
    ActionType,
    CommandType,
    ConditionType,
    ListType,
    MessageDone,
    NotificationType,
    StorageType,
)

GROUP = "pyquarantine"
"""The entry-point group in which plugins are found, and pluggy's project name."""

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


@hookspec
def pyquarantine_conditions() -> Iterable[ConditionType]:
    """Declare keys of `conditions`.

    Example:
        ```python
        from pyquarantine_core.hookspecs import hookimpl
        from pyquarantine_core.types import Condition, ConditionType, Match, Stage

        class Bulk(Condition):
            def __init__(self, wanted):
                self.wanted = wanted

            def check(self, message):
                many = len(message.recipients) > 10
                return Match(many == self.wanted, f"{len(message.recipients)} recipients")

        @hookimpl
        def pyquarantine_conditions():
            yield ConditionType(
                name="bulk", summary="More than ten recipients",
                schema={"type": "boolean", "description": "true: more than ten recipients"},
                decided_at=Stage.ENVELOPE, build=lambda wanted, services: Bulk(wanted))
        ```

    Returns:
        Declarations. `build` gets the key's value, already valid by `schema`.

    Raises:
        Exception: fails the plugin. What `check` raises makes the message a TEMPFAIL, or
            under `on_error: continue` counts as no match.
    """
    return ()


@hookspec
def pyquarantine_actions() -> Iterable[ActionType]:
    """Declare types of actions.

    Example:
        ```python
        from pyquarantine_core.hookspecs import hookimpl
        from pyquarantine_core.types import Action, ActionType, Part, Stage

        class Stamp(Action):
            def __init__(self, text):
                self.text = text

            def apply(self, message):
                message.add_header("X-Stamp", self.text)

        @hookimpl
        def pyquarantine_actions():
            yield ActionType(
                name="stamp", summary="Add an X-Stamp header",
                schema={"type": "object", "required": ["text"], "properties": {
                    "text": {"type": "string", "description": "Value of the header"}}},
                needs=Stage.ENVELOPE, changes=Part.HEADERS,
                build=lambda options, services: Stamp(options["text"]))
        ```

    Returns:
        Declarations. `build` gets the valid `options` with defaults filled in.

    Raises:
        Exception: fails the plugin. What `apply` raises makes the message a TEMPFAIL, or
            under `on_error: continue` undoes all that this action did.
    """
    return ()


@hookspec
def pyquarantine_storages() -> Iterable[StorageType]:
    """Declare types of storages.

    Example:
        ```python
        from pyquarantine_core.hookspecs import hookimpl
        from pyquarantine_core.types import StorageType

        def build(options, services):
            from my_package.storage import S3Storage
            return S3Storage(options["bucket"])

        @hookimpl
        def pyquarantine_storages():
            yield StorageType(
                name="s3", summary="One object per message in a bucket",
                schema={"type": "object", "required": ["bucket"], "properties": {
                    "bucket": {"type": "string", "description": "Name of the bucket"}}},
                build=build)
        ```

    Returns:
        Declarations. `build` gets the type's own options; `original`, `metadata` and `metavar`
        are the core's and reach the storage with each `NewEntry`.

    Raises:
        Exception: fails the plugin. What a `StoreEffect` raises makes the message a TEMPFAIL
            and undoes the effects before it.
    """
    return ()


@hookspec
def pyquarantine_notifications() -> Iterable[NotificationType]:
    """Declare types of notifications.

    Example:
        ```python
        from pyquarantine_core.hookspecs import hookimpl
        from pyquarantine_core.types import Notification, NotificationType

        class Pager(Notification):
            def prepare(self, message, recipient):
                return f"{message.sender} wrote to {recipient}".encode()

            def deliver(self, item):
                print(item.content.decode())

        @hookimpl
        def pyquarantine_notifications():
            yield NotificationType(
                name="pager", summary="A line on the pager",
                schema={"type": "object", "properties": {}},
                build=lambda options, services: Pager())
        ```

    Returns:
        Declarations. `prepare` runs in the milter's worker and touches no network;
        `deliver` runs in the outbox sender, again after a failure.

    Raises:
        Exception: fails the plugin. What `prepare` raises makes the message a TEMPFAIL.
    """
    return ()


@hookspec
def pyquarantine_lists() -> Iterable[ListType]:
    """Declare types of lists, for the `list` condition and the quarantine's allowlist.

    Example:
        ```python
        from pyquarantine_core.hookspecs import hookimpl
        from pyquarantine_core.types import ListType, MailList

        class Colleagues(MailList):
            def __init__(self, domain):
                self.suffix = "@" + domain.lower()

            def covers(self, sender, recipient):
                return sender.lower().endswith(self.suffix)

        @hookimpl
        def pyquarantine_lists():
            yield ListType(
                name="colleagues", summary="Everybody in one domain",
                schema={"type": "object", "required": ["domain"], "properties": {
                    "domain": {"type": "string", "description": "The domain"}}},
                build=lambda options, services: Colleagues(options["domain"]))
        ```

    Returns:
        Declarations. When `build` returns a `ManagedList`, `pyquarantine list` manages its
        entries. An option with a password in it is `secret("...")` in the schema.

    Raises:
        Exception: fails the plugin. What `covers` raises makes the message a TEMPFAIL.
    """
    return ()


@hookspec
def pyquarantine_commands() -> Iterable[CommandType]:
    """Declare commands of the `pyquarantine` program.

    Example:
        ```python
        from pyquarantine_core.hookspecs import hookimpl
        from pyquarantine_core.types import CommandType

        def build():
            import click

            @click.command()
            def hello():
                click.echo("hello")

            return hello

        @hookimpl
        def pyquarantine_commands():
            yield CommandType(name="hello", summary="Say hello", build=build)
        ```

    Returns:
        Declarations. Import click inside `build`: it is called only for the command in use.

    Raises:
        Exception: fails the plugin.
    """
    return ()


@hookspec
def pyquarantine_message_done(done: MessageDone) -> None:
    """Hear of every message that was answered, in the worker, after the answer is decided.

    Example:
        ```python
        from pyquarantine_core.hookspecs import hookimpl

        @hookimpl
        def pyquarantine_message_done(done):
            print(done.queue_id, done.verdict.value)
        ```

    Args:
        done: what happened.

    Raises:
        Exception: is logged with the plugin's name; the message's verdict stands.
    """
