"""What is known of each machine's credits, and how its forecasts did, so that a restart loses neither.

Balances change with every look, all of a service at once: they are one row, for ten thousand of them would take the
database longer than the look itself. Scores change every few minutes and have a row each.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, delete, insert, select, update

from bongsu.core.ledger import Ledger
from bongsu.core.scoring import Score
from bongsu.store.columns import decoder, pack
from bongsu.store.many import Many
from bongsu.store.schema import balances, scores

_SCORE = decoder(Score)
_SCORES = Many(
    "scores",
    dict.fromkeys(("service", "machine", "body"), "text"),
    "(service, machine) DO UPDATE SET body = excluded.body",
)
_LAST: dict[str, tuple[bytes, Ledger]] = {}
"""By service, what was last read or written and the ledger that it holds: every look reads it again."""


def of_service(tx: Connection, service: str) -> Ledger:
    """Every machine's balance by its name; not to be changed."""
    body = tx.execute(select(balances.c.body).where(balances.c.service == service)).scalar_one_or_none()
    return Ledger() if body is None else _ledger(tx, service, body)


def to_change(tx: Connection, service: str) -> Ledger:
    """The same to be changed, and then kept; nobody else does so meanwhile."""
    query = select(balances.c.body).where(balances.c.service == service).with_for_update()
    body = tx.execute(query).scalar_one_or_none()
    if body is not None:
        return _ledger(tx, service, body).copy()
    ledger = Ledger()  # two servers at once: the second one is told that the row is there, and begins again
    tx.execute(insert(balances).values(service=service, body=_body(ledger), trail=_trail(ledger)))
    return ledger


def keep(tx: Connection, service: str, ledger: Ledger) -> None:
    """Keep what was given ``to_change``, and changed."""
    body = _body(ledger)
    values = {"body": body, "trail": _trail(ledger)} if ledger.walked else {"body": body}
    tx.execute(update(balances).where(balances.c.service == service).values(values))
    _LAST[service] = body, ledger


def _ledger(tx: Connection, service: str, body: bytes) -> Ledger:
    last = _LAST.get(service)
    if last is not None and last[0] == body:
        return last[1]
    query = select(balances.c.body, balances.c.trail).where(balances.c.service == service)
    body, trail = tx.execute(query).one()
    names, columns = msgspec.msgpack.decode(body)
    ledger = Ledger(names, columns, msgspec.msgpack.decode(trail))
    _LAST[service] = body, ledger
    return ledger


def _body(ledger: Ledger) -> bytes:
    return msgspec.msgpack.encode((ledger.names, ledger.columns))


def _trail(ledger: Ledger) -> bytes:
    return msgspec.msgpack.encode(ledger.trail)


def scores_of(tx: Connection, service: str, *, to_change: bool = False) -> dict[str, Score]:
    """Every machine's score that has one."""
    query: Select[Any] = select(scores.c.machine, scores.c.body).where(scores.c.service == service)
    found = tx.execute(query.with_for_update() if to_change else query)
    return {machine: _SCORE.decode(body) for machine, body in found}


def keep_scores(tx: Connection, service: str, known: Mapping[str, Score]) -> None:
    """Keep these machines' scores."""
    _SCORES.put(tx, [(service, machine, pack(score)) for machine, score in known.items()])


def forget_score(tx: Connection, service: str, machine: str) -> None:
    """A machine is gone."""
    tx.execute(delete(scores).where((scores.c.service == service) & (scores.c.machine == machine)))
