"""Reports of resolved incidents, kept as they were made."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from bongsu.core.report import Report
from bongsu.store.columns import pack, unpack
from bongsu.store.schema import reports


def load(tx: Connection, incident_id: str) -> Report | None:
    """The kept report, if there is one."""
    body = tx.execute(select(reports.c.body).where(reports.c.incident_id == incident_id)).scalar()
    return None if body is None else unpack(body, Report)


def save(tx: Connection, report: Report, now: datetime) -> None:
    """Keep a report in the place of an earlier one."""
    tx.execute(delete(reports).where(reports.c.incident_id == report.incident_id))
    tx.execute(insert(reports).values(incident_id=report.incident_id, made_at=now, body=pack(report)))
