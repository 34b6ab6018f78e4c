"""However early the cursor decides, the outcome is that of reading the rules once at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from pyquarantine_core.address import Recipient
from pyquarantine_core.body import Body
from pyquarantine_core.engine import Cursor
from pyquarantine_core.message import Message
from pyquarantine_core.ruleset import BoundAction, BoundCondition, OnError, Rule, Ruleset
from pyquarantine_core.testing import probes
from pyquarantine_core.testing.rules import received
from pyquarantine_core.types import Decision, Match, Part, Stage, Verdict

HEADERS = ("X-A", "X-B")
RECIPIENTS = ("a@example.org", "b@example.org")
GROUPS = ("A", "B")
VARIABLES = ("M_A", "M_B", "N_A", "SET")
WORDS = ("ham", "spam")

READS = {
    "client": (Stage.CONNECT, Part.NOTHING),
    "recipients": (Stage.ENVELOPE, Part.RECIPIENTS),
    "variable": (Stage.ENVELOPE, Part.VARIABLES),
    "headers": (Stage.HEADERS, Part.HEADERS),
    "body": (Stage.BODY, Part.BODY),
}
CHANGES = {
    "add header": (Stage.ENVELOPE, Part.HEADERS),
    "drop header": (Stage.HEADERS, Part.HEADERS),
    "drop recipient": (Stage.ENVELOPE, Part.RECIPIENTS),
    "set variable": (Stage.ENVELOPE, Part.NOTHING),
    "replace body": (Stage.ENVELOPE, Part.BODY),
    "read body": (Stage.BODY, Part.NOTHING),
    "decide": (Stage.CONNECT, Part.NOTHING),
    "fail": (Stage.ENVELOPE, Part.HEADERS),
}


@dataclass(frozen=True)
class If:
    """A condition: how many there are of something, and whether there shall be any."""

    kind: Literal["client", "recipients", "variable", "headers", "body"]
    of: str
    wanted: bool
    group: str


@dataclass(frozen=True)
class Do:
    """An action."""

    kind: str
    of: str
    verdict: Verdict
    pretend: bool
    conditions: tuple[If, ...]
    metavar: str | None


@dataclass(frozen=True)
class Section:
    """A rule."""

    conditions: tuple[If, ...]
    metavar: str | None
    actions: tuple[Do, ...]


@dataclass
class Mail:
    """A message, as simple as can be."""

    local: bool
    recipients: list[str]
    headers: list[str]
    body: str
    variables: dict[str, str] = field(default_factory=dict)


@dataclass
class Outcome:
    """What the rules came to; `applied` includes actions that pretended or failed."""

    verdict: Verdict
    applied: list[str]
    ran: list[str]
    mail: Mail


# -- the reference: everything is known, read from top to bottom ---------------------------------


def read_through(sections: Sequence[Section], mail: Mail) -> Outcome:
    out = Outcome(Verdict.ACCEPT, [], [], mail)
    for number, section in enumerate(sections):
        if not holds(section.conditions, section.metavar, mail):
            continue
        for index, action in enumerate(section.actions):
            if not holds(action.conditions, action.metavar, mail):
                continue
            out.applied.append(f"{number}/{index}")
            if action.pretend or action.kind == "fail":
                continue
            out.ran.append(out.applied[-1])
            had_recipients = bool(mail.recipients)
            perform(action, mail)
            if action.kind == "decide":
                out.verdict = action.verdict
                return out
            if had_recipients and not mail.recipients:
                out.verdict = Verdict.DISCARD
                return out
    return out


def holds(conditions: Sequence[If], metavar: str | None, mail: Mail) -> bool:
    counts = [(one, count(one, mail)) for one in conditions]
    if not all((number > 0) == one.wanted for one, number in counts):
        return False
    if metavar:
        for one, number in sorted(counts, key=lambda known: READS[known[0].kind][0]):
            mail.variables[f"{metavar}_{one.group}"] = str(number)
    return True


def count(condition: If, mail: Mail) -> int:
    match condition.kind:
        case "client":
            return int(mail.local)
        case "recipients":
            return mail.recipients.count(condition.of)
        case "variable":
            return int(condition.of in mail.variables)
        case "headers":
            return mail.headers.count(condition.of)
        case "body":
            return mail.body.split().count(condition.of)


def perform(action: Do, mail: Mail) -> None:
    match action.kind:
        case "add header":
            mail.headers.append(action.of)
        case "drop header":
            mail.headers = [name for name in mail.headers if name != action.of]
        case "drop recipient":
            mail.recipients = [one for one in mail.recipients if one != action.of]
        case "set variable":
            mail.variables[action.of] = "set"
        case "replace body":
            mail.body = action.of


# -- the same rules for the engine ---------------------------------------------------------------


def as_rules(sections: Sequence[Section], applied: list[str]) -> Ruleset:
    return probes.ruleset(*(as_rule(one, number, applied) for number, one in enumerate(sections)))


def as_rule(section: Section, number: int, applied: list[str]) -> Rule:
    actions = (
        as_action(action, f"{number}/{index}", applied)
        for index, action in enumerate(section.actions)
    )
    when = [as_condition(one) for one in section.conditions]
    return probes.rule(*actions, when=when, metavar=section.metavar)


def as_condition(sketch: If) -> BoundCondition:
    def check(message: Message) -> Match:
        match sketch.kind:
            case "client":
                number = int(message.client.address is None)
            case "recipients":
                number = message.addresses.count(sketch.of)
            case "variable":
                number = int(sketch.of in message.variables)
            case "headers":
                number = [header.name for header in message.headers].count(sketch.of)
            case "body":
                number = message.body.read().decode().split().count(sketch.of)
        return Match((number > 0) == sketch.wanted, groups={sketch.group: str(number)})

    decided_at, reads = READS[sketch.kind]
    return probes.condition(check, decided_at=decided_at, reads=reads)


def as_action(sketch: Do, name: str, applied: list[str]) -> BoundAction:
    def apply(message: Message) -> Decision | None:
        applied.append(name)
        match sketch.kind:
            case "add header":
                message.add_header(sketch.of, "1")
            case "drop header":
                gone = [header for header in message.headers if header.name == sketch.of]
                message.edit_headers([(header, None) for header in gone])
            case "drop recipient":
                message.remove_recipients([sketch.of])
            case "set variable":
                message.variables[sketch.of] = "set"
            case "replace body":
                message.replace_body(Body([sketch.of.encode()]))
            case "read body":
                assert message.body.read()
            case "decide":
                return Decision(sketch.verdict)
            case "fail":
                message.add_header(sketch.of, "1")
                message.variables["SET"] = "1"
                raise OSError("failed")
        return None

    needs, changes = CHANGES[sketch.kind]
    return probes.action(
        name,
        apply,
        when=[as_condition(one) for one in sketch.conditions],
        metavar=sketch.metavar,
        needs=needs,
        changes=changes,
        pretend=sketch.pretend,
        on_error=OnError.CONTINUE,
    )


def hand_over(sections: Sequence[Section], mail: Mail) -> tuple[Outcome, Stage]:
    """Tell the engine of a message as an MTA does: no more at each stage than is known there,
    nothing after the decision, and no body when it is not needed.
    """
    applied: list[str] = []
    message = received(client=None if mail.local else "192.0.2.1", recipients=())
    cursor = Cursor(as_rules(sections, applied), message)
    for stage in Stage:
        match stage:
            case Stage.ENVELOPE:
                for address in mail.recipients:
                    message.receive_recipient(Recipient.from_mta(f"<{address}>"))
            case Stage.HEADERS:
                for name in mail.headers:
                    message.receive_header(name, b" 1")
            case Stage.BODY if cursor.may_need_body():
                message.received_body.append(mail.body.encode())
        decision = cursor.advance(stage)
        if decision is not None:
            break
    assert decision is not None
    left = Mail(
        mail.local,
        [*message.addresses],
        [header.name for header in message.headers],
        message.body.read().decode(),
        message.variables,
    )
    return Outcome(decision.verdict, applied, cursor.ran, left), stage


# -- random rules --------------------------------------------------------------------------------

conditions = st.one_of(
    *(
        st.builds(If, st.just(kind), st.sampled_from(of), st.booleans(), st.sampled_from(GROUPS))
        for kind, of in {
            "client": ("",),
            "recipients": RECIPIENTS,
            "variable": VARIABLES,
            "headers": HEADERS,
            "body": WORDS,
        }.items()
    )
)
some_conditions = st.lists(conditions, max_size=2).map(tuple)
metavars = st.sampled_from([None, "M", "N"])
actions = st.one_of(
    *(
        st.builds(
            Do,
            st.just(kind),
            st.sampled_from(of),
            st.sampled_from(Verdict),
            st.booleans(),
            some_conditions,
            metavars,
        )
        for kind, of in {
            "add header": HEADERS,
            "drop header": HEADERS,
            "drop recipient": RECIPIENTS,
            "set variable": VARIABLES,
            "replace body": WORDS,
            "read body": ("",),
            "decide": ("",),
            "fail": HEADERS,
        }.items()
    )
)
sections = st.builds(
    Section, some_conditions, metavars, st.lists(actions, min_size=1, max_size=3).map(tuple)
)
mails = st.builds(
    Mail,
    st.booleans(),
    st.lists(st.sampled_from(RECIPIENTS), min_size=1, unique=True),
    st.lists(st.sampled_from(HEADERS), max_size=3),
    st.sampled_from(["ham", "spam", "ham spam spam"]),
)


def copied(mail: Mail) -> Mail:
    return Mail(mail.local, [*mail.recipients], [*mail.headers], mail.body)


@settings(max_examples=500, deadline=None)
@given(st.lists(sections, min_size=1, max_size=4), mails)
def test_the_cursor_comes_to_what_the_rules_say(rules: list[Section], mail: Mail) -> None:
    expected = read_through(rules, copied(mail))
    found, stage = hand_over(rules, mail)
    assert (found.verdict, found.applied, found.ran) == (
        expected.verdict,
        expected.applied,
        expected.ran,
    )
    if stage is Stage.BODY:
        assert found.mail.recipients == expected.mail.recipients
        assert found.mail.headers == expected.mail.headers
        assert found.mail.variables == expected.mail.variables
