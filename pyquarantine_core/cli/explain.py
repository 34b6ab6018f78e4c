"""`pyquarantine explain`: what the rules would do with a message file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import BinaryIO

import click

from pyquarantine_core.cli.output import print_json
from pyquarantine_core.cli.session import Session
from pyquarantine_core.errors import PyquarantineError
from pyquarantine_core.explain import ExplainedCondition, ExplainedStep, Explanation, read_message
from pyquarantine_core.explain import explain as explain_message
from pyquarantine_core.printable import printable
from pyquarantine_core.types import Stage, Verdict

STAGES = {
    Stage.CONNECT: "when the client connects",
    Stage.ENVELOPE: "before DATA",
    Stage.HEADERS: "at the end of the headers, its body is not sent",
    Stage.BODY: "at the end of the message",
}
MARKS = {True: "yes", False: "no ", None: "-  "}


@click.command()
@click.argument("message", type=click.File("rb"))
@click.option("--from", "sender", metavar="ADDRESS", help="Envelope sender; else by the headers.")
@click.option(
    "--to", "recipients", metavar="ADDRESS", multiple=True, help="Recipient; else by the headers."
)
@click.option(
    "--client",
    default="192.0.2.1",
    show_default=True,
    metavar="IP",
    help="Address of the client; `local` for a local submission.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def explain(
    session: Session,
    message: BinaryIO,
    sender: str | None,
    recipients: Sequence[str],
    client: str,
    as_json: bool,
) -> None:
    """Show what the rules would do with MESSAGE (a file, - for standard input), and why.

    Nothing is changed, stored or sent.
    """
    config = session.config
    for name, mail_list in config.lists.items():
        try:
            mail_list.open_read_only()  # and never closed: what a look-up notes is not written
        except PyquarantineError as error:  # it may not be asked
            click.echo(f"warning: lists.{name}: {printable(str(error))}", err=True)
    try:
        mail = read_message(
            message.read(),
            sender=sender,
            recipients=recipients,
            client=None if client == "local" else client,
            limits=config.rules.limits,
        )
    except ValueError as error:
        raise click.UsageError(f"--client: {error}") from None
    if not mail.addresses:
        click.echo("warning: no recipient in To or Cc; say with --to whom it is for", err=True)
    envelope = ", ".join(map(printable, mail.addresses)) or "nobody"
    explanation = explain_message(config.rules, mail)
    if as_json:
        print_json(_as_data(explanation))
        return
    click.echo(f"from <{printable(mail.sender)}> to {envelope}, client {client}")
    for step in explanation.steps:
        _show(step)
    verdict, text = explanation.decision.verdict, explanation.decision.text
    if verdict is Verdict.TEMPFAIL:
        click.echo(f"\nTEMPFAIL, {STAGES[explanation.stage]}; the sender tries again")
        return
    click.echo(f"\n{verdict.name} {printable(text)}".rstrip() + f", {STAGES[explanation.stage]}")
    if verdict is Verdict.ACCEPT:
        left = ", ".join(map(printable, explanation.recipients)) or "nobody"
        click.echo(f"delivered to {left}")


def _show(step: ExplainedStep) -> None:
    indent = "  " if step.kind else ""
    name = step.name.partition("/")[2] if step.kind else step.name
    kind = f" ({step.kind}{', pretended' if step.pretended else ''})" if step.kind else ""
    state = {True: "applies", False: "does not apply", None: "is not reached"}[step.applied]
    if step.failed:
        state = "fails"
    elif step.passed_over:
        state = "fails, and is passed over"
    click.echo(f"{indent if step.kind else chr(10)}{printable(name)}{kind}: {state}")
    for condition in step.conditions:
        click.echo(f"{indent}    {_judged(condition)}")
    for line in (*step.diff, *step.changes):
        click.echo(f"{indent}    {printable(line)}")
    for line in step.log:
        click.echo(f"{indent}    log: {printable(line)}")
    if step.failed:
        click.echo(f"{indent}    {printable(step.failed)}")
    if step.decision is not None:
        ends = "" if step.pretended else " and ends the rules"
        text = f"{step.decision.verdict.name} {step.decision.text}".rstrip()
        click.echo(f"{indent}    answers {printable(text)}{ends}")


def _judged(condition: ExplainedCondition) -> str:
    reason = printable(condition.reason) or "not looked at"
    return f"{MARKS[condition.matched]} {condition.name}: {reason}"


def _as_data(explanation: Explanation) -> dict[str, object]:
    return {
        "verdict": explanation.decision.verdict.value,
        "text": explanation.decision.text,
        "stage": explanation.stage.name.lower(),
        "recipients": list(explanation.recipients),
        "steps": [
            {
                **asdict(step),
                "decision": step.decision and step.decision.verdict.value,
            }
            for step in explanation.steps
        ],
    }
