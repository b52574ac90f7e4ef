"""Opening the database, and the two ways to use it: ``read`` and ``write``.

On SQLite every write goes through one thread that puts all that waits into one ``BEGIN IMMEDIATE`` transaction, a
savepoint per job, and answers after COMMIT: one sync pays for many, and nobody meets "database is locked". On
PostgreSQL a write runs on the caller's own connection, and once more from the beginning when another server was faster
with the same. So a job does no other I/O, and may be run again.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import BigInteger, ColumnElement, Connection, create_engine, event, literal_column, make_url, select
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from bongsu.telemetry import TRANSACTIONS_AGAIN

log = logging.getLogger("bongsu.store")
T = TypeVar("T")
Transaction = Connection
"""What a job gets; the rooms above name it without importing SQLAlchemy."""
Job = tuple[Callable[[Connection], Any], "Future[Any]"]
SERVING = "bongsu"
"""What our sessions are called in PostgreSQL: a restore looks whether there are any."""
_RACES = {"40001": "serialization", "40P01": "deadlock", "23505": "unique"}
"""PostgreSQL's codes for what another server's transaction may do to ours; the next attempt sees what it wrote."""
_TRIES = 4
_AFTER = "after commit"
_CONNECT_S = 5
ALONGSIDE: ContextVar[Callable[[Connection], None] | None] = ContextVar("alongside", default=None)
"""What the writes of this call write besides, in the same transaction: the audit log's line of who asked."""
_GROUP = 256
"""Jobs in one transaction at the most, so that an early one is not kept waiting for a flood."""


class Database:
    """An open database."""

    def __init__(self, url: str) -> None:
        """Open ``sqlite:///file`` (its folder is made) or ``postgresql+psycopg://...``; call ``close`` at the end."""
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite and self.url.database:
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        self.engine = _engine(url, self.is_sqlite)
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._writer: threading.Thread | None = None
        if self.is_sqlite:
            self._writer = threading.Thread(target=self._write_all, name="writer", daemon=True)
            self._writer.start()

    def read(self, job: Callable[[Connection], T]) -> T:
        """Run a job that only reads; fetch everything inside it."""
        with self.engine.connect() as connection:
            return job(connection)

    def write(self, job: Callable[[Connection], T]) -> T:
        """Run a job in a transaction and return its value once it is on disk; its exception is raised here."""
        job = _with_what_goes_alongside(job)
        if self._writer is not None:
            done: Future[T] = Future()
            self._jobs.put((job, done))
            return done.result()
        for _ in range(_TRIES - 1):
            try:
                return self._transact(job)
            except DBAPIError as error:
                race = _RACES.get(getattr(error.orig, "sqlstate", None) or "")
                if race is None:
                    raise
                TRANSACTIONS_AGAIN.labels(race).inc()
                log.info("transaction once more", extra={"race": race})
        return self._transact(job)

    def submit(self, job: Callable[[Connection], T]) -> Future[T]:
        """Queue a write; the future is done after COMMIT."""
        done: Future[T] = Future()
        if self._writer is None:
            try:
                done.set_result(self.write(job))
            except Exception as error:
                done.set_exception(error)
        else:
            self._jobs.put((job, done))
        return done

    def now(self) -> datetime:
        """The database's own time."""
        since = self.read(lambda tx: tx.execute(select(database_clock(tx))).scalar_one())
        return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=since)

    def close(self) -> None:
        """Finish what is queued and close every connection."""
        if self._writer is not None:
            self._jobs.put(None)
            self._writer.join()
        self.engine.dispose()

    def _transact(self, job: Callable[[Connection], T]) -> T:
        with self.engine.connect() as connection:
            connection.info[_AFTER] = []
            with connection.begin():
                value = job(connection)
            _run(connection.info[_AFTER])
            return value

    def _write_all(self) -> None:
        with self.engine.connect() as connection:
            connection.info["writer"] = True
            going = True
            while going:
                group: list[Job] = []
                first = self._jobs.get()
                while first is not None and len(group) < _GROUP:
                    group.append(first)
                    try:
                        first = self._jobs.get_nowait()
                    except queue.Empty:
                        break
                else:
                    if first is None:
                        going = False
                    else:
                        group.append(first)
                if len(group) == 1:
                    _commit_one(connection, *group[0])
                elif group:
                    _commit_group(connection, group)


def _with_what_goes_alongside(job: Callable[[Connection], T]) -> Callable[[Connection], T]:
    besides = ALONGSIDE.get()
    if besides is None:
        return job

    def both(tx: Connection) -> T:
        value = job(tx)
        besides(tx)
        return value

    return both


def _commit_one(connection: Connection, job: Callable[[Connection], Any], done: Future[Any]) -> None:
    """Without a savepoint: there is nobody else to spare when it fails."""
    connection.info[_AFTER] = []
    try:
        with connection.begin():
            value = job(connection)
    except Exception as error:
        done.set_exception(error)
        return
    _run(connection.info[_AFTER])
    done.set_result(value)


def _commit_group(connection: Connection, group: list[Job]) -> None:
    answers: list[tuple[Future[Any], Any, BaseException | None]] = []
    after: list[Callable[[], None]] = []
    try:
        with connection.begin():
            for job, done in group:
                connection.info[_AFTER] = []
                try:
                    with connection.begin_nested():
                        value = job(connection)
                    answers.append((done, value, None))
                    after += connection.info[_AFTER]
                except Exception as error:
                    answers.append((done, None, error))
    except Exception as error:
        for _, done in group:
            done.set_exception(error)
        return
    _run(after)
    for done, value, failed in answers:
        if failed is None:
            done.set_result(value)
        else:
            done.set_exception(failed)


def after_commit(tx: Connection, then: Callable[[], None]) -> None:
    """Have something small done once the transaction is on disk, and not at all if it never is."""
    tx.info[_AFTER].append(then)


def _run(after: list[Callable[[], None]]) -> None:
    for each in dict.fromkeys(after):
        each()


def _engine(url: str, is_sqlite: bool) -> Engine:
    if not is_sqlite:
        asked = {"application_name": SERVING, "connect_timeout": _CONNECT_S}
        return create_engine(url, pool_size=8, max_overflow=8, pool_pre_ping=True, connect_args=asked)
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
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.execute("BEGIN IMMEDIATE" if connection.info.get("writer") else "BEGIN")

    return engine


def database_clock(tx: Connection) -> ColumnElement[int]:
    """The database's own time in microseconds since 1970, for a statement; for leases alone (rule 14)."""
    return clock_of(tx.dialect.name)


def clock_of(dialect: str) -> ColumnElement[int]:
    """The same, by the name of the database's dialect."""
    if dialect == "sqlite":
        return literal_column("CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)", BigInteger)
    return literal_column("CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)", BigInteger)
