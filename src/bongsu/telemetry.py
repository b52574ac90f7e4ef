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
    Histogram,
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
ALERTS_RECEIVED = Counter("bongsu_alerts_received", "Alerts taken in.", registry=REGISTRY)
LAST_LOOK = Gauge("bongsu_last_look_timestamp_seconds", "When the watch last looked at everything.", registry=REGISTRY)
OPEN = Gauge("bongsu_incident_open", "1 while an incident is open.", ["service", "policy"], registry=REGISTRY)
BREACH = Gauge(
    "bongsu_breach_seconds",
    "How long the present breach has lasted, service time.",
    ["service", "policy"],
    registry=REGISTRY,
)
TRANSACTIONS_AGAIN = Counter(
    "bongsu_transactions_repeated",
    "Transactions run once more because another server was faster.",
    ["race"],
    registry=REGISTRY,
)
WAITING = Gauge("bongsu_outbox_waiting", "Messages that wait to be delivered.", registry=REGISTRY)


class Quantiles(Gauge):
    """Quantiles that are set, not counted: Prometheus calls that a summary."""

    _type = "summary"


BURST_BALANCE = Gauge(
    "bongsu_burst_balance_credits", "Burst credits left (vCPU-minutes).", ["service", "machine"], registry=REGISTRY
)
BURST_RUNWAY = Quantiles(
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

OLDEST = Gauge("bongsu_outbox_oldest_seconds", "How long the message has waited that was due first.", registry=REGISTRY)
LATE = Gauge("bongsu_late", "What should have happened by now and has not, by kind.", ["kind"], registry=REGISTRY)
UNHEALTHY = Gauge("bongsu_unhealthy", "1 while this is wrong with Bongsu itself.", ["what"], registry=REGISTRY)
AHEAD = Gauge(
    "bongsu_clock_ahead_seconds", "How far this computer's clock runs ahead of another's.", ["of"], registry=REGISTRY
)
BEAT_AGE = Gauge("bongsu_heartbeat_age_seconds", "How long ago a heartbeat was heard.", ["name"], registry=REGISTRY)
BEATS_OUT = Counter("bongsu_heartbeats_out", "Our own heartbeats, by their end.", ["outcome"], registry=REGISTRY)
JOB_ENDED = Gauge(
    "bongsu_job_last_success_timestamp_seconds", "When a background job last succeeded.", ["job"], registry=REGISTRY
)
DWELL = Histogram(
    "bongsu_delivery_dwell_seconds",
    "From when a message was due to when the other side accepted it.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800),
    registry=REGISTRY,
)
TIERS_LATE = Histogram(
    "bongsu_escalation_lateness_seconds",
    "From when a tier was due to when it was told (wall time).",
    buckets=(0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800),
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
