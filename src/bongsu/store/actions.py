"""What was done about an incident: one row per action on a machine, worked on until it is finished.

Like a message of the outbox an action is claimed with a lease on the database's clock and a fencing token, so that of
two servers one alone starts a machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, bindparam, insert, select, update

from bongsu.store.database import database_clock
from bongsu.store.schema import actions

LEASE = timedelta(minutes=1)
"""Longer than one step of an action takes, its time-outs included."""


_UNFINISHED = ("requested", "draining")
_SHOWN = [column for column in actions.c if column is not actions.c.leased_until]
# made once: making a statement costs more than running it, and these run at every look
_ALL = select(*_SHOWN).order_by(actions.c.id)
_ALL_UNFINISHED = _ALL.where(actions.c.state.in_(_UNFINISHED))
_OF_SERVICE = _ALL.where(actions.c.service == bindparam("of_service"))


@dataclass(frozen=True, slots=True)
class Action:
    """``kind`` is add or remove; ``state`` is requested, draining, done or undone. Times are service time.

    ``finished_at`` is when the present state began.
    """

    id: int
    incident_id: str
    service: str
    kind: str
    machine: str
    requested_by: str
    requested_at: datetime
    state: str
    finished_at: datetime | None = None
    result: str | None = None
    fence: int = 0


def request(
    tx: Connection, incident_id: str, service: str, kind: str, machines: Sequence[str], by: str, now: datetime
) -> None:
    """Ask for an action on each machine."""
    for machine in machines:
        tx.execute(
            insert(actions).values(
                incident_id=incident_id,
                service=service,
                kind=kind,
                machine=machine,
                requested_by=by,
                requested_at=now,
                state="requested",
            )
        )


def unfinished(tx: Connection) -> list[Action]:
    """Actions that are not done yet."""
    return [Action(**row._asdict()) for row in tx.execute(_ALL_UNFINISHED)]


def claim(tx: Connection) -> list[Action]:
    """Take the unfinished actions that nobody holds; ``let_go`` of them after a step."""
    free = (
        select(actions.c.id)
        .where(actions.c.state.in_(_UNFINISHED) & (actions.c.leased_until < database_clock(tx)))
        .order_by(actions.c.id)
        .with_for_update(skip_locked=True)
    )
    ids = tx.execute(free).scalars().all()
    if not ids:
        return []
    until = database_clock(tx) + LEASE // timedelta(microseconds=1)
    mine = actions.c.id.in_(ids)
    tx.execute(update(actions).where(mine).values(leased_until=until, fence=actions.c.fence + 1))
    return _all(tx, mine)


def let_go(tx: Connection, held: Sequence[Action]) -> None:
    """Anybody may take these now; those lost to somebody else stay theirs."""
    for action in held:
        mine = (actions.c.id == action.id) & (actions.c.fence == action.fence)
        tx.execute(update(actions).where(mine).values(leased_until=0))


def release(tx: Connection) -> None:
    """Free every lease; only for whoever knows to be the only process."""
    tx.execute(update(actions).where(actions.c.leased_until > 0).values(leased_until=0))


def of_service(tx: Connection, service: str) -> list[Action]:
    """Every action on a service's machines."""
    return [Action(**row._asdict()) for row in tx.execute(_OF_SERVICE, {"of_service": service})]


def of(tx: Connection, incident_id: str) -> list[Action]:
    """Every action taken in an incident."""
    return _all(tx, actions.c.incident_id == incident_id)


def change(tx: Connection, action: Action, state: str, result: str, now: datetime) -> bool:
    """Write how far it got; False when somebody else had."""
    key = (actions.c.id == action.id) & (actions.c.state == action.state) & (actions.c.fence == action.fence)
    return tx.execute(update(actions).where(key).values(state=state, result=result, finished_at=now)).rowcount == 1


def _all(tx: Connection, condition: ColumnElement[bool]) -> list[Action]:
    return [Action(**row._asdict()) for row in tx.execute(_ALL.where(condition))]
