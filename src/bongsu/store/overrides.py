"""Overrides of schedules: who stands in for whom, and who said so."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from bongsu.core.errors import NotFound
from bongsu.core.rotation import Override
from bongsu.store.schema import overrides

# made once: in a storm of alerts, making a statement costs more than running it
_SINCE = (
    select(overrides).where(overrides.c.ends_at > bindparam("ended")).order_by(overrides.c.starts_at, overrides.c.id)
)


def add(tx: Connection, override: Override) -> None:
    """Keep a new one."""
    tx.execute(
        insert(overrides).values(
            id=override.id,
            schedule=override.schedule,
            person=override.person,
            starts_at=override.start,
            ends_at=override.end,
            made_by=override.made_by,
            made_at=override.made_at,
            note=override.note,
        )
    )


def since(tx: Connection, ended: datetime) -> list[Override]:
    """Every override that had not ended at a time, in the order in which they begin."""
    return [_override(row) for row in tx.execute(_SINCE, {"ended": ended})]


def end(tx: Connection, override_id: str, now: datetime) -> Override:
    """Take one back: what has passed of it stays. Raises NotFound, also when it is over already."""
    row = tx.execute(select(overrides).where(overrides.c.id == override_id)).first()
    if row is None or row.ends_at <= now:
        raise NotFound(f"There is no override {override_id!r} that is not over; look at: bongsu oncall list")
    if row.starts_at < now:
        tx.execute(update(overrides).where(overrides.c.id == override_id).values(ends_at=now))
    else:
        tx.execute(delete(overrides).where(overrides.c.id == override_id))
    return _override(row)


def _override(row: Row[tuple[object, ...]]) -> Override:
    return Override(row.id, row.schedule, row.person, row.starts_at, row.ends_at, row.made_by, row.made_at, row.note)
