"""Take alerts in: keep each by its fingerprint, then put it to the incident it belongs to (rule 12).

Two steps. ``receive`` keeps alerts and returns when they are on disk; ``decide_touched`` puts them to incidents at
once, on a thread of its own. A crash in between loses nothing: ``look_again`` finds alerts without an incident.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from bongsu.core import escalation
from bongsu.core.alert import Alert
from bongsu.core.incident import Entry, Seen
from bongsu.core.policy import Policy
from bongsu.core.routing import ALERTS, Destination
from bongsu.core.silence import muting
from bongsu.engine.apply import apply, start
from bongsu.engine.context import Context, new_id
from bongsu.store import alerts, incidents, silences, timeline
from bongsu.store.alerts import Kept, Row8
from bongsu.store.database import Transaction

KEEPS = timedelta(days=7)
"""How long an alert that has ended is remembered."""


def receive(context: Context, arrived: Sequence[Alert]) -> None:
    """Keep alerts; they are on disk when this returns. Decisions follow at once."""
    submit(context, arrived).result()


def submit(context: Context, arrived: Sequence[Alert]) -> Future[None]:
    """Keep alerts; the future is done when they are on disk. On PostgreSQL this waits for the database."""
    now = context.clock.now()
    rows: list[Row8] = []
    touched: set[Destination] = set()
    for alert in arrived:
        to = context.routing.of(alert.labels)
        row = alerts.row_of(alert, alert.fingerprint, now, to)
        if context.known.needs_writing(row):
            rows.append(row)
            if to is not None:
                touched.add(to)
    if not rows:
        done: Future[None] = Future()
        done.set_result(None)
        return done
    kept = context.db.submit(lambda tx: alerts.put(tx, rows))

    def on_disk(written: Future[None]) -> None:
        if written.exception() is None:
            context.known.written(rows)
            context.touched.add(touched)

    kept.add_done_callback(on_disk)
    return kept


def decide_touched(context: Context) -> None:
    """Put what arrived to its incidents."""
    _decide_all(context, context.touched.take())


def look_again(context: Context) -> None:
    """Alerts end by their ``endsAt``, silences begin and end, and a crash may have come between two steps."""
    now = context.clock.now()
    watched = [each.policy.name for each in context.services.values()]
    watched += [each.blind.name for each in context.services.values()]

    def waiting(tx: Transaction) -> set[Destination]:
        open_ones = incidents.open_under(tx, watched)
        return alerts.homeless(tx, now) | {
            Destination(each.service, each.policy.name, each.group) for each in open_ones
        }

    _decide_all(context, context.db.read(waiting))


def forget(context: Context) -> int:
    """Remove alerts that ended long ago."""
    return context.db.write(lambda tx: alerts.prune(tx, context.clock.now() - KEEPS))


def _decide_all(context: Context, destinations: Iterable[Destination]) -> None:
    asked = [context.db.submit(partial(_decide, context=context, to=each)) for each in sorted(destinations, key=repr)]
    for answer in asked:
        answer.result()


def _decide(tx: Transaction, context: Context, to: Destination) -> None:
    service = context.services.get(to.service)
    if service is None:
        return
    now = context.clock.now()
    found = alerts.firing(tx, now, to)
    if to.policy == service.policy.name:
        _join(tx, to, [kept for kept in found if kept.incident_id is None], now)
        return
    quiet = silences.since(tx, now) if found else []
    heard = [kept for kept in found if not muting(quiet, kept.alert.labels, now)]
    seen = _seen([kept.alert for kept in heard], now)
    current = incidents.latest(tx, to.service, to.policy, to.group)
    if current is not None and current.open:
        current = apply(tx, context, current.id, escalation.Observed(seen), now)
    elif heard:
        begun, effects = escalation.begin(new_id(now), to.service, _policy(context, to), seen, now)
        current = start(tx, context, (replace(begun, group=to.group), effects), now)
    if current is not None:
        alerts.join(tx, [kept.fingerprint for kept in heard if kept.incident_id != current.id], current.id)


def _join(tx: Transaction, to: Destination, fresh: Sequence[Kept], now: datetime) -> None:
    """An alert about what the watch itself guards: one breach, one incident."""
    current = incidents.latest(tx, to.service, to.policy)
    if current is None or not current.open or not fresh:
        return
    alerts.join(tx, [kept.fingerprint for kept in fresh], current.id)
    timeline.append(tx, current.id, [Entry(now, "alert_joined", {"alertname": kept.alert.name}) for kept in fresh])


def _policy(context: Context, to: Destination) -> Policy:
    """The tiers of the route's policy or the service's own, for a condition that somebody else has judged."""
    base = context.policies.get(to.policy, context.services[to.service].policy)
    name = to.policy if to.policy in context.policies else ALERTS
    return replace(base, name=name, ceiling=None, runway=None, throttled=(), blind=(), rejoin=timedelta(0))


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
