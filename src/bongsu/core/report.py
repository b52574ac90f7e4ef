"""An incident report's facts: plain values, each figure with where it came from (rule 18)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bongsu.core.impact import Measured
from bongsu.core.incident import Entry
from bongsu.core.recovery import Check

Series = tuple[tuple[datetime, float], ...]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a figure came from: the query, over which window, from which system, and what it leaves out.

    ``what`` and ``omits`` are codes that are put into words per locale.
    """

    what: str
    query: str
    system: str
    since: datetime
    until: datetime
    omits: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one address, and what became of it."""

    to: str
    address: str
    kind: str
    level: int
    decided_at: datetime
    elapsed_s: float
    state: str
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Act:
    """Something that was done, by whom, and how it ended."""

    kind: str
    machine: str
    by: str
    requested_at: datetime
    finished_at: datetime | None
    state: str
    result: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What happened, from the breach's first sample to its end.

    Times are service time. ``ended_at`` is None while it goes on. ``cpu`` (0..1), ``balance`` (credits) and ``p95``
    (seconds) are series by machine ("" for the whole service). ``cpu_top`` and ``balance_low`` are their extremes
    within the window. ``measured`` is None when there is no access log, ``data`` when the service's data is in no care.
    """

    incident_id: str
    service: str
    policy: str
    status: str
    started_at: datetime
    detected_at: datetime
    ended_at: datetime | None
    elapsed_s: float
    made_at: datetime
    machine_type: str
    baseline: float
    cause: str
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    timeline: tuple[Entry, ...]
    deliveries: tuple[Delivery, ...]
    actions: tuple[Act, ...]
    sources: tuple[Source, ...]
    cpu: Mapping[str, Series] = field(default_factory=dict)
    balance: Mapping[str, Series] = field(default_factory=dict)
    p95: Mapping[str, Series] = field(default_factory=dict)
    cpu_top: float | None = None
    balance_low: float | None = None
    p95_top_s: float | None = None
    blind: tuple[str, ...] = ()
    speed: float = 1.0
    measured: Measured | None = None
    data: Check | None = None

    @property
    def spent(self) -> tuple[float, float] | None:
        """Credits of all machines together at the breach's beginning and at the end; None when one is not known."""
        ends = [
            (before[-1], inside[-1])
            for samples in self.balance.values()
            if (before := [value for at, value in samples if at <= self.started_at and value == value])
            and (inside := [value for at, value in samples if at >= self.started_at and value == value])
        ]
        if not ends or len(ends) < len(self.balance):
            return None
        return sum(first for first, _ in ends), sum(last for _, last in ends)
