"""Signals: the named measurements of a service. Where each one lives is a profile's matter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Signal:
    """A measurement. ``unit``: ``ratio`` (0..1), ``s``, ``1/s`` or ``1`` (a count)."""

    name: str
    unit: str
    meaning: str


SIGNALS: Mapping[str, Signal] = {
    signal.name: signal
    for signal in (
        Signal("cpu", "ratio", "CPU of the whole machine; stolen time counts as busy"),
        Signal("cpu_process", "ratio", "CPU of the service's own process"),
        Signal("load", "1", "runnable tasks for each processor, over one minute"),
        Signal("steal", "ratio", "CPU that the hypervisor gave to others"),
        Signal("throttled", "ratio", "share of the time in which the machine or container was held back"),
        Signal("balance", "1", "burst credits left"),
        Signal("requests", "1/s", "requests of users; scrapes and health checks left out"),
        Signal("errors", "1/s", "requests that failed for the server's reasons, also those that carry status 200"),
        Signal("latency", "s", "how long requests take, failed ones included"),
        Signal("in_flight", "1", "requests being served at this moment"),
        Signal("log_events", "1/s", "log events by level"),
        Signal("pool_active", "1", "database connections in use"),
        Signal("pool_idle", "1", "database connections free"),
        Signal("pool_pending", "1", "threads that wait for a database connection"),
        Signal("pool_max", "1", "the most database connections there may be"),
        Signal("pool_timeouts", "1/s", "waits for a database connection that were given up"),
        Signal("pool_acquire", "s", "mean wait for a database connection"),
        Signal("threads", "1", "threads at work"),
        Signal("heap", "ratio", "heap in use, of the most it may be"),
        Signal("restarts", "1", "restarts in the last hour"),
        Signal("open_files", "ratio", "open files, of the most there may be"),
        Signal("disk", "ratio", "disk space in use"),
    )
}
"""Every signal that Bongsu knows by name; a service may have others of its own."""

READ = ("cpu", "balance", "throttled", "steal")
"""Signals that the watch reads as samples; the others are joined to the first."""
