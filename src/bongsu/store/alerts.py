"""Alerts from outside, one row per fingerprint; and which destinations have some that nobody has decided on.

The hot path: rows go to the driver as they are. The labels and texts are one JSON column; times are microseconds since
1970. Destinations are noted in the transaction that keeps their alerts, and taken in the one that decides.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, bindparam, delete, select, tuple_

from bongsu.core.alert import Alert
from bongsu.core.routing import Destination
from bongsu.store.columns import microseconds, pack, unpack
from bongsu.store.many import Many, put_together
from bongsu.store.places import forget, places
from bongsu.store.prepared import Prepared
from bongsu.store.schema import alerts
from bongsu.store.schema import undecided as waiting


class Body(msgspec.Struct, array_like=True):
    """What an alert says beside its times."""

    labels: dict[str, str]
    annotations: dict[str, str]
    generator_url: str


@dataclass(frozen=True, slots=True)
class Kept:
    """An alert as it lies on disk, in row ``id``."""

    id: int
    alert: Alert
    fingerprint: str
    received_at: datetime
    to: Destination


Row8 = tuple[str, str, int, int, int, str, str, str]
"""(fingerprint, body, starts_at, ends_at, received_at, service, policy, group)."""

_COLUMNS = {
    "fingerprint": "text", "body": "text", "starts_at": "bigint", "ends_at": "bigint", "received_at": "bigint",
    "service": "text", "policy": "text", "group_key": "text",
}  # fmt: skip
_CHANGES = """DO UPDATE SET
  body = excluded.body,
  starts_at = CASE WHEN alerts.ends_at > excluded.received_at AND alerts.starts_at < excluded.starts_at
    THEN alerts.starts_at ELSE excluded.starts_at END,
  ends_at = excluded.ends_at, received_at = excluded.received_at,
  service = excluded.service, policy = excluded.policy, group_key = excluded.group_key
  WHERE alerts.received_at NOT BETWEEN excluded.received_at + 1 AND excluded.received_at + 60000000"""
"""What came before does not replace what came after it, when two are written at once. But for a minute only: else one
whose clock was wrong could not be put right."""
_MANY = Many("alerts", _COLUMNS, f"(fingerprint) {_CHANGES}")
_NUMBERED = Many("alerts", {"id": "bigint", **_COLUMNS}, f"(id) {_CHANGES}")
_UNDECIDED = Many("undecided", {"service": "text", "policy": "text", "group_key": "text", "since": "bigint"})
_IN_ORDER = msgspec.json.Encoder(order="deterministic").encode
_since_1970 = lru_cache(4096)(microseconds)  # alerts that come together begin and end together
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
_ALL_FIRING = Prepared(_FIRING)
_TO = (alerts.c.service, alerts.c.policy, alerts.c.group_key)
_FIRING_THERE = Prepared(_FIRING.where(_THERE))
_ENDED = (
    select(*_TO)
    .where((alerts.c.ends_at > bindparam("since")) & (alerts.c.ends_at <= bindparam("now")))
    .where(alerts.c.service != "")
    .distinct()
)
_WAITS = (waiting.c.service, waiting.c.policy, waiting.c.group_key)
_WAITING = select(*_WAITS).where(waiting.c.since <= bindparam("by")).distinct()
# in their order, so that two servers cannot wait for each other
_THESE = (
    select(waiting.c.id)
    .where(tuple_(*_WAITS).in_(bindparam("these", expanding=True)))
    .order_by(waiting.c.id)
    .with_for_update()
)
_TAKE = delete(waiting).where(waiting.c.id.in_(_THESE)).returning(*_WAITS, waiting.c.since)


def identity(labels: Mapping[str, str]) -> bytes:
    """What makes two alerts the same: their labels as JSON, in the order of their names, which is how they are kept."""
    return _IN_ORDER(labels)


def fingerprint(who: bytes) -> str:
    """16 hex digits of an identity."""
    return hashlib.blake2b(who, digest_size=8).hexdigest()


def row_of(alert: Alert, who: bytes, received_at: int, to: Destination | None) -> Row8:
    """An alert as a row; one that nobody is responsible for is kept too, without a service.

    ``who``: its labels' identity. ``received_at``: in microseconds.
    """
    _, starts_at, ends_at, annotations, generator_url = alert
    text = pack((msgspec.Raw(who), annotations, generator_url))  # as a Body, and faster than through one
    return fingerprint(who), text, _since_1970(starts_at), _since_1970(ends_at), received_at, *(to or _NOWHERE)


def put(tx: Connection, rows: Sequence[Row8], *, decided: bool = False) -> None:
    """Keep the newest state of alerts; one that still fires keeps its first start. Their destinations are undecided,
    unless they are ``decided`` on in the same transaction.
    """
    newest = {row[0]: row for row in rows}.values()  # no statement may touch a row twice
    since = {} if decided else {row[5:]: row[4] for row in newest if row[5]}
    others = [(*to, at) for to, at in since.items()]
    if tx.dialect.name == "sqlite":
        _NUMBERED.put(tx, places(tx).numbered(newest))
        _UNDECIDED.put(tx, others)
    else:
        # in the order of the fingerprints, so that two writers cannot wait for each other, and each page of their index
        # is gone through once
        put_together(tx, _MANY, sorted(newest), _UNDECIDED, others)


def undecided(tx: Connection, by: datetime) -> set[Destination]:
    """Destinations that have waited since then, or for longer, for somebody who decides on their alerts."""
    return {Destination(*row) for row in tx.execute(_WAITING, {"by": by})}


def take(tx: Connection, these: Sequence[Destination]) -> dict[Destination, datetime]:
    """Those that were undecided, and since when, to be decided on in this transaction.

    Alerts that come meanwhile are noted anew; another server that would take the same ones waits.
    """
    taken: dict[Destination, datetime] = {}
    for *to, since in tx.execute(_TAKE, {"these": these}):
        there = Destination(*to)
        taken[there] = min(since, taken.get(there, since))
    return taken


def leave(tx: Connection, these: Mapping[Destination, datetime]) -> None:
    """Somebody will have to decide on them later."""
    _UNDECIDED.put(tx, [(*to, microseconds(since)) for to, since in these.items()])


def firing(
    tx: Connection, now: datetime, to: Destination | None = None, *, after: int = 0, limit: int | None = None
) -> list[Kept]:
    """Alerts that have not ended, the oldest first; of one destination, or all. ``after``: rows behind this number."""
    query = _ALL_FIRING if to is None else _FIRING_THERE
    most = _ALL if limit is None else limit
    return [_one(row) for row in query.all(tx, {"now": now, "after": after, "most": most, **_of(to)})]


def ended(tx: Connection, since: datetime, now: datetime) -> set[Destination]:
    """Destinations of which an alert has ended meanwhile by its own ``endsAt``."""
    return {Destination(*row) for row in tx.execute(_ENDED, {"since": since, "now": now})}


def prune(tx: Connection, before: datetime, most: int) -> int:
    """Forget at most so many alerts that ended before a time; how many."""
    forget(tx)
    ended = select(alerts.c.id).where(alerts.c.ends_at < before).limit(most)
    return tx.execute(delete(alerts).where(alerts.c.id.in_(ended))).rowcount


def _of(to: Destination | None) -> dict[str, str]:
    return {} if to is None else {"of_service": to.service, "of_policy": to.policy, "of_group": to.group}


def _one(row: Row[Any]) -> Kept:
    body = unpack(row.body, Body)
    alert = Alert(body.labels, row.starts_at, row.ends_at, body.annotations, body.generator_url)
    to = Destination(row.service, row.policy, row.group_key)
    return Kept(row.id, alert, row.fingerprint, row.received_at, to)
