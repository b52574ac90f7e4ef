"""Record an incident so that it can happen again: its samples, its arrivals, and who was told when."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta

from bongsu.config.replays import Replay, Times
from bongsu.core.errors import InvalidInput
from bongsu.core.impact import Arrivals
from bongsu.core.incident import Incident, Kind
from bongsu.core.replay import FULL, Alarm, Used, demanded
from bongsu.core.service import Service
from bongsu.engine.context import Context
from bongsu.ports import Samples, Unavailable
from bongsu.store import actions, incidents

LEAD = timedelta(minutes=10)
"""How much is recorded before the breach began."""
LONGEST = timedelta(hours=6)
MINUTE = timedelta(minutes=1)
CHAIN = (Kind.TIER, Kind.CEILING, Kind.RUNWAY, Kind.THROTTLED)
"""What samples alone bring about, so that the same samples must bring it about again."""


def record(context: Context, incident_id: str) -> Replay:
    """The record of an incident. Raises NotFound, InvalidInput where there is none, Unavailable."""
    incident, acts = context.db.read(lambda tx: (incidents.load(tx, incident_id), actions.of(tx, incident_id)))
    service = context.services.get(incident.service)
    if service is None or service.policy.name != incident.policy.name or incident.began_at is None:
        raise InvalidInput(
            [f"{incident_id} ({incident.service}/{incident.policy.name}) is no breach that Bongsu watched in samples"]
        )
    start, notes = incident.began_at, []
    until = _until(context, incident)
    if until - start > LONGEST:
        until = start + LONGEST
        notes.append(f"only the first {LONGEST / timedelta(hours=1):g} hours")
    since = start - LEAD
    series = {name: _samples(context, service, name, since, until) for name in ("cpu", "balance", "throttled")}
    if not series["cpu"]:
        raise Unavailable(
            f"the metrics store has no CPU of {incident.service} from {since.isoformat()} on; record an incident while "
            "the store still holds it"
        )
    came = _arrivals(context, incident.service, (since, until), notes)
    minutes = demanded(_minutes(context, service, series, came, (since, until), start))
    balances = [samples[0][1] for samples in series["balance"].values() if samples and samples[0][0] <= start]
    if not balances:
        notes.append("the balance at the beginning is not known; the lab begins with a tenth of the cap")
    routes: Counter[str] = Counter()
    for each in came:
        if each.at >= start - MINUTE:
            routes.update(each.by_route)
    return Replay(
        incident=incident.id,
        service=incident.service,
        policy=incident.policy.name,
        started_at=start,
        lead=LEAD.total_seconds(),
        ends=(until - start).total_seconds(),
        machine_type=service.machine.key,
        machines=sum(any(at <= start for at, _ in samples) for samples in series["cpu"].values()) or 1,
        times=_times(incident),
        alarms=[_alarm(incident, n, start) for n, told in enumerate(incident.told) if told.kind in CHAIN],
        minutes=list(minutes),
        added=sum(each.kind == "add" and each.state == "done" for each in acts),
        opening_balance=round(statistics.fmean(balances), 2) if balances else None,
        acknowledged=(incident.ack.at - start).total_seconds() if incident.ack else None,
        acknowledged_by=incident.ack.by if incident.ack else "",
        notes=notes,
        routes=dict(routes.most_common()),
        cpu=_offsets(series["cpu"], start),
        balance=_offsets(series["balance"], start),
        throttled=_offsets(series["throttled"], start),
    )


def _until(context: Context, incident: Incident) -> datetime:
    """Until the breach was over and the last alarm told, and a little longer."""
    ended = incident.mitigated_at if not incident.seen.holding else None
    last = max((told.at for told in incident.told if told.kind in CHAIN), default=incident.opened_at)
    return min(context.clock.now(), max(ended or context.clock.now(), last) + MINUTE)


def _alarm(incident: Incident, number: int, start: datetime) -> Alarm:
    told, policy = incident.told[number], incident.policy
    notify = policy.tiers[told.level - 1].notify if told.level else told.kind.at_once(policy)
    return Alarm(told.kind, (told.at - start).total_seconds(), notify, told.level)


def _times(incident: Incident) -> Times:
    policy = incident.policy
    return Times(
        tiers=[tier.after.total_seconds() for tier in policy.tiers],
        settle=policy.settle.total_seconds(),
        ack_holds=policy.ack_holds.total_seconds(),
        runway_under=policy.runway.full_burn_under.total_seconds() if policy.runway else 0.0,
        resolve_full_burn=policy.resolve_full_burn.total_seconds(),
    )


def _samples(context: Context, service: Service, name: str, since: datetime, until: datetime) -> Mapping[str, Samples]:
    if name not in service.signals:
        return {}
    return {
        machine: samples
        for machine, samples in context.metrics.samples(service.signals[name], since, until).items()
        if samples
    }


def _offsets(series: Mapping[str, Samples], start: datetime) -> dict[str, list[tuple[float, float]]]:
    return {
        machine: [(round((at - start).total_seconds(), 3), round(value, 5)) for at, value in samples if value == value]
        for machine, samples in sorted(series.items())
    }


def _arrivals(
    context: Context, service: str, window: tuple[datetime, datetime], notes: list[str]
) -> tuple[Arrivals, ...]:
    log = context.logs.get(service)
    if log is None:
        notes.append("no access log: the arrivals are made from the CPU alone, and no route is known")
        return ()
    try:
        return log.arrivals(window, MINUTE)
    except Unavailable as error:
        notes.append(f"the access log could not be read ({error}): the arrivals are made from the CPU alone")
        return ()


def _minutes(
    context: Context,
    service: Service,
    series: Mapping[str, Mapping[str, Samples]],
    came: tuple[Arrivals, ...],
    window: tuple[datetime, datetime],
    start: datetime,
) -> list[Used]:
    """Minute by minute what came and what the machines used."""
    counts = {each.at: sum(each.by_route.values()) for each in came}
    real = context.timescale.wall_span(MINUTE).total_seconds()
    empty = max(1.0, 0.01 * service.machine.cap)
    found, at, last = [], window[0], 0.0
    while at < window[1]:
        inside = {name: _inside(samples, at) for name, samples in series["cpu"].items()}
        means = [statistics.fmean(values) for values in inside.values() if values]
        broke = any(min(values, default=empty + 1) <= empty for values in _all_inside(series["balance"], at))
        capped = broke or any(mean >= FULL for mean in means)
        last = statistics.fmean(means) if means else last
        per_s = counts.get(at, 0) / real
        found.append(Used((at - start).total_seconds(), per_s, last, len(means) or 1, capped))
        at += MINUTE
    return found


def _all_inside(series: Mapping[str, Samples], at: datetime) -> list[list[float]]:
    return [_inside(samples, at) for samples in series.values()]


def _inside(samples: Samples, at: datetime) -> list[float]:
    return [value for when, value in samples if at <= when < at + MINUTE and value == value]
