"""Alerts from outside, one row per fingerprint.

The hot path: rows go to the driver as they are. The labels and texts are one JSON column; times are microseconds since
1970.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Select, bindparam, delete, func, select, tuple_, update

from bongsu.core.alert import Alert
from bongsu.core.routing import Destination
from bongsu.store.columns import microseconds, pack, unpack
from bongsu.store.many import Many
from bongsu.store.schema import alerts


class Body(msgspec.Struct, array_like=True):
    """What an alert says beside its times."""

    labels: dict[str, str]
    annotations: dict[str, str]
    generator_url: str


@dataclass(frozen=True, slots=True)
class Kept:
    """An alert as it lies on disk, in row ``id``; ``incident_id`` None while no incident speaks for it."""

    id: int
    alert: Alert
    fingerprint: str
    received_at: datetime
    to: Destination
    incident_id: str | None


Row8 = tuple[str, str, int, int, int, str, str, str]
"""(fingerprint, body, starts_at, ends_at, received_at, service, policy, group)."""

_MANY = Many(
    "alerts",
    {
        "fingerprint": "text", "body": "text", "starts_at": "bigint", "ends_at": "bigint", "received_at": "bigint",
        "service": "text", "policy": "text", "group_key": "text",
    },
    """(fingerprint) DO UPDATE SET
  body = excluded.body,
  starts_at = CASE WHEN alerts.ends_at > excluded.received_at AND alerts.starts_at < excluded.starts_at
    THEN alerts.starts_at ELSE excluded.starts_at END,
  incident_id = CASE WHEN alerts.ends_at > excluded.received_at AND alerts.service = excluded.service
    AND alerts.policy = excluded.policy AND alerts.group_key = excluded.group_key THEN alerts.incident_id END,
  ends_at = excluded.ends_at, received_at = excluded.received_at,
  service = excluded.service, policy = excluded.policy, group_key = excluded.group_key""",
)  # fmt: skip

_ALL = 2**31 - 1
_NOWHERE = Destination("", "", "")
# made once: in a storm of alerts, making a statement costs more than running it
_THERE = (
    (alerts.c.service == bindparam("of_service"))
    & (alerts.c.policy == bindparam("of_policy"))
    & (alerts.c.group_key == bindparam("of_group"))
)
_FIRING = (
    select(alerts)
    .where((alerts.c.ends_at > bindparam("now")) & (alerts.c.id > bindparam("after")))
    .order_by(alerts.c.id)
    .limit(bindparam("most"))
)
_TO = (alerts.c.service, alerts.c.policy, alerts.c.group_key)
_ENDED = (
    select(*_TO)
    .where((alerts.c.ends_at > bindparam("since")) & (alerts.c.ends_at <= bindparam("now")))
    .where(alerts.c.incident_id.is_not(None))
    .distinct()
)
_NOBODYS = (
    select(*_TO)
    .where((alerts.c.ends_at > bindparam("now")) & (alerts.c.received_at <= bindparam("received_by")))
    .where(alerts.c.incident_id.is_(None) & (alerts.c.service != ""))
    .distinct()
)
_FIRING_THERE = _FIRING.where(_THERE)
_HOMELESS = (alerts.c.ends_at > bindparam("now")) & alerts.c.incident_id.is_(None)
_MINE = alerts.c.fingerprint.in_(bindparam("mine", expanding=True))
_JOIN_ALL = update(alerts).where(_THERE & _HOMELESS).values(incident_id=bindparam("joins"))
_JOIN = update(alerts).where(_MINE).values(incident_id=bindparam("joins"))
# rows are locked in the order of ``put``, so that two servers cannot wait for each other
_IN_THESE = tuple_(alerts.c.service, alerts.c.policy, alerts.c.group_key).in_(bindparam("these", expanding=True))
_LOCKED = select(alerts.c.id).order_by(alerts.c.fingerprint).with_for_update()
_LOCK_HOMELESS = select(func.count()).select_from(_LOCKED.where(_IN_THESE & _HOMELESS).subquery())
_LOCK_MINE = select(func.count()).select_from(_LOCKED.where(_MINE).subquery())


def row_of(alert: Alert, fingerprint: str, received_at: int, to: Destination | None) -> Row8:
    """An alert as a row; one that nobody is responsible for is kept too, without a service. ``received_at``: in
    microseconds."""
    labels, starts_at, ends_at, annotations, generator_url = alert
    text = pack((labels, annotations, generator_url))  # as a Body, and faster than through one
    return fingerprint, text, microseconds(starts_at), microseconds(ends_at), received_at, *(to or _NOWHERE)


def put(tx: Connection, rows: Sequence[Row8]) -> None:
    """Keep the newest state of alerts; one that still fires keeps its first start and its incident."""
    newest = {row[0]: row for row in rows}  # no statement may touch a row twice
    if tx.dialect.name == "postgresql":  # in one order everywhere, so that two writers cannot wait for each other
        newest = dict(sorted(newest.items()))
    _MANY.put(tx, list(newest.values()))


def lock_homeless(tx: Connection, these: Sequence[Destination], now: datetime) -> None:
    """Have to yourself, until the end of the transaction, what several destinations' incidents will speak for."""
    _lock(tx, _LOCK_HOMELESS, {"now": now, "these": these})


def join(tx: Connection, fingerprints: Sequence[str], incident_id: str) -> None:
    """Note that an incident speaks for these alerts."""
    if fingerprints:
        _lock(tx, _LOCK_MINE, {"mine": fingerprints})
        tx.execute(_JOIN, {"mine": fingerprints, "joins": incident_id})


def firing(
    tx: Connection, now: datetime, to: Destination | None = None, *, after: int = 0, limit: int | None = None
) -> list[Kept]:
    """Alerts that have not ended, the oldest first; of one destination, or all. ``after``: rows behind this number."""
    query = _FIRING if to is None else _FIRING_THERE
    most = _ALL if limit is None else limit
    return [_one(row) for row in tx.execute(query, {"now": now, "after": after, "most": most, **_of(to)})]


def join_all(tx: Connection, to: Destination, now: datetime, incident_id: str) -> None:
    """Note that an incident speaks for every alert of a destination that fires and has none."""
    tx.execute(_JOIN_ALL, {"now": now, "joins": incident_id, **_of(to)})


def ended(tx: Connection, since: datetime, now: datetime) -> set[Destination]:
    """Destinations of which an alert has ended meanwhile by its own ``endsAt``."""
    return {Destination(*row) for row in tx.execute(_ENDED, {"since": since, "now": now})}


def homeless(tx: Connection, now: datetime, received_by: datetime | None = None) -> set[Destination]:
    """Destinations with alerts that fire and that no incident speaks for yet, although they came so long ago."""
    return {Destination(*row) for row in tx.execute(_NOBODYS, {"now": now, "received_by": received_by or now})}


def prune(tx: Connection, before: datetime, most: int) -> int:
    """Forget at most so many alerts that ended before a time; how many."""
    ended = select(alerts.c.id).where(alerts.c.ends_at < before).limit(most)
    return tx.execute(delete(alerts).where(alerts.c.id.in_(ended))).rowcount


def _lock(tx: Connection, query: Select[Any], given: dict[str, Any]) -> None:
    if tx.dialect.name == "postgresql":  # SQLite has one writer
        tx.execute(query, given).all()


def _of(to: Destination | None) -> dict[str, str]:
    return {} if to is None else {"of_service": to.service, "of_policy": to.policy, "of_group": to.group}


def _one(row: Row[Any]) -> Kept:
    body = unpack(row.body, Body)
    alert = Alert(body.labels, row.starts_at, row.ends_at, body.annotations, body.generator_url)
    to = Destination(row.service, row.policy, row.group_key)
    return Kept(row.id, alert, row.fingerprint, row.received_at, to, row.incident_id)
