"""Silences: alerts that nobody wants to hear of for a while, with an owner, a reason and an end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bongsu.core.errors import InvalidInput
from bongsu.core.matcher import Matcher, all_match


class State(StrEnum):
    """Where a silence stands."""

    PENDING = "pending"
    ACTIVE = "active"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Silence:
    """Mutes the alerts for which every matcher holds, from ``starts_at`` to ``ends_at``."""

    id: str
    matchers: tuple[Matcher, ...]
    starts_at: datetime
    ends_at: datetime
    created_by: str
    comment: str
    updated_at: datetime

    def state(self, now: datetime) -> State:
        """Pending, active or expired."""
        if now >= self.ends_at:
            return State.EXPIRED
        return State.PENDING if now < self.starts_at else State.ACTIVE

    def mutes(self, labels: Mapping[str, str], now: datetime) -> bool:
        """Whether it mutes an alert with these labels now."""
        return self.state(now) is State.ACTIVE and all_match(self.matchers, labels)


def problems_of(silence: Silence, now: datetime) -> list[str]:
    """Why a silence cannot be kept; empty when it can."""
    found = []
    if not silence.matchers:
        found.append("matchers: empty; a silence without a condition would mute everything")
    elif all(matcher.matches({}) for matcher in silence.matchers):
        found.append("matchers: every one of them holds for an alert without labels, so this would mute everything")
    if silence.ends_at <= silence.starts_at:
        found.append("endsAt: must be after startsAt")
    elif silence.ends_at <= now:
        found.append("endsAt: is over already")
    if not silence.created_by.strip():
        found.append("createdBy: empty; a silence has an owner")
    return found


def revise(old: Silence, new: Silence, now: datetime) -> tuple[Silence, Silence | None]:
    """What becomes of a silence that is changed: ``(kept, fresh)``.

    One that is active or over keeps its matchers and its start (they say what was muted when): if these change, it
    expires and a fresh one begins. Otherwise it is changed in place and ``fresh`` is None.
    """
    state = old.state(now)
    if state is State.PENDING:
        return new, None
    same = new.matchers == old.matchers and new.starts_at == old.starts_at
    if state is State.ACTIVE and same:
        return new, None
    kept = expire(old, now) if state is State.ACTIVE else old
    return kept, new


def expire(silence: Silence, now: datetime) -> Silence:
    """The silence, over from now on. Raises InvalidInput when it is over already."""
    if silence.state(now) is State.EXPIRED:
        raise InvalidInput([f"silence {silence.id} is over already"])
    starts_at = min(silence.starts_at, now)
    return Silence(silence.id, silence.matchers, starts_at, now, silence.created_by, silence.comment, updated_at=now)


def muting(silences: Iterable[Silence], labels: Mapping[str, str], now: datetime) -> tuple[str, ...]:
    """The ids of the silences that mute an alert now."""
    return tuple(silence.id for silence in silences if silence.mutes(labels, now))
