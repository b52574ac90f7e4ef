"""Pools of psycopg_pool, of both kinds.

The pool's own statistics know how many wait and how many are idle. They round every time to whole milliseconds, keep
no maximum and mix time-outs with other errors, so a thin wrapper around ``getconn`` and ``putconn`` measures those.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any, Protocol

from bongsu_instrument.pool import PoolReading, PoolWatch


class PsycopgPool(Protocol):
    """What is asked of a pool. ``getconn`` and ``putconn`` are coroutines in the asynchronous ones."""

    def getconn(self, timeout: float | None = None) -> Any:
        """Take a connection, or raise an error named ``PoolTimeout``."""

    def putconn(self, conn: Any) -> Any:
        """Give it back."""

    def get_stats(self) -> Mapping[str, int]:
        """Counts and sizes; a key whose value is zero may be missing."""


class PsycopgWatch(PoolWatch):
    """``ConnectionPool``, ``AsyncConnectionPool`` and their null kin."""

    def __init__(self, pool: PsycopgPool, name: str) -> None:
        super().__init__(name)
        self._pool = pool
        # On the instance, so that the pool's own `connection()` goes through them as well.
        wrapped = self._awaited if inspect.iscoroutinefunction(pool.getconn) else self._timed
        getconn, putconn = wrapped(pool.getconn, pool.putconn)
        vars(pool).update(getconn=getconn, putconn=putconn)

    def _timed(self, take: Callable[..., Any], give: Callable[[Any], None]) -> tuple[Callable[..., Any], ...]:
        taken, acquired, returned = self._taken, self.acquire.record, self._returned

        def getconn(timeout: float | None = None) -> Any:
            began = perf_counter()
            try:
                connection = take(timeout)
            except BaseException as failure:
                self._refused(began, in_vain=_is_timeout(failure))
                raise
            now = taken[id(connection)] = perf_counter()
            acquired(now - began)
            return connection

        def putconn(conn: Any) -> None:
            returned(conn)
            give(conn)

        return getconn, putconn

    def _awaited(self, take: Callable[..., Any], give: Callable[[Any], Any]) -> tuple[Callable[..., Any], ...]:
        taken, acquired, returned = self._taken, self.acquire.record, self._returned

        async def getconn(timeout: float | None = None) -> Any:
            began = perf_counter()
            try:
                connection = await take(timeout)
            except BaseException as failure:  # also a cancelled wait has been one
                self._refused(began, in_vain=_is_timeout(failure))
                raise
            now = taken[id(connection)] = perf_counter()
            acquired(now - began)
            return connection

        async def putconn(conn: Any) -> None:
            returned(conn)
            await give(conn)

        return getconn, putconn

    def read(self) -> PoolReading:
        """From the pool's statistics. How long the longest opening took, the pool does not tell."""
        stats = self._pool.get_stats()
        return PoolReading(
            # The pool's `pool_size` holds connections that are still being opened, so that size - available would
            # show connections in use where the database is simply away. What is out, we know exactly.
            active=len(self._taken),
            idle=stats.get("pool_available", 0),
            pending=stats.get("requests_waiting", 0),
            most=stats.get("pool_max", 0) or None,  # a null pool may have no bound
            least=stats.get("pool_min", 0),
            opened=max(0, stats.get("connections_num", 0) - stats.get("connections_errors", 0)),
            opening_seconds=stats.get("connections_ms", 0) / 1000,
            longest_opening=None,
        )

    def stop(self) -> None:
        """Take the wrapper off again."""
        for name in ("getconn", "putconn"):
            vars(self._pool).pop(name, None)


def _is_timeout(failure: BaseException) -> bool:
    """By name, because psycopg_pool is not imported here."""
    return any(each.__name__ == "PoolTimeout" for each in type(failure).__mro__)
