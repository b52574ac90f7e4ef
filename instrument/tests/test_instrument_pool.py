"""A watched pool, as far as it can be told without a database; with one, see the shop's tests."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from bongsu_instrument import Instrument
from bongsu_instrument.meters import RecentMaximum, Timer
from bongsu_instrument.pool import PoolWatch


class PoolTimeout(Exception):
    """Named as psycopg_pool's."""


class Pool:
    """Keys may be missing, as in the real one."""

    name = "orders"

    def __init__(self) -> None:
        self.stats: dict[str, int] = {"pool_min": 2, "pool_max": 4, "pool_available": 2}
        self.failure: Exception | None = None

    def getconn(self, timeout: float | None = None) -> object:
        if self.failure is not None:
            raise self.failure
        return object()

    def putconn(self, conn: object) -> None:
        pass

    @contextmanager
    def connection(self):  # type: ignore[no-untyped-def]
        conn = self.getconn(timeout=1)
        try:
            yield conn
        finally:
            self.putconn(conn)

    def get_stats(self) -> dict[str, int]:
        return self.stats


def value(instrument: Instrument, name: str) -> float | None:
    return instrument.registry.get_sample_value(f"hikaricp_connections{name}", {"pool": "orders"})


def test_a_pool_is_told_under_hikaris_names() -> None:
    instrument, pool = Instrument(), Pool()
    assert instrument.watch_pool(pool) is pool
    with pool.connection():
        pool.stats["pool_available"] = 1
        assert value(instrument, "_active") == 1
        assert value(instrument, "") == 2
    assert value(instrument, "_active") == 0
    assert (value(instrument, "_min"), value(instrument, "_max"), value(instrument, "_pending")) == (2, 4, 0)
    assert value(instrument, "_acquire_seconds_count") == 1
    assert value(instrument, "_usage_seconds_count") == 1
    assert (value(instrument, "_usage_seconds_max") or 0) > 0
    pool.stats |= {"connections_num": 5, "connections_errors": 2, "connections_ms": 1500, "requests_waiting": 3}
    assert value(instrument, "_creation_seconds_count") == 3
    assert value(instrument, "_creation_seconds_sum") == 1.5
    assert value(instrument, "_pending") == 3


def test_only_time_outs_are_time_outs() -> None:
    instrument, pool = Instrument(), Pool()
    instrument.watch_pool(pool)
    for failure, timeouts in ((ValueError(), 0), (PoolTimeout(), 1), (PoolTimeout(), 2)):
        pool.failure = failure
        with pytest.raises(type(failure)):
            pool.getconn()
        assert value(instrument, "_timeout_total") == timeouts
    assert value(instrument, "_acquire_seconds_count") == 3, "waiting in vain is waiting, too"


def test_a_forgotten_pool_is_as_before() -> None:
    instrument, pool = Instrument(), Pool()
    instrument.watch_pool(pool)
    with pytest.raises(ValueError, match="watched already"):
        instrument.watch_pool(Pool())
    instrument.forget_pool("orders")
    assert "getconn" not in vars(pool)
    assert value(instrument, "") is None


def test_asynchronous_pools_are_refused() -> None:
    class Asynchronous(Pool):
        async def getconn(self, timeout: float | None = None) -> object:
            return object()

    with pytest.raises(TypeError, match="asynchronous"):
        PoolWatch(Asynchronous(), "a")


def test_a_maximum_forgets_after_three_minutes() -> None:
    now = [0.0]
    maximum = RecentMaximum(lambda: now[0])
    maximum.record(2.0)
    maximum.record(1.0)
    now[0] = 119.0
    maximum.record(0.5)
    assert maximum.value() == 2.0
    now[0] = 180.0
    assert maximum.value() == 0.5
    now[0] = 240.0
    assert maximum.value() == 0.0
    timer = Timer(lambda: now[0])
    timer.record(3.0)
    timer.record(4.0)
    assert timer.read() == (2, 7.0, 4.0)
