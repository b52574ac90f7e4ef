"""Alerts from outside, one row per fingerprint."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from bongsu.core.alert import Alert
from bongsu.store.columns import pack, unpack
from bongsu.store.schema import alerts


def put(tx: Connection, alert: Alert, now: datetime, incident_id: str | None) -> None:
    """Keep an alert's newest state; the first time it started firing stays."""
    values = {
        "body": pack(alert),
        "starts_at": alert.starts_at,
        "ends_at": alert.ends_at,
        "received_at": now,
        "incident_id": incident_id,
    }
    key = alerts.c.fingerprint == alert.fingerprint
    if tx.execute(update(alerts).where(key).values(**values)).rowcount == 0:
        tx.execute(insert(alerts).values(fingerprint=alert.fingerprint, **values))


def of(tx: Connection, incident_id: str) -> list[Alert]:
    """The alerts that belong to an incident."""
    query = select(alerts.c.body).where(alerts.c.incident_id == incident_id).order_by(alerts.c.id)
    return [unpack(body, Alert) for body in tx.execute(query).scalars()]


def firing(tx: Connection, now: datetime) -> list[Alert]:
    """Alerts that have not ended."""
    query = select(alerts.c.body).where((alerts.c.ends_at.is_(None)) | (alerts.c.ends_at > now)).order_by(alerts.c.id)
    return [unpack(body, Alert) for body in tx.execute(query).scalars()]
