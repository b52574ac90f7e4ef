"""Action items, open until somebody has done them."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection, Row, insert, select, update

from bongsu.core.errors import NotFound
from bongsu.core.followup import Item
from bongsu.store.columns import pack, unpack
from bongsu.store.schema import items


def add(tx: Connection, item: Item) -> Item:
    """Keep a new item; it comes back with its number."""
    made = tx.execute(insert(items).values(**_row(item)).returning(items.c.id)).scalar_one()
    return replace(item, id=made)


def load(tx: Connection, item_id: int) -> Item:
    """One item, its row locked on PostgreSQL. Raises NotFound."""
    row = tx.execute(select(items).where(items.c.id == item_id).with_for_update()).one_or_none()
    if row is None:
        raise NotFound(f"There is no action item {item_id}.")
    return _item(row)


def save(tx: Connection, item: Item) -> None:
    """Keep a changed item."""
    tx.execute(update(items).where(items.c.id == item.id).values(**_row(item)))


def of(tx: Connection, incident_id: str) -> list[Item]:
    """The items of an incident, in the order made."""
    query = select(items).where(items.c.incident_id == incident_id).order_by(items.c.id)
    return [_item(row) for row in tx.execute(query)]


def waiting(tx: Connection) -> list[Item]:
    """Every open item, the one due first coming first."""
    query = select(items).where(items.c.is_open == 1).order_by(items.c.due, items.c.id)
    return [_item(row) for row in tx.execute(query)]


def _row(item: Item) -> dict[str, object]:
    return {
        "incident_id": item.incident_id,
        "due": item.due.isoformat(),
        "is_open": int(item.open),
        "body": pack(item),
    }


def _item(row: Row[tuple[object, ...]]) -> Item:
    return replace(unpack(row.body, Item), id=row.id)
