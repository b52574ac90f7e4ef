"""The only writer of incidents: load, step, save with a version check, outbox and timeline, in one transaction."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from bongsu.core.delivery import may_wait, message_id
from bongsu.core.escalation import Event, Note, Notify, Outcome, Unreachable, step
from bongsu.core.health import lateness
from bongsu.core.incident import Entry, Facts, Incident, Kind
from bongsu.core.quiet import UNTIL, graver
from bongsu.core.schedule import Recipient
from bongsu.engine import people, quiet
from bongsu.engine.context import Context
from bongsu.store import actions, incidents, outbox, suspects, timeline
from bongsu.store.database import Transaction, after_commit
from bongsu.telemetry import TIERS_LATE


def apply(tx: Transaction, context: Context, incident_id: str, event: Event, now: datetime) -> Incident:
    """Put an event to an incident. Raises NotFound, IllegalTransition, StillBreached or Stale; then nothing changes."""
    incident = incidents.load(tx, incident_id)
    return _settle(tx, context, step(incident, event, now), now, before=incident)


def start(tx: Transaction, context: Context, outcome: Outcome, now: datetime) -> Incident:
    """Keep a new incident and what its beginning asks for."""
    return _settle(tx, context, outcome, now, before=None)


def _settle(tx: Transaction, context: Context, outcome: Outcome, now: datetime, before: Incident | None) -> Incident:
    incident, effects = outcome
    entries: list[Entry] = []
    letters: list[outbox.Message] = []
    waiting = deque(effects)
    while waiting:
        effect = waiting.popleft()
        if isinstance(effect, Note):
            entries.append(Entry(now, effect.what, effect.facts))
            continue
        to = _recipients(tx, context, incident.id, effect, now)
        if not to and effect.kind is not Kind.RESOLVED:
            why = f"nobody: {', '.join(effect.targets) or 'no target'}"
            nobody = Unreachable(effect.kind, effect.level, effect.occurrence, why)
            incident, more = step(incident, nobody, now)
            waiting.extend(more)
            continue
        around = _around(tx, context, incident, effect, now)
        letter = replace(effect, facts={**effect.facts, **around})
        fresh = [_message(context, incident, letter, each, now) for each in to]
        written = quiet.hold(tx, context, incident, fresh, beside=letters)
        entries += _told(effect, written, now)
        _measure(tx, context, incident, effect, now)
        letters += written
        doubt = _doubtful(tx, effect, to)
        if doubt:
            incident, more = step(incident, Unreachable(effect.kind, effect.level, effect.occurrence, doubt), now)
            waiting.extend(more)
    if before is None:
        incident = replace(incident, version=1)
        incidents.add(tx, incident)
    elif incident != before or entries:
        incident = replace(incident, version=before.version + 1)
        incidents.save(tx, incident, read=before.version)
    entries += _let_go(tx, context, incident, before, entries, now)
    timeline.append(tx, incident.id, entries)
    _send(tx, context, letters)  # last, for their words are found from here on
    return incident


def _let_go(
    tx: Transaction,
    context: Context,
    incident: Incident,
    before: Incident | None,
    entries: Sequence[Entry],
    now: datetime,
) -> list[Entry]:
    """What quiet hours held back and may no longer: it has become graver, or somebody else could not be told."""
    lost = any(each.what == "unreachable" for each in entries)
    if before is None or not (lost or graver(incident, before)):
        return []
    return quiet.let_go(tx, context, incident, now, everything=lost)


def _send(tx: Transaction, context: Context, messages: list[outbox.Message]) -> None:
    """Into the outbox; what can wait for nothing goes straight on to the senders of this process, if it has any."""
    at_once: list[outbox.Message] = []
    if context.outgoing.wants and not context.relay.down:
        at_once = [each for each in messages if not may_wait(each.kind, each.level)]
    rest = [each for each in messages if each not in at_once]
    outbox.put(tx, *rest)
    claimed = outbox.put_claimed(tx, at_once)
    if claimed:
        context.outgoing.prepare(claimed)
        after_commit(tx, partial(context.outgoing.hand, claimed))
    if rest:
        after_commit(tx, context.mail_due.set)


def _recipients(
    tx: Transaction, context: Context, incident_id: str, effect: Notify, now: datetime
) -> tuple[Recipient, ...]:
    if effect.kind is Kind.RESOLVED:
        return outbox.told(tx, incident_id)
    return people.resolve(tx, context, effect.targets, now)


def _doubtful(tx: Transaction, effect: Notify, to: tuple[Recipient, ...]) -> str:
    """Why the next tier should know, too, although this one is told: every address of it refused mail the last time."""
    if effect.kind in (Kind.RESOLVED, Kind.OVER):
        return ""
    known = suspects.among(tx, [each.address for each in to])
    return f"suspect: {', '.join(known)}" if to and all(each.address in known for each in to) else ""


def _around(tx: Transaction, context: Context, incident: Incident, effect: Notify, now: datetime) -> Facts:
    """Who was told before, who comes next, and what was done meanwhile: what a reader at night asks first."""
    if len(incident.told) <= 1:
        before, added = set[str](), list[str]()  # nothing has gone before, which spares asking
    else:
        sent, wall = [each for each in outbox.of(tx, incident.id) if each.state != "refused"], context.wall.now()
        before = {each.recipient.name for each in sent if not quiet.waits(each, wall)}
        added = [act.machine for act in actions.of(tx, incident.id) if act.kind == "add" and act.state == "done"]
    tiers = incident.policy.tiers[effect.level :] if effect.kind is Kind.TIER else ()
    coming = people.resolve(tx, context, tiers[0].notify if tiers else (), now)
    return {
        "told_before": ", ".join(sorted(before)) if effect.kind is Kind.TIER else "",
        "next": ", ".join(dict.fromkeys(each.name for each in coming)),
        "done": ", ".join(added),
    }


def _measure(tx: Transaction, context: Context, incident: Incident, effect: Notify, now: datetime) -> None:
    """How late a tier is that its time has called, not a person nor a tier that cannot be reached."""
    if effect.kind is Kind.TIER and effect.occurrence == 1 and not {"escalated_by", "unreachable"} & set(effect.facts):
        late = context.timescale.wall_span(lateness(incident, effect.level, now)).total_seconds()
        after_commit(tx, partial(TIERS_LATE.observe, late))


def _told(effect: Notify, written: Sequence[outbox.Message], now: datetime) -> list[Entry]:
    """What the timeline says of a notification: whom it goes to at once, and whose quiet hours hold it back."""
    at_once = [each.recipient.name for each in written if UNTIL not in each.facts]
    facts: Facts = {
        "kind": effect.kind,
        "level": effect.level,
        "to": ", ".join(at_once),
        "elapsed_s": effect.facts.get("elapsed_s"),
        "unreachable": effect.facts.get("unreachable"),
    }
    told = [Entry(now, "told", facts)] if at_once or not written else []
    return told + quiet.held_lines(written, now)


def _message(
    context: Context, incident: Incident, effect: Notify, recipient: Recipient, now: datetime
) -> outbox.Message:
    wall = context.wall.now()
    return outbox.Message(
        id=0,
        message_id=message_id(
            incident.id, effect.kind, effect.level, effect.occurrence, recipient.id, recipient.address, context.host
        ),
        incident_id=incident.id,
        kind=effect.kind,
        level=effect.level,
        occurrence=effect.occurrence,
        recipient=recipient,
        facts={**effect.facts, "service": incident.service, "policy": incident.policy.name},
        decided_at=now,
        written_at=wall,
        due_at=wall,
        state="pending",
        attempts=0,
        fence=0,
    )
