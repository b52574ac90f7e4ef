"""Incidents: load, save with a version check, search."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, select, update

from bongsu.core.errors import NotFound, Stale
from bongsu.core.incident import Incident
from bongsu.store.columns import pack, unpack
from bongsu.store.prepared import Prepared
from bongsu.store.schema import incidents

# made once: in a storm of alerts, making a statement costs more than running it
_ADD = Prepared(insert(incidents))
_LATEST = Prepared(
    select(incidents.c.body)
    .where(incidents.c.service == bindparam("of_service"))
    .where((incidents.c.policy == bindparam("of_policy")) & (incidents.c.group_key == bindparam("of_group")))
    .order_by(incidents.c.opened_at.desc(), incidents.c.id.desc())
    .limit(1)
)
_DUE = (
    select(incidents.c.body)
    .where(incidents.c.due_at <= bindparam("now"))
    .order_by(incidents.c.due_at)
    .limit(bindparam("most"))
)
_EVERY_OPEN = select(incidents.c.body).where(incidents.c.is_open == 1)
_OPEN_UNDER = _EVERY_OPEN.where(incidents.c.policy.not_in(bindparam("watched", expanding=True)))


def load(tx: Connection, incident_id: str) -> Incident:
    """The incident, its row locked on PostgreSQL. Raises NotFound."""
    query = select(incidents.c.body, incidents.c.version).where(incidents.c.id == incident_id)
    row = tx.execute(query.with_for_update()).one_or_none()
    if row is None:
        raise NotFound(f"There is no incident {incident_id!r}.")
    return unpack(row.body, Incident)


def service_of(tx: Connection, incident_id: str) -> str:
    """Whose incident it is, without locking it. Raises NotFound."""
    found = tx.execute(select(incidents.c.service).where(incidents.c.id == incident_id)).scalar()
    if found is None:
        raise NotFound(f"There is no incident {incident_id!r}.")
    return str(found)


def latest(tx: Connection, service: str, policy: str, group: str = "") -> Incident | None:
    """The newest incident of a (service, policy, group), open or not."""
    found = _LATEST.column(tx, {"of_service": service, "of_policy": policy, "of_group": group})
    return unpack(found[0], Incident) if found else None


def due(tx: Connection, now: datetime, limit: int = 100) -> list[Incident]:
    """Incidents whose timer has passed, the longest overdue first."""
    return [unpack(body, Incident) for body in tx.execute(_DUE, {"now": now, "most": limit}).scalars()]


def search(
    tx: Connection, *, service: str | None = None, status: str | None = None, limit: int = 100
) -> list[Incident]:
    """Incidents, the newest first."""
    query = select(incidents.c.body).order_by(incidents.c.opened_at.desc(), incidents.c.id.desc()).limit(limit)
    if service is not None:
        query = query.where(incidents.c.service == service)
    if status is not None:
        query = query.where(incidents.c.status == status)
    return [unpack(body, Incident) for body in tx.execute(query).scalars()]


def agenda(tx: Connection) -> list[Incident]:
    """What was judged not urgent and no review has dealt with, the oldest first."""
    waits = (incidents.c.triage == "not_urgent") & (incidents.c.status != "reviewed")
    query = select(incidents.c.body).where(waits).order_by(incidents.c.opened_at, incidents.c.id)
    return [unpack(body, Incident) for body in tx.execute(query).scalars()]


def every_open(tx: Connection) -> list[Incident]:
    """Every open incident."""
    return [unpack(body, Incident) for body in tx.execute(_EVERY_OPEN).scalars()]


def open_under(tx: Connection, watched: Sequence[str]) -> list[Incident]:
    """Open incidents whose policy is none of these."""
    return [unpack(body, Incident) for body in tx.execute(_OPEN_UNDER, {"watched": list(watched)}).scalars()]


def add(tx: Connection, incident: Incident) -> None:
    """Keep a new incident; a second open one of the same (service, policy, group) is refused by the database."""
    _ADD.run(tx, {"id": incident.id, **_row(incident)})


def save(tx: Connection, incident: Incident, read: int) -> None:
    """Keep a changed incident, if it is still at the version that was ``read``. Raises Stale."""
    key = (incidents.c.id == incident.id) & (incidents.c.version == read)
    if tx.execute(update(incidents).where(key).values(**_row(incident))).rowcount != 1:
        raise Stale


def _row(incident: Incident) -> dict[str, object]:
    return {
        "service": incident.service,
        "policy": incident.policy.name,
        "group_key": incident.group,
        "status": incident.status.value,
        "is_open": int(incident.open),
        "opened_at": incident.opened_at,
        "due_at": incident.due_at,
        "triage": ("urgent" if incident.triage.urgent else "not_urgent") if incident.triage else "",
        "version": incident.version,
        "body": pack(incident),
    }
