"""The audit log: who changed what, when, from where. Lines are added, and go when they are old; none is changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import Connection, delete, insert, select

from bongsu.core.access import Via
from bongsu.store.columns import pack
from bongsu.store.schema import audit


@dataclass(frozen=True, slots=True)
class Line:
    """A change. ``at`` is the wall's time; ``about`` names what was changed; ``facts``: what was asked, and before."""

    at: datetime
    who: str
    via: Via
    address: str
    what: str
    about: str
    facts: Mapping[str, object]
    id: int = 0


def add(tx: Connection, line: Line) -> None:
    """Write a line, in the transaction of what it tells of."""
    tx.execute(
        insert(audit).values(
            at=line.at,
            who=line.who,
            via=line.via,
            address=line.address,
            what=line.what,
            about=line.about,
            facts=pack(line.facts),
        )
    )


def newest(
    tx: Connection, limit: int, *, before: int | None = None, who: str | None = None, about: str | None = None
) -> list[Line]:
    """The newest lines first, of those before the line ``before``."""
    query = select(audit).order_by(audit.c.id.desc()).limit(limit)
    for column, value in ((audit.c.who, who), (audit.c.about, about)):
        if value:
            query = query.where(column == value)
    if before is not None:
        query = query.where(audit.c.id < before)
    return [
        Line(
            row.at, row.who, Via(row.via), row.address, row.what, row.about,
            msgspec.json.decode(row.facts, type=dict[str, object]), row.id,
        )
        for row in tx.execute(query)
    ]  # fmt: skip


def prune(tx: Connection, before: datetime, most: int) -> int:
    """Remove at most so many lines from before a time; how many."""
    old = select(audit.c.id).where(audit.c.at < before).order_by(audit.c.id).limit(most)
    return tx.execute(delete(audit).where(audit.c.id.in_(old))).rowcount
