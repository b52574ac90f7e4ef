"""``hikaricp_*``: what HikariCP tells about a connection pool, told about Python's.

What a pool counts by itself differs, so times and time-outs are measured around it, the same way for every kind.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from threading import Lock
from time import perf_counter

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily

from bongsu_instrument.meters import SETTLED, Timer


@dataclass(frozen=True, slots=True)
class PoolReading:
    """A pool now: connections, and how often and how long (seconds) connections were opened. None: not told."""

    active: int
    idle: int
    pending: int
    most: int | None
    least: int
    opened: int
    opening_seconds: float
    longest_opening: float | None


class PoolWatch(ABC):
    """One watched pool. Made before the first connection is taken, or those already out are not seen as active."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.acquire = Timer()
        self.usage = Timer()
        self.timeouts = 0
        self._taken: dict[int, float] = {}
        self._lock = Lock()
        self._returned = self._make_returned()
        """To be called with every connection that comes back. A closure, as all that every request goes through."""

    @abstractmethod
    def read(self) -> PoolReading:
        """Sizes and counts now."""

    @abstractmethod
    def stop(self) -> None:
        """Take off what was put around the pool."""

    def _make_returned(self) -> Callable[[object], None]:
        taken, used, settled = self._taken, self.usage.record, perf_counter()

        def returned(connection: object) -> None:
            nonlocal settled
            began = taken.pop(id(connection), None)
            if began is None:
                return
            now = perf_counter()
            used(now - began)
            if now - settled > SETTLED:
                settled = now
                self.acquire.settle(now)
                self.usage.settle(now)

        return returned

    def _refused(self, began: float, *, in_vain: bool) -> None:
        now = perf_counter()
        self.acquire.record(now - began)
        self.acquire.settle(now)
        if in_vain:
            with self._lock:
                self.timeouts += 1


class PoolCollector:
    """All watched pools of one registry. What no pool tells is left out, not zero."""

    def __init__(self) -> None:
        self.pools: dict[str, PoolWatch] = {}

    def describe(self) -> Iterable[Metric]:
        """Names are known at scrape time only."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Called by every scrape."""
        pools = list(self.pools.values())
        if not pools:
            return
        readings = {each.name: each.read() for each in pools}
        yield from _sizes(readings)
        timeouts = CounterMetricFamily(
            "hikaricp_connections_timeout", "Connection timeout total count", labels=["pool"]
        )
        for each in pools:
            timeouts.add_metric([each.name], each.timeouts)
        yield timeouts
        yield from _times("acquire", "Connection acquire time", {each.name: _read(each.acquire) for each in pools})
        yield from _times("usage", "Connection usage time", {each.name: _read(each.usage) for each in pools})
        opening = {n: (each.opened, each.opening_seconds, each.longest_opening) for n, each in readings.items()}
        yield from _times("creation", "Connection creation time", opening)


def _sizes(readings: dict[str, PoolReading]) -> Iterator[Metric]:
    gauges: dict[str, tuple[str, Callable[[PoolReading], int | None]]] = {
        "": ("Total connections", lambda each: each.active + each.idle),
        "_active": ("Active connections", lambda each: each.active),
        "_idle": ("Idle connections", lambda each: each.idle),
        "_pending": ("Pending threads", lambda each: each.pending),
        "_max": ("Max connections", lambda each: each.most),
        "_min": ("Min connections", lambda each: each.least),
    }
    for suffix, (text, size_of) in gauges.items():
        gauge = GaugeMetricFamily(f"hikaricp_connections{suffix}", text, labels=["pool"])
        for name, reading in readings.items():
            size = size_of(reading)
            if size is not None:
                gauge.add_metric([name], size)
        yield gauge


def _read(timer: Timer) -> tuple[int, float, float]:
    (count,), total, longest = timer.read()
    return count, total, longest


def _times(what: str, text: str, times: dict[str, tuple[int, float, float | None]]) -> Iterator[Metric]:
    summary = SummaryMetricFamily(f"hikaricp_connections_{what}_seconds", text, labels=["pool"])
    maximum = GaugeMetricFamily(f"hikaricp_connections_{what}_seconds_max", f"{text}, recent maximum", labels=["pool"])
    for name, (count, total, longest) in times.items():
        summary.add_metric([name], count, total)
        if longest is not None:
            maximum.add_metric([name], longest)
    yield summary
    if maximum.samples:
        yield maximum
