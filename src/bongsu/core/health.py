"""How Bongsu itself does: what is late, and what is wrong with it. Judged from its own records, by nobody's word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bongsu.core.incident import Incident, Kind, Status

TOLERANCE = timedelta(minutes=1)
"""How late, in wall time, anything may be before it is called late."""
SKEW = timedelta(seconds=5)
"""From how far apart clocks are warned of."""
OURSELVES = "bongsu"
"""The name that an audit leaves its mark under, among the heartbeats."""
_NONE = timedelta(0)
TIMER, TIER, MESSAGE = "timer", "tier", "message"
KINDS = (TIMER, TIER, MESSAGE)


@dataclass(frozen=True, slots=True)
class Late:
    """One thing that should have happened by ``due``: a timer, a tier to tell, or a message to send.

    ``about``: the incident's id, or the Message-ID of what belongs to none.
    """

    kind: str
    about: str
    due: datetime
    level: int = 0


@dataclass(frozen=True, slots=True)
class Vitals:
    """What is known of Bongsu's own work, in wall time. ``looked_at`` and ``audited_at``: when that last succeeded.

    ``late`` is what the audit found then, with its times on the wall; ``ahead`` is how far this computer's clock runs
    ahead of others'; ``database`` says why that does not answer.
    """

    now: datetime
    started_at: datetime
    looked_at: datetime | None
    look_every: timedelta
    audited_at: datetime | None
    audit_every: timedelta
    late: tuple[Late, ...] = ()
    ahead: Mapping[str, timedelta] = field(default_factory=dict)
    database: str = ""


@dataclass(frozen=True, slots=True)
class Complaint:
    """Something that is wrong: a code, and what a person should know."""

    what: str
    why: str


def late_timer(incident: Incident, now: datetime, tolerance: timedelta) -> Late | None:
    """Its timer has passed, and nothing came of it."""
    due = incident.due_at
    return Late(TIMER, incident.id, due) if due is not None and now - due > tolerance else None


def untold_tiers(incident: Incident, now: datetime, tolerance: timedelta) -> tuple[Late, ...]:
    """The tiers that should know by now and were never told. Figured from the policy alone, not from the timer."""
    seen = incident.seen
    if not incident.open or not seen.holding or seen.dipping or incident.status is Status.MITIGATED:
        return ()  # a mitigated one that stirs is told of once it has held for ``settle``
    due = [_due(incident, level) for level in range(1, len(incident.policy.tiers) + 1)]
    return tuple(
        Late(TIER, incident.id, at, level)
        for level, at in enumerate(due, start=1)
        if now - at > seen.patience + tolerance and not _told(incident, level)
    )


def lateness(incident: Incident, level: int, now: datetime) -> timedelta:
    """How late a tier is that is told now. Before an alert came, or came again, nobody could know of it."""
    known = [at for at in (incident.reopened_at,) if at is not None]
    if incident.seen.watched_at is None:
        known.append(incident.opened_at)
    return max(now - max([_due(incident, level), *known]), _NONE)


def _due(incident: Incident, level: int) -> datetime:
    """When a tier should know: at its time, or when the last that holds it back ends."""
    seen = incident.seen
    waits = [seen.at + (incident.policy.tiers[level - 1].after - seen.counted)]
    if incident.void is None and incident.hold_until is not None:
        waits.append(incident.hold_until)
    if seen.muted is not None:
        waits.append(seen.muted.until)
    return max(waits)


def _told(incident: Incident, level: int) -> bool:
    since = incident.seen.counts_from
    return any(
        (told.kind, told.level, told.occurrence) == (Kind.TIER, level, incident.occurrence)
        and (since is None or told.at >= since)
        for told in incident.told
    )


def complaints(vitals: Vitals) -> tuple[Complaint, ...]:
    """Why Bongsu cannot be relied on now; nothing when it can."""
    found: list[Complaint] = []
    if vitals.database:
        found.append(Complaint("database", f"the database cannot be used: {vitals.database}"))
    looked = vitals.now - (vitals.looked_at or vitals.started_at)
    if looked > max(TOLERANCE, 3 * vitals.look_every):
        found.append(Complaint("watch_stuck", f"the watch has not looked at everything for {_span(looked)}"))
    audited = vitals.now - (vitals.audited_at or vitals.started_at)
    if audited > max(TOLERANCE, 3 * vitals.audit_every):
        found.append(Complaint("audit_stuck", f"nobody has looked for what is late for {_span(audited)}"))
    waiting = [each for each in vitals.late if each.kind != MESSAGE]
    if waiting:
        found.append(Complaint("escalation_late", _worst(waiting, vitals.now, "the escalation of")))
    unsent = [each for each in vitals.late if each.kind == MESSAGE]
    if unsent:
        found.append(Complaint("delivery_stuck", _worst(unsent, vitals.now, "sending of")))
    return tuple(found)


def warnings(vitals: Vitals) -> tuple[Complaint, ...]:
    """What should be mended and keeps nobody from being told."""
    return tuple(
        Complaint(
            "clock_skew",
            f"this computer's clock runs {abs(ahead).total_seconds():.1f} s {'ahead of' if ahead > _NONE else 'behind'}"
            f" that of {name}; set both by NTP",
        )
        for name, ahead in sorted(vitals.ahead.items())
        if abs(ahead) > SKEW
    )


def _worst(late: Iterable[Late], now: datetime, what: str) -> str:
    found = sorted(late, key=lambda each: each.due)
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    return f"{what} {found[0].about} is late by {_span(now - found[0].due)}{more}"


def _span(span: timedelta) -> str:
    return f"{span.total_seconds():.0f} s"
