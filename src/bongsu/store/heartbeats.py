"""When each heartbeat was last heard, in wall time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, select

from bongsu.store.schema import heartbeats
from bongsu.store.upsert import upsert


def beat(tx: Connection, names: Iterable[str], at: datetime) -> None:
    """These were heard; an older time never takes the place of a newer one."""
    for name in sorted(names):
        put = upsert(tx.dialect.name, heartbeats).values(name=name, seen_at=at)
        newer = heartbeats.c.seen_at < at
        tx.execute(put.on_conflict_do_update(index_elements=["name"], set_={"seen_at": at}, where=newer))


def heard(tx: Connection) -> dict[str, datetime]:
    """When each was last heard."""
    return {row.name: row.seen_at for row in tx.execute(select(heartbeats))}
