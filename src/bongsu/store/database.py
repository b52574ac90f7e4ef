"""Opening the database, and the two ways to use it: ``read`` and ``write``.

On SQLite writes take turns (``store/turns.py``). On PostgreSQL a write runs on the caller's own connection, and once
more from the beginning when another server was faster with the same. So a job does no other I/O, and may be run again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

from sqlalchemy import BigInteger, ColumnElement, Connection, create_engine, event, literal_column, make_url, select
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError, InvalidatePoolError
from sqlalchemy.pool import QueuePool

from bongsu.store.driver import driver_of
from bongsu.store.turns import AFTER, WRITES, Turns, run
from bongsu.telemetry import TRANSACTIONS_AGAIN

log = logging.getLogger("bongsu.store")
T = TypeVar("T")
Transaction = Connection
"""What a job gets; the rooms above name it without importing SQLAlchemy."""
SERVING = "bongsu"
"""What our sessions are called in PostgreSQL: a restore looks whether there are any."""
_RACES = {"40001": "serialization", "40P01": "deadlock", "23505": "unique"}
"""PostgreSQL's codes for what another server's transaction may do to ours; the next attempt sees what it wrote."""
_TRIES = 4
_CONNECT_S = 5
_SEVERAL = 2
"""Storms that PostgreSQL takes at once: the next is on its way while one is being committed."""
_RESTED_S = 1.0
"""A connection that has rested for longer is asked first whether it is still there."""
ALONGSIDE: ContextVar[Callable[[Connection], None] | None] = ContextVar("alongside", default=None)
"""What the writes of this call write besides, in the same transaction: the audit log's line of who asked."""


class Database:
    """An open database."""

    def __init__(self, url: str) -> None:
        """Open ``sqlite:///file`` (its folder is made) or ``postgresql+psycopg://...``; call ``close`` at the end."""
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite and self.url.database:
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        self.engine = _engine(url, self.is_sqlite)
        self._turns = Turns(self.engine) if self.is_sqlite else None
        self._of_one = self.engine.execution_options(isolation_level="AUTOCOMMIT")

    @property
    def writers(self) -> int:
        """How many transactions of a storm are worth having under way at once."""
        return 1 if self.is_sqlite else _SEVERAL

    def read(self, job: Callable[[Connection], T]) -> T:
        """Run a job that only reads; fetch everything inside it."""
        with self.engine.connect() as connection:
            return job(connection)

    def write(self, job: Callable[[Connection], T], *, one_statement: bool = False) -> T:
        """Run a job in a transaction and return its value once it is on disk; its exception is raised here.

        ``one_statement``: the job is known to run one. That is a transaction by itself on PostgreSQL: it waits once
        for the database, where BEGIN, the statement and COMMIT would wait three times. SQLite syncs in its commit then.
        """
        besides = ALONGSIDE.get()
        job = job if besides is None else _both(job, besides)
        if self._turns is not None:
            value: T = self._turns.write(job, nothing_follows=one_statement)
            return value
        engine = self._of_one if one_statement and besides is None else self.engine
        for _ in range(_TRIES - 1):
            try:
                return _transact(engine, job)
            except DBAPIError as error:
                race = _RACES.get(getattr(error.orig, "sqlstate", None) or "")
                if race is None:
                    raise
                TRANSACTIONS_AGAIN.labels(race).inc()
                log.info("transaction once more", extra={"race": race})
        return _transact(engine, job)

    def now(self) -> datetime:
        """The database's own time."""
        since = self.read(lambda tx: tx.execute(select(database_clock(tx))).scalar_one())
        return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=since)

    def close(self) -> None:
        """Close every connection once nobody writes."""
        if self._turns is not None:
            self._turns.close()
        self.engine.dispose()


def _transact(engine: Engine, job: Callable[[Connection], T]) -> T:
    with engine.connect() as connection:
        connection.info[AFTER] = []
        with connection.begin():
            value = job(connection)
        run(connection.info[AFTER])
        return value


def _both(job: Callable[[Connection], T], besides: Callable[[Connection], None]) -> Callable[[Connection], T]:
    def both(tx: Connection) -> T:
        value = job(tx)
        besides(tx)
        return value

    return both


def after_commit(tx: Connection, then: Callable[[], None]) -> None:
    """Have something small done once the transaction is committed, and not at all if it never is; on SQLite before it
    is synced, and in any case before whoever asked for it goes on."""
    tx.info[AFTER].append(then)


def _engine(url: str, is_sqlite: bool) -> Engine:
    if not is_sqlite:
        from bongsu.store import arrays  # noqa: F401 - tells the driver, which is not loaded for SQLite, before it is asked

        asked = {"application_name": SERVING, "connect_timeout": _CONNECT_S}
        # the one that rested least: a session knows its statements, so few of them are cheaper than many
        engine = create_engine(url, pool_size=8, max_overflow=8, pool_use_lifo=True, connect_args=asked)
        _ask_the_rested(engine)
        return engine
    engine = create_engine(url, poolclass=QueuePool, pool_size=8, max_overflow=24)

    @event.listens_for(engine, "connect")
    def _set_up(raw: Any, _record: Any) -> None:
        raw.isolation_level = None  # the driver begins nothing by itself; _begin does
        cursor = raw.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=10000"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # past SQLAlchemy, which takes longer to hand these two words on than SQLite to obey them
        driver_of(connection).execute("BEGIN IMMEDIATE" if connection.info.get(WRITES) else "BEGIN")

    return engine


def _ask_the_rested(engine: Engine) -> None:
    """A connection that was used a moment ago is there, or whoever uses it now is told; asking it takes a wait."""

    @event.listens_for(engine, "checkin")
    def _note(_raw: Any, record: Any) -> None:
        record.info["since"] = monotonic()

    @event.listens_for(engine, "checkout")
    def _ask(raw: Any, record: Any, _proxy: Any) -> None:
        if monotonic() - record.info.get("since", monotonic()) < _RESTED_S:
            return
        try:
            engine.dialect.do_ping(raw)
        except Exception as error:
            raise InvalidatePoolError from error


def database_clock(tx: Connection) -> ColumnElement[int]:
    """The database's own time in microseconds since 1970, for a statement; for leases alone (rule 14)."""
    return clock_of(tx.dialect.name)


def clock_of(dialect: str) -> ColumnElement[int]:
    """The same, by the name of the database's dialect."""
    if dialect == "sqlite":
        return literal_column("CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)", BigInteger)
    return literal_column("CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)", BigInteger)
