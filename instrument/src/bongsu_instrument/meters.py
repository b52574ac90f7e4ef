"""What prometheus_client lacks or does too slowly for every request: timers with a maximum that forgets.

Times are seconds of ``time.perf_counter``. A hot path has read that clock anyway, so it hands the present time in.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from threading import RLock
from time import perf_counter

STEP = 60.0
"""Seconds that one place of the ring stands for."""
RING = 3
FRESH = 256
"""Durations that are kept as they came at the most."""


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
    """How often, how long in all and how long at most; seconds. With rising ``bounds`` also how many were up to each.

    What is recorded goes to the end of a list, which needs no lock. It is counted when somebody reads, or when the list
    has grown long: many at a time cost far less than one by one.
    """

    __slots__ = ("_bounds", "_counts", "_fresh", "_lock", "_maximum", "_sum")

    def __init__(self, bounds: Sequence[float] = ()) -> None:
        self._lock = RLock()  # a body that the garbage collector finds ends its request from within
        self._bounds = bounds
        self._fresh: list[float] = []
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0
        self._maximum = RecentMaximum()

    def record(self, seconds: float, now: float) -> None:
        """Take note of one duration that ends now."""
        fresh, maximum = self._fresh, self._maximum
        fresh.append(seconds)
        if seconds > maximum.highest or now >= maximum.until or len(fresh) >= FRESH:
            with self._lock:
                self._count()
                if seconds > maximum.highest or now >= maximum.until:
                    maximum.record(seconds, now)

    def read(self) -> tuple[list[int], float, float]:
        """How many were up to each bound and in all, their sum, and the recent maximum."""
        with self._lock:
            self._count()
            return list(accumulate(self._counts)), self._sum, self._maximum.value(perf_counter())

    def _count(self) -> None:
        """Whoever calls holds the lock; others may go on appending. Each value is taken out by one step."""
        fresh, counts, bounds = self._fresh, self._counts, self._bounds
        while fresh:
            seconds = fresh.pop()
            counts[bisect_left(bounds, seconds)] += 1
            self._sum += seconds
