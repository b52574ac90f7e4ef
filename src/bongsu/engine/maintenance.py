"""Begin, plan and end a maintenance, and tell the watch which one holds."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import datetime, timedelta

from bongsu.core import maintenance
from bongsu.core.errors import InvalidInput
from bongsu.core.maintenance import Maintenance
from bongsu.core.policy import ON_CALL_ALONE
from bongsu.core.routing import ALERTS
from bongsu.engine.context import Context
from bongsu.store import maintenances
from bongsu.store.database import Transaction

KEEPS = timedelta(days=7)
"""How long one that is over is listed, and counted from."""


def keep(context: Context, asked: Maintenance) -> Maintenance:
    """Keep a new maintenance; it begins by itself. Raises InvalidInput with every fault."""
    problems = maintenance.problems_of(asked, context.clock.now(), policies_of(context))
    if problems:
        raise InvalidInput(problems)
    kept = replace(asked, id=asked.id or f"m-{secrets.token_hex(4)}")
    context.db.write(lambda tx: maintenances.put(tx, kept))
    return kept


def end(context: Context, maintenance_id: str) -> Maintenance:
    """End one now, or call it off. Raises NotFound, and InvalidInput when it is over already."""

    def work(tx: Transaction) -> Maintenance:
        ended = maintenance.called_off(maintenances.load(tx, maintenance_id), context.clock.now())
        maintenances.put(tx, ended)
        return ended

    return context.db.write(work)


def listed(context: Context) -> list[Maintenance]:
    """Those that hold, that are planned, and that ended in the last days."""
    now = context.clock.now()
    return context.db.read(lambda tx: maintenances.since(tx, now - KEEPS))


def counted(tx: Transaction, now: datetime) -> list[Maintenance]:
    """Those that say what becomes of what is seen now (``core.maintenance.look``)."""
    return maintenances.since(tx, now - KEEPS)


def policies_of(context: Context) -> dict[str, tuple[str, ...]]:
    """The policies that an incident of each service may have."""
    routed = tuple(context.policies)
    return {
        name: tuple(dict.fromkeys((each.policy.name, each.blind.name, ALERTS, *ON_CALL_ALONE, *routed)))
        for name, each in context.services.items()
    }
