"""An incident: the unit that people answer, one per (service, policy) at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from bongsu.core.policy import Policy


class Status(StrEnum):
    """Where an incident stands."""

    TRIGGERED = "triggered"
    ACKNOWLEDGED = "acknowledged"
    MITIGATED = "mitigated"
    """Every machine has been under the limit for ``settle``."""
    RESOLVED = "resolved"
    """Also not throttled, with enough full-burn runway."""
    REVIEWED = "reviewed"


class Kind(StrEnum):
    """What a notification says."""

    TIER = "tier"
    CEILING = "ceiling"
    RUNWAY = "runway"
    THROTTLED = "throttled"
    BLIND = "blind"
    RESOLVED = "resolved"
    OVER = "over"
    """A breach began and ended while nobody was watching."""
    URGENT = "urgent"
    """The responder judged it urgent; the department is told at once."""
    REASSIGNED = "reassigned"
    """It was handed to somebody else."""

    def at_once(self, policy: Policy) -> tuple[str, ...]:
        """Whom a policy calls when this begins."""
        match self:
            case Kind.CEILING:
                return policy.ceiling.notify if policy.ceiling else ()
            case Kind.RUNWAY:
                return policy.runway.notify if policy.runway else ()
            case Kind.THROTTLED:
                return policy.throttled
            case _:
                return policy.blind


Facts = Mapping[str, str | float | int | bool | None]
"""What a person is told, as plain values; words are made of them per locale."""


MAINTENANCE, SILENCE = "maintenance", "silence"
ALSO = {
    Kind.CEILING: "ceiling", Kind.RUNWAY: "exhaustion", Kind.THROTTLED: "exhaustion", Kind.BLIND: "blindness",
}  # fmt: skip
"""What a maintenance mutes beside the tiers only if asked to (rule 10), by the name it is asked for."""


@dataclass(frozen=True, slots=True)
class Muted:
    """The tiers are muted until then. ``cause``: maintenance or silence; ``also``: what else is muted."""

    cause: str
    by: str
    until: datetime
    also: tuple[str, ...] = ()

    def mutes(self, kind: Kind) -> bool:
        """Whether a kind that calls at once is muted too."""
        return ALSO.get(kind) in self.also


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a service at one moment: the breach clock and the machines, summed up for a decision.

    ``elapsed``: time over the limit; ``held``: that of the running stretch alone. ``watched_at``: when the metrics
    store last answered; None for incidents that only alerts speak for, whose time passes by the clock on the wall.
    ``muted``: the tiers are; ``counts_from``: when the last maintenance ended, from where tiers count (rule 10).
    ``machines`` are in breach; ``joined`` are those that have been in breach for ``settle``.
    """

    at: datetime
    holding: bool
    elapsed: timedelta
    since: datetime | None
    dipping: bool = False
    watched_at: datetime | None = None
    patience: timedelta = timedelta(0)
    machines: tuple[str, ...] = ()
    joined: tuple[str, ...] = ()
    blind_since: datetime | None = None
    source_down: bool = False
    high: bool = False
    throttled: bool = False
    runway: timedelta | None = None
    recovered: bool = True
    held: timedelta = timedelta(0)
    facts: Facts = field(default_factory=dict)
    muted: Muted | None = None
    counts_from: datetime | None = None

    @property
    def counted(self) -> timedelta:
        """The time that tiers go by: the breach's own, or since the last maintenance if that is less."""
        return self.elapsed if self.counts_from is None else min(self.elapsed, self.at - self.counts_from)

    @property
    def since_before_maintenance(self) -> bool:
        """Whether the breach was there when the last maintenance ended."""
        return self.counts_from is not None and self.since is not None and self.since < self.counts_from

    def unmuted(self, now: datetime) -> Seen:
        """The same when what muted it is over by ``now``: the net for when the watch is dead."""
        if self.muted is None or now < self.muted.until:
            return self
        again = self.muted.until if self.muted.cause == MAINTENANCE else self.counts_from
        return replace(self, muted=None, counts_from=again)

    def runs_low(self, policy: Policy) -> bool:
        """Whether the credits last less than the policy allows."""
        return policy.runway is not None and self.runway is not None and self.runway < policy.runway.full_burn_under


@dataclass(frozen=True, slots=True)
class Told:
    """A notification that was decided on. ``level``: the tier's number from 1, 0 for the kinds that call at once."""

    kind: Kind
    level: int
    occurrence: int
    at: datetime
    elapsed: timedelta


@dataclass(frozen=True, slots=True)
class Ack:
    """Who took the incident, when, and which machines were in breach then."""

    by: str
    at: datetime
    machines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Triage:
    """Whether somebody judged it urgent, who, when, and why."""

    by: str
    at: datetime
    urgent: bool
    why: str


@dataclass(frozen=True, slots=True)
class Handed:
    """It was handed to ``to``, who has not confirmed. ``limit``: until when their acknowledgement may hold."""

    to: str
    by: str
    at: datetime
    limit: datetime


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident. ``due_at`` is its durable timer: saved with the row, None when nothing is awaited.

    ``began_at``: when the first stretch over the limit began. ``hold_until``: until when acknowledging holds the next
    tiers back; counted once, from the first acknowledgement. ``void``: why the hold no longer counts. ``occurrence``
    grows when a resolved incident reopens. ``group``: which of several incidents of one (service, policy) this is.
    """

    id: str
    service: str
    policy: Policy
    opened_at: datetime
    seen: Seen
    began_at: datetime | None = None
    status: Status = Status.TRIGGERED
    told: tuple[Told, ...] = ()
    ack: Ack | None = None
    hold_until: datetime | None = None
    void: str | None = None
    occurrence: int = 1
    high_at: datetime | None = None
    reopened_at: datetime | None = None
    mitigated_at: datetime | None = None
    resolved_at: datetime | None = None
    due_at: datetime | None = None
    version: int = 0
    group: str = ""
    triage: Triage | None = None
    handed: Handed | None = None

    @property
    def open(self) -> bool:
        """Whether it still needs somebody."""
        return self.status in (Status.TRIGGERED, Status.ACKNOWLEDGED, Status.MITIGATED)

    def open_between(self, begin: datetime, end: datetime) -> bool:
        """Whether it was open at some time from ``begin`` to ``end``."""
        return self.opened_at <= end and (self.resolved_at is None or self.resolved_at >= begin)

    def has_told(self, kind: Kind, level: int = 0) -> bool:
        """Whether this was told in the present occurrence."""
        return any(t.kind is kind and t.level == level and t.occurrence == self.occurrence for t in self.told)

    def times_told(self, kind: Kind, level: int) -> int:
        """How often this has been told, which numbers the notifications and so their Message-IDs."""
        return sum(told.kind is kind and told.level == level for told in self.told)

    def holds(self, now: datetime) -> bool:
        """Whether the acknowledgement still holds the next tiers back (rule 7)."""
        return self.void is None and self.hold_until is not None and now < self.hold_until


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of an incident's timeline: a code, and the facts to make words of."""

    at: datetime
    what: str
    facts: Facts = field(default_factory=dict)
