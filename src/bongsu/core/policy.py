"""An escalation policy: what counts as a breach, and who is told after how long."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from bongsu.core.severity import Severity

NEVER = timedelta(days=36_500)
"""``after`` of a tier that is told only when those before it cannot be reached."""


ON_CALL_ALONE = ("pool", "logs", "application")
"""Default policies: what Bongsu's generated rules tell of the pool, the logs and the application goes no further."""


@dataclass(frozen=True, slots=True)
class Tier:
    """Whom to tell once a breach has lasted ``after``; targets are ``on-call:x``, ``team:x`` or ``person:x``.

    ``repeat``: told again after so long, as often as that, while nobody acknowledges; None is once.
    """

    after: timedelta
    notify: tuple[str, ...]
    repeat: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The level (0..1) that calls at once when ``samples`` samples in a row reach it."""

    notify: tuple[str, ...]
    at: float = 0.95
    samples: int = 2
    again_after: timedelta = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Runway:
    """Calls when the credits would last less than ``full_burn_under`` at 100 % CPU."""

    notify: tuple[str, ...]
    full_burn_under: timedelta = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy as it stood when an incident began; incidents keep this snapshot.

    ``over`` is the level that a breach exceeds; None means the machine's own baseline.
    ``resolve_full_burn`` is the full-burn runway that every machine must have again before an incident resolves.
    ``severity``: how grave its incidents are when no alert says so.
    """

    name: str
    tiers: tuple[Tier, ...]
    signal: str = "cpu"
    over: float | None = None
    settle: timedelta = timedelta(minutes=2)
    rejoin: timedelta = timedelta(minutes=30)
    ack_holds: timedelta = timedelta(minutes=15)
    ceiling: Ceiling | None = None
    runway: Runway | None = None
    throttled: tuple[str, ...] = ()
    blind: tuple[str, ...] = ()
    resolve_full_burn: timedelta = timedelta(minutes=10)
    flat_line: bool = True
    severity: Severity = Severity.CRITICAL

    def when_blind(self, name: str) -> Policy:
        """What guards a service that sends no samples: the same people, at once, and the tiers only if need be."""
        tiers = tuple(replace(tier, after=NEVER, repeat=None) for tier in self.tiers)
        return replace(self, name=name, tiers=tiers, ceiling=None, runway=None, settle=timedelta(0))

    def of_on_call(self, name: str) -> Policy:
        """What somebody else has judged and only the on-call developer is to hear: the first tier, at once."""
        first = Tier(timedelta(0), self.tiers[0].notify)
        return replace(self.of_alerts(name), tiers=(first,))

    def of_alerts(self, name: str) -> Policy:
        """The same tiers for a condition that somebody else has judged: what the watch alone can see is left out."""
        return replace(self, name=name, ceiling=None, runway=None, throttled=(), blind=(), rejoin=timedelta(0))
