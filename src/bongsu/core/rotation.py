"""Who is on call when: rotations by the local calendar, in layers, with overrides on top.

``Schedule.shifts`` is what everything shows, sends and checks; ``on_call`` is the same question for one moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

_DAY = timedelta(days=1)
_WEEK = 8 * _DAY
"""Within so long every part of a week has begun once."""
ALL_WEEK = frozenset(range(7))


@dataclass(frozen=True, slots=True)
class Beat:
    """Moments that come again and again, from ``start`` on.

    With a ``zone`` they are whole days of its calendar apart and keep their time of day across daylight saving: 09:00
    stays 09:00. Without one they are exactly ``every`` apart. A time of day that a clock skips is taken as if it had
    not been moved yet; of one that comes twice the first counts.
    """

    start: datetime
    every: timedelta
    zone: tzinfo | None = None

    def at(self, number: int) -> datetime:
        """The moment with this number; 0 is ``start``."""
        if self.zone is None:
            return self.start.astimezone(UTC) + number * self.every  # in a zone of its own it would be wall time
        first = self.start.astimezone(self.zone)
        day = first.date() + number * self.every.days * _DAY
        return datetime.combine(day, first.time(), self.zone).astimezone(UTC)

    def number(self, now: datetime) -> int:
        """The number of the last moment that is not after ``now``; below 0 before the first."""
        if self.zone is None:
            return (now.astimezone(UTC) - self.start.astimezone(UTC)) // self.every
        days = (now.astimezone(self.zone).date() - self.start.astimezone(self.zone).date()).days
        number = days // self.every.days
        while self.at(number) > now:
            number -= 1
        while self.at(number + 1) <= now:
            number += 1
        return number


@dataclass(frozen=True, slots=True)
class Hours:
    """A part of the week in local time: on ``days`` (0 is Monday) from ``start`` to ``end``.

    An ``end`` that is not after ``start`` lies on the next day; from 00:00 to 00:00 is the whole day.
    """

    days: frozenset[int] = ALL_WEEK
    start: time = time(0)
    end: time = time(0)

    def on(self, day: date, zone: tzinfo) -> tuple[datetime, datetime] | None:
        """The span that begins on a day; None when none does."""
        if day.weekday() not in self.days:
            return None
        until = day if self.end > self.start else day + _DAY
        return tuple(datetime.combine(d, t, zone).astimezone(UTC) for d, t in ((day, self.start), (until, self.end)))  # type: ignore[return-value]

    def spans(self, start: datetime, end: datetime, zone: tzinfo) -> Iterator[tuple[datetime, datetime]]:
        """Every span that touches a window."""
        day, last = start.astimezone(zone).date() - _DAY, end.astimezone(zone).date()
        while day <= last:
            span = self.on(day, zone)
            if span is not None and span[0] < end and span[1] > start:
                yield span
            day += _DAY


@dataclass(frozen=True, slots=True)
class Rotation:
    """People who take turns at each beat; with ``only``, in those hours alone."""

    people: tuple[str, ...]
    beat: Beat
    only: tuple[Hours, ...] = ()

    def turn(self, now: datetime, zone: tzinfo) -> int | None:
        """The number of the turn at a moment; None when nobody has it."""
        if not self.people or now < self.beat.start:
            return None
        if self.only and not any(s <= now < e for each in self.only for s, e in each.spans(now, now + _DAY, zone)):
            return None
        return self.beat.number(now)

    def person(self, turn: int) -> str:
        """Who has a turn."""
        return self.people[turn % len(self.people)]

    def beats(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """The beats of a window, with the last one before it and the next after."""
        number = max(0, self.beat.number(start))
        while (at := self.beat.at(number)) < end:
            yield at
            number += 1
        yield at

    def hours(self, start: datetime, end: datetime, zone: tzinfo) -> Iterator[datetime]:
        """The edges of its hours in a window, with some before and after."""
        for hours in self.only:
            for span in hours.spans(start - _WEEK, end + _WEEK, zone):
                yield from span


@dataclass(frozen=True, slots=True)
class Override:
    """Somebody stands in for whoever has the turn. Of two at one time the one made later counts."""

    id: str
    schedule: str
    person: str
    start: datetime
    end: datetime
    made_by: str
    made_at: datetime
    note: str = ""


@dataclass(frozen=True, slots=True)
class Shift:
    """A stretch with one person on call; ``person`` None is a gap. ``override``: the id of the one that makes it."""

    start: datetime
    end: datetime
    person: str | None
    override: str | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """Layers, of which the last that has somebody counts, and overrides above them all."""

    layers: tuple[Rotation, ...]
    zone: tzinfo = UTC
    overrides: tuple[Override, ...] = ()

    @property
    def people(self) -> tuple[str, ...]:
        """Everybody who takes turns or stands in."""
        standing_in = (each.person for each in self.overrides)
        return tuple(dict.fromkeys([*(person for layer in self.layers for person in layer.people), *standing_in]))

    def on_call(self, now: datetime) -> str | None:
        """Who has the turn; None in a gap."""
        return self._at(now)[0]

    def _at(self, now: datetime) -> tuple[str | None, object]:
        """Who has the turn, and by what: an override's id, a layer and its turn, or nothing."""
        standing_in = [each for each in self.overrides if each.start <= now < each.end]
        if standing_in:
            last = max(standing_in, key=lambda each: (each.made_at, each.id))
            return last.person, last.id
        for number in reversed(range(len(self.layers))):
            turn = self.layers[number].turn(now, self.zone)
            if turn is not None:
                return self.layers[number].person(turn), (number, turn)
        return None, None

    def shifts(self, start: datetime, end: datetime) -> tuple[Shift, ...]:
        """Shifts and gaps that fill a window without a hole and without an overlap, cut off at its ends."""
        return tuple(
            Shift(max(each.start, start), min(each.end, end), each.person, each.override)
            for each in self.whole_shifts(start, end)
        )

    def whole_shifts(self, start: datetime, end: datetime) -> tuple[Shift, ...]:
        """The same, but those of a person begin and end when they really do, so that one is always the same one."""
        if start >= end:
            return ()
        start, end = start.astimezone(UTC), end.astimezone(UTC)
        begun = [layer for layer in self.layers if layer.people and layer.beat.start < end]
        beats = {at for layer in begun for at in layer.beats(start, end)}
        # whoever holds at an edge of the window does so from a beat and to a beat, unless another layer comes between;
        # one that begins in a year holds nothing yet, and all the hours until then are not to be gone through
        first, last = min(beats | {start}), max(beats | {end})
        cuts = {start, end, *(at for layer in self.layers for at in layer.beats(first, last))}
        for each in self.overrides:
            cuts |= {each.start.astimezone(UTC), each.end.astimezone(UTC)}
        for layer in self.layers:
            cuts.update(layer.hours(first, last, self.zone))
        return tuple(each for each in self._pieces(sorted(cuts)) if each.start < end and each.end > start)

    def _pieces(self, cuts: list[datetime]) -> Iterator[Shift]:
        began, running = cuts[0], self._at(cuts[0])
        for cut in cuts[1:]:
            here = self._at(cut)
            if here != running or cut == cuts[-1]:
                person, by = running
                yield Shift(began, cut, person, by if isinstance(by, str) else None)
                began, running = cut, here

    def gaps(self, start: datetime, end: datetime) -> tuple[Shift, ...]:
        """The stretches of a window in which nobody is on call."""
        return tuple(each for each in self.shifts(start, end) if each.person is None)

    def following(self, now: datetime, within: timedelta) -> Shift | None:
        """The next shift of somebody else than who is on call now; None when there is none within so long."""
        present = self.on_call(now)
        later = (each for each in self.shifts(now, now + within) if each.start > now)
        return next((each for each in later if each.person is not None and each.person != present), None)

    def shift_of(self, person: str, after: datetime, within: timedelta) -> Shift | None:
        """The first whole shift of a person that has not ended at a time."""
        return next((each for each in self.whole_shifts(after, after + within) if each.person == person), None)


def with_overrides(schedule: Schedule, overrides: Iterable[Override]) -> Schedule:
    """The schedule as these overrides change it."""
    return Schedule(schedule.layers, schedule.zone, tuple(overrides))
