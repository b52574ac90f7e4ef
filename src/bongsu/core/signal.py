"""Signals: named measurements of a service, and the profiles that say where each one lives."""

from __future__ import annotations

from collections.abc import Mapping
from string import Template

_USERS = 'uri!~"/actuator.*|/healthz.*"'

PROFILES: Mapping[str, Mapping[str, str]] = {
    "micrometer": {
        "cpu": 'system_cpu_usage{job="$job"}',
        "p95": (
            "histogram_quantile(0.95, sum by (le) "
            '(rate(http_server_requests_seconds_bucket{job="$job",' + _USERS + "}[$window])))"
        ),
        "requests": 'sum(rate(http_server_requests_seconds_count{job="$job",' + _USERS + "}[$window]))",
    },
}
"""PromQL of each signal; ``$job`` and ``$window`` are filled in. A service adds or replaces signals of its own."""

READ = ("cpu", "balance", "throttled", "steal")
"""Signals that the watch reads as raw samples, so they must be plain selectors; the others are joined to the first."""


def expressions(profile: str, own: Mapping[str, str], job: str, window: str) -> dict[str, str]:
    """Every signal that a service has, as PromQL. ``window`` is a Prometheus duration in wall time."""
    signals = {**PROFILES[profile], **own}
    return {name: Template(text).safe_substitute(job=job, window=window) for name, text in signals.items()}
