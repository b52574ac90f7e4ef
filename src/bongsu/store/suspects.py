"""Addresses that a mail server refused for good the last time: still tried, and no longer relied on (rule 15)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, insert, select

from bongsu.store.prepared import Prepared
from bongsu.store.schema import suspects

# made once: in a storm, making a statement costs more than running it
_AMONG = Prepared(select(suspects).where(suspects.c.address.in_(bindparam("these", expanding=True))))
_CLEAR = Prepared(delete(suspects).where(suspects.c.address.in_(bindparam("these", expanding=True))))


@dataclass(frozen=True, slots=True)
class Suspect:
    """Since when an address is suspect (wall time), and what the server said."""

    since: datetime
    why: str


def mark(tx: Connection, address: str, since: datetime, why: str) -> None:
    """It was refused; the first refusal counts."""
    if tx.execute(select(suspects.c.address).where(suspects.c.address == address)).first() is None:
        tx.execute(insert(suspects).values(address=address, since=since, why=why))


def clear(tx: Connection, addresses: Collection[str]) -> None:
    """They were accepted."""
    if addresses:
        _CLEAR.run(tx, {"these": list(addresses)})


def among(tx: Connection, addresses: Collection[str]) -> dict[str, Suspect]:
    """Those of the addresses that are suspect."""
    found = _AMONG.all(tx, {"these": list(addresses)})
    return {row.address: Suspect(row.since, row.why) for row in found}


def every(tx: Connection) -> dict[str, Suspect]:
    """All of them, by address."""
    return {row.address: Suspect(row.since, row.why) for row in tx.execute(select(suspects))}
