"""The breach clock: how long a service has been over its limit, by the stored samples' own timestamps.

All of rules 1 to 5 live here. ``advance`` folds new samples into a BreachClock; nothing else changes one.
A clock belongs to a (service, policy) and runs while *any* machine of the service is in breach: an average that
hides one drained machine is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import groupby
from typing import NamedTuple

from bongsu.core.burst import MachineType, full_burn_runway
from bongsu.core.incident import Seen
from bongsu.core.policy import Policy

THROTTLED_SHARE = 0.10
"""Throttled share or steal above which a machine without a known balance may be on the flat line."""
FLAT_FROM = 0.85
"""A machine without credits is on the flat line from this share of its baseline."""
FLAT_WITHIN = 0.10
"""... and, with no known balance, when its CPU lies within this share of the baseline."""


class Cause(StrEnum):
    """Why a sample counts as a breach."""

    OVER = "over"
    """CPU over the limit."""
    FLAT = "flat"
    """The flat line: credits gone, CPU held down to the baseline, looking healthy."""


class Point(NamedTuple):
    """One machine at one scrape. ``cpu`` 0..1; ``balance`` in credits; ``throttled`` and ``steal`` are shares 0..1."""

    at: datetime
    machine: str
    cpu: float
    balance: float | None = None
    throttled: float | None = None
    steal: float | None = None


@dataclass(frozen=True, slots=True)
class Machine:
    """What the clock last knew of one machine. ``high`` counts samples at the ceiling in a row.

    ``over_at``: the first of the samples in a row that were over the limit.
    """

    name: str
    seen_at: datetime
    cpu: float
    balance: float | None = None
    cause: Cause | None = None
    over_at: datetime | None = None
    high: int = 0
    throttled: bool = False
    stolen: bool = False

    def blind(self, now: datetime, stale: timedelta) -> bool:
        """Whether its newest sample is missing: older than three scrapes."""
        return now - self.seen_at > stale


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time over the limit that has ended; dips shorter than ``settle`` are inside it."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class BreachClock:
    """How long a service has been over its limit.

    ``since``: when the running stretch began; None while there is none.
    ``held_at``: the newest sample in which any machine was over. ``dip_at``: since when no machine is over.
    ``earlier``: the time of the stretches that the running one has joined.
    ``ended_at``: when the last stretch ended. ``blind_since``: since when nothing is known of a machine in breach.
    """

    since: datetime | None = None
    held_at: datetime | None = None
    dip_at: datetime | None = None
    earlier: timedelta = timedelta(0)
    ended_at: datetime | None = None
    seen_until: datetime | None = None
    blind_since: datetime | None = None
    machines: Mapping[str, Machine] = field(default_factory=dict)

    @property
    def running(self) -> bool:
        """Whether a breach holds, dips shorter than ``settle`` included."""
        return self.since is not None

    def elapsed(self, now: datetime) -> timedelta:
        """Time over the limit: up to the newest sample over it, or up to ``now`` while blind (rule 4)."""
        if self.since is None:
            return self.earlier
        until = now if self.blind_since is not None else (self.held_at or self.since)
        return self.earlier + (max(until, self.since) - self.since)

    def breaching(self) -> tuple[str, ...]:
        """The machines that were over the limit when last seen."""
        return tuple(sorted(name for name, machine in self.machines.items() if machine.cause is not None))


def cause_of(point: Point, machine: MachineType, policy: Policy) -> Cause | None:
    """Why this sample is a breach, or None (rule 5: the flat line of an empty bucket is one)."""
    limit = machine.baseline if policy.over is None else policy.over
    if point.cpu > limit:
        return Cause.OVER
    return Cause.FLAT if policy.flat_line and _is_flat(point, machine) else None


def _is_flat(point: Point, machine: MachineType) -> bool:
    if point.balance is not None:
        return point.balance <= machine.empty_below and point.cpu >= FLAT_FROM * machine.baseline
    starved = max(point.throttled or 0.0, point.steal or 0.0) > THROTTLED_SHARE
    return starved and abs(point.cpu - machine.baseline) <= FLAT_WITHIN * machine.baseline


def _is_throttled(point: Point, machine: MachineType) -> bool:
    """On the flat line and held there: a machine with its last credits may still be well above the baseline."""
    return _is_flat(point, machine) and point.cpu <= (1 + FLAT_WITHIN) * machine.baseline


def advance(
    clock: BreachClock, points: Iterable[Point], machine: MachineType, policy: Policy
) -> tuple[BreachClock, tuple[Stretch, ...]]:
    """Fold samples newer than the clock has seen, and return the stretches that ended on the way.

    Points of different machines come in any order; those not newer than the machine's last one are ignored, so
    folding the same window twice changes nothing. A machine without new points keeps what was last known of it:
    missing data neither starts, ends nor resets a breach.
    """
    ended: list[Stretch] = []
    fresh = [p for p in points if (seen := clock.machines.get(p.machine)) is None or p.at > seen.seen_at]
    for at, together in groupby(sorted(fresh, key=lambda point: point.at), key=lambda point: point.at):
        # all machines of one scrape first, so that the order in which they are listed does not matter
        machines = dict(clock.machines)
        for point in together:
            machines[point.machine] = _look(point, machines.get(point.machine), machine, policy)
        clock = replace(clock, machines=machines, seen_until=max(at, clock.seen_until or at))
        over = any(seen.cause is not None for seen in machines.values())
        clock = _hold(clock, at, policy) if over else _dip(clock, at, policy, ended)
    return clock, tuple(ended)


def _look(point: Point, known: Machine | None, machine: MachineType, policy: Policy) -> Machine:
    high = policy.ceiling is not None and point.cpu >= policy.ceiling.at
    empty = point.balance is not None and point.balance <= machine.empty_below
    cause = cause_of(point, machine, policy)
    over_at = (known.over_at if known else None) or point.at
    return Machine(
        name=point.machine,
        seen_at=point.at,
        cpu=point.cpu,
        balance=point.balance,
        cause=cause,
        over_at=over_at if cause is not None else None,
        high=(known.high if known else 0) + 1 if high else 0,
        throttled=policy.flat_line and _is_throttled(point, machine),
        stolen=(point.steal or 0.0) > THROTTLED_SHARE and not empty,
    )


def _hold(clock: BreachClock, at: datetime, policy: Policy) -> BreachClock:
    if clock.since is not None:
        return replace(clock, held_at=max(at, clock.held_at or at), dip_at=None)
    joins = clock.ended_at is not None and at - clock.ended_at <= policy.rejoin
    return replace(
        clock,
        since=at,
        held_at=at,
        dip_at=None,
        earlier=clock.earlier if joins else timedelta(0),
        ended_at=None,
    )


def _dip(clock: BreachClock, at: datetime, policy: Policy, ended: list[Stretch]) -> BreachClock:
    if clock.since is None or clock.held_at is None:
        return clock
    dip_at = clock.dip_at or at
    if at - dip_at < policy.settle:
        return replace(clock, dip_at=dip_at)
    ended.append(Stretch(clock.since, clock.held_at))
    return _end(clock, clock.since, clock.held_at)


def _end(clock: BreachClock, since: datetime, until: datetime) -> BreachClock:
    earlier = clock.earlier + (until - since)
    return replace(clock, since=None, held_at=None, dip_at=None, earlier=earlier, ended_at=until)


def look_around(
    clock: BreachClock, now: datetime, stale: timedelta, policy: Policy, members: frozenset[str] | None
) -> BreachClock:
    """The clock as it stands at ``now``: removed machines have left, blindness is marked.

    ``members`` are the machines in the balancer (None: unknown, nobody leaves). A machine that was removed leaves
    the breach; one that merely vanished is still a member, keeps its last state and is blind (rule 4).
    """
    kept = {n: m for n, m in clock.machines.items() if members is None or n in members}
    breaching = [m for m in kept.values() if m.cause is not None]
    sighted = [m for m in breaching if not m.blind(now, stale)]
    blind_since = min(m.seen_at for m in breaching) if breaching and not sighted else None
    clock = replace(clock, machines=kept, blind_since=blind_since)
    if clock.since is None or clock.held_at is None or breaching:
        return clock
    dip_at = clock.dip_at or now
    if now - dip_at < policy.settle:
        return replace(clock, dip_at=dip_at)
    return _end(clock, clock.since, clock.held_at)


def summarise(
    clock: BreachClock,
    machine: MachineType,
    policy: Policy,
    now: datetime,
    *,
    stale: timedelta,
    watched_at: datetime | None,
    source_down: bool = False,
) -> Seen:
    """What a decision needs to know of the clock at ``now``."""
    over = [m for m in clock.machines.values() if m.cause is not None]
    worst = max(over or clock.machines.values(), key=lambda m: (m.throttled, m.cpu), default=None)
    runway = lowest_runway(clock, machine)
    samples = policy.ceiling.samples if policy.ceiling else 1
    throttled = any(m.throttled for m in clock.machines.values())
    enough = runway is None or runway >= policy.resolve_full_burn
    facts: dict[str, str | float | int | bool | None] = {
        "machines": ", ".join(m.name for m in over),
        "machine": worst.name if worst else None,
        "cpu": worst.cpu if worst else None,
        "balance": worst.balance if worst else None,
        "cause": worst.cause if worst else None,
        "stolen": worst.stolen if worst else None,
        "limit": machine.baseline if policy.over is None else policy.over,
        "runway_s": runway.total_seconds() if runway is not None else None,
        "throttled": throttled,
    }
    return Seen(
        at=now,
        holding=clock.running,
        elapsed=clock.elapsed(now),
        since=clock.since,
        dipping=clock.dip_at is not None,
        watched_at=watched_at,
        patience=stale,
        machines=clock.breaching(),
        joined=tuple(m.name for m in over if m.over_at is not None and m.seen_at - m.over_at >= policy.settle),
        blind_since=clock.blind_since,
        source_down=source_down,
        high=any(m.high >= samples and not m.blind(now, stale) for m in clock.machines.values()),
        throttled=throttled,
        runway=runway,
        recovered=not throttled and enough,
        held=clock.elapsed(now) - clock.earlier if clock.running else timedelta(0),
        facts=facts,
    )


def lowest_runway(clock: BreachClock, machine: MachineType) -> timedelta | None:
    """The shortest full-burn runway of any machine with a known balance."""
    runways = [full_burn_runway(m.balance, machine) for m in clock.machines.values() if m.balance is not None]
    return min(runways, default=None)
