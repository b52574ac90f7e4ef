"""What prometheus_client lacks or does too slowly for every request: timers with a maximum that forgets.

Times are seconds of ``time.perf_counter``. A hot path has read that clock anyway, so it hands the present time in.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from math import fsum
from threading import Lock
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
        self._lock = Lock()
        self._bounds = bounds
        self._fresh: list[float] = []
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0
        self._maximum = RecentMaximum()
        self.record: Callable[[float], None] = self._fresh.append

    def settle(self, now: float) -> None:
        """Count what has been recorded, unless somebody is at it: another thread, or this one, further out."""
        if self._lock.acquire(blocking=False):
            try:
                self._settle(now)
            finally:
                self._lock.release()

    def _settle(self, now: float) -> None:
        fresh = sorted(self._fresh)
        del self._fresh[: len(fresh)]  # what has been recorded since stands behind them
        if not fresh:
            return
        below = 0
        for place, bound in enumerate(self._bounds):
            below, before = bisect_right(fresh, bound), below
            self._counts[place] += below - before
        self._counts[-1] += len(fresh) - below
        self._sum += fsum(fresh)
        self._maximum.record(fresh[-1], now)

    def read(self) -> tuple[list[int], float, float]:
        """How many were up to each bound and in all, their sum, and the recent maximum."""
        now = perf_counter()
        with self._lock:
            self._settle(now)
            return list(accumulate(self._counts)), self._sum, self._maximum.value(now)
