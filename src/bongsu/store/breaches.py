"""The breach clocks, one per (service, policy), so that a restart of anything loses no time."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, insert, select, update

from bongsu.core.breach import BreachClock
from bongsu.store.columns import pack, unpack
from bongsu.store.schema import breaches

# made once: making a statement costs more than running it, and these run at every look
_KEY = (breaches.c.service == bindparam("of_service")) & (breaches.c.policy == bindparam("of_policy"))
_LOAD = select(breaches.c.body).where(_KEY)
_LOCK = _LOAD.with_for_update()
_SAVE = update(breaches).where(_KEY).values(body=bindparam("to_body"))


def load(tx: Connection, service: str, policy: str) -> BreachClock:
    """The saved clock, or a fresh one."""
    query = _LOCK if tx.dialect.name == "postgresql" else _LOAD
    body = tx.execute(query, {"of_service": service, "of_policy": policy}).scalar()
    return BreachClock() if body is None else unpack(body, BreachClock)


def save(tx: Connection, service: str, policy: str, clock: BreachClock) -> None:
    """Keep the clock."""
    body = pack(clock)
    if tx.execute(_SAVE, {"of_service": service, "of_policy": policy, "to_body": body}).rowcount == 0:
        tx.execute(insert(breaches).values(service=service, policy=policy, body=body))
