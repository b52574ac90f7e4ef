"""When each heartbeat was last heard, in wall time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from bongsu.store.schema import heartbeats


def beat(tx: Connection, names: Iterable[str], at: datetime) -> None:
    """These were heard; an older time never takes the place of a newer one."""
    insert = sqlite_insert if tx.dialect.name == "sqlite" else postgresql_insert
    for name in sorted(names):
        put = insert(heartbeats).values(name=name, seen_at=at)
        newer = heartbeats.c.seen_at < at
        tx.execute(put.on_conflict_do_update(index_elements=["name"], set_={"seen_at": at}, where=newer))


def heard(tx: Connection) -> dict[str, datetime]:
    """When each was last heard."""
    return {row.name: row.seen_at for row in tx.execute(select(heartbeats))}
