"""What people wrote into reports: every edition is kept; and which one was approved."""

from __future__ import annotations

from sqlalchemy import Connection, delete, func, insert, select

from bongsu.core.followup import Approval, Edition
from bongsu.store.columns import pack, unpack
from bongsu.store.schema import approvals, editions


def of(tx: Connection, incident_id: str) -> list[Edition]:
    """Every edition of an incident's report, in their order."""
    query = select(editions.c.body).where(editions.c.incident_id == incident_id).order_by(editions.c.number)
    return [unpack(body, Edition) for body in tx.execute(query).scalars()]


def latest(tx: Connection, incident_id: str) -> Edition | None:
    """The newest edition of an incident's report."""
    query = select(editions.c.body).where(editions.c.incident_id == incident_id)
    body = tx.execute(query.order_by(editions.c.number.desc()).limit(1)).scalar()
    return None if body is None else unpack(body, Edition)


def add(tx: Connection, edition: Edition) -> None:
    """Keep a new edition; a second one of the same number is refused by the database."""
    tx.execute(
        insert(editions).values(
            incident_id=edition.incident_id, number=edition.number, at=edition.at, body=pack(edition)
        )
    )


def newest(tx: Connection, limit: int = 500) -> list[Edition]:
    """The newest edition of every report, the one written last coming first."""
    top = select(editions.c.incident_id, func.max(editions.c.number).label("number")).group_by(editions.c.incident_id)
    last = top.subquery()
    query = (
        select(editions.c.body)
        .join(last, (editions.c.incident_id == last.c.incident_id) & (editions.c.number == last.c.number))
        .order_by(editions.c.at.desc(), editions.c.id.desc())
        .limit(limit)
    )
    return [unpack(body, Edition) for body in tx.execute(query).scalars()]


def approval(tx: Connection, incident_id: str) -> Approval | None:
    """Who approved the report, if somebody did."""
    row = tx.execute(select(approvals).where(approvals.c.incident_id == incident_id)).one_or_none()
    return None if row is None else Approval(row.incident_id, row.number, row.by_whom, row.at)


def approve(tx: Connection, approval: Approval) -> None:
    """Keep an approval in the place of an earlier one."""
    withdraw(tx, approval.incident_id)
    tx.execute(
        insert(approvals).values(
            incident_id=approval.incident_id, number=approval.number, by_whom=approval.by, at=approval.at
        )
    )


def withdraw(tx: Connection, incident_id: str) -> None:
    """Take an approval back."""
    tx.execute(delete(approvals).where(approvals.c.incident_id == incident_id))


def approved(tx: Connection) -> set[str]:
    """Ids of the incidents whose report is approved."""
    return set(tx.execute(select(approvals.c.incident_id)).scalars())
