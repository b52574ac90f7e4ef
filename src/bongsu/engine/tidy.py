"""Forget what has served: alerts that ended long ago, and lines of the audit log that are older than they are kept."""

from __future__ import annotations

from datetime import timedelta

from bongsu.engine.context import Context
from bongsu.store import alerts, audit

ALERTS_KEPT = timedelta(days=7)
"""How long an alert that has ended is remembered."""
AT_ONCE = 2000
"""Rows removed in one transaction, so that a mail need not wait for more of them."""


def tidy(context: Context) -> int:
    """Remove it, a little at a time; how many rows. Incidents and their reports stay."""
    ended = context.clock.now() - ALERTS_KEPT
    old = context.wall.now() - context.audit_for
    removed = 0
    for prune, before in ((alerts.prune, ended), (audit.prune, old)):
        while gone := context.db.write(lambda tx, p=prune, b=before: p(tx, b, AT_ONCE)):  # type: ignore[misc]
            removed += gone
    return removed
