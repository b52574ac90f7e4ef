"""Whether Bongsu itself can be relied on, for /healthz and for the heartbeat that goes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bongsu.core.health import Complaint, Vitals, complaints, warnings
from bongsu.engine import auditor
from bongsu.engine.context import Context
from bongsu.store import outbox
from bongsu.telemetry import UNHEALTHY

WHATS = ("database", "watch_stuck", "audit_stuck", "escalation_late", "delivery_stuck")


@dataclass(frozen=True, slots=True)
class Health:
    """What is wrong, what should be mended, and how many messages are in which state."""

    complaints: tuple[Complaint, ...]
    warnings: tuple[Complaint, ...]
    outbox: Mapping[str, int]


def look(context: Context) -> Health:
    """How it stands now."""
    pulse = context.pulse
    counts: Mapping[str, int] = {}
    database = ""
    try:
        counts = context.db.read(outbox.counts)
    except Exception as error:  # whatever it is, it is what is wrong
        database = f"it does not answer ({type(error).__name__})"
    vitals = Vitals(
        now=context.wall.now(),
        started_at=context.started_at,
        looked_at=pulse.looked_at,
        look_every=context.timescale.wall_span(context.watch_every),
        audited_at=pulse.audited_at,
        audit_every=auditor.EVERY,
        late=pulse.late,
        ahead=dict(pulse.ahead),
        database=database or pulse.unwritable,
    )
    wrong = complaints(vitals)
    for what in WHATS:
        UNHEALTHY.labels(what).set(any(each.what == what for each in wrong))
    return Health(wrong, warnings(vitals), counts)
