"""Take alerts in: keep each by its fingerprint and put it to the incident it belongs to (rule 12)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bongsu.core import escalation
from bongsu.core.alert import POLICY_LABEL, SERVICE_LABEL, Alert
from bongsu.core.incident import Entry, Incident, Seen
from bongsu.core.policy import Policy
from bongsu.core.service import Service
from bongsu.engine.apply import start
from bongsu.engine.context import Context, new_id
from bongsu.engine.watch import decide
from bongsu.store import alerts, incidents, timeline
from bongsu.store.database import Transaction

ALERTS = "alerts"
"""The name of the policy under which a service's alerts from outside have their incident."""


def receive(context: Context, arrived: Sequence[Alert]) -> None:
    """Keep alerts and decide on them; they are on disk when this returns."""
    context.db.write(lambda tx: _receive(tx, context, arrived))


def expire(context: Context) -> None:
    """Look again at incidents that alerts speak for: an alert that is not sent again ends by its ``endsAt``."""
    context.db.write(lambda tx: _expire(tx, context))


def _receive(tx: Transaction, context: Context, arrived: Iterable[Alert]) -> None:
    now = context.clock.now()
    touched: dict[str, Service] = {}
    for alert in arrived:
        service = _service_of(context, alert)
        joined = _join(tx, service, alert, now) if service and _is_watched(service, alert) else None
        alerts.put(tx, alert, now, joined.id if joined else None)
        if service is not None and joined is None:
            touched[service.name] = service
    for service in touched.values():
        _decide(tx, context, service, now)


def _service_of(context: Context, alert: Alert) -> Service | None:
    name = alert.labels.get(SERVICE_LABEL) or alert.labels.get("service")
    return context.services.get(name) if name else None


def _is_watched(service: Service, alert: Alert) -> bool:
    """Whether the watch itself guards what this alert is about: then both are one breach, one incident."""
    return alert.labels.get(POLICY_LABEL) == service.policy.name


def _join(tx: Transaction, service: Service, alert: Alert, now: datetime) -> Incident | None:
    current = incidents.latest(tx, service.name, service.policy.name)
    if current is None or not current.open:
        return None
    if alert.fingerprint not in {known.fingerprint for known in alerts.of(tx, current.id)}:
        timeline.append(tx, current.id, [Entry(now, "alert_joined", {"alertname": alert.name})])
    return current


def _expire(tx: Transaction, context: Context) -> None:
    now = context.clock.now()
    for service in context.services.values():
        current = incidents.latest(tx, service.name, ALERTS)
        if current is not None and current.open:
            _decide(tx, context, service, now)


def _decide(tx: Transaction, context: Context, service: Service, now: datetime) -> None:
    mine = [a for a in alerts.firing(tx, now) if _service_of(context, a) == service and not _is_watched(service, a)]
    seen = _seen(mine, now)
    policy = _policy(service)
    current = incidents.latest(tx, service.name, ALERTS)
    if mine and (current is None or not current.open):
        current = start(tx, context, escalation.begin(new_id(now), service.name, policy, seen, now), now)
    else:
        current = decide(tx, context, service.name, policy, seen, (), now)
    if current is not None:
        for alert in mine:
            alerts.put(tx, alert, now, current.id)


def _policy(service: Service) -> Policy:
    """The service's tiers, for alerts whose condition somebody else has judged."""
    return replace(service.policy, name=ALERTS, ceiling=None, runway=None, throttled=(), blind=(), rejoin=timedelta(0))


def _seen(firing: Sequence[Alert], now: datetime) -> Seen:
    since = min((alert.starts_at for alert in firing), default=None)
    first = firing[0] if firing else None
    return Seen(
        at=now,
        holding=bool(firing),
        elapsed=now - since if since else timedelta(0),
        since=since,
        held=now - since if since else timedelta(0),
        machines=tuple(sorted({alert.labels.get("instance", "") for alert in firing} - {""})),
        facts={
            "alertname": ", ".join(sorted({alert.name for alert in firing})),
            "summary": first.annotations.get("summary", "") if first else "",
        },
    )
