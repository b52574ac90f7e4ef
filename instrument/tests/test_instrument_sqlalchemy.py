"""Engines of SQLAlchemy on real databases: who has a connection, who waits, for how long, and who waited in vain."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from kinds import Wait
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as WaitedInVain
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool, QueuePool

from bongsu_instrument import Instrument

Value = Callable[[str], float | None]


@pytest.fixture
def value(instrument: Instrument) -> Value:
    """A figure of the pool "main", by what follows ``hikaricp_connections``."""
    return lambda name: instrument.registry.get_sample_value(f"hikaricp_connections{name}", {"pool": "main"})


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'things.db'}"
    return f"postgresql+psycopg://test@/postgres?host={request.getfixturevalue('postgres_folder')}"


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """Two connections at most, one of them kept; a wait of at most 0.2 s."""
    made = create_engine(url, pool_size=1, max_overflow=1, pool_timeout=0.2)
    yield made
    made.dispose()


def test_an_engine_is_told_under_hikaris_names(instrument: Instrument, engine: Engine, value: Value) -> None:
    assert instrument.watch_pool(engine, "main") is engine
    with engine.connect() as first, engine.connect():
        first.execute(text("SELECT 1"))
        assert (value(""), value("_active"), value("_idle"), value("_pending")) == (2, 2, 0, 0)
        with pytest.raises(WaitedInVain):
            engine.connect()
    # The second was beyond what the pool keeps.
    assert (value(""), value("_active"), value("_idle")) == (1, 0, 1)
    assert (value("_max"), value("_min"), value("_timeout_total")) == (2, 0, 1)
    assert value("_acquire_seconds_count") == 3, "waiting in vain is waiting, too"
    assert (value("_acquire_seconds_max") or 0) >= 0.2
    assert value("_usage_seconds_count") == 2
    assert (value("_usage_seconds_max") or 0) >= 0.2
    assert value("_creation_seconds_count") == 2
    assert 0 < (value("_creation_seconds_sum") or 0) < 5
    assert 0 < (value("_creation_seconds_max") or 0) < 5


def test_those_who_wait_are_pending_until_they_are_served(
    instrument: Instrument, url: str, value: Value, wait_for: Wait
) -> None:
    engine = create_engine(url, pool_size=2, max_overflow=0, pool_timeout=20)
    instrument.watch_pool(engine, "main")
    enough = threading.Event()

    def hold() -> None:
        with engine.connect():
            assert enough.wait(20)

    with ThreadPoolExecutor(5) as people:
        running = [people.submit(hold) for _ in range(5)]
        wait_for("three to wait", lambda: (value("_active"), value("_pending")) == (2, 3))
        enough.set()
        for each in running:
            each.result(20)
    assert (value("_active"), value("_pending"), value("_timeout_total")) == (0, 0, 0)
    assert value("_acquire_seconds_count") == value("_usage_seconds_count") == 5
    engine.dispose()


def test_under_load_nothing_is_counted_twice(instrument: Instrument, url: str, value: Value) -> None:
    engine = create_engine(url, pool_size=2, max_overflow=2, pool_timeout=20)
    instrument.watch_pool(engine, "main")

    def work(_: int) -> None:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    with ThreadPoolExecutor(8) as people:
        list(people.map(work, range(400)))
    assert value("_acquire_seconds_count") == value("_usage_seconds_count") == 400
    assert (value("_active"), value("_pending"), value("_timeout_total")) == (0, 0, 0)
    assert value("_idle") == 2
    engine.dispose()


def test_the_watch_follows_an_engine_that_renews_its_pool(instrument: Instrument, engine: Engine, value: Value) -> None:
    instrument.watch_pool(engine, "main")
    with engine.connect() as connection:
        engine.dispose()
        assert value("_active") == 1, "what is out is still out"
        connection.invalidate()  # nobody else would close it
    assert value("_active") == 0
    with engine.connect():
        assert value("_active") == 1
    assert value("_acquire_seconds_count") == value("_usage_seconds_count") == value("_creation_seconds_count") == 2


def test_a_connection_taken_out_of_the_pool_is_no_longer_its_own(
    instrument: Instrument, engine: Engine, value: Value
) -> None:
    instrument.watch_pool(engine, "main")
    connection = engine.connect()
    connection.detach()
    assert value("_active") == 0
    connection.close()
    assert value("_usage_seconds_count") == 1


def test_a_connection_that_is_never_given_back_stays_active_until_it_is_collected(
    instrument: Instrument, engine: Engine, value: Value
) -> None:
    instrument.watch_pool(engine, "main")
    lost: Any = engine.connect()
    assert value("_active") == 1
    del lost
    assert value("_active") == 0


def test_an_unreachable_database_is_not_a_time_out(instrument: Instrument, tmp_path: Path, value: Value) -> None:
    engine = create_engine(f"postgresql+psycopg://test@/postgres?host={tmp_path}")
    instrument.watch_pool(engine, "main")
    with pytest.raises(OperationalError):
        engine.connect()
    assert (value("_timeout_total"), value("_active"), value("_pending")) == (0, 0, 0)
    assert (value("_acquire_seconds_count"), value("_creation_seconds_count")) == (1, 0)


def test_an_asynchronous_engine(instrument: Instrument, postgres_folder: Path, value: Value) -> None:
    url = f"postgresql+psycopg_async://test@/postgres?host={postgres_folder}"

    async def work() -> None:
        engine = create_async_engine(url, pool_size=1, max_overflow=0, pool_timeout=0.2)
        assert instrument.watch_pool(engine, "main") is engine
        enough = asyncio.Event()

        async def hold() -> None:
            async with engine.connect() as connection:
                await connection.execute(text("SELECT 1"))
                await enough.wait()

        holder = asyncio.create_task(hold())
        while value("_active") != 1:
            await asyncio.sleep(0.005)
        waiters = [asyncio.create_task(hold()) for _ in range(3)]
        while value("_pending") != 3:
            await asyncio.sleep(0.005)
        results = await asyncio.gather(*waiters, return_exceptions=True)
        assert [type(each) for each in results] == [WaitedInVain] * 3
        enough.set()
        await holder
        await engine.dispose()

    asyncio.run(asyncio.wait_for(work(), 20))
    assert (value("_timeout_total"), value("_active"), value("_pending")) == (3, 0, 0)
    assert (value("_acquire_seconds_count"), value("_usage_seconds_count")) == (4, 1)
    assert value("_creation_seconds_count") == 1


def test_a_pool_without_bounds_has_no_maximum(instrument: Instrument, url: str, value: Value) -> None:
    engine = create_engine(url, max_overflow=-1)
    instrument.watch_pool(engine, "main")
    assert value("_max") is None
    assert value("_idle") == 0


def test_names(instrument: Instrument, url: str) -> None:
    engine = create_engine(url, poolclass=QueuePool)
    instrument.watch_pool(engine)
    instrument.watch_pool(create_engine(url, poolclass=QueuePool, logging_name="reports"))
    with pytest.raises(ValueError, match="watched already"):
        instrument.watch_pool(engine)
    text_ = instrument.exposition().decode()
    assert f'hikaricp_connections_active{{pool="{engine.name}"}} 0.0' in text_
    assert 'hikaricp_connections_active{pool="reports"} 0.0' in text_


def test_where_nobody_queues_there_is_nothing_to_watch(instrument: Instrument, url: str) -> None:
    with pytest.raises(TypeError, match="NullPool, where nobody queues"):
        instrument.watch_pool(create_engine(url, poolclass=NullPool), "main")
    with pytest.raises(TypeError, match="int is neither a pool of psycopg_pool nor an engine of SQLAlchemy"):
        instrument.watch_pool(3, "main")


def test_a_forgotten_engine_is_as_before(instrument: Instrument, engine: Engine, value: Value) -> None:
    instrument.watch_pool(engine, "main")
    instrument.forget_pool("main")
    assert value("") is None
    assert "connect" not in vars(engine.pool)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT 1")) == 1
    engine.dispose()
    assert "connect" not in vars(engine.pool)
