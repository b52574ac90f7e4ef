"""What was done about an incident: one row per action on a machine, worked on until it is finished."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, insert, select, update

from bongsu.store.schema import actions


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
    return _all(tx, actions.c.state.in_(("requested", "draining")))


def of_service(tx: Connection, service: str) -> list[Action]:
    """Every action on a service's machines."""
    return _all(tx, actions.c.service == service)


def of(tx: Connection, incident_id: str) -> list[Action]:
    """Every action taken in an incident."""
    return _all(tx, actions.c.incident_id == incident_id)


def change(tx: Connection, action: Action, state: str, result: str, now: datetime) -> bool:
    """Write how far it got; False when somebody else had."""
    key = (actions.c.id == action.id) & (actions.c.state == action.state)
    return tx.execute(update(actions).where(key).values(state=state, result=result, finished_at=now)).rowcount == 1


def _all(tx: Connection, condition: ColumnElement[bool]) -> list[Action]:
    query = select(actions).where(condition).order_by(actions.c.id)
    return [Action(**row._asdict()) for row in tx.execute(query)]
