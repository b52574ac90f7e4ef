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
from bongsu.store.many import Many
from bongsu.store.schema import balances

_FRESH = pack(Score())
_BALANCE, _SCORE = decoder(Balance), decoder(Score)
_COLUMNS = dict.fromkeys(("service", "machine", "body", "score"), "text")
_ACCOUNT = Many("balances", _COLUMNS, "(service, machine) DO UPDATE SET body = excluded.body")
_BOTH = Many("balances", _COLUMNS, f"{_ACCOUNT.conflict}, score = excluded.score")


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
    _BOTH.put(tx, [(service, name, pack(balance), pack(score)) for name, (balance, score) in kept.items()])


def save_accounts(tx: Connection, service: str, kept: Mapping[str, Balance]) -> None:
    """Keep what is known of these machines' credits; scores stay as they are, and a new machine begins with none."""
    _ACCOUNT.put(tx, [(service, name, pack(balance), _FRESH) for name, balance in kept.items()])


def forget(tx: Connection, service: str, machine: str) -> None:
    """A machine is gone."""
    tx.execute(delete(balances).where((balances.c.service == service) & (balances.c.machine == machine)))


def _mine(query: Select[Any], service: str, to_change: bool) -> Select[Any]:
    query = query.where(balances.c.service == service).order_by(balances.c.machine)
    return query.with_for_update() if to_change else query
