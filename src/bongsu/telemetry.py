"""Bongsu's own metrics and logs."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

disable_created_metrics()  # type: ignore[no-untyped-call]
REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

JOB_RUNS = Counter("bongsu_job_runs", "Times a background job ran.", ["job"], registry=REGISTRY)
JOB_FAILURES = Counter("bongsu_job_failures", "Times a background job raised.", ["job"], registry=REGISTRY)
DELIVERIES = Counter("bongsu_deliveries", "Delivery attempts by outcome.", ["outcome"], registry=REGISTRY)
ALERTS = Counter("bongsu_alerts_received", "Alerts taken in.", registry=REGISTRY)
LAST_LOOK = Gauge("bongsu_last_look_timestamp_seconds", "When the watch last looked at everything.", registry=REGISTRY)
OPEN = Gauge("bongsu_incident_open", "1 while an incident is open.", ["service", "policy"], registry=REGISTRY)
BREACH = Gauge(
    "bongsu_breach_seconds",
    "How long the present breach has lasted, service time.",
    ["service", "policy"],
    registry=REGISTRY,
)
WAITING = Gauge("bongsu_outbox_waiting", "Messages that wait to be delivered.", registry=REGISTRY)
BURST_BALANCE = Gauge(
    "bongsu_burst_balance_credits", "Burst credits left (vCPU-minutes).", ["service", "machine"], registry=REGISTRY
)
BURST_RUNWAY = Gauge(
    "bongsu_burst_runway_seconds",
    "By when the credits are gone with this probability; no series beyond six hours.",
    ["service", "machine", "quantile"],
    registry=REGISTRY,
)
BURST_PROBABILITY = Gauge(
    "bongsu_burst_exhaustion_probability",
    "Probability that the credits are gone within this time.",
    ["service", "machine", "within"],
    registry=REGISTRY,
)
BURST_THROTTLED = Gauge(
    "bongsu_burst_throttled",
    "1 while a machine without credits is held down.",
    ["service", "machine"],
    registry=REGISTRY,
)
BURST_RESIDUAL = Gauge(
    "bongsu_burst_anchor_residual_credits",
    "Measured balance minus dead reckoning; far from 0: a wrong machine type or mode.",
    ["service", "machine"],
    registry=REGISTRY,
)

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def count_delivery(outcome: str) -> None:
    """Count an attempt, such as ``accepted`` or ``retry:timeout``."""
    DELIVERIES.labels(outcome).inc()


class JsonLines(logging.Formatter):
    """One JSON object per record, with whatever was given as ``extra``."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, object] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        line |= {key: value for key, value in vars(record).items() if key not in _PLAIN}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def set_up_logging(level: str) -> None:
    """Send every record of this level and above to stderr as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("urllib3").setLevel(logging.WARNING)
