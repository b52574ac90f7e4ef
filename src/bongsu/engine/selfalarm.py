"""Alarms about Bongsu itself, each told once and its end told to the same people.

They go beside the incidents, whose machinery may be what is in trouble: an outage of their own ``way`` in the store,
and notices to whom they concern and on the second channel, if there is one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from bongsu.core.delivery import CHANNEL
from bongsu.core.incident import Facts
from bongsu.core.schedule import Recipient
from bongsu.engine import notice, people
from bongsu.engine.context import Context
from bongsu.store import outages, outbox
from bongsu.store.database import Transaction


@dataclass(frozen=True, slots=True)
class Alarm:
    """``way`` tells it from others; ``begun`` and ``ended`` are its kinds of notice; ``notify`` are its targets."""

    way: str
    begun: str
    ended: str
    notify: tuple[str, ...]


def put(context: Context, alarm: Alarm, since: datetime | None, why: str = "", facts: Facts | None = None) -> None:
    """It holds since then (wall time), or does not (None). Tells only when that changes."""
    running = context.db.read(lambda tx: outages.running(tx, alarm.way))
    if (since is not None) != (running is not None):
        context.db.write(lambda tx: _put(tx, context, alarm, since, why, facts or {}))


def _put(tx: Transaction, context: Context, alarm: Alarm, since: datetime | None, why: str, facts: Facts) -> None:
    wall, now = context.wall.now(), context.clock.now()
    if since is not None:
        outage = outages.begin(tx, since, why, alarm.way)
        if outages.tell(tx, outage, wall):
            said = {**facts, "since": since.isoformat(), "why": why}
            notice.put(tx, context, alarm.begun, str(outage.id), _recipients(tx, context, alarm.notify), said, now)
        return
    ended = outages.end(tx, wall, alarm.way)
    if ended is not None:
        said = {**facts, "since": ended.since.isoformat(), "until": wall.isoformat()}
        told = outbox.recipients_of(tx, f"<{alarm.begun}.{ended.id}.")
        notice.put(tx, context, alarm.ended, str(ended.id), told, said, now)


def _recipients(tx: Transaction, context: Context, targets: Iterable[str]) -> tuple[Recipient, ...]:
    to = people.resolve(tx, context, targets, context.clock.now())
    if context.second is None:
        return to
    name = f"{CHANNEL}{context.second.name}"
    return (*to, Recipient(name, context.second.name, name, context.second.locale))


def everybody(context: Context) -> tuple[str, ...]:
    """Whoever hears the first tier of some service."""
    return tuple(dict.fromkeys(to for each in context.services.values() for to in each.policy.tiers[0].notify))
