"""Maintenance: a service's tiers are muted for a while, with an owner, a reason and an end (rule 10).

What muting means is decided in ``escalation``; here is only which windows there are and whom they concern.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bongsu.core.errors import InvalidInput
from bongsu.core.incident import ALSO, MAINTENANCE, Muted, Seen
from bongsu.core.silence import State

LONGEST = timedelta(hours=24)
"""A maintenance lasts so long at most; what takes longer is begun anew by somebody who is awake."""
BEYOND = tuple(dict.fromkeys(ALSO.values()))


@dataclass(frozen=True, slots=True)
class Maintenance:
    """Mutes the tiers of a service, or of one of its policies. ``also``: what else it mutes, of ``BEYOND``."""

    id: str
    service: str
    starts_at: datetime
    ends_at: datetime
    by: str
    why: str
    policy: str | None = None
    also: tuple[str, ...] = ()

    def state(self, now: datetime) -> State:
        """Pending, active or expired."""
        if now >= self.ends_at:
            return State.EXPIRED
        return State.PENDING if now < self.starts_at else State.ACTIVE

    def covers(self, service: str, policy: str) -> bool:
        """Whether it speaks of this service and policy."""
        return self.service == service and self.policy in (None, policy)

    @property
    def ran(self) -> bool:
        """Whether it muted anything at all: one that was called off before its start did not."""
        return self.starts_at < self.ends_at


def problems_of(asked: Maintenance, now: datetime, policies: Mapping[str, Sequence[str]]) -> list[str]:
    """Why it cannot be; empty when it can. ``policies``: those of each service."""
    found = []
    if asked.service not in policies:
        found.append(f"service: there is no {asked.service!r}; there is {', '.join(sorted(policies)) or 'none'}")
    elif asked.policy is not None and asked.policy not in policies[asked.service]:
        there = ", ".join(policies[asked.service])
        found.append(f"policy: {asked.service} has no {asked.policy!r}; it has {there}")
    if not asked.by.strip():
        found.append("by: empty; a maintenance has an owner")
    if not asked.why.strip():
        found.append("why: empty; say what is done, for whoever wonders at night")
    if asked.ends_at <= asked.starts_at:
        found.append("to: must be after from")
    elif asked.ends_at <= now:
        found.append("to: is over already")
    elif asked.ends_at - asked.starts_at > LONGEST:
        found.append(f"a maintenance lasts {LONGEST // timedelta(hours=1)} h at most; begin another one after it")
    found += [f"also: there is no {each!r}; there is {', '.join(BEYOND)}" for each in asked.also if each not in BEYOND]
    return found


def called_off(window: Maintenance, now: datetime) -> Maintenance:
    """The maintenance, over from now on. Raises InvalidInput when it is over already."""
    if window.state(now) is State.EXPIRED:
        raise InvalidInput([f"maintenance {window.id} is over already"])
    return replace(window, starts_at=min(window.starts_at, now), ends_at=now)


def look(windows: Iterable[Maintenance], service: str, policy: str, seen: Seen, now: datetime) -> Seen:
    """What was seen, with what a maintenance makes of it."""
    mine = [each for each in windows if each.covers(service, policy)]
    active = [each for each in mine if each.state(now) is State.ACTIVE]
    over = [each.ends_at for each in mine if each.state(now) is State.EXPIRED and each.ran]
    if over:
        seen = replace(seen, counts_from=max(over))
    if active:
        last = max(active, key=lambda each: each.ends_at)
        also = tuple(dict.fromkeys(name for each in active for name in each.also))
        seen = replace(seen, muted=Muted(MAINTENANCE, last.by, last.ends_at, also))
    return seen
