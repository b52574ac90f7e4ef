"""Take alerts in: keep each by its fingerprint, then put it to the incident it belongs to (rule 12).

Two steps. ``receive`` keeps alerts and returns when they are on disk; ``decide_touched`` puts them to incidents at
once, on a thread of its own. A crash in between loses nothing: ``look_again`` finds what is undecided.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from bongsu.core import escalation, maintenance
from bongsu.core.alert import HEARTBEAT_LABEL, Alert
from bongsu.core.incident import SILENCE, Entry, Facts, Muted, Seen
from bongsu.core.maintenance import BEYOND, Maintenance
from bongsu.core.policy import ON_CALL_ALONE, Policy
from bongsu.core.routing import ALERTS, Destination
from bongsu.core.severity import LABEL, gravest, said_by
from bongsu.core.silence import Silence, muting
from bongsu.engine.apply import apply, start
from bongsu.engine.context import Context, new_id
from bongsu.engine.known import Arrival, Mark, There
from bongsu.engine.maintenance import counted
from bongsu.store import alerts, heartbeats, incidents, maintenances, silences, timeline
from bongsu.store.alerts import Kept, Row8
from bongsu.store.columns import microseconds
from bongsu.store.database import Transaction
from bongsu.telemetry import ALERTS_RECEIVED

FRESH = timedelta(seconds=30)
"""For how long an open incident is shown as it was last seen, while none of its alerts changes."""
MISSED = timedelta(seconds=20)
"""After how long an undecided destination was forgotten; before, it is about to be decided on."""
FEW = 4
"""Alerts that are decided on while they are kept."""
AT_ONCE = 16
"""Destinations decided on in one go."""
ENOUGH = 500
"""Alerts that an incident is decided by."""
JOINED = "alert_joined"


def receive(context: Context, arrived: Sequence[Alert]) -> None:
    """Keep alerts; they are on disk when this returns. Decisions follow at once."""
    failed: list[BaseException | None] = []
    _keep(context, [_arrival(context, arrived, failed.append, _here)])
    if failed[0] is not None:
        raise failed[0]


def _here(call: Callable[[], None]) -> None:
    call()


def submit(
    context: Context, arrived: Sequence[Alert], done: Callable[[BaseException | None], None], there: There
) -> None:
    """Hand alerts to the thread that keeps them; ``there(done)`` once they are on disk, with None or the error.

    Who waits in one thread is called in one go: waking it for each would cost more than the rest of an answer.
    """
    arrival = _arrival(context, arrived, done, there)
    if arrival.rows or arrival.beats:
        context.arriving.put(arrival)
    else:
        ALERTS_RECEIVED.inc(arrival.count)
        done(None)


def keep_arriving(context: Context) -> None:
    """Wait for arrivals, and bring all that have come to disk in one transaction."""
    _keep(context, context.arriving.take())


def _arrival(
    context: Context, arrived: Sequence[Alert], done: Callable[[BaseException | None], None], there: There
) -> Arrival:
    now = context.clock.now()
    received_at = microseconds(now)
    rows: list[Row8] = []
    marks: list[Mark] = []
    touched: set[Destination] = set()
    beats: set[str] = set()
    heartbeats, missing, route = context.heartbeats, context.known.missing, context.routing.of
    for alert in arrived:
        if heartbeats and alert.labels.get(HEARTBEAT_LABEL) in heartbeats:
            beats |= {alert.labels[HEARTBEAT_LABEL]} if alert.ends_at > now else set()
            continue
        who = alerts.identity(alert.labels)
        mark = missing(alert, who, now)
        if mark is None:
            continue
        to = route(alert.labels)
        rows.append(alerts.row_of(alert, who, received_at, to))
        marks.append(mark)
        if to is not None:
            touched.add(to)
    return Arrival(len(arrived), rows, marks, frozenset(touched), done, there, frozenset(beats))


def _keep(context: Context, arrivals: Sequence[Arrival]) -> None:
    rows = [row for arrival in arrivals for row in arrival.rows]
    beats = {name for arrival in arrivals for name in arrival.beats}
    touched = {destination for arrival in arrivals for destination in arrival.touched}
    failed: BaseException | None = None
    try:
        if beats:
            context.db.write(lambda tx: heartbeats.beat(tx, beats, context.wall.now()))
        if rows and not _kept_and_decided(context, arrivals, rows, touched):
            context.db.write(lambda tx: alerts.put(tx, rows), one_statement=True)
            context.touched.add(touched)
        context.known.written([mark for arrival in arrivals for mark in arrival.marks])
        ALERTS_RECEIVED.inc(sum(arrival.count for arrival in arrivals))
    except Exception as error:
        failed = error
    for there in {arrival.there for arrival in arrivals}:
        there(partial(_tell, [arrival.done for arrival in arrivals if arrival.there == there], failed))


def _tell(waiting: Sequence[Callable[[BaseException | None], None]], failed: BaseException | None) -> None:
    for done in waiting:
        done(failed)


def _kept_and_decided(
    context: Context, arrivals: Sequence[Arrival], rows: Sequence[Row8], touched: set[Destination]
) -> bool:
    """A few alerts that come alone are decided on in the transaction that keeps them: the mail is a sync earlier."""
    lately = context.touched.lately(touched, context.wall.now())
    if len(arrivals) > 1 or len(rows) > FEW or context.touched.waiting or lately:
        return False

    def both(tx: Transaction) -> None:
        alerts.put(tx, rows, decided=True)
        _decide_some(tx, context, sorted(touched, key=repr), {})

    try:
        context.db.write(both)
    except Exception:  # an alert is kept, whatever is wrong with deciding on it; that is told where it is tried again
        return False
    return True


def decide_touched(context: Context) -> None:
    """Put what arrived to its incidents."""
    _decide_all(context, context.touched.take())


def look_again(context: Context) -> None:
    """Alerts end by their ``endsAt``, silences begin and end, and a crash may have come between two steps.

    What has not stirred is looked at now and then alone: a thousand open incidents must not keep the disk busy.
    """
    now = context.clock.now()
    before = context.touched.look(now)
    watched = [each.policy.name for each in context.services.values()]
    watched += [each.blind.name for each in context.services.values()]

    def waiting(tx: Transaction) -> set[Destination]:
        everything = before is None or bool(silences.since(tx, before) or maintenances.since(tx, before))
        stirred = set() if before is None else alerts.ended(tx, before, now)
        return alerts.undecided(tx, now - MISSED if before else now) | {
            to
            for each in incidents.open_under(tx, watched)
            for to in [Destination(each.service, each.policy.name, each.group)]
            if everything or to in stirred or now - each.seen.at >= FRESH
        }

    _decide_all(context, context.db.read(waiting))


def _decide_all(context: Context, destinations: Iterable[Destination]) -> None:
    waiting = sorted(destinations, key=repr)
    while waiting:  # a few at a time, so that what else is to be written need not wait for all of them
        some, waiting = waiting[:AT_ONCE], waiting[AT_ONCE:]
        try:
            context.db.write(partial(_take_and_decide, context=context, these=some))
        except Exception:  # one of them has a fault, which must not hold the others up
            _decide_each(context, some)


def _decide_each(context: Context, these: Sequence[Destination]) -> None:
    """One by one. Raises what was wrong with the last one that has a fault."""
    failed: Exception | None = None
    for each in these:
        try:
            context.db.write(partial(_take_and_decide, context=context, these=[each]))
        except Exception as error:
            failed = error
    if failed is not None:
        raise failed


def _take_and_decide(tx: Transaction, context: Context, these: Sequence[Destination]) -> None:
    _decide_some(tx, context, these, alerts.take(tx, these))


def _decide_some(
    tx: Transaction, context: Context, these: Sequence[Destination], waited: Mapping[Destination, datetime]
) -> None:
    """Decide on destinations; ``waited``: since when they were undecided, if they were."""
    context.touched.decided(these, context.wall.now())
    now = context.clock.now()
    quiet, planned = silences.since(tx, now), counted(tx, now)
    alerts.leave(tx, {to: waited.get(to, now) for to in these if not _decide(tx, context, to, quiet, planned, now)})


def _decide(
    tx: Transaction,
    context: Context,
    to: Destination,
    quiet: Sequence[Silence],
    planned: Sequence[Maintenance],
    now: datetime,
) -> bool:
    """Whether an incident speaks for all that fires there; if not, somebody has to look again."""
    service = context.services.get(to.service)
    if service is None:
        return not alerts.firing(tx, now, to, limit=1)
    if to.policy in (service.policy.name, service.blind.name):
        return _join(tx, to, now)
    heard, everything = _heard(tx, to, quiet, now)
    current = incidents.latest(tx, to.service, to.policy, to.group)
    policy = current.policy if current is not None and current.open else _policy(context, to)
    seen = _seen([kept.alert for kept in heard], current.seen.facts if current else {}, policy, now)
    if current is not None and current.open and not heard and quiet:
        seen = _silenced(tx, to, quiet, seen, policy, now)
    seen = maintenance.look(planned, to.service, to.policy, seen, now)
    if current is not None and current.open:
        apply(tx, context, current.id, escalation.Observed(seen), now)
    elif heard:
        begun, effects = escalation.begin(new_id(now), to.service, policy, seen, now)
        start(tx, context, (replace(begun, group=to.group), effects), now)
    return everything


def _heard(tx: Transaction, to: Destination, quiet: Sequence[Silence], now: datetime) -> tuple[list[Kept], bool]:
    """The first ``ENOUGH`` alerts of a destination that fire and are not silenced; in a storm nobody reads them all.

    And whether none that fires there is silenced, as far as is known.
    """
    heard: list[Kept] = []
    after, everything = 0, True
    while len(heard) < ENOUGH:
        page = alerts.firing(tx, now, to, after=after, limit=ENOUGH)
        loud = [kept for kept in page if not muting(quiet, kept.alert.labels, now)]
        heard += loud
        everything = everything and len(loud) == len(page)
        if len(page) < ENOUGH:
            return heard, everything
        after = page[-1].id
    return heard[:ENOUGH], everything and not quiet


def _silenced(
    tx: Transaction, to: Destination, quiet: Sequence[Silence], seen: Seen, policy: Policy, now: datetime
) -> Seen:
    """An open incident all of whose alerts are silenced stays as it is and tells no tier until the silence ends."""
    firing = alerts.firing(tx, now, to, limit=ENOUGH)
    by = {name for kept in firing for name in muting(quiet, kept.alert.labels, now)}
    if not firing:
        return seen
    last = max((each for each in quiet if each.id in by), key=lambda each: each.ends_at)
    still = _seen([kept.alert for kept in firing], seen.facts, policy, now)
    return replace(still, muted=Muted(SILENCE, last.created_by, last.ends_at, BEYOND))


def _join(tx: Transaction, to: Destination, now: datetime) -> bool:
    """Alerts about what the watch itself guards: one breach, one incident. Whether there is one, or nothing fires."""
    firing = alerts.firing(tx, now, to)
    current = incidents.latest(tx, to.service, to.policy)
    if current is None or not current.open:
        return not firing
    there = {entry.facts.get("fingerprint") for entry in timeline.of(tx, current.id) if entry.what == JOINED}
    fresh = [kept for kept in firing if kept.fingerprint not in there]
    facts = [{"alertname": kept.alert.name, "fingerprint": kept.fingerprint} for kept in fresh]
    timeline.append(tx, current.id, [Entry(now, JOINED, each) for each in facts])
    return True


def _policy(context: Context, to: Destination) -> Policy:
    """The tiers of the route's policy or the service's own; what is the on-call developer's alone goes no further."""
    own = context.services[to.service].policy
    if to.policy in context.policies:
        return context.policies[to.policy].of_alerts(to.policy)
    return own.of_on_call(to.policy) if to.policy in ON_CALL_ALONE else own.of_alerts(ALERTS)


def _seen(firing: Sequence[Alert], before: Facts, policy: Policy, now: datetime) -> Seen:
    """What the alerts say; once none fires, ``before`` still tells what it was about."""
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
            "summary": first.annotations.get("summary", ""),
            LABEL: gravest((said_by(alert.labels, policy.severity) for alert in firing), policy.severity).value,
        }
        if first
        else before,
    )
