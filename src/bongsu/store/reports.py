"""Reports of resolved incidents, kept as they were made."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from bongsu.core.report import Report
from bongsu.store.columns import pack, unpack
from bongsu.store.schema import reports


def load(tx: Connection, incident_id: str) -> Report | None:
    """The kept report, if there is one."""
    body = tx.execute(select(reports.c.body).where(reports.c.incident_id == incident_id)).scalar()
    return None if body is None else unpack(body, Report)


def made(tx: Connection, incident_ids: Sequence[str]) -> dict[str, datetime]:
    """When those of these incidents' reports that are kept were made."""
    query = select(reports.c.incident_id, reports.c.made_at).where(reports.c.incident_id.in_(incident_ids))
    return {row.incident_id: row.made_at for row in tx.execute(query)}


def save(tx: Connection, report: Report) -> None:
    """Keep a report in the place of an earlier one."""
    tx.execute(delete(reports).where(reports.c.incident_id == report.incident_id))
    tx.execute(insert(reports).values(incident_id=report.incident_id, made_at=report.made_at, body=pack(report)))
