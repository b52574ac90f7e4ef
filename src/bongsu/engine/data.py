"""Look after the services' data: verify it when an incident closes and on schedule, back it up, prove the backups."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from bongsu.core.errors import BongsuError
from bongsu.core.incident import Entry, Facts
from bongsu.core.recovery import Check, Verification, listed
from bongsu.engine.context import CareOf, Context
from bongsu.store import data, incidents, timeline
from bongsu.store.database import Transaction

log = logging.getLogger("bongsu.data")
RECENT = 50
"""Resolved incidents that are looked at for a missing verification."""
CLOSED_WITHIN = timedelta(hours=6)
"""An incident that closed longer ago is left: what the data says today is not about it."""


def look_after(context: Context) -> int:
    """Do what is due; how many jobs that were."""
    done = at_close(context)
    for name, care in context.data.items():
        for kind, every, job in (
            ("backup", care.back_up_every, _back_up),
            ("verify", care.verify_every, _verify),
        ):
            if every is not None:
                done += _when_due(context, name, care, kind, every, job)
    return done


def at_close(context: Context) -> int:
    """Verify the data of services whose incident was resolved, once for each time it closed."""
    if not context.data:
        return 0
    waiting = context.db.read(lambda tx: _unverified(tx, context))
    for incident_id, service in waiting:
        now = context.clock.now()
        check = _asked(context.data[service], service, now)
        context.db.write(lambda tx, at=now, to=incident_id, it=check: _keep(tx, to, it, at))  # type: ignore[misc]
    return len(waiting)


def _unverified(tx: Transaction, context: Context) -> list[tuple[str, str]]:
    found = []
    for each in incidents.search(tx, status="resolved", limit=RECENT):
        closed = each.resolved_at
        if each.service in context.data and closed is not None and context.clock.now() - closed <= CLOSED_WITHIN:
            check = data.of_incident(tx, each.id)
            if check is None or check.at < closed:
                found.append((each.id, each.service))
    return found


def _keep(tx: Transaction, incident_id: str, check: Check, now: datetime) -> None:
    data.add(tx, check, incident_id)
    facts: Facts = {
        "holding": check.holding,
        "of": check.of,
        "damaged": ", ".join(f"{name} {count}" for name, count in check.damaged.items()),
        "why": "; ".join(check.faults)[:500],
    }
    what = "data_unverified" if check.faults else "data_damaged" if check.damaged else "data_verified"
    timeline.append(tx, incident_id, [Entry(now, what, facts)])


def _when_due(
    context: Context,
    name: str,
    care: CareOf,
    kind: str,
    every: timedelta,
    job: Callable[[Context, str, CareOf], str | None],
) -> int:
    now = context.clock.now()
    if not context.db.write(lambda tx: data.claim(tx, name, kind, every, now)):
        return 0
    try:
        fault = job(context, name, care)
    except BongsuError as error:
        fault = str(error)
    if fault:
        log.error("a job on the service's data failed", extra={"data": name, "job": kind, "why": fault})
    context.db.write(lambda tx: data.ran(tx, name, kind, context.clock.now(), fault))
    return 1


def _back_up(_context: Context, _name: str, care: CareOf) -> str | None:
    backup = care.data.back_up()
    return care.data.prove(backup).fault if care.prove else None


def _verify(context: Context, name: str, care: CareOf) -> str | None:
    now = context.clock.now()
    check = _asked(care, name, now)
    context.db.write(lambda tx: data.add(tx, check))
    damaged = [f"{each}: {count} damaged" for each, count in check.damaged.items()]
    return "; ".join([*check.faults, *damaged]) or None


def _asked(care: CareOf, name: str, now: datetime) -> Check:
    try:
        return summary(care.data.verify(), now)
    except BongsuError as error:
        return Check(name, now, 0, 0, {}, (str(error),))


def summary(found: Verification, now: datetime) -> Check:
    """What is kept of a verification."""
    damaged = {each.name: len(each.rows) for each in found.verdicts if each.rows}
    rows = tuple(listed(each) for each in found.verdicts if each.rows)
    return Check(found.database, now, found.holding, len(found.verdicts), damaged, tuple(found.faults), rows)
