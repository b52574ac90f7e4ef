"""A watched pool, as far as it can be told without a database; with one, see the shop's tests."""

from __future__ import annotations

from contextlib import contextmanager
from threading import Thread
from time import perf_counter

import pytest

from bongsu_instrument import Instrument
from bongsu_instrument.meters import RecentMaximum, Timer
from bongsu_instrument.psycopg_pools import PsycopgWatch


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


def test_a_pool_without_a_bound_has_no_maximum() -> None:
    instrument, pool = Instrument(), Pool()
    pool.stats["pool_max"] = 0
    instrument.watch_pool(pool)
    assert value(instrument, "_max") is None
    assert value(instrument, "_creation_seconds_max") is None, "the pool does not tell: missing is not zero"


def test_a_maximum_forgets_after_three_minutes() -> None:
    maximum = RecentMaximum()
    maximum.record(2.0, 0.0)
    maximum.record(1.0, 1.0)
    maximum.record(0.5, 119.0)
    assert maximum.value(119.0) == 2.0
    assert maximum.value(180.0) == 0.5
    assert maximum.value(240.0) == 0.0
    maximum.record(0.1, 1000.0)
    assert maximum.value(1000.0) == 0.1


def test_a_timer_counts_by_its_bounds_and_knows_its_maximum() -> None:
    timer, histogram = Timer(), Timer((0.1, 3.0))
    for seconds in (3.0, 4.0, 0.1, 2.0):
        timer.record(seconds)
        histogram.record(seconds)
    counts, total, longest = timer.read()
    assert (counts, round(total, 9), longest) == ([4], 9.1, 4.0)
    histogram.settle(perf_counter())
    histogram.record(5.0)
    counts, total, longest = histogram.read()
    assert (counts, round(total, 9), longest) == ([1, 3, 5], 14.1, 5.0)


def test_nothing_is_lost_or_counted_twice_while_many_record_and_somebody_reads() -> None:
    timer, each, many = Timer((0.5,)), 5000, 4

    def record() -> None:
        for number in range(each):
            timer.record(number % 2)
            if number % 100 == 0:
                timer.settle(perf_counter())

    threads = [Thread(target=record) for _ in range(many)]
    for thread in threads:
        thread.start()
    seen = 0
    while any(thread.is_alive() for thread in threads):
        (low, every), total, _ = timer.read()
        assert every >= seen
        assert total == every - low
        seen = every
    assert timer.read() == ([each * many // 2, each * many], each * many // 2, 1)


def test_durations_that_nobody_reads_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bongsu_instrument.pool.SETTLED", 0.0)
    pool = Pool()
    watch = PsycopgWatch(pool, "shop")
    for _ in range(1000):
        pool.putconn(pool.getconn())
    assert len(watch.usage._fresh) <= 1
    assert watch.usage.read()[0] == [1000]


@pytest.mark.parametrize("buckets", [(), (2, 1), (1, 1), (1, float("inf"))])
def test_buckets_that_do_not_rise_are_refused(buckets: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="give upper bounds in seconds"):
        Instrument(buckets=buckets)
