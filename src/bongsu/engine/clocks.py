"""Compare our clock with the database's, whom all servers go by, and with the metrics store's."""

from __future__ import annotations

import logging
from datetime import timedelta

from bongsu.core.health import SKEW
from bongsu.core.service import SOURCE
from bongsu.engine.context import Context
from bongsu.telemetry import AHEAD

log = logging.getLogger("bongsu.clocks")
EVERY = timedelta(minutes=1)
DATABASE = "the database"


def compare(context: Context) -> None:
    """Correct ours by the database's, and warn of what is apart (rule 14)."""
    found: dict[str, timedelta] = {}
    if context.shared is not None:
        found[DATABASE] = context.shared.synchronise()
    if context.pulse.looked_at is not None:
        found[SOURCE] = -context.metrics.skew()
    for name, ahead in found.items():
        AHEAD.labels(name.rpartition(" ")[2]).set(ahead.total_seconds())
        if abs(ahead) > SKEW:
            log.warning("clocks are apart", extra={"from": name, "ahead_s": round(ahead.total_seconds(), 3)})
    context.pulse.ahead = found
