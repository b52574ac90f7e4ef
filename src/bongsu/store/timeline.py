"""The timeline of an incident: append-only."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, insert, select

from bongsu.core.incident import Entry
from bongsu.store.columns import pack, unpack
from bongsu.store.prepared import Prepared
from bongsu.store.schema import timeline

_APPEND = Prepared(insert(timeline))


def append(tx: Connection, incident_id: str, entries: Sequence[Entry]) -> None:
    """Add lines."""
    rows = [{"incident_id": incident_id, "at": e.at, "what": e.what, "facts": pack(e.facts)} for e in entries]
    _APPEND.run(tx, *rows)


def of(tx: Connection, incident_id: str) -> list[Entry]:
    """Every line, in the order written."""
    query = select(timeline).where(timeline.c.incident_id == incident_id).order_by(timeline.c.id)
    return [Entry(row.at, row.what, unpack(row.facts, dict)) for row in tx.execute(query)]
