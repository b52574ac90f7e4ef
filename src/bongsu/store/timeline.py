"""The timeline of an incident: append-only."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from bongsu.core.incident import Entry
from bongsu.store.columns import microseconds, pack, unpack
from bongsu.store.many import Many
from bongsu.store.schema import timeline

_APPEND = Many("timeline", {"incident_id": "text", "at": "bigint", "what": "text", "facts": "text"})


def append(tx: Connection, incident_id: str, entries: Sequence[Entry]) -> None:
    """Add lines."""
    _APPEND.put(tx, [(incident_id, microseconds(e.at), e.what, pack(e.facts)) for e in entries])


def of(tx: Connection, incident_id: str) -> list[Entry]:
    """Every line, in the order written."""
    query = select(timeline).where(timeline.c.incident_id == incident_id).order_by(timeline.c.id)
    return [Entry(row.at, row.what, unpack(row.facts, dict)) for row in tx.execute(query)]
