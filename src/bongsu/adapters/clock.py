"""The system's clock, and the lab's faster one: the only places that ask what time it is."""

from __future__ import annotations

from datetime import UTC, datetime

from bongsu.core.timescale import Timescale


class SystemClock:
    """The wall's time."""

    def now(self) -> datetime:
        """Now, in UTC."""
        return datetime.now(UTC)  # noqa: TID251 - here is where time comes from


class ScaledClock:
    """Service time: the wall's, run through a timescale."""

    def __init__(self, timescale: Timescale) -> None:
        self._timescale = timescale
        self._wall = SystemClock()

    def now(self) -> datetime:
        """The service's time now."""
        return self._timescale.to_service(self._wall.now())
