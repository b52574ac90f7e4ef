"""The agenda of the regular review: what was not dealt with, what is late, and whether we get better."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from bongsu.core.alarms import Alarm, Outcome, false_alarms, missed_alarms
from bongsu.core.drill import Drilled
from bongsu.core.followup import Item
from bongsu.core.incident import Incident, Kind, Status


@dataclass(frozen=True, slots=True)
class Meeting:
    """The regular review. ``invite``: who gets the agenda, ``notice`` before it begins."""

    every: timedelta
    start: datetime
    invite: tuple[str, ...] = ()
    notice: timedelta = timedelta(days=1)

    def next(self, now: datetime) -> datetime:
        """When it is held next."""
        if now < self.start:
            return self.start
        return self.start + ((now - self.start) // self.every + 1) * self.every


@dataclass(frozen=True, slots=True)
class Pace:
    """Medians over the incidents of a span, None where there are none; seconds.

    ``detect``: from the breach's first sample to the incident. ``acknowledge``: from the incident to the first who took
    it. ``recover``: from the breach's first sample to its end.
    """

    incidents: int
    detect: float | None = None
    acknowledge: float | None = None
    recover: float | None = None


@dataclass(frozen=True, slots=True)
class Agenda:
    """What the meeting looks at. ``now`` and ``before``: the span that ends now, and the one before it."""

    since: datetime
    until: datetime
    unreviewed: tuple[Incident, ...]
    overdue: tuple[Item, ...]
    coming: tuple[Item, ...]
    now: Pace
    before: Pace
    false_alarms: tuple[Alarm, ...]
    missed_alarms: tuple[Alarm, ...]
    untaken: tuple[Incident, ...]
    """Incidents that nobody ever took."""
    undecided: int = 0
    """Unreviewed incidents whose report nobody has approved."""
    drills: tuple[Drilled, ...] = ()
    """The newest drills, the last one first."""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to meet about."""
        drilled = bool(self.drills) and not self.drills[0].passed
        return not (self.unreviewed or self.overdue or self.coming or self.missed_alarms or drilled)


def agenda(
    incidents: Sequence[Incident], items: Iterable[Item], approved: Iterable[str], *, until: datetime,
    span: timedelta, today: date, outcomes: Mapping[str, Outcome], mailed: Collection[str],
    drills: tuple[Drilled, ...] = (),
) -> Agenda:  # fmt: skip
    """The agenda for the ``span`` that ends at ``until``. ``outcomes`` and ``mailed``: see ``core.alarms``."""
    since = until - span
    closed = [each for each in incidents if each.status is Status.RESOLVED]
    open_items = sorted((each for each in items if each.open), key=lambda each: (each.due, each.id))
    waiting = tuple(sorted(closed, key=lambda each: each.opened_at))
    within = [each for each in incidents if since <= each.opened_at < until]
    done = set(approved)
    return Agenda(
        since=since,
        until=until,
        unreviewed=waiting,
        overdue=tuple(each for each in open_items if each.overdue(today)),
        coming=tuple(each for each in open_items if not each.overdue(today)),
        now=pace(within),
        before=pace([each for each in incidents if since - span <= each.opened_at < since]),
        false_alarms=false_alarms(within, outcomes),
        missed_alarms=missed_alarms(within, mailed),
        untaken=tuple(each for each in within if not each.open and each.ack is None and _tiers_told(each)),
        undecided=sum(each.id not in done for each in waiting),
        drills=drills,
    )


def pace(incidents: Iterable[Incident]) -> Pace:
    """How fast we were."""
    found = list(incidents)
    detect = [each.opened_at - each.began_at for each in found if each.began_at is not None]
    taken = [each.ack.at - each.opened_at for each in found if each.ack is not None]
    ended = [each.mitigated_at - (each.began_at or each.opened_at) for each in found if each.mitigated_at is not None]
    return Pace(len(found), _median(detect), _median(taken), _median(ended))


def earlier(incident: Incident, others: Iterable[Incident], within: timedelta = timedelta(days=90)) -> tuple[str, ...]:
    """Ids of earlier incidents of the same service and policy (and group), the newest first: it has come back."""
    same = [
        each for each in others
        if each.id != incident.id
        and (each.service, each.policy.name, each.group) == (incident.service, incident.policy.name, incident.group)
        and timedelta(0) < incident.opened_at - each.opened_at <= within
    ]  # fmt: skip
    return tuple(each.id for each in sorted(same, key=lambda each: each.opened_at, reverse=True))


def _tiers_told(incident: Incident) -> bool:
    return any(told.kind is not Kind.OVER for told in incident.told)


def _median(spans: Sequence[timedelta]) -> float | None:
    return statistics.median(span.total_seconds() for span in spans) if spans else None
