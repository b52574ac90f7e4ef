"""Hold back what may wait for the end of somebody's quiet hours, and let it go as soon as it may wait no longer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from bongsu.core.incident import Entry, Facts, Incident
from bongsu.core.quiet import UNTIL, severity_of
from bongsu.core.severity import LABEL, Severity
from bongsu.engine.context import Context
from bongsu.store import outbox
from bongsu.store.database import Transaction
from bongsu.store.outbox import Message


def hold(
    tx: Transaction, context: Context, incident: Incident, messages: Iterable[Message], beside: Sequence[Message]
) -> list[Message]:
    """The messages, those that may wait due at the end of their reader's quiet hours.

    ``beside``: what is written to others and to them in the same breath.
    """
    return [_hold(tx, context, incident, each, beside) for each in messages]


def _hold(
    tx: Transaction, context: Context, incident: Incident, message: Message, beside: Sequence[Message]
) -> Message:
    quiet, severity = context.directory.quiet_of(message.recipient.id), severity_of(incident)
    if quiet is None or not quiet.waits(severity, message.kind, message.level, message.facts):
        return message
    stretch = quiet.stretch(message.written_at)
    if stretch is None or _awake((*outbox.of(tx, incident.id), *beside), message, since=stretch[0]):
        return message
    return _until(message, stretch[1], severity)


def hold_news(context: Context, message: Message) -> Message:
    """The same for what is no alarm."""
    quiet = context.directory.quiet_of(message.recipient.id)
    if quiet is None or not quiet.waits_with_news():
        return message
    stretch = quiet.stretch(message.written_at)
    return message if stretch is None else _until(message, stretch[1], Severity.INFO)


def _awake(told: Iterable[Message], message: Message, since: datetime) -> bool:
    """Whether its reader was written to of this incident in these quiet hours: who was woken hears the rest of it."""
    mine = (each for each in told if each.recipient.id == message.recipient.id)
    return any(each.written_at >= since and not waits(each, message.written_at) for each in mine)


def _until(message: Message, end: datetime, severity: Severity) -> Message:
    """Its date, and the age of the link in it, count from when it is sent."""
    facts = {**message.facts, UNTIL: end.isoformat(), LABEL: severity.value}
    return replace(message, facts=facts, written_at=end, due_at=end)


def waits(message: Message, now: datetime) -> bool:
    """Whether quiet hours hold a message back."""
    return message.state == "pending" and message.attempts == 0 and UNTIL in message.facts and message.due_at > now


def let_go(tx: Transaction, context: Context, incident: Incident, at: datetime, *, everything: bool) -> list[Entry]:
    """What waits although it may no longer is due now: the incident is graver, or others could not be told."""
    now, severity = context.wall.now(), severity_of(incident)
    found = []
    for each in outbox.of(tx, incident.id):
        quiet = context.directory.quiet_of(each.recipient.id)
        enough = everything or quiet is None or not quiet.waits(severity, each.kind, each.level, each.facts)
        if waits(each, now) and enough:
            found.append(each)
    outbox.redate(tx, [replace(each, facts=_without(each.facts), written_at=now, due_at=now) for each in found])
    return [Entry(at, "let_go", {"to": _names(found)})] if found else []


def _without(facts: Facts) -> Facts:
    return {key: value for key, value in facts.items() if key != UNTIL}


def held_lines(written: Iterable[Message], at: datetime) -> list[Entry]:
    """What the timeline says of those that wait, a line for each time at which they are sent."""
    found: dict[datetime, list[Message]] = {}
    for each in written:
        if UNTIL in each.facts:
            found.setdefault(each.due_at, []).append(each)
    return [Entry(at, "held", _facts(those, until)) for until, those in found.items()]


def _facts(those: Sequence[Message], until: datetime) -> Facts:
    one, names = those[0], _names(those)
    severity = one.facts[LABEL]
    return {"kind": one.kind, "level": one.level, "to": names, "until": until.isoformat(), LABEL: severity}


def _names(those: Iterable[Message]) -> str:
    return ", ".join(dict.fromkeys(each.recipient.name for each in those))
