"""The queueing pools of SQLAlchemy engines: ``QueuePool``, and ``AsyncAdaptedQueuePool`` of asynchronous engines.

They tell how many connections they hold, but neither who waits nor for how long. That is measured around the pool's
``connect()``, the one way in; the rest comes by SQLAlchemy's events. Imported only when an engine is watched.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any, cast
from weakref import WeakKeyDictionary, WeakMethod

from sqlalchemy import Engine, event
from sqlalchemy.exc import TimeoutError as WaitedInVain
from sqlalchemy.pool import ConnectionPoolEntry, Pool, PoolProxiedConnection, QueuePool

from bongsu_instrument.meters import Timer
from bongsu_instrument.pool import PoolReading, PoolWatch


class EngineWatch(PoolWatch):
    """Follows the engine when it replaces its pool (``dispose``)."""

    def __init__(self, engine: Engine, name: str) -> None:
        if not isinstance(engine.pool, QueuePool):
            kind = type(engine.pool).__name__
            raise TypeError(f"the engine {name!r} has a {kind}, where nobody queues: only a QueuePool can be watched")
        super().__init__(name)
        self._engine = engine
        self._creation = Timer()
        self._being_opened: WeakKeyDictionary[ConnectionPoolEntry, float] = WeakKeyDictionary()
        self._pending = 0
        self._listeners: dict[str, Callable[..., Any]] = {
            "checkout": self._checkout,
            "checkin": self._checkin,
            "detach": self._checkin,
            "do_connect": self._opening,
            "engine_disposed": self._surround,
        }
        for what, listener in self._listeners.items():
            event.listen(engine, what, listener)
        # First of all: SQLAlchemy's own listener asks a new server who it is, which is not part of opening.
        event.listen(engine, "connect", self._opened, insert=True)
        self._surround(engine)

    def _surround(self, engine: Engine) -> None:
        connect = WeakMethod(engine.pool.connect)  # or a pool that was replaced would stay until it is collected

        def timed_connect() -> PoolProxiedConnection:
            began = perf_counter()
            with self._lock:
                self._pending += 1
            try:
                connection = connect()()  # type: ignore[misc]  # who calls it holds the pool
            except BaseException as failure:
                self._refused(began, in_vain=isinstance(failure, WaitedInVain))
                raise
            finally:
                with self._lock:
                    self._pending -= 1
            self.acquire.record(perf_counter() - began)
            return connection

        vars(engine.pool)["connect"] = timed_connect

    def _checkout(self, _: Any, record: ConnectionPoolEntry, __: Any) -> None:
        self._taken[id(record)] = perf_counter()

    def _checkin(self, _: Any, record: ConnectionPoolEntry) -> None:
        self._returned(record)

    def _opening(self, _: Any, record: ConnectionPoolEntry, __: Any, ___: Any) -> None:
        self._being_opened[record] = perf_counter()

    def _opened(self, _: Any, record: ConnectionPoolEntry) -> None:
        began = self._being_opened.pop(record, None)  # absent where the engine was given a `creator`
        if began is not None:
            now = perf_counter()
            self._creation.record(now - began)
            self._creation.settle(now)

    def read(self) -> PoolReading:
        """From the pool. It opens connections on demand, so the least it keeps is none."""
        pool = cast("QueuePool", self._engine.pool)
        size, overflow = pool.size(), _max_overflow(pool)
        (opened,), seconds, longest = self._creation.read()
        return PoolReading(
            active=len(self._taken),
            idle=pool.checkedin(),
            pending=self._pending,
            most=size + overflow if size and overflow >= 0 else None,
            least=0,
            opened=opened,
            opening_seconds=seconds,
            longest_opening=longest,
        )

    def stop(self) -> None:
        """Take everything off again."""
        for what, listener in (*self._listeners.items(), ("connect", self._opened)):
            event.remove(self._engine, what, listener)
        vars(self._engine.pool).pop("connect", None)


def _max_overflow(pool: Pool) -> int:
    most: int = vars(pool)["_max_overflow"]  # the pool has no public word for it
    return most
