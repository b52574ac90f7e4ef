"""What an incident can meet, and what comes of it: the words that the escalation engine speaks."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from bongsu.core.incident import Facts, Incident, Kind, Seen
from bongsu.core.triage import Triaged


@dataclass(frozen=True, slots=True)
class Observed:
    """The watch, or an alert, saw how things stand."""

    seen: Seen


@dataclass(frozen=True, slots=True)
class Due:
    """The timer that was armed for ``at`` went off."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Somebody took the incident."""

    by: str


@dataclass(frozen=True, slots=True)
class Snoozed:
    """Somebody takes it and wants the next tiers to wait until then. Once it is over, each overdue tier is told."""

    by: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Escalated:
    """Somebody wants a tier to know now, whatever its time."""

    by: str
    level: int


@dataclass(frozen=True, slots=True)
class Reassigned:
    """Somebody hands it to ``to`` (``person:x`` or ``team:x``), called ``name``."""

    by: str
    to: str
    name: str


@dataclass(frozen=True, slots=True)
class Unreachable:
    """Nobody could be told: no address, or every address permanently refused."""

    kind: Kind
    level: int
    occurrence: int
    why: str


@dataclass(frozen=True, slots=True)
class Resolved:
    """Somebody declares it over."""

    by: str


@dataclass(frozen=True, slots=True)
class Reviewed:
    """The review meeting has dealt with it."""

    by: str


Event = Observed | Due | Acknowledged | Snoozed | Escalated | Reassigned | Triaged | Unreachable | Resolved | Reviewed


@dataclass(frozen=True, slots=True)
class Notify:
    """Tell these targets. Kind RESOLVED has none: it goes to exactly those who were told."""

    kind: Kind
    level: int
    occurrence: int
    targets: tuple[str, ...]
    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Note:
    """A line for the timeline."""

    what: str
    facts: Facts = field(default_factory=dict)


Effect = Notify | Note
Outcome = tuple[Incident, tuple[Effect, ...]]
