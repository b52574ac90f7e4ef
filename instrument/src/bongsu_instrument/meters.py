"""The two measures that prometheus_client lacks: a maximum that forgets, and a timer that has one."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock

STEP = 60.0
"""Seconds that one place of the ring stands for."""
RING = 3


class RecentMaximum:
    """The largest value of the last two to three minutes, as Micrometer's ``TimeWindowMax`` keeps it.

    Zero when nothing was recorded in that time: an idle service is not a fast one.
    """

    __slots__ = ("_clock", "_lock", "_steps", "_values")

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._steps = [-RING] * RING
        self._values = [0.0] * RING

    def record(self, value: float) -> None:
        """Take note of a value >= 0."""
        step = int(self._clock() // STEP)
        place = step % RING
        # Read without the lock: nearly every value is smaller than the present maximum, and then nothing is to do.
        if self._steps[place] == step and value <= self._values[place]:
            return
        with self._lock:
            if self._steps[place] != step:
                self._steps[place], self._values[place] = step, value
            elif value > self._values[place]:
                self._values[place] = value

    def value(self) -> float:
        """The maximum now."""
        oldest = int(self._clock() // STEP) - RING + 1
        with self._lock:
            return max((v for s, v in zip(self._steps, self._values, strict=True) if s >= oldest), default=0.0)


class Timer:
    """How often, how long in all and how long at most; seconds."""

    __slots__ = ("_count", "_lock", "_maximum", "_sum")

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock = Lock()
        self._count = 0
        self._sum = 0.0
        self._maximum = RecentMaximum(clock)

    def record(self, seconds: float) -> None:
        """Take note of one duration."""
        with self._lock:
            self._count += 1
            self._sum += seconds
        self._maximum.record(seconds)

    def read(self) -> tuple[int, float, float]:
        """Count, sum and recent maximum."""
        with self._lock:
            count, total = self._count, self._sum
        return count, total, self._maximum.value()
