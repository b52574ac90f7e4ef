"""What is known of each machine's credits, and how its forecasts did, so that a restart loses neither.

Accounts change with every look, scores every few minutes: a look reads and writes accounts alone, all machines of a
service in one statement.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Select, delete, select

from bongsu.core.balance import Balance
from bongsu.core.scoring import Score
from bongsu.store.columns import decoder, pack
from bongsu.store.schema import balances

_FRESH = pack(Score())
_BALANCE, _SCORE = decoder(Balance), decoder(Score)
_ROWS = {
    # one round trip on each: SQLite steps a prepared statement, PostgreSQL unfolds three arrays
    "sqlite": "VALUES (?, ?, ?, ?)",
    "postgresql": "SELECT %s::text, fresh.* FROM unnest(%s::text[], %s::text[], %s::text[]) AS fresh",
}
_PUT = "INSERT INTO balances (service, machine, body, score) {} ON CONFLICT (service, machine) DO UPDATE SET {}"
_ACCOUNT, _BOTH = "body = excluded.body", "body = excluded.body, score = excluded.score"


def of_service(tx: Connection, service: str, *, to_change: bool = False) -> dict[str, tuple[Balance, Score]]:
    """Every machine's balance and score by its name. ``to_change``: nobody else changes them meanwhile."""
    query = select(balances.c.machine, balances.c.body, balances.c.score)
    found = tx.execute(_mine(query, service, to_change))
    return {machine: (_BALANCE.decode(body), _SCORE.decode(score)) for machine, body, score in found}


def accounts(tx: Connection, service: str, *, to_change: bool = False) -> dict[str, Balance]:
    """The same without the scores."""
    found = tx.execute(_mine(select(balances.c.machine, balances.c.body), service, to_change))
    return {machine: _BALANCE.decode(body) for machine, body in found}


def save(tx: Connection, service: str, kept: Mapping[str, tuple[Balance, Score]]) -> None:
    """Keep these machines."""
    _put(tx, service, [(name, pack(balance), pack(score)) for name, (balance, score) in kept.items()], _BOTH)


def save_accounts(tx: Connection, service: str, kept: Mapping[str, Balance]) -> None:
    """Keep what is known of these machines' credits; scores stay as they are, and a new machine begins with none."""
    _put(tx, service, [(name, pack(balance), _FRESH) for name, balance in kept.items()], _ACCOUNT)


def forget(tx: Connection, service: str, machine: str) -> None:
    """A machine is gone."""
    tx.execute(delete(balances).where((balances.c.service == service) & (balances.c.machine == machine)))


def _mine(query: Select[Any], service: str, to_change: bool) -> Select[Any]:
    query = query.where(balances.c.service == service).order_by(balances.c.machine)
    return query.with_for_update() if to_change else query


def _put(tx: Connection, service: str, rows: list[tuple[str, str, str]], changed: str) -> None:
    if not rows:
        return
    said = _PUT.format(_ROWS[tx.dialect.name], changed)
    if tx.dialect.name == "sqlite":
        tx.exec_driver_sql(said, [(service, *row) for row in rows])
    else:
        tx.exec_driver_sql(said, (service, *(list(column) for column in zip(*rows, strict=True))))
