"""Maintenances: kept after their end, for tiers count from there."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, select, update

from bongsu.core.errors import NotFound
from bongsu.core.maintenance import Maintenance
from bongsu.store.columns import pack, unpack
from bongsu.store.prepared import Prepared
from bongsu.store.schema import maintenances

# made once: in a storm of alerts, making a statement costs more than running it
_SINCE = Prepared(
    select(maintenances.c.body)
    .where(maintenances.c.ends_at > bindparam("ended"))
    .order_by(maintenances.c.ends_at, maintenances.c.id)
)


def load(tx: Connection, maintenance_id: str) -> Maintenance:
    """One maintenance. Raises NotFound."""
    body = tx.execute(select(maintenances.c.body).where(maintenances.c.id == maintenance_id)).scalar()
    if body is None:
        raise NotFound(f"There is no maintenance {maintenance_id!r}.")
    return unpack(body, Maintenance)


def put(tx: Connection, window: Maintenance) -> None:
    """Keep a new or a changed maintenance."""
    values = {"ends_at": window.ends_at, "body": pack(window)}
    if tx.execute(update(maintenances).where(maintenances.c.id == window.id).values(**values)).rowcount == 0:
        tx.execute(insert(maintenances).values(id=window.id, **values))


def since(tx: Connection, ended: datetime) -> list[Maintenance]:
    """Every maintenance that had not ended at a time, the one that ends first coming first."""
    return [unpack(body, Maintenance) for body in _SINCE.column(tx, {"ended": ended})]
