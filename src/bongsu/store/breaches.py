"""The breach clocks, one per (service, policy), so that a restart of anything loses no time."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select, update

from bongsu.core.breach import BreachClock
from bongsu.store.columns import pack, unpack
from bongsu.store.schema import breaches


def load(tx: Connection, service: str, policy: str) -> BreachClock:
    """The saved clock, or a fresh one."""
    key = (breaches.c.service == service) & (breaches.c.policy == policy)
    query = select(breaches.c.body).where(key)
    if tx.dialect.name == "postgresql":
        query = query.with_for_update()
    body = tx.execute(query).scalar()
    return BreachClock() if body is None else unpack(body, BreachClock)


def save(tx: Connection, service: str, policy: str, clock: BreachClock) -> None:
    """Keep the clock."""
    key = (breaches.c.service == service) & (breaches.c.policy == policy)
    body = pack(clock)
    if tx.execute(update(breaches).where(key).values(body=body)).rowcount == 0:
        tx.execute(insert(breaches).values(service=service, policy=policy, body=body))
