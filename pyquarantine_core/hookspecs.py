"""The hooks: everything a plugin can give to pyquarantine. This file is the plugin manual.

A plugin is a module (or an object) that an entry point of the group `pyquarantine` names:

    [project.entry-points.pyquarantine]
    greeting = "pyq_greeting"

It implements any of the hooks below, marked with `hookimpl`. What it yields is checked when it is
loaded, in a process of its own first. When anything about a plugin fails there (import, a hook, a
declaration, a hook name that this core does not know, or that process), the whole plugin is listed
as failed with the reason, and a config that names one of its types is refused. A hook of a newer
core is marked `@hookimpl(optionalhook=True)`; older cores then pass over it.

Of each hook this page says what it is for, with an example that runs as it stands; what it
returns; when it and what it declares are called; and what an error does. An error in a rule is
logged with queue ID, rule, action and plugin, and observers hear of it (`MessageDone.failures`);
whatever is raised is one, SystemExit too.
`docs/plugins.md` is the tutorial; `pyquarantine_core.testing.contracts` has tests to inherit.
"""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from pyquarantine_core.types import (
    ActionType,
    CommandType,
    ConditionType,
    DefaultFile,
    ListType,
    MessageDone,
    NotificationType,
    ServiceType,
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

    Called:
        Once, when the plugin is loaded. `build`: once for each place in the config that names
        it. `check`: at most once for each of them and message, on any thread, as soon as the
        MTA has told what `decided_at` asks for, and only if the answer may still matter.

    Raises:
        Exception: fails the plugin. What `check` raises, or a result that is no `Match`, makes the
            message a TEMPFAIL, or under `on_error: continue` counts as no match.
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

    Called:
        Once, when the plugin is loaded. `build`: once for each action of the config. `apply`: at
        the end of each message that its conditions hold for, in the config's order.

    Raises:
        Exception: fails the plugin. What `apply` raises, a result that is neither None nor a
            `Decision`, or a change that `changes` does not declare makes the message a TEMPFAIL,
            or under `on_error: continue` undoes all that this action did.
    """
    return ()


@hookspec
def pyquarantine_storages() -> Iterable[StorageType]:
    """Declare types of storages.

    Example:
        ```python
        import io
        from contextlib import contextmanager
        from dataclasses import replace
        from datetime import UTC, datetime

        from pyquarantine_core.errors import EntryNotFoundError
        from pyquarantine_core.hookspecs import hookimpl
        from pyquarantine_core.types import Claim, Entry, Storage, StorageType, StoreEffect

        class Shelf(Storage):  # in memory: testing/stand_ins/storage.py is durable, and no longer
            def __init__(self):
                self.held = {}

            def stage(self, new):
                return Keep(self, new)

            def entries(self):
                return (entry for entry, _ in self.held.values())

            def get(self, entry_id):
                return self._find(entry_id)[0]

            def open_message(self, entry_id):
                return io.BytesIO(self._find(entry_id)[1])

            def metadata(self, entry_id):
                return {"subject": self.get(entry_id).subject}

            @contextmanager
            def claim(self, entry_id):
                yield Taken(self, self.get(entry_id))

            def _find(self, entry_id):
                try:
                    return self.held[entry_id]
                except KeyError:
                    raise EntryNotFoundError(f"there is no entry {entry_id!r}") from None

        class Keep(StoreEffect):
            def __init__(self, shelf, new):
                self.shelf, self.new = shelf, new
                self.id = f"{datetime.now(UTC):%Y%m%d%H%M%S%f}"

            @property
            def variables(self):
                return self.new.named({"ID": self.id})

            def describe(self):
                return "put the message on the shelf"

            def prepare(self):
                self.content = b"".join(self.new.message.chunks(original=self.new.original))
                self.entry = Entry(
                    id=self.id, size=len(self.content), stored_at=datetime.now(UTC),
                    sender=self.new.message.sender, recipients=self.new.recipients,
                    subject=self.new.message.subject)

            def commit(self):
                self.shelf.held[self.id] = (self.entry, self.content)

            def undo(self):
                self.shelf.held.pop(self.id, None)

        class Taken(Claim):
            def __init__(self, shelf, entry):
                self.shelf, self.entry = shelf, entry

            def read(self):
                return self.shelf.held[self.entry.id][1]

            def keep_only(self, recipients, *, in_doubt=()):
                if not recipients:
                    return self.delete()
                content = self.read()
                self.entry = replace(self.entry, recipients=recipients, in_doubt=in_doubt)
                self.shelf.held[self.entry.id] = (self.entry, content)

            def delete(self):
                del self.shelf.held[self.entry.id]

        @hookimpl
        def pyquarantine_storages():
            yield StorageType(
                name="shelf", summary="Messages in memory, until the daemon ends",
                schema={"type": "object", "properties": {}},
                build=lambda options, services: Shelf())
        ```

    Returns:
        Declarations. `build` gets the type's own options; `original`, `metadata` and `metavar`
        are the core's and reach the storage with each `NewEntry`.

    Called:
        Once, when the plugin is loaded. `build`: once for each storage of the config. `stage`:
        by actions; `prepare` right after it, `commit` just before the MTA is answered and
        `conclude` when all effects of the message are committed, or else `undo`.
        The rest: by commands, in processes of their own, while workers store.

    Raises:
        Exception: fails the plugin. What `stage` and `prepare` raise, or a result of `stage` that
            is no `StoreEffect`, is an error of the action that stores; what `commit` raises makes
            the message a TEMPFAIL and undoes all effects.
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
        Declarations. What `prepare` returns is all that `deliver` gets to know of the message.

    Called:
        Once, when the plugin is loaded. `build`: once for each notification of the config.
        `prepare`: in a worker, for each recipient to be told; it touches no network. `deliver`:
        later, in the outbox sender, item after item; `finish` then closes what it kept open.

    Raises:
        Exception: fails the plugin. What `prepare` raises, or a result that is not bytes, is an
            error of the action that notifies. What `deliver` raises is logged, and it is tried
            again: later, and at last it is moved aside; at once after a `RefusedError`; an
            `UnreachableError` makes all items of that notification wait.
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

    Called:
        Once, when the plugin is loaded. `build`: once for each list of the config. `covers`: for
        each recipient of a message that a condition or an action asks about, on any thread.

    Raises:
        Exception: fails the plugin. What `covers` raises, or an answer that is neither True nor
            False, is an error of the condition or action that asks.
    """
    return ()


@hookspec
def pyquarantine_services() -> Iterable[ServiceType]:
    """Declare services: what runs beside the mail, each in a process of its own.

    Example:
        ```python
        from pyquarantine_core.hookspecs import hookimpl
        from pyquarantine_core.types import Service, ServiceType

        class Heartbeat(Service):
            def __init__(self, path):
                self.path = path

            def run(self, stopping):
                while not stopping.wait(60):
                    open(self.path, "w").close()

        @hookimpl
        def pyquarantine_services():
            yield ServiceType(
                name="heartbeat", summary="Touch a file every minute",
                schema={"type": "string", "description": "Path of the file"},
                build=lambda path, services: Heartbeat(path))
        ```

    Returns:
        Declarations. The name is a key at the top of the config, `schema` describes its
        value, and the service runs where the config has that key.

    Called:
        Once, when the plugin is loaded. `build`: once, where the config has the key. `run`: in a
        process of its own, until the daemon stops.

    Raises:
        Exception: fails the plugin. When `run` raises or returns, it is started again, after a
            pause that grows.
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
        Declarations. Import click inside `build`.

    Called:
        Once, when the plugin is loaded. `build`: only for the command in use.

    Raises:
        Exception: fails the plugin. A `PyquarantineError` of the command is printed as one line,
            exit status 1.
    """
    return ()


@hookspec
def pyquarantine_files() -> Iterable[DefaultFile]:
    """Declare files that `pyquarantine-milter --install` brings to the config directory.

    Example:
        ```python
        from importlib.resources import files
        from pyquarantine_core.hookspecs import hookimpl
        from pyquarantine_core.types import DefaultFile

        @hookimpl
        def pyquarantine_files():
            yield DefaultFile(
                name="templates/pager.template",
                source=files("my_package") / "pager.template")
        ```

    Returns:
        Declarations. Installing again brings a newer file, `--uninstall` takes it away; one that
        an admin has changed stays as it is.

    Called:
        Once, when the plugin is loaded. Files are copied by `pyquarantine-milter --install`.

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
            failed = [failure.plugin for failure in done.failures]
            print(done.queue_id, done.verdict.value, *failed)
        ```

    Args:
        done: what happened; `done.failures` has each error with the plugin that it came from.

    Called:
        For each message, in its worker, on any thread, when the answer is decided.

    Raises:
        Exception: is logged with the plugin's name; the message's verdict stands.
    """
