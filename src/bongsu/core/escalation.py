"""Who is told next: every rule about it lives in this file, and nowhere else.

``step`` is a pure, total function: a (status, event) pair that it does not name raises IllegalTransition. The timer is
not an effect but ``incident.due_at``. Samples decide while the watch is alive; the timer is the net under it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from bongsu.core.errors import IllegalTransition, StillBreached
from bongsu.core.incident import Ack, Facts, Incident, Kind, Seen, Status, Told, Triage
from bongsu.core.policy import Policy
from bongsu.core.triage import Triaged, department, judgement

NEVER_AGAIN = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Observed:
    """The watch, or an alert, saw how things stand."""

    seen: Seen


@dataclass(frozen=True, slots=True)
class Due:
    """The timer that was armed for ``at`` went off."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Somebody took the incident."""

    by: str


@dataclass(frozen=True, slots=True)
class Snoozed:
    """Somebody takes it and wants the next tiers to wait until then. Once it is over, each overdue tier is told."""

    by: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Escalated:
    """Somebody wants a tier to know now, whatever its time."""

    by: str
    level: int


@dataclass(frozen=True, slots=True)
class Unreachable:
    """Nobody could be told: no address, or every address permanently refused."""

    kind: Kind
    level: int
    occurrence: int
    why: str


@dataclass(frozen=True, slots=True)
class Resolved:
    """Somebody declares it over."""

    by: str


@dataclass(frozen=True, slots=True)
class Reviewed:
    """The review meeting has dealt with it."""

    by: str


Event = Observed | Due | Acknowledged | Snoozed | Escalated | Unreachable | Triaged | Resolved | Reviewed


@dataclass(frozen=True, slots=True)
class Notify:
    """Tell these targets. Kind RESOLVED has none: it goes to exactly those who were told."""

    kind: Kind
    level: int
    occurrence: int
    targets: tuple[str, ...]
    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Note:
    """A line for the timeline."""

    what: str
    facts: Facts = field(default_factory=dict)


Effect = Notify | Note
Outcome = tuple[Incident, tuple[Effect, ...]]


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
    return tuple(kind for kind, wanted in asked if wanted)


def warrants(policy: Policy, seen: Seen) -> bool:
    """Whether ``seen`` is reason to begin an incident: the first tier's time has passed, or something calls at once."""
    overdue = seen.holding and any(seen.elapsed >= tier.after for tier in policy.tiers)
    return overdue or bool(due_kinds(policy, seen))


def begin(incident_id: str, service: str, policy: Policy, seen: Seen, now: datetime) -> Outcome:
    """A new incident and what to tell first."""
    incident = Incident(incident_id, service, policy, opened_at=now, seen=seen, began_at=seen.since)
    return _then(incident, (Note("opened", {"since": _iso(seen.since), **seen.facts}),), now)


def begin_over(incident_id: str, service: str, policy: Policy, seen: Seen, now: datetime) -> Outcome:
    """A breach that began and ended while nobody watched: one mail, to the first tier, and it is closed (rule 11)."""
    incident = Incident(
        id=incident_id, service=service, policy=policy, opened_at=now, seen=seen, status=Status.RESOLVED,
        mitigated_at=now, resolved_at=now,
    )  # fmt: skip
    incident, tell = _tell(incident, Kind.OVER, 0, policy.tiers[0].notify, now)
    return incident, (Note("was_over", {"since": _iso(seen.since)}), tell)


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
    notes: list[Effect] = []
    if incident.status is Status.MITIGATED:
        if seen.holding and not _lasts(incident, seen):
            return incident, ()  # a blip; neither again nor over
        if seen.holding:
            back = Status.ACKNOWLEDGED if incident.ack and incident.void is None else Status.TRIGGERED
            incident = replace(incident, status=back, mitigated_at=None)
            notes.append(Note("again", dict(seen.facts)))
        elif seen.recovered:
            return _resolve(incident, now)
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
    return _then(replace(incident, seen=replace(seen, at=now, elapsed=seen.elapsed + gone)), (), now)


def _acknowledge(incident: Incident, by: str, now: datetime) -> Outcome:
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
        mitigated_at=None, resolved_at=None, ack=None, hold_until=None, void=None, triage=None,
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
    if incident.seen.holding and not incident.holds(now):
        for level, tier in enumerate(incident.policy.tiers, start=1):
            again = _again_at(incident, level)
            if incident.seen.elapsed >= tier.after if again is None else again <= now:
                incident, tell = _tell(incident, Kind.TIER, level, tier.notify, now)
                more.append(tell)
    return replace(incident, due_at=_next_due(incident, now)), (*effects, *more)


def _again_at(incident: Incident, level: int) -> datetime | None:
    """When a tier that was told is told again: after ``repeat`` while nobody takes it; None if it was not told yet."""
    if not incident.has_told(Kind.TIER, level):
        return None
    last = max(each.at for each in incident.told if (each.kind, each.level) == (Kind.TIER, level))
    repeat = incident.policy.tiers[level - 1].repeat
    return last + repeat if repeat is not None and incident.ack is None else NEVER_AGAIN


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
        waits.append(seen.at + max(tier.after - seen.elapsed, timedelta(0)) + seen.patience if again is None else again)
    at = min(waits)
    if at == NEVER_AGAIN:
        return None
    if incident.hold_until is not None and incident.holds(now):
        at = max(at, incident.hold_until)
    return max(at, now + seen.patience) if seen.patience else at


def _go_up(incident: Incident, event: Unreachable, now: datetime) -> Outcome:
    """A tier that cannot be reached goes up to the next at once, and says why (rule 8)."""
    note = Note("unreachable", {"kind": event.kind, "level": event.level, "why": event.why})
    if event.occurrence != incident.times_told(event.kind, event.level):
        return incident, (note,)
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
        **(facts or {}),
    }
    incident = replace(incident, told=(*incident.told, told))
    return incident, Notify(kind, level, incident.times_told(kind, level), targets, said)


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
