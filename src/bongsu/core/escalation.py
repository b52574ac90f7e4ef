"""Who is told next: every rule about it lives in this file, and nowhere else.

``step`` is a pure, total function: a (status, event) pair that it does not name raises IllegalTransition. The timer is
not an effect but ``incident.due_at``. Samples decide while the watch is alive; the timer is the net under it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bongsu.core.errors import IllegalTransition, StillBreached
from bongsu.core.event import (
    Acknowledged,
    Due,
    Effect,
    Escalated,
    Event,
    Note,
    Notify,
    Observed,
    Outcome,
    Reassigned,
    Resolved,
    Reviewed,
    Snoozed,
    Unreachable,
)
from bongsu.core.incident import Ack, Facts, Handed, Incident, Kind, Seen, Status, Told, Triage
from bongsu.core.policy import Policy
from bongsu.core.triage import Triaged, department, judgement

__all__ = [
    "Acknowledged", "Due", "Effect", "Escalated", "Event", "Note", "Notify",
    "Observed", "Outcome", "Reassigned", "Resolved", "Reviewed", "Snoozed", "Unreachable",
    "begin", "begin_over", "due_kinds", "step", "warrants",
]  # fmt: skip

NEVER_AGAIN = datetime.max.replace(tzinfo=UTC)
HANDED_WAITS = timedelta(minutes=5)
"""How long the next tiers wait for the acknowledgement of whom an incident was handed to."""


def due_kinds(policy: Policy, seen: Seen) -> tuple[Kind, ...]:
    """What must be told at once about ``seen``, the most pressing first; nothing while no breach runs."""
    if not seen.holding:
        return ()
    asked = (
        (Kind.CEILING, seen.high and policy.ceiling is not None),
        (Kind.THROTTLED, seen.throttled and bool(policy.throttled)),
        (Kind.RUNWAY, seen.runs_low(policy)),
        (Kind.BLIND, seen.blind_since is not None and not seen.source_down and bool(policy.blind)),
    )
    return tuple(kind for kind, wanted in asked if wanted and not (seen.muted and seen.muted.mutes(kind)))


def warrants(policy: Policy, seen: Seen) -> bool:
    """Whether ``seen`` is reason to begin an incident: the first tier's time has passed, or something calls at once."""
    overdue = seen.holding and any(seen.elapsed >= tier.after for tier in policy.tiers)
    return overdue or bool(due_kinds(policy, seen))


def begin(incident_id: str, service: str, policy: Policy, seen: Seen, now: datetime) -> Outcome:
    """A new incident and what to tell first."""
    incident = Incident(incident_id, service, policy, opened_at=now, seen=seen, began_at=seen.since)
    return _then(incident, (Note("opened", {"since": _iso(seen.since), **seen.facts}), *_mute_notes(None, seen)), now)


def begin_over(incident_id: str, service: str, policy: Policy, seen: Seen, now: datetime) -> Outcome:
    """A breach that began and ended while nobody watched: one mail, to the first tier, and it is closed (rule 11)."""
    incident = Incident(
        id=incident_id, service=service, policy=policy, opened_at=now, seen=seen, status=Status.RESOLVED,
        mitigated_at=now, resolved_at=now,
    )  # fmt: skip
    note = Note("was_over", {"since": _iso(seen.since)})
    if seen.muted is not None:
        return incident, (note,)  # what a maintenance mutes and is over by itself is told to nobody
    incident, tell = _tell(incident, Kind.OVER, 0, policy.tiers[0].notify, now)
    return incident, (note, tell)


def step(incident: Incident, event: Event, now: datetime) -> Outcome:
    """What becomes of the incident, and what to do about it."""
    match incident.status, event:
        case Status.REVIEWED, Observed() | Due():
            return incident, ()
        case Status.RESOLVED, Observed(seen):
            return _reopen(incident, seen, now)
        case Status.RESOLVED, Due():
            return replace(incident, due_at=None), ()
        case Status.RESOLVED, Reviewed(by):
            return replace(incident, status=Status.REVIEWED), (Note("reviewed", {"by": by}),)
        case Status.RESOLVED, Acknowledged(by):
            return incident, (Note("acknowledged_late", {"by": by}),)
        case ((Status.RESOLVED | Status.REVIEWED), Unreachable(kind, level, _, why)):
            return incident, (Note("unreachable", {"kind": kind, "level": level, "why": why}),)
        case ((Status.TRIGGERED | Status.ACKNOWLEDGED | Status.MITIGATED), Observed(seen)):
            return _observe(incident, seen, now)
        case ((Status.TRIGGERED | Status.ACKNOWLEDGED | Status.MITIGATED), Due(at)):
            return _due(incident, at, now)
        case ((Status.TRIGGERED | Status.ACKNOWLEDGED), Acknowledged(by)):
            return _acknowledge(incident, by, now)
        case ((Status.TRIGGERED | Status.ACKNOWLEDGED), Snoozed(by, until)):
            return _snooze(incident, by, until, now)
        case ((Status.TRIGGERED | Status.ACKNOWLEDGED | Status.MITIGATED), Escalated(by, level)):
            return _escalate(incident, by, level, now)
        case ((Status.TRIGGERED | Status.ACKNOWLEDGED | Status.MITIGATED), Triaged()):
            return _triage(incident, event, now)
        case Status.RESOLVED, Triaged(by, False, why):
            return _judged(incident, event, now), (Note("triaged", {"by": by, "urgent": False, "why": why}),)
        case ((Status.TRIGGERED | Status.ACKNOWLEDGED | Status.MITIGATED), Reassigned()):
            return _reassign(incident, event, now)
        case Status.MITIGATED, Acknowledged(by):
            ack = incident.ack or Ack(by, now, incident.seen.machines)
            return replace(incident, ack=ack), (Note("acknowledged", {"by": by, "holds": False}),)
        case ((Status.TRIGGERED | Status.ACKNOWLEDGED | Status.MITIGATED), Unreachable()):
            return _go_up(incident, event, now)
        case ((Status.TRIGGERED | Status.ACKNOWLEDGED | Status.MITIGATED), Resolved(by)):
            return _resolve_by_hand(incident, by, now)
        case status, _:
            raise IllegalTransition(f"An incident that is {status} cannot take {type(event).__name__}.")


def _observe(incident: Incident, seen: Seen, now: datetime) -> Outcome:
    before, incident = incident, replace(incident, seen=seen)
    notes: list[Effect] = list(_mute_notes(before.seen, seen))
    if incident.status is Status.MITIGATED:
        if seen.holding and not _lasts(incident, seen):
            return incident, tuple(notes)  # a blip; neither again nor over
        if seen.holding:
            back = Status.ACKNOWLEDGED if incident.ack and incident.void is None else Status.TRIGGERED
            incident = replace(incident, status=back, mitigated_at=None)
            notes.append(Note("again", dict(seen.facts)))
        elif seen.recovered:
            incident, effects = _resolve(incident, now)
            return incident, (*notes, *effects)
    elif not seen.holding:
        incident = replace(incident, status=Status.MITIGATED, mitigated_at=now)
        notes.append(Note("mitigated", {"elapsed_s": seen.elapsed.total_seconds()}))
        if seen.recovered:
            incident, effects = _resolve(incident, now)
            return incident, (*notes, *effects)
    void = _voids(before, seen, now)
    if void and incident.ack and incident.void is None:
        status = Status.TRIGGERED if incident.status is Status.ACKNOWLEDGED else incident.status
        incident = replace(incident, void=void, status=status)
        notes.append(Note("ack_void", {"why": void, "by": incident.ack.by if incident.ack else ""}))
    return _then(incident, tuple(notes), now)


def _voids(before: Incident, seen: Seen, now: datetime) -> str | None:
    """What voids an acknowledgement: something that begins, which it did not know of (rule 7)."""
    for kind in due_kinds(before.policy, seen):
        if _wants(before, kind, now):
            return kind.value
    if seen.source_down and not before.seen.source_down:
        return Kind.BLIND.value
    if before.ack and set(seen.joined) - set(before.ack.machines):
        return "machine"
    return None


def _due(incident: Incident, at: datetime, now: datetime) -> Outcome:
    if incident.due_at != at or at > now:
        return incident, ()  # stale: acknowledged, resolved or armed anew meanwhile
    seen = incident.seen
    alive = seen.watched_at is not None and now - seen.watched_at <= seen.patience
    if alive or not seen.holding or seen.since is None:  # while the watch is alive, samples decide
        return _then(incident, (), now)
    gone = timedelta(0) if seen.dipping else now - seen.at
    later = replace(seen, at=now, elapsed=seen.elapsed + gone).unmuted(now)
    return _then(replace(incident, seen=later), _mute_notes(seen, later), now)


def _mute_notes(before: Seen | None, seen: Seen) -> tuple[Note, ...]:
    """What the timeline says when a maintenance or a silence begins or ends to mute the tiers."""
    was, muted = before.muted if before else None, seen.muted
    if muted is not None and was is None:
        return (Note("muted", {"cause": muted.cause, "by": muted.by, "until": _iso(muted.until)}),)
    if was is not None and muted is None:
        return (Note("unmuted", {"cause": was.cause}),)
    return ()


def _acknowledge(incident: Incident, by: str, now: datetime) -> Outcome:
    if incident.handed is not None:  # whoever it was handed to, or somebody who is faster, takes it over
        limit = incident.handed.limit
        incident = replace(incident, ack=Ack(by, now, incident.seen.machines), hold_until=limit, handed=None)
    first = incident.ack is None
    hold = now + incident.policy.ack_holds if first else incident.hold_until
    ack = incident.ack or Ack(by, now, incident.seen.machines)
    incident = replace(incident, status=Status.ACKNOWLEDGED, ack=ack, hold_until=hold)
    note = Note("acknowledged", {"by": by, "holds": incident.holds(now), "until": _iso(hold)})
    return _then(incident, (note,), now)


def _snooze(incident: Incident, by: str, until: datetime, now: datetime) -> Outcome:
    """Whoever snoozes knows of everything that holds now, so that a void hold counts again."""
    ack = Ack(by, incident.ack.at if incident.ack else now, incident.seen.machines)
    incident = replace(incident, status=Status.ACKNOWLEDGED, ack=ack, hold_until=until, void=None)
    return _then(incident, (Note("snoozed", {"by": by, "until": _iso(until)}),), now)


def _escalate(incident: Incident, by: str, level: int, now: datetime) -> Outcome:
    tier = incident.policy.tiers[level - 1]
    incident, tell = _tell(incident, Kind.TIER, level, tier.notify, now, {"escalated_by": by})
    note = Note("escalated", {"by": by, "level": level})
    return replace(incident, due_at=_next_due(incident, now)), (note, tell)


def _triage(incident: Incident, event: Triaged, now: datetime) -> Outcome:
    """The first time it is judged urgent the department is told; the tiers keep their times whatever is judged."""
    again = incident.triage is not None and incident.triage.urgent
    incident = _judged(incident, event, now)
    level, targets = department(incident, event.owner) if event.urgent and not again else (0, ())
    note = Note("triaged", {"by": event.by, "urgent": event.urgent, "why": event.why, "level": level})
    if not level:
        return incident, (note,)
    incident, tell = _tell(incident, Kind.URGENT, level, targets, now)
    return incident, (note, tell)


def _judged(incident: Incident, event: Triaged, now: datetime) -> Incident:
    return replace(incident, triage=Triage(event.by, now, event.urgent, event.why))


def _reassign(incident: Incident, event: Reassigned, now: datetime) -> Outcome:
    """The acknowledgement moves. Until its new owner confirms, it holds for a short while, never beyond its limit."""
    old = incident.handed.limit if incident.handed else incident.hold_until
    limit = old or now + incident.policy.ack_holds
    status = incident.status if incident.status is Status.MITIGATED else Status.ACKNOWLEDGED
    incident = replace(
        incident, status=status, ack=Ack(event.name, now, incident.seen.machines),
        hold_until=min(limit, now + HANDED_WAITS), handed=Handed(event.to, event.by, now, limit),
    )  # fmt: skip
    incident, tell = _tell(incident, Kind.REASSIGNED, 0, (event.to,), now, {"handed_by": event.by})
    until = _iso(incident.hold_until) if incident.holds(now) else None
    note = Note("reassigned", {"by": event.by, "to": event.name, "until": until})
    return replace(incident, due_at=_next_due(incident, now)), (note, tell)


def _resolve_by_hand(incident: Incident, by: str, now: datetime) -> Outcome:
    if incident.seen.holding:
        raise StillBreached
    incident, effects = _resolve(incident, now)
    return incident, (Note("resolved_by_hand", {"by": by}), *effects)


def _resolve(incident: Incident, now: datetime) -> Outcome:
    incident = replace(
        incident, status=Status.RESOLVED, mitigated_at=incident.mitigated_at or now, resolved_at=now, due_at=None
    )
    told = bool(incident.told)
    incident, tell = _tell(incident, Kind.RESOLVED, 0, (), now)
    note = Note("resolved", {"elapsed_s": incident.seen.elapsed.total_seconds()})
    return incident, (note, tell) if told else (note,)


def _reopen(incident: Incident, seen: Seen, now: datetime) -> Outcome:
    """A breach within ``rejoin`` of the last joins its incident; it is told anew once it has held for ``settle``."""
    if not seen.holding or seen.since is None or not _lasts(incident, seen):
        return incident, ()
    incident = replace(
        incident, status=Status.TRIGGERED, seen=seen, occurrence=incident.occurrence + 1, reopened_at=now,
        mitigated_at=None, resolved_at=None, ack=None, hold_until=None, void=None, triage=None, handed=None,
    )  # fmt: skip
    return _then(incident, (Note("reopened", dict(seen.facts)),), now)


def _then(incident: Incident, effects: tuple[Effect, ...], now: datetime) -> Outcome:
    """Tell whatever is due by now, and arm the timer for what comes next."""
    more: list[Effect] = []
    for kind in due_kinds(incident.policy, incident.seen):
        if _wants(incident, kind, now):
            incident, tell = _tell(incident, kind, 0, kind.at_once(incident.policy), now)
            more.append(tell)
    if incident.seen.high:
        incident = replace(incident, high_at=now)
    if incident.seen.holding and incident.seen.muted is None and not incident.holds(now):
        for level, tier in enumerate(incident.policy.tiers, start=1):
            again = _again_at(incident, level)
            if incident.seen.counted >= tier.after if again is None else again <= now:
                incident, tell = _tell(incident, Kind.TIER, level, tier.notify, now)
                more.append(tell)
    return replace(incident, due_at=_next_due(incident, now)), (*effects, *more)


def _again_at(incident: Incident, level: int) -> datetime | None:
    """When a tier that was told is told again: after ``repeat`` while nobody takes it; None if it was not told yet."""
    counts_from = incident.seen.counts_from
    told = [
        each.at
        for each in incident.told
        if (each.kind, each.level, each.occurrence) == (Kind.TIER, level, incident.occurrence)
        and (counts_from is None or each.at >= counts_from)
    ]
    if not told:
        return None
    last = max(told)
    repeat = incident.policy.tiers[level - 1].repeat
    return last + repeat if repeat is not None and (incident.ack is None or incident.handed) else NEVER_AGAIN


def _lasts(incident: Incident, seen: Seen) -> bool:
    """Whether a breach that is back is more than a blip: it has held for ``settle``, or calls at once."""
    return seen.held >= incident.policy.settle or bool(due_kinds(incident.policy, seen))


def _wants(incident: Incident, kind: Kind, now: datetime) -> bool:
    """Whether a kind that calls at once begins: told once, the ceiling again only after an hour below (rule 6)."""
    if not incident.has_told(kind):
        return True
    ceiling = incident.policy.ceiling
    if kind is not Kind.CEILING or ceiling is None or incident.high_at is None:
        return False
    return now - incident.high_at >= ceiling.again_after


def _next_due(incident: Incident, now: datetime) -> datetime | None:
    """When to look again even if the watch says nothing: the next tier's time, or the end of the hold."""
    seen = incident.seen
    if not incident.open or not seen.holding:
        return None
    waits: list[datetime] = []
    for level, tier in enumerate(incident.policy.tiers, start=1):
        again = _again_at(incident, level)
        waits.append(seen.at + max(tier.after - seen.counted, timedelta(0)) + seen.patience if again is None else again)
    at = min(waits)
    if at == NEVER_AGAIN:
        return None
    if incident.hold_until is not None and incident.holds(now):
        at = max(at, incident.hold_until)
    if seen.muted is not None:
        at = max(at, seen.muted.until)
    return max(at, now + seen.patience) if seen.patience else at


def _go_up(incident: Incident, event: Unreachable, now: datetime) -> Outcome:
    """A tier that cannot be reached goes up to the next at once, and says why (rule 8)."""
    note = Note("unreachable", {"kind": event.kind, "level": event.level, "why": event.why})
    if event.occurrence != incident.times_told(event.kind, event.level):
        return incident, (note,)
    if event.kind is Kind.REASSIGNED:  # whoever cannot be told holds nothing back
        return _then(replace(incident, hold_until=now), (note,), now)
    level = event.level + 1
    if level > len(incident.policy.tiers):
        return incident, (note, Note("exhausted", {"kind": event.kind}))
    if incident.has_told(event.kind, level):
        return incident, (note,)
    targets = incident.policy.tiers[level - 1].notify
    if event.level == 0 and targets == event.kind.at_once(incident.policy):
        return _go_up(incident, replace(event, level=level), now)
    incident, tell = _tell(incident, event.kind, level, targets, now, {"unreachable": event.why})
    return replace(incident, due_at=_next_due(incident, now)), (note, tell)


def _tell(
    incident: Incident,
    kind: Kind,
    level: int,
    targets: tuple[str, ...],
    now: datetime,
    facts: Facts | None = None,
) -> tuple[Incident, Notify]:
    seen, ack = incident.seen, incident.ack
    told = Told(kind, level, incident.occurrence, now, seen.elapsed)
    said: dict[str, str | float | int | bool | None] = {
        **seen.facts,
        "elapsed_s": seen.elapsed.total_seconds(),
        "since": _iso(seen.since or incident.began_at),
        "blind_since": _iso(seen.blind_since),
        "ack_by": ack.by if ack else None,
        "ack_at": _iso(ack.at) if ack else None,
        "ack_void": incident.void,
        **judgement(incident),
        "maintained_until": _iso(seen.counts_from) if seen.since_before_maintenance else None,
        **(facts or {}),
    }
    incident = replace(incident, told=(*incident.told, told))
    return incident, Notify(kind, level, incident.times_told(kind, level), targets, said)


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
