"""Silences: kept after their end, so that it can be told later what was muted when."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, select, update

from bongsu.core.errors import NotFound
from bongsu.core.silence import Silence
from bongsu.store.columns import pack, unpack
from bongsu.store.prepared import Prepared
from bongsu.store.schema import silences

# made once: in a storm of alerts, making a statement costs more than running it
_SINCE = Prepared(
    select(silences.c.body).where(silences.c.ends_at > bindparam("ended")).order_by(silences.c.ends_at, silences.c.id)
)


def load(tx: Connection, silence_id: str) -> Silence:
    """One silence. Raises NotFound."""
    body = tx.execute(select(silences.c.body).where(silences.c.id == silence_id)).scalar()
    if body is None:
        raise NotFound(f"There is no silence {silence_id!r}.")
    return unpack(body, Silence)


def put(tx: Connection, silence: Silence) -> None:
    """Keep a new or a changed silence."""
    values = {"ends_at": silence.ends_at, "body": pack(silence)}
    if tx.execute(update(silences).where(silences.c.id == silence.id).values(**values)).rowcount == 0:
        tx.execute(insert(silences).values(id=silence.id, **values))


def since(tx: Connection, ended: datetime) -> list[Silence]:
    """Every silence that had not ended at a time, the one that ends first coming first."""
    return [unpack(body, Silence) for body in _SINCE.column(tx, {"ended": ended})]
