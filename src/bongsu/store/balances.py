"""What is known of each machine's credits, and how its forecasts did, so that a restart loses neither."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, delete, insert, select, update

from bongsu.core.balance import Balance
from bongsu.core.scoring import Score
from bongsu.store.columns import pack, unpack
from bongsu.store.schema import balances


def of_service(tx: Connection, service: str, *, to_change: bool = False) -> dict[str, tuple[Balance, Score]]:
    """Every machine's balance and score by its name. ``to_change``: nobody else changes them meanwhile."""
    query = select(balances).where(balances.c.service == service).order_by(balances.c.machine)
    if to_change:
        query = query.with_for_update()
    return {row.machine: (unpack(row.body, Balance), unpack(row.score, Score)) for row in tx.execute(query)}


def save(tx: Connection, service: str, kept: Mapping[str, tuple[Balance, Score]]) -> None:
    """Keep these machines."""
    mine = balances.c.service == service
    for machine, (balance, score) in kept.items():
        said = {"body": pack(balance), "score": pack(score)}
        if tx.execute(update(balances).where(mine & (balances.c.machine == machine)).values(said)).rowcount == 0:
            tx.execute(insert(balances).values(service=service, machine=machine, **said))


def forget(tx: Connection, service: str, machine: str) -> None:
    """A machine is gone."""
    tx.execute(delete(balances).where((balances.c.service == service) & (balances.c.machine == machine)))
