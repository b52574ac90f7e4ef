"""A lab machine's credit bucket, driven by measured CPU: pure, so that a test can play a day in a moment."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from bongsu.core.burst import MachineType, drain
from bongsu.lab.cgroup import Usage

WINDOW = 2.0
"""Real seconds over which CPU and throttling are averaged: 1 s readings scatter too much to be judged."""
SHORTEST = 0.5
"""Real seconds a machine must have been seen before its CPU is told at all."""


@dataclass(slots=True)
class Bucket:
    """Balance and cap of one machine. ``size`` cores are 100 %; ``speed`` lab seconds pass per real second.

    When the bucket is empty the machine is capped at its baseline until it holds what it earns in one lab minute.
    That hysteresis is small on purpose: it lies below the balance that counts as empty (1 credit or 1 % of the cap),
    so a capped machine looks capped throughout, and it buys less than a lab minute of full speed; but it is large
    enough that the quota is not rewritten at every tick, for each write forgives the kernel's throttling.
    """

    type: MachineType
    size: float
    speed: float
    balance: float
    empty: bool = False
    _seen: deque[tuple[float, Usage]] = field(default_factory=deque)

    @property
    def release(self) -> float:
        """The balance (credits) at which a capped machine may burst again."""
        return self.type.earn_per_minute

    @property
    def cores(self) -> float:
        """The CPU the machine may use now, in cores."""
        return self.size * (self.type.baseline if self.empty else 1.0)

    def advance(self, at: float, usage: Usage) -> bool:
        """Take a reading at real time ``at`` (seconds, monotonic); returns whether the cap changed."""
        if self._seen:
            before, last = self._seen[-1]
            if at <= before:
                return False
            used = (usage.cpu_seconds - last.cpu_seconds) / (self.size * (at - before))
            self.balance = drain(self.balance, self.type, used, (at - before) * self.speed / 60.0)
        self._seen.append((at, usage))
        while len(self._seen) > 2 and self._seen[1][0] <= at - WINDOW:
            self._seen.popleft()
        was = self.empty
        self.empty = self.balance < self.release if was else self.balance <= 0.0
        return self.empty != was

    def utilisation(self) -> float | None:
        """Mean CPU over the window, 0..1 of the machine; None when it was not seen long enough."""
        (first, old), (last, new) = self._ends()
        if last - first < SHORTEST:
            return None
        return min(1.0, max(0.0, (new.cpu_seconds - old.cpu_seconds) / (self.size * (last - first))))

    def throttled_ratio(self) -> float:
        """The share (0..1) of scheduler periods in the window in which the machine was held back."""
        (_, old), (_, new) = self._ends()
        periods = new.periods - old.periods
        return (new.throttled_periods - old.throttled_periods) / periods if periods > 0 else 0.0

    def latest(self) -> Usage:
        """The last reading."""
        return self._seen[-1][1] if self._seen else Usage(0.0)

    def _ends(self) -> tuple[tuple[float, Usage], tuple[float, Usage]]:
        if not self._seen:
            return (0.0, Usage(0.0)), (0.0, Usage(0.0))
        return self._seen[0], self._seen[-1]
