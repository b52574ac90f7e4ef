"""``hikaricp_*``: what HikariCP tells about a connection pool, told about a psycopg pool.

The pool's own statistics know how many wait and how many are idle. They round every time to whole milliseconds, keep
no maximum and mix time-outs with other errors, so a thin wrapper around ``getconn`` and ``putconn`` measures those.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from threading import Lock
from typing import Any, Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily

from bongsu_instrument.meters import Timer


class Pool(Protocol):
    """What is asked of a pool; ``psycopg_pool.ConnectionPool`` and ``NullConnectionPool`` have it."""

    def getconn(self, timeout: float | None = None) -> Any:
        """Take a connection, or raise an error named ``PoolTimeout``."""

    def putconn(self, conn: Any) -> None:
        """Give it back."""

    def get_stats(self) -> Mapping[str, int]:
        """Counts and sizes; a key whose value is zero may be missing."""


class PoolWatch:
    """One watched pool. Made before the first connection is taken, or those already out are not seen as active."""

    def __init__(self, pool: Pool, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        if inspect.iscoroutinefunction(pool.getconn):
            raise TypeError(f"pool {name!r} is asynchronous: only pools whose getconn() blocks can be watched")
        self.name = name
        self.acquire = Timer(clock)
        self.usage = Timer(clock)
        self._pool = pool
        self._clock = clock
        self._taken: dict[int, float] = {}
        self._lock = Lock()
        self._timeouts = 0
        self._getconn, self._putconn = pool.getconn, pool.putconn
        # On the instance, so that the pool's own `connection()` goes through them as well.
        vars(pool).update(getconn=self._timed_getconn, putconn=self._timed_putconn)

    def _timed_getconn(self, timeout: float | None = None) -> Any:
        began = self._clock()
        try:
            connection = self._getconn(timeout=timeout)
        except Exception as failure:
            self.acquire.record(self._clock() - began)
            if _is_timeout(failure):
                with self._lock:
                    self._timeouts += 1
            raise
        now = self._clock()
        self.acquire.record(now - began)
        self._taken[id(connection)] = now
        return connection

    def _timed_putconn(self, conn: Any) -> None:
        began = self._taken.pop(id(conn), None)
        if began is not None:
            self.usage.record(self._clock() - began)
        self._putconn(conn)

    @property
    def timeouts(self) -> int:
        """How many have waited in vain."""
        return self._timeouts

    def read(self) -> dict[str, float]:
        """Sizes and counts now, by the part of the metric's name that follows ``hikaricp_connections``."""
        stats = self._pool.get_stats()
        # The pool's `pool_size` holds connections that are still being opened, so that size - available would show
        # connections in use where the database is simply away. What is out, we know exactly.
        active, idle = len(self._taken), stats.get("pool_available", 0)
        return {
            "": active + idle,
            "_active": active,
            "_idle": idle,
            "_pending": stats.get("requests_waiting", 0),
            "_max": stats.get("pool_max", 0),
            "_min": stats.get("pool_min", 0),
            "opened": max(0, stats.get("connections_num", 0) - stats.get("connections_errors", 0)),
            "opening_seconds": stats.get("connections_ms", 0) / 1000,
        }

    def stop(self) -> None:
        """Take the wrapper off again."""
        for name in ("getconn", "putconn"):
            vars(self._pool).pop(name, None)


def _is_timeout(failure: BaseException) -> bool:
    """By name, because psycopg_pool is not imported here."""
    return any(each.__name__ == "PoolTimeout" for each in type(failure).__mro__)


_GAUGES = {
    "": "Total connections",
    "_active": "Active connections",
    "_idle": "Idle connections",
    "_pending": "Pending threads",
    "_max": "Max connections",
    "_min": "Min connections",
}


class PoolCollector:
    """All watched pools of one registry. Empty families are left out."""

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
        for suffix, text in _GAUGES.items():
            gauge = GaugeMetricFamily(f"hikaricp_connections{suffix}", text, labels=["pool"])
            for name, reading in readings.items():
                gauge.add_metric([name], reading[suffix])
            yield gauge
        timeouts = CounterMetricFamily(
            "hikaricp_connections_timeout", "Connection timeout total count", labels=["pool"]
        )
        creation = SummaryMetricFamily(
            "hikaricp_connections_creation_seconds", "Connection creation time", labels=["pool"]
        )
        for each in pools:
            timeouts.add_metric([each.name], each.timeouts)
            reading = readings[each.name]
            creation.add_metric([each.name], int(reading["opened"]), reading["opening_seconds"])
        yield timeouts
        yield from _timers("hikaricp_connections_acquire_seconds", "Connection acquire time", pools, "acquire")
        yield from _timers("hikaricp_connections_usage_seconds", "Connection usage time", pools, "usage")
        # No `..._creation_seconds_max`: the pool does not say, and a maximum that is made up is worse than none.
        yield creation


def _timers(name: str, text: str, pools: list[PoolWatch], attribute: str) -> Iterator[Metric]:
    summary = SummaryMetricFamily(name, text, labels=["pool"])
    maximum = GaugeMetricFamily(f"{name}_max", f"{text}, recent maximum", labels=["pool"])
    for each in pools:
        timer: Timer = getattr(each, attribute)
        count, total, most = timer.read()
        summary.add_metric([each.name], count, total)
        maximum.add_metric([each.name], most)
    yield summary
    yield maximum
