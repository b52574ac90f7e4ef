"""What was out, from when to when: the mail relay, a heartbeat, Bongsu itself; of each ``way`` one open at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, select, update

from bongsu.store.schema import outages

MAIL = "mail"
# made once: making a statement costs more than running it, and this runs at every look
_RUNNING = select(outages).where(outages.c.ended_at.is_(None) & (outages.c.way == bindparam("of_way")))


@dataclass(frozen=True, slots=True)
class Outage:
    """An outage, in wall time. ``told_at``: when the alarm of its own was written."""

    id: int
    since: datetime
    why: str
    told_at: datetime | None
    ended_at: datetime | None


def begin(tx: Connection, since: datetime, why: str, way: str = MAIL) -> Outage:
    """The outage that is open, or a new one."""
    found = running(tx, way)
    if found is not None:
        return found
    tx.execute(insert(outages).values(way=way, since=since, why=why))
    begun = running(tx, way)
    assert begun is not None
    return begun


def running(tx: Connection, way: str = MAIL) -> Outage | None:
    """The outage that is open."""
    row = tx.execute(_RUNNING, {"of_way": way}).first()
    return None if row is None else Outage(row.id, row.since, row.why, row.told_at, row.ended_at)


def tell(tx: Connection, outage: Outage, at: datetime) -> bool:
    """Note that its alarm is written; False when somebody else was faster."""
    change = update(outages).where((outages.c.id == outage.id) & outages.c.told_at.is_(None))
    return tx.execute(change.values(told_at=at)).rowcount == 1


def end(tx: Connection, at: datetime, way: str = MAIL) -> Outage | None:
    """Close the open outage and return it; None when there is none."""
    found = running(tx, way)
    if found is None:
        return None
    change = update(outages).where((outages.c.id == found.id) & outages.c.ended_at.is_(None))
    return found if tx.execute(change.values(ended_at=at)).rowcount == 1 else None


def latest(tx: Connection, limit: int = 20) -> list[Outage]:
    """The mail relay's, the newest first."""
    query = select(outages).where(outages.c.way == MAIL).order_by(outages.c.id.desc()).limit(limit)
    return [Outage(row.id, row.since, row.why, row.told_at, row.ended_at) for row in tx.execute(query)]
