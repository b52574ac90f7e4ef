"""Look at every service: fold new samples into its breach clock and put what is seen to its incident."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bongsu.core import escalation, maintenance
from bongsu.core.breach import BreachClock, Point, Stretch, advance, look_around, summarise
from bongsu.core.incident import Incident, Seen, Status
from bongsu.core.policy import Policy
from bongsu.core.service import BLIND, SOURCE, Service
from bongsu.core.signal import READ
from bongsu.engine import burst
from bongsu.engine.apply import apply, start
from bongsu.engine.context import Context, new_id
from bongsu.engine.maintenance import counted
from bongsu.ports import Samples, Unavailable
from bongsu.store import breaches, incidents
from bongsu.store.database import Transaction

log = logging.getLogger("bongsu.watch")


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at the outside brought: points, or that the store is down; the balancer's machines, if known."""

    points: tuple[Point, ...]
    down: bool
    members: frozenset[str] | None


def watch(context: Context) -> None:
    """Look at all services once."""
    down = False
    for service in context.services.values():
        now = context.clock.now()
        saved = context.db.read(lambda tx, s=service: breaches.load(tx, s.name, s.policy.name))  # type: ignore[misc]
        look = look_at(context, service, saved, now)
        down = down or look.down
        context.traces.add(service.name, look.points)
        context.db.write(lambda tx, s=service, seen=look: _watch(tx, context, s, seen))  # type: ignore[misc]
    if context.services:
        context.db.write(lambda tx: _watch_source(tx, context, down))


def look_at(context: Context, service: Service, clock: BreachClock, now: datetime) -> Look:
    """Ask the metrics store and the balancer. A store that does not answer is a fact, not an error."""
    members: frozenset[str] | None = None
    if service.name in context.balancers:
        try:
            members = context.balancers[service.name].members()
        except Unavailable as error:
            log.debug("balancer unavailable", extra={"service": service.name, "why": str(error)})
    since = (clock.seen_until or now - service.look_back) - service.stale
    try:
        found = {
            name: context.metrics.samples(service.signals[name], since, now) for name in READ if name in service.signals
        }
    except Unavailable as error:
        log.debug("metrics store unavailable", extra={"service": service.name, "why": str(error)})
        return Look((), True, members)
    points = join(found, service.stale)
    if members is not None:
        points = tuple(point for point in points if point.machine in members)
    return Look(points, False, members)


def join(found: Mapping[str, Mapping[str, Samples]], stale: timedelta) -> tuple[Point, ...]:
    """One point per CPU sample; the other signals by their newest sample not older than ``stale`` before it."""
    points: list[Point] = []
    for machine, samples in found.get("cpu", {}).items():
        beside = {name: list(found.get(name, {}).get(machine, ())) for name in READ[1:]}
        newest: dict[str, tuple[datetime, float]] = {}
        for at, cpu in samples:
            for name, rest in beside.items():
                while rest and rest[0][0] <= at:
                    newest[name] = rest.pop(0)
            fresh = {name: value for name, (seen, value) in newest.items() if at - seen <= stale}
            points.append(Point(at, machine, cpu, **fresh))
    return tuple(points)


def _watch(tx: Transaction, context: Context, service: Service, look: Look) -> None:
    now = context.clock.now()
    policy = service.policy
    before = breaches.load(tx, service.name, policy.name)
    points = burst.weigh(tx, context, service, look.points)
    clock, ended = advance(before, points, service.machine, policy)
    clock = look_around(clock, now, service.stale, policy, look.members)
    breaches.save(tx, service.name, policy.name, clock)
    seen = summarise(clock, service.machine, policy, now, stale=service.stale, watched_at=now, source_down=look.down)
    trace = context.traces.of(service.name)
    seen = replace(seen, facts={**seen.facts, "trace": trace}) if trace and policy.signal == "cpu" else seen
    decide(tx, context, service.name, policy, seen, ended, now)
    _watch_blind(tx, context, service, clock, look, seen, now)


def decide(
    tx: Transaction,
    context: Context,
    service: str,
    policy: Policy,
    seen: Seen,
    ended: tuple[Stretch, ...],
    now: datetime,
) -> Incident | None:
    """Put what was seen to the incident it belongs to, or begin one if it warrants that."""
    seen = maintenance.look(counted(tx, now), service, policy.name, seen, now)
    current = incidents.latest(tx, service, policy.name)
    if current is not None and current.open:
        return apply(tx, context, current.id, escalation.Observed(seen), now)
    if current is not None and current.status is Status.RESOLVED and _rejoins(current, seen):
        return apply(tx, context, current.id, escalation.Observed(seen), now)
    if escalation.warrants(policy, seen):
        return start(tx, context, escalation.begin(new_id(now), service, policy, seen, now), now)
    return _missed(tx, context, service, policy, seen, ended, current, now)


def _rejoins(current: Incident, seen: Seen) -> bool:
    if not seen.holding or seen.since is None or current.resolved_at is None:
        return False
    return seen.since - current.resolved_at <= current.policy.rejoin


def _missed(
    tx: Transaction,
    context: Context,
    service: str,
    policy: Policy,
    seen: Seen,
    ended: tuple[Stretch, ...],
    current: Incident | None,
    now: datetime,
) -> Incident | None:
    """A breach that began and ended since the last look, long enough that somebody should have been told (rule 11)."""
    missed = [each for each in ended if each.until - each.since >= policy.tiers[0].after]
    if current is not None and current.resolved_at is not None:
        missed = [each for each in missed if each.since > current.resolved_at]
    if not missed:
        return None
    longest = max(missed, key=lambda each: each.until - each.since)
    facts = {**seen.facts, "until": longest.until.isoformat()}
    over = replace(seen, holding=False, since=longest.since, elapsed=longest.until - longest.since, facts=facts)
    return start(tx, context, escalation.begin_over(new_id(now), service, policy, over, now), now)


def _watch_blind(
    tx: Transaction, context: Context, service: Service, clock: BreachClock, look: Look, seen: Seen, now: datetime
) -> None:
    """A machine without samples and without a breach that would say so is an incident of its own (rule 4)."""
    gone = {name: m.seen_at for name, m in clock.machines.items() if m.blind(now, service.stale)}
    kept = breaches.load(tx, service.name, BLIND)
    nothing = not clock.machines and not look.points
    since = min(gone.values()) if gone else (kept.since or now) if nothing else None
    spoken_for = look.down or (seen.blind_since is not None and seen.holding)
    holding = since is not None and not spoken_for and now - since > service.stale
    breaches.save(tx, service.name, BLIND, BreachClock(since=since))
    _put_blind(tx, context, service.name, service.blind, holding, since, tuple(sorted(gone)), now)


def _watch_source(tx: Transaction, context: Context, down: bool) -> None:
    """The metrics store itself: one alarm for all services, to everyone who is on call for one of them."""
    now = context.clock.now()
    services = list(context.services.values())
    before = breaches.load(tx, SOURCE, BLIND).since
    since = (before or now) if down else None
    if down != (before is not None):
        log.warning("metrics store %s", "does not answer" if down else "answers again")
    breaches.save(tx, SOURCE, BLIND, BreachClock(since=since))
    targets = tuple(dict.fromkeys(target for service in services for target in service.blind.blind))
    policy = replace(services[0].blind, blind=targets)
    holding = since is not None and now - since > max(service.stale for service in services)
    _put_blind(tx, context, SOURCE, policy, holding, since, (), now)


def _put_blind(
    tx: Transaction,
    context: Context,
    service: str,
    policy: Policy,
    holding: bool,
    since: datetime | None,
    machines: tuple[str, ...],
    now: datetime,
) -> None:
    facts: dict[str, str | float | int | bool | None] = {
        "machines": ", ".join(machines),
        "machine": machines[0] if machines else None,
        "blind_since": since.isoformat() if since else None,
    }
    seen = Seen(
        at=now,
        holding=holding,
        elapsed=now - since if holding and since else timedelta(0),
        since=since if holding else None,
        watched_at=now,
        machines=machines,
        blind_since=since if holding else None,
        held=now - since if holding and since else timedelta(0),
        facts=facts,
    )
    decide(tx, context, service, policy, seen, (), now)
