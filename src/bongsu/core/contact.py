"""Whether people can be reached: rounds of mails that ask for an answer, and when the next one is due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bongsu.core.rotation import Beat
from bongsu.core.schedule import Recipient

LATE = timedelta(hours=24)
"""A weekly mail that could not be written in time is caught up for so long; then it waits for its next day."""


@dataclass(frozen=True, slots=True)
class Weekly:
    """A mail that comes by the calendar: when (None: never), and to whom."""

    beat: Beat | None = None
    to: tuple[str, ...] = ()

    def slot(self, now: datetime) -> datetime | None:
        """The moment that this mail is due for now; None when none is."""
        if self.beat is None or now < self.beat.start:
            return None
        last = self.beat.at(self.beat.number(now))
        return last if now - last < LATE else None


@dataclass(frozen=True, slots=True)
class Round:
    """Everybody was asked at one time. It is over at ``ends_at``, or earlier when all have answered."""

    id: str
    started_at: datetime
    ends_at: datetime
    started_by: str
    reported_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """One address that was asked in a round. ``answered_at`` None: not yet."""

    id: str
    round_id: str
    recipient: Recipient
    asked_at: datetime
    answered_at: datetime | None = None

    @property
    def took(self) -> timedelta | None:
        """How long the answer took."""
        return None if self.answered_at is None else self.answered_at - self.asked_at


def is_over(round_: Round, asks: Sequence[Ask], now: datetime) -> bool:
    """Whether nothing more is awaited."""
    return now >= round_.ends_at or all(ask.answered_at is not None for ask in asks)
