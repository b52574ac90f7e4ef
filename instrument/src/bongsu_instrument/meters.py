"""What prometheus_client lacks or does too slowly for every request: timers with a maximum that forgets.

Times are seconds of ``time.perf_counter``. A hot path has read that clock anyway, so it hands the present time in.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from threading import Lock
from time import perf_counter

STEP = 60.0
"""Seconds that one place of the ring stands for."""
RING = 3


class RecentMaximum:
    """The largest value of the last two to three minutes, as Micrometer's ``TimeWindowMax`` keeps it.

    Zero when nothing was recorded in that time: an idle service is not a fast one. Whoever records holds a lock.
    """

    __slots__ = ("_values", "highest", "until")

    def __init__(self) -> None:
        self._values: dict[int, float] = {}
        self.highest = 0.0
        """Of the present step. Nearly every value is smaller, and then nothing is to do."""
        self.until = 0.0
        """When the present step ends."""

    def record(self, value: float, now: float) -> None:
        """Take note of a value; worth calling when it is over ``highest`` or ``now`` not before ``until``."""
        step = int(now // STEP)
        self.highest = max(value, self._values.get(step, 0.0))
        self.until = (step + 1) * STEP
        self._values = {s: v for s, v in self._values.items() if s > step - RING} | {step: self.highest}

    def value(self, now: float) -> float:
        """The maximum now."""
        oldest = int(now // STEP) - RING + 1
        return max((v for s, v in self._values.items() if s >= oldest), default=0.0)


class Timer:
    """How often, how long in all and how long at most; seconds."""

    __slots__ = ("_count", "_lock", "_maximum", "_sum")

    def __init__(self) -> None:
        self._lock = Lock()
        self._count = 0
        self._sum = 0.0
        self._maximum = RecentMaximum()

    def record(self, seconds: float, now: float) -> None:
        """Take note of one duration that ends now."""
        with self._lock:
            self._count += 1
            self._sum += seconds
            maximum = self._maximum
            if seconds > maximum.highest or now >= maximum.until:
                maximum.record(seconds, now)

    def read(self) -> tuple[int, float, float]:
        """Count, sum and recent maximum."""
        with self._lock:
            return self._count, self._sum, self._maximum.value(perf_counter())


class Histogram:
    """A timer that also counts by upper bounds; ``bounds`` rise."""

    __slots__ = ("_bounds", "_counts", "_lock", "_maximum", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._lock = Lock()
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0
        self._maximum = RecentMaximum()

    def record(self, seconds: float, now: float) -> None:
        """Take note of one duration that ends now."""
        with self._lock:
            self._counts[bisect_left(self._bounds, seconds)] += 1
            self._sum += seconds
            maximum = self._maximum
            if seconds > maximum.highest or now >= maximum.until:
                maximum.record(seconds, now)

    def read(self) -> tuple[list[int], float, float]:
        """How many were up to each bound and in all, their sum, and the recent maximum."""
        with self._lock:
            return list(accumulate(self._counts)), self._sum, self._maximum.value(perf_counter())
