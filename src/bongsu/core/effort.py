"""What requests cost a machine and how long they take, learnt while nothing holds it down. Standard library alone.

A throttled machine's CPU says what it got, not what was wanted. What it is asked for still shows in its requests, times
the CPU that one cost before.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median

LEARNT = 2016
"""Readings of five minutes that are remembered: a week."""
ENOUGH = 12
"""Readings below which nothing is said: an hour of them."""


def demand_while_throttled(
    used: float, stolen: float, requests: float | None = None, cpu_per_request: float | None = None
) -> float:
    """What the machine would use (0..1) if it were not held down.

    ``stolen``: share taken by the hypervisor. ``requests`` a second times ``cpu_per_request`` (machine-seconds each,
    learnt before) is the better witness where there is one, but never less than what was really used.
    """
    wanted = used + stolen
    if requests is not None and cpu_per_request is not None:
        wanted = max(used, requests * cpu_per_request)
    return min(1.0, max(0.0, wanted))


@dataclass(slots=True)
class Effort:
    """One machine's. ``requests`` a second and ``p95`` (seconds) as last seen, at ``at``; None: not known."""

    at: datetime | None = None
    requests: float | None = None
    p95: float | None = None
    costs: deque[float] = field(default_factory=lambda: deque(maxlen=LEARNT))
    times: deque[float] = field(default_factory=lambda: deque(maxlen=LEARNT))

    def see(self, at: datetime, requests: float | None, p95: float | None, free: float | None) -> None:
        """Take a reading newer than those before. ``free``: CPU (0..1) if nothing held the machine down then, to learn
        from; None otherwise."""
        self.at, self.requests, self.p95 = at, requests, p95
        if free is None:
            return
        if requests is not None and requests > 0:
            self.costs.append(free / requests)
        if p95 is not None and p95 > 0:
            self.times.append(p95)

    @property
    def cpu_per_request(self) -> float | None:
        """Machine-seconds that a request costs: the median, so that a backup at night does not count as shoppers."""
        return median(self.costs) if len(self.costs) >= ENOUGH else None

    @property
    def usual_p95(self) -> float | None:
        """The p95 of free hours, in seconds."""
        return median(self.times) if len(self.times) >= ENOUGH else None

    def wants(self, used: float, stolen: float) -> float | None:
        """Demand (0..1) of a machine that is held down; None when its requests say nothing."""
        if self.requests is None or self.cpu_per_request is None:
            return None
        return demand_while_throttled(used, stolen, self.requests, self.cpu_per_request)
