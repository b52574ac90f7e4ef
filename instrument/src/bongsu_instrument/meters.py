"""What prometheus_client lacks or does too slowly for every request: timers with a maximum that forgets.

Times are seconds of ``time.perf_counter``. A hot path has read that clock anyway, so it hands the present time in.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import accumulate
from threading import RLock
from time import perf_counter

STEP = 60.0
"""Seconds that one place of the ring stands for."""
RING = 3
SETTLED = 1.0
"""Seconds after which whoever records has what was recorded counted."""


class RecentMaximum:
    """The largest value of the last two to three minutes, as Micrometer's ``TimeWindowMax`` keeps it.

    Zero when nothing was recorded in that time: an idle service is not a fast one. Whoever records holds a lock.
    """

    __slots__ = ("_values",)

    def __init__(self) -> None:
        self._values: dict[int, float] = {}

    def record(self, value: float, now: float) -> None:
        """Take note of a value."""
        step = int(now // STEP)
        highest = max(value, self._values.get(step, 0.0))
        self._values = {s: v for s, v in self._values.items() if s > step - RING} | {step: highest}

    def value(self, now: float) -> float:
        """The maximum now."""
        oldest = int(now // STEP) - RING + 1
        return max((v for s, v in self._values.items() if s >= oldest), default=0.0)


class Timer:
    """How often, how long in all and how long at most; seconds. With rising ``bounds`` also how many were up to each.

    ``record`` takes a duration. It is a list's own ``append``, which needs neither a call of ours nor a lock, and in
    a busy service that is most of what watching costs. ``settle`` counts what has been recorded: whoever records
    calls it every ``SETTLED`` seconds.
    """

    __slots__ = ("_bounds", "_counts", "_fresh", "_lock", "_maximum", "_sum", "record")

    def __init__(self, bounds: Sequence[float] = ()) -> None:
        self._lock = RLock()  # a body that the garbage collector finds ends its request from within
        self._bounds = bounds
        self._fresh: list[float] = []
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0
        self._maximum = RecentMaximum()
        self.record: Callable[[float], None] = self._fresh.append

    def settle(self, now: float) -> None:
        """Count what has been recorded; others may go on recording. Each value is taken out by one step."""
        fresh, counts, bounds, longest = self._fresh, self._counts, self._bounds, -1.0
        with self._lock:
            while fresh:
                seconds = fresh.pop()
                counts[bisect_left(bounds, seconds)] += 1
                self._sum += seconds
                longest = max(longest, seconds)
            if longest >= 0:
                self._maximum.record(longest, now)

    def read(self) -> tuple[list[int], float, float]:
        """How many were up to each bound and in all, their sum, and the recent maximum."""
        now = perf_counter()
        with self._lock:
            self.settle(now)
            return list(accumulate(self._counts)), self._sum, self._maximum.value(now)
