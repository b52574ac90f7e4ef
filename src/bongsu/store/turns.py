"""Writes to SQLite, one transaction at a time: whoever has the turn commits for all who wait.

One sync pays for many, nobody meets "database is locked", and a write that comes alone is committed by the thread that
asked for it, without waking another. Who asked goes on once the disk has it; what was to follow the commit does not
wait for that.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final

from sqlalchemy import Connection
from sqlalchemy.engine import Engine

from bongsu.store.driver import driver_of

AFTER: Final = "after commit"
WRITES: Final = "writes"
"""What marks, in its ``info``, the connection that begins by locking the file."""
LEARNT: Final = "learnt"
"""What was read on it, or written and not committed yet, and is kept in its ``info`` until something fails."""
_SYNC = getattr(os, "fdatasync", os.fsync)  # macOS has only the latter
_GROUP = 256
"""Jobs in one transaction at the most, so that an early one is not kept waiting for a flood."""


class _Asked:
    """A job, and what has become of it."""

    __slots__ = ("done", "failed", "job", "nothing_follows", "value")

    def __init__(self, job: Callable[[Connection], Any], *, nothing_follows: bool) -> None:
        self.job, self.nothing_follows = job, nothing_follows
        self.done = False
        self.value: Any = None
        self.failed: BaseException | None = None


class Turns:
    """The one connection that writes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None
        self._log: int | None = None
        """The write-ahead log, open to be synced."""
        self._syncs_itself = True
        self._waiting: deque[_Asked] = deque()
        self._turn = threading.Lock()

    def write(self, job: Callable[[Connection], Any], *, nothing_follows: bool = False) -> Any:
        """Run a job in a transaction and return its value once it is on disk; its exception is raised here.

        ``nothing_follows`` the commit: then SQLite may sync in it, which spares a turn at Python.
        """
        asked = _Asked(job, nothing_follows=nothing_follows)
        self._waiting.append(asked)
        with self._turn:
            while not asked.done:  # else somebody has committed it in his turn
                self._commit([self._waiting.popleft() for _ in range(min(_GROUP, len(self._waiting)))])
        if asked.failed is not None:
            raise asked.failed
        return asked.value

    def close(self) -> None:
        """Give the connection back once nobody writes."""
        with self._turn:
            if self._connection is not None:
                self._hang_up(self._connection)

    def _commit(self, group: list[_Asked]) -> None:
        try:
            connection = self._connection or self._connect()
            self._let_sync(connection, itself=all(each.nothing_follows for each in group))
            after = _alone(connection, *group) if len(group) == 1 else _together(connection, group)
        except BaseException as error:
            self._leave_nothing()
            for each in group:
                each.failed = error
            if not isinstance(error, Exception):
                raise
        else:
            try:
                run(after)
            finally:
                if not self._syncs_itself:
                    self._sync(group)
        finally:
            for each in group:
                each.done = True

    def _connect(self) -> Connection:
        connection = self._connection = self._engine.connect()
        connection.info[WRITES] = True
        return connection

    def _let_sync(self, connection: Connection, *, itself: bool) -> None:
        """Have SQLite sync in the commit, or leave that to us."""
        if itself is not self._syncs_itself:
            driver_of(connection).execute(f"PRAGMA synchronous={'FULL' if itself else 'NORMAL'}")
            self._syncs_itself = itself

    def _sync(self, group: list[_Asked]) -> None:
        """Committed is what every process sees, and what a kill leaves; now a power cut leaves it, too."""
        try:
            if self._log is None:
                self._log = os.open(f"{self._engine.url.database}-wal", os.O_RDWR)
            _SYNC(self._log)
        except OSError as error:
            for each in group:
                each.failed = each.failed or error

    def _hang_up(self, connection: Connection) -> None:
        connection.invalidate()  # the next one is to sync by itself again
        connection.close()
        self._connection, self._syncs_itself = None, True
        if self._log is not None:
            os.close(self._log)
            self._log = None

    def _leave_nothing(self) -> None:
        """What was learnt may be wrong now. And where COMMIT itself fails SQLAlchemy does not roll back, and no
        transaction could begin on it any more."""
        connection = self._connection
        if connection is None:
            return
        connection.info.pop(LEARNT, None)
        driver = connection.connection.driver_connection
        if driver is not None and driver.in_transaction:
            self._hang_up(connection)


def run(after: Iterable[Callable[[], None]]) -> None:
    """Call what was to follow the commit, each thing once."""
    for call in dict.fromkeys(after):
        call()


def _alone(connection: Connection, asked: _Asked) -> list[Callable[[], None]]:
    """Without a savepoint: there is nobody else to spare when it fails."""
    after: list[Callable[[], None]] = []
    connection.info[AFTER] = after
    with connection.begin():
        asked.value = asked.job(connection)
    return after


def _together(connection: Connection, group: list[_Asked]) -> list[Callable[[], None]]:
    """A savepoint for each, so that one that fails takes nobody with it."""
    after: list[Callable[[], None]] = []
    with connection.begin():
        for asked in group:
            mine: list[Callable[[], None]] = []
            connection.info[AFTER] = mine
            try:
                with connection.begin_nested():
                    asked.value = asked.job(connection)
                after += mine
            except Exception as error:
                connection.info.pop(LEARNT, None)
                asked.failed = error
    return after
