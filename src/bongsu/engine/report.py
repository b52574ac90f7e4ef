"""Gather an incident's report: from the timeline, the outbox, the metrics store and the access log."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime

from bongsu.core.impact import Measured
from bongsu.core.incident import Incident
from bongsu.core.report import Act, Delivery, Report, Series, Source
from bongsu.core.service import Service
from bongsu.engine.context import Context
from bongsu.engine.impact import CALM, measure
from bongsu.ports import Unavailable
from bongsu.store import actions, data, editions, incidents, outbox, reports, timeline
from bongsu.store.database import Transaction

log = logging.getLogger("bongsu.report")
POINTS = 240
"""Points of a chart at the most."""


def collect(context: Context, incident_id: str) -> Report:
    """The report as it stands: the one kept at the end, or a draft from what is known now. Raises NotFound."""
    kept = context.db.read(lambda tx: reports.load(tx, incident_id))
    return kept or draft(context, incident_id)


def keep(context: Context) -> int:
    """Write the reports of incidents that were resolved since the last time; their number."""
    waiting = context.db.read(_resolved_without_report)
    for incident_id in waiting:
        made = draft(context, incident_id)
        context.db.write(lambda tx, made=made: reports.save(tx, made))  # type: ignore[misc]
    return len(waiting)


def _resolved_without_report(tx: Transaction) -> list[str]:
    """Not while a mail of the incident still waits: the report says what became of each. Never once it is approved."""
    frozen = editions.approved(tx)
    recent = [each for each in incidents.search(tx, status="resolved", limit=50) if each.id not in frozen]
    made, verified = reports.made(tx, [each.id for each in recent]), data.verified(tx, [each.id for each in recent])
    due = [
        each.id
        for each in recent
        if each.id not in made
        or (each.resolved_at is not None and made[each.id] < each.resolved_at)
        or (each.id in verified and _verified_since(tx, each.id))
    ]
    return [each for each in due if all(message.state != "pending" for message in outbox.of(tx, each))]


def _verified_since(tx: Transaction, incident_id: str) -> bool:
    kept, check = reports.load(tx, incident_id), data.of_incident(tx, incident_id)
    return kept is not None and check is not None and kept.data != check.brief


def draft(context: Context, incident_id: str) -> Report:
    """A report from what is known now. Raises NotFound."""
    incident, entries, messages, acts, check = context.db.read(
        lambda tx: (
            incidents.load(tx, incident_id),
            timeline.of(tx, incident_id),
            outbox.of(tx, incident_id),
            actions.of(tx, incident_id),
            data.of_incident(tx, incident_id),
        )
    )
    now = context.clock.now()
    service = context.services.get(incident.service)
    started = incident.began_at or incident.opened_at
    ended = incident.mitigated_at if not incident.seen.holding else None
    until = ended or now
    sources: list[Source] = []
    blind: list[str] = []
    series = {
        n: _series(context, service, n, started - CALM, until, sources, blind) for n in ("cpu", "balance", "latency")
    }
    measured = _measured(context, incident, (started, until), sources, blind)
    inside = {name: _values(found, started) for name, found in series.items()}
    return Report(
        incident_id=incident.id,
        service=incident.service,
        policy=incident.policy.name,
        status=incident.status,
        started_at=started,
        detected_at=incident.opened_at,
        ended_at=ended,
        elapsed_s=incident.seen.elapsed.total_seconds(),
        made_at=now,
        machine_type=service.machine.key if service else "",
        baseline=service.machine.baseline if service else 0.0,
        cause=str(incident.seen.facts.get("cause") or incident.seen.facts.get("alertname") or ""),
        acknowledged_by=incident.ack.by if incident.ack else None,
        acknowledged_at=incident.ack.at if incident.ack else None,
        measured=measured,
        timeline=tuple(entries),
        deliveries=tuple(_delivery(message) for message in messages),
        actions=tuple(
            Act(a.kind, a.machine, a.requested_by, a.requested_at, a.finished_at, a.state, a.result or "") for a in acts
        ),
        sources=tuple(sources),
        cpu=series["cpu"],
        balance=series["balance"],
        p95=series["latency"],
        cpu_top=max(inside["cpu"], default=None),
        balance_low=min(inside["balance"], default=None),
        p95_top_s=max(inside["latency"], default=None),
        blind=tuple(blind),
        speed=context.timescale.speed,
        data=check.brief if check else None,
    )


def _delivery(message: outbox.Message) -> Delivery:
    elapsed = message.facts.get("elapsed_s")
    return Delivery(
        to=message.recipient.name,
        address=message.recipient.address,
        kind=message.kind,
        level=message.level,
        decided_at=message.decided_at,
        elapsed_s=float(elapsed) if isinstance(elapsed, int | float) else 0.0,
        state=message.state,
        answer=message.answer or "",
    )


def _series(
    context: Context,
    service: Service | None,
    name: str,
    since: datetime,
    until: datetime,
    sources: list[Source],
    blind: list[str],
) -> Mapping[str, Series]:
    if service is None or name not in service.signals:
        return {}
    query = service.signals[name]
    sources.append(Source(name, query, "prometheus", since, until))
    try:
        return context.metrics.values(query, since, until, max((until - since) / POINTS, service.stale / 3))
    except Unavailable as error:
        log.warning("no series for the report", extra={"signal": name, "why": str(error)})
        blind.append(name)
        return {}


def _measured(
    context: Context, incident: Incident, window: tuple[datetime, datetime], sources: list[Source], blind: list[str]
) -> Measured | None:
    log_of = context.logs.get(incident.service)
    if log_of is None or window[1] <= window[0]:
        return None
    service = context.services.get(incident.service)
    try:
        found = measure(
            incident.service,
            log_of,
            window,
            sales=service.sales if service else None,
            metrics=context.metrics,
            timescale=context.timescale,
            incident_id=incident.id,
        )
    except Unavailable as error:
        log.warning("no access log for the report", extra={"service": incident.service, "why": str(error)})
        blind.append("access_log")
        return None
    sources.append(Source("users", found.traffic.query, found.traffic.source, *window, omits="never_reached"))
    if found.business:
        sources.extend(Source("sales", query, "prometheus", *window) for query in found.business.queries)
    return found


def _values(found: Mapping[str, Series], since: datetime) -> list[float]:
    return [value for samples in found.values() for at, value in samples if at >= since and value == value]
