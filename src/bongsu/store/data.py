"""What was found when a service's data was verified, and when its jobs are due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select, update

from bongsu.core.recovery import Check
from bongsu.store.columns import pack, unpack
from bongsu.store.schema import data_checks, data_jobs

KEPT_PER_NAME = 500


@dataclass(frozen=True, slots=True)
class Job:
    """``kind``: backup or verify."""

    name: str
    kind: str
    due_at: datetime
    ran_at: datetime | None
    fault: str | None


def claim(tx: Connection, name: str, kind: str, every: timedelta, now: datetime) -> bool:
    """Whether this job is due and ours to do: of several Bongsus, one gets it. A new job is due at once."""
    mine = (data_jobs.c.name == name) & (data_jobs.c.kind == kind)
    row = tx.execute(select(data_jobs.c.due_at).where(mine).with_for_update()).first()
    if row is None:
        tx.execute(insert(data_jobs).values(name=name, kind=kind, due_at=now + every))
        return True
    due: datetime = row.due_at
    if due > now:
        if due > now + every:  # it was due rarely and now is often
            tx.execute(update(data_jobs).where(mine).values(due_at=now + every))
        return False
    tx.execute(update(data_jobs).where(mine).values(due_at=now + every))
    return True


def ran(tx: Connection, name: str, kind: str, now: datetime, fault: str | None) -> None:
    """Note how a job ended."""
    mine = (data_jobs.c.name == name) & (data_jobs.c.kind == kind)
    tx.execute(update(data_jobs).where(mine).values(ran_at=now, fault=fault))


def jobs(tx: Connection) -> list[Job]:
    """Every job and how it last ended."""
    query = select(data_jobs).order_by(data_jobs.c.name, data_jobs.c.kind)
    return [Job(row.name, row.kind, row.due_at, row.ran_at, row.fault) for row in tx.execute(query)]


def add(tx: Connection, check: Check, incident_id: str | None = None) -> None:
    """Keep a result, and of each service the newest alone, but for those of incidents."""
    tx.execute(insert(data_checks).values(name=check.name, at=check.at, incident_id=incident_id, body=pack(check)))
    if incident_id is None:
        loose = (data_checks.c.name == check.name) & data_checks.c.incident_id.is_(None)
        keep = select(data_checks.c.id).where(loose).order_by(data_checks.c.id.desc()).limit(KEPT_PER_NAME)
        tx.execute(delete(data_checks).where(loose, data_checks.c.id.not_in(keep)))


def of_incident(tx: Connection, incident_id: str) -> Check | None:
    """The newest result that belongs to an incident."""
    query = select(data_checks.c.body).where(data_checks.c.incident_id == incident_id)
    body = tx.execute(query.order_by(data_checks.c.id.desc()).limit(1)).scalar()
    return None if body is None else unpack(body, Check)


def verified(tx: Connection, incident_ids: Sequence[str]) -> set[str]:
    """Those of these incidents to which a result belongs."""
    query = select(data_checks.c.incident_id).where(data_checks.c.incident_id.in_(incident_ids)).distinct()
    return set(tx.execute(query).scalars())


def latest(tx: Connection, name: str) -> Check | None:
    """The newest result of a service's data."""
    query = select(data_checks.c.body).where(data_checks.c.name == name)
    body = tx.execute(query.order_by(data_checks.c.id.desc()).limit(1)).scalar()
    return None if body is None else unpack(body, Check)
