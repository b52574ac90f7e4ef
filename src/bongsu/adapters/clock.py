"""The system's clock, the one that servers share, and the lab's faster one: nobody else asks what time it is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from bongsu.core.timescale import Timescale
from bongsu.ports import Clock

ASKS = 3
"""How often the other clock is asked for one comparison; the answer that came fastest says most."""
WOBBLE = timedelta(milliseconds=100)
"""A difference as small as this is no reason to correct anything."""


class SystemClock:
    """The wall's time. ``ahead``: how wrong this computer's clock is made to be, for rehearsals."""

    def __init__(self, ahead: timedelta = timedelta(0)) -> None:
        self._ahead = ahead

    def now(self) -> datetime:
        """Now, in UTC."""
        return datetime.now(UTC) + self._ahead  # noqa: TID251 - here is where time comes from


class SharedClock:
    """The wall's time as everybody has it who shares a database: this computer's, put right by the database's."""

    def __init__(self, own: Clock, ask: Callable[[], datetime]) -> None:
        """``ask`` tells the database's time."""
        self._own, self._ask = own, ask
        self._behind = timedelta(0)

    def now(self) -> datetime:
        """The shared time now."""
        return self._own.now() + self._behind

    def synchronise(self) -> timedelta:
        """Compare the clocks, correct ours, and return how far this computer's runs ahead of the database's."""
        trip, behind = min((self._compare() for _ in range(ASKS)), key=lambda found: found[0])
        if abs(behind - self._behind) > max(trip / 2, WOBBLE):
            self._behind = behind
        return -behind

    def _compare(self) -> tuple[timedelta, timedelta]:
        """How long asking took, and how far we are behind if the answer was given halfway."""
        before = self._own.now()
        told = self._ask()
        trip = self._own.now() - before
        return trip, told - (before + trip / 2)


class ScaledClock:
    """Service time: the wall's, run through a timescale."""

    def __init__(self, timescale: Timescale, wall: Clock | None = None) -> None:
        self._timescale = timescale
        self._wall = wall or SystemClock()

    def now(self) -> datetime:
        """The service's time now."""
        return self._timescale.to_service(self._wall.now())
