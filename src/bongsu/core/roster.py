"""Shifts laid out as a calendar: weeks of days, each day with who is on call in it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from bongsu.core.rotation import Schedule, Shift

_DAY = timedelta(days=1)
WEEKS = 4


@dataclass(frozen=True, slots=True)
class Part:
    """A shift within a day; ``start`` is local time, 00:00 when it began before."""

    start: time
    shift: Shift


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the local calendar."""

    date: date
    parts: tuple[Part, ...]


def calendar(schedule: Schedule, now: datetime, weeks: int = WEEKS) -> tuple[tuple[Day, ...], ...]:
    """Weeks from Monday on, the first one with today in it."""
    today = now.astimezone(schedule.zone).date()
    monday = today - today.weekday() * _DAY
    starts = [datetime.combine(monday + n * _DAY, time(0), schedule.zone).astimezone(UTC) for n in range(7 * weeks + 1)]
    shifts = schedule.shifts(starts[0], starts[-1])
    days = [
        Day(
            monday + n * _DAY,
            tuple(
                Part(max(each.start, begin).astimezone(schedule.zone).time(), each)
                for each in shifts
                if each.start < end and each.end > begin
            ),
        )
        for n, (begin, end) in enumerate(itertools.pairwise(starts))
    ]
    return tuple(tuple(days[n : n + 7]) for n in range(0, len(days), 7))
