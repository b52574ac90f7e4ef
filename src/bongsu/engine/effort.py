"""Ask for each machine's requests and p95, to learn what they cost while nothing holds it down."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from datetime import datetime, timedelta

from bongsu.core.outlook import STEP_S
from bongsu.core.service import Service
from bongsu.engine.context import Context
from bongsu.ports import Samples, Unavailable

log = logging.getLogger("bongsu.effort")
STEP = timedelta(seconds=STEP_S)
BEFORE = timedelta(days=2)
"""How far back is asked after a start."""


def learn(context: Context, service: Service) -> None:
    """Take in what is new since the last time. A machine's course says when it was free, and what it used then."""
    asked = {name: service.by_machine[name] for name in ("requests", "latency") if name in service.by_machine}
    if not asked:
        return
    now = context.clock.now()
    since = context.courses.learnt(service.name) or now - BEFORE
    try:
        found = {name: _by_step(context.metrics.values(query, since, now, STEP)) for name, query in asked.items()}
    except Unavailable as error:
        log.warning("requests unavailable", extra={"service": service.name, "why": str(error)})
        return
    context.courses.has_learnt(service.name, now)
    requests, times = found.get("requests", {}), found.get("latency", {})
    for machine in requests.keys() | times.keys():
        effort = context.courses.effort(service.name, machine)
        course = context.courses.of(service.name, machine)
        rates, p95s = requests.get(machine, {}), times.get(machine, {})
        for at in sorted(rates.keys() | p95s.keys()):
            if effort.at is None or at > effort.at:
                effort.see(at, rates.get(at), p95s.get(at), course.at(at))


def _by_step(found: Mapping[str, Samples]) -> dict[str, dict[datetime, float]]:
    return {
        machine: {at: value for at, value in samples if math.isfinite(value) and value >= 0}
        for machine, samples in found.items()
    }
