"""An incident report's facts: plain values, each figure with where it came from (rule 18)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bongsu.core.diagnosis import Rise
from bongsu.core.impact import Impact
from bongsu.core.incident import Entry

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
    within the window. ``impact`` is None when there is no access log.
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
    impact: Impact | None
    routes: tuple[Rise, ...]
    machines: tuple[Rise, ...]
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
