"""The action add_disclaimer."""

from __future__ import annotations

from enum import Enum

from pyq_disclaimer.bodies import text_bodies
from pyq_disclaimer.insertion import as_html, edit_text
from pyq_disclaimer.template import Disclaimer, Templates
from pyq_disclaimer.wrapping import wrap
from pyquarantine_core.message import Message
from pyquarantine_core.mime.content import ContentError
from pyquarantine_core.mime.edit import MessageEdit
from pyquarantine_core.mime.entities import multipart_entity, text_entity
from pyquarantine_core.mime.protection import holds_inline_pgp
from pyquarantine_core.mime.structure import MimePart
from pyquarantine_core.mime.text import PartText
from pyquarantine_core.types import Action, Decision, Options, Services, Verdict


class ErrorPolicy(Enum):
    """What becomes of a message that cannot be edited."""

    WRAP = "wrap"
    IGNORE = "ignore"
    REJECT = "reject"


class AddDisclaimer(Action):
    """Puts a disclaimer before or after the text of a message."""

    def __init__(
        self, templates: Templates, policy: ErrorPolicy, *, prepend: bool, add_html_body: bool
    ) -> None:
        self._templates = templates
        self._policy = policy
        self._prepend = prepend
        self._add_html_body = add_html_body

    @classmethod
    def from_options(cls, options: Options, _services: Services) -> AddDisclaimer:
        return cls(
            Templates.from_options(options),
            ErrorPolicy(options["error_policy"].lower()),
            prepend=options["action"].lower() == "prepend",
            add_html_body=options["add_html_body"],
        )

    def apply(self, message: Message) -> Decision | None:
        disclaimer = self._templates.fill(message)
        try:
            self._edit(message, disclaimer)
        except ContentError as error:
            message.log.info(
                "no disclaimer can be put into the message: %s; %s", error, self._policy.value
            )
            return self._give_up(message, disclaimer)
        message.log.info("added the disclaimer")
        return None

    def _give_up(self, message: Message, disclaimer: Disclaimer) -> Decision | None:
        if self._policy is ErrorPolicy.REJECT:
            return Decision(Verdict.REJECT, "Message rejected: no disclaimer can be added to it")
        if self._policy is ErrorPolicy.WRAP:
            wrap(message, disclaimer)
        return None

    def _edit(self, message: Message, disclaimer: Disclaimer) -> None:
        edit = MessageEdit(message)
        bodies = text_bodies(edit.structure)
        texts = [PartText.of(body, edit.body, message.limits) for body in bodies]
        if any(holds_inline_pgp(text.view) for text in texts):
            raise ContentError("it is signed or encrypted (PGP in the text)")
        for text in texts:
            depth = message.limits.html_depth
            change = edit_text(text, disclaimer, prepend=self._prepend, depth=depth)
            edit.replace_text(text.part, text.edited([change]))
        if not texts:
            self._add_text(edit, disclaimer)
        elif self._add_html_body and all(body.type == "text/plain" for body in bodies):
            self._add_html(edit, texts[-1], disclaimer)
        edit.record()

    def _add_text(self, edit: MessageEdit, disclaimer: Disclaimer) -> None:
        """Give the message a text: a part before all others."""
        entity = text_entity("plain", disclaimer.text.replace("\n", "\r\n"))
        if self._add_html_body:
            html = as_html("", disclaimer, prepend=self._prepend)
            entity = multipart_entity("alternative", [entity, text_entity("html", html)])
        root = edit.root
        if root.type == "multipart/mixed":
            edit.insert_before(root.parts[0], entity)
        else:
            edit.enclose(root, "mixed", before=[entity])

    def _add_html(self, edit: MessageEdit, text: PartText, disclaimer: Disclaimer) -> None:
        """Say the same in HTML, as an alternative to the plain text."""
        html = text_entity("html", as_html(text.decoded(), disclaimer, prepend=self._prepend))
        part: MimePart = text.part
        if part.parent is not None and part.parent.type == "multipart/alternative":
            edit.insert_after(part, html)
        else:
            edit.enclose(part, "alternative", after=[html])
