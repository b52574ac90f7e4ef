"""Keep Bongsu's own gauges in step with what it knows, for those who watch the watcher."""

from __future__ import annotations

from bongsu.core.service import BLIND, SOURCE
from bongsu.engine.context import Context
from bongsu.store import incidents, outbox
from bongsu.telemetry import BREACH, LAST_LOOK, OPEN, WAITING


def expose(context: Context) -> None:
    """After a whole look: when it was, which incidents are open, how long each breach has lasted, what waits."""
    pairs = [(each.name, policy.name) for each in context.services.values() for policy in (each.policy, each.blind)]
    found = context.db.read(lambda tx: {pair: incidents.latest(tx, *pair) for pair in (*pairs, (SOURCE, BLIND))})
    for (service, policy), incident in found.items():
        is_open = incident is not None and incident.open
        OPEN.labels(service, policy).set(is_open)
        holding = incident is not None and is_open and incident.seen.holding
        BREACH.labels(service, policy).set(incident.seen.elapsed.total_seconds() if incident and holding else 0)
    WAITING.set(context.db.read(outbox.counts).get("pending", 0))
    context.pulse.looked_at = context.wall.now()
    LAST_LOOK.set(context.pulse.looked_at.timestamp())
