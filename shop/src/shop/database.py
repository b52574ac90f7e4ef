"""The shop's connections, and how a statement of SQLAlchemy Core runs on them.

SQLAlchemy builds the SQL, once per statement and process; psycopg runs it on a connection of its own pool. There is
no SQLAlchemy engine in between: its dialect adds a notice handler to a connection each time it meets it anew, which
on a pool that lends the same connections again and again is a leak.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool, PoolTimeout
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.sql import ClauseElement

from bongsu_instrument import Instrument
from shop.migrate import newest_version

STATEMENT_SECONDS = 4
"""Below the balancer's 5 s: a statement that nobody waits for any more is ended."""
PROBE_SECONDS = 1.0
NO_TABLES = "the tables are missing: run `python -m shop migrate`"
_DIALECT = PGDialect_psycopg()  # type: ignore[no-untyped-call]

Row = dict[str, Any]


class Query:
    """A statement, compiled. Its ``bindparam`` names are the values that it is run with."""

    __slots__ = ("defaults", "sql")

    def __init__(self, statement: ClauseElement) -> None:
        compiled = statement.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
        self.sql = str(compiled).encode()
        self.defaults: Mapping[str, Any] = {k: v for k, v in (compiled.params or {}).items() if v is not None}


class Session:
    """One borrowed connection."""

    __slots__ = ("_connection",)

    def __init__(self, connection: psycopg.Connection[DictRow]) -> None:
        self._connection = connection

    def rows(self, query: Query, **values: object) -> list[Row]:
        """All rows. Raises psycopg.Error."""
        return self._connection.execute(query.sql, {**query.defaults, **values}).fetchall()

    def row(self, query: Query, **values: object) -> Row | None:
        """The first row."""
        return self._connection.execute(query.sql, {**query.defaults, **values}).fetchone()

    def do(self, query: Query, **values: object) -> int:
        """Run a statement that returns no rows; how many rows it touched."""
        return self._connection.execute(query.sql, {**query.defaults, **values}).rowcount


class Database:
    """A pool of ``size`` connections, all opened at the start: a burst must not wait for connections to be made."""

    def __init__(self, url: str, *, size: int, timeout: float, instrument: Instrument | None = None) -> None:
        given = conninfo_to_dict(url).get("options") or ""
        self._url = url
        self.pool = ConnectionPool(
            url,
            connection_class=psycopg.Connection[DictRow],
            min_size=size,
            max_size=size,
            timeout=timeout,
            name="shop",
            open=False,
            kwargs={
                "autocommit": True,  # a single SELECT needs no BEGIN and COMMIT around it
                "row_factory": dict_row,
                "connect_timeout": 5,
                "options": f"{given} -c statement_timeout={STATEMENT_SECONDS}s".strip(),
            },
        )
        if instrument is not None:
            instrument.watch_pool(self.pool, "shop")

    def open(self) -> None:
        """Begin to connect; does not wait, because a shop whose database comes later is not a dead shop."""
        self.pool.open()

    def close(self) -> None:
        """End all connections; who waits for one gets an error."""
        self.pool.close(timeout=1)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A connection for statements that stand alone. Raises PoolTimeout, psycopg.Error."""
        with self.pool.connection() as connection:
            yield Session(connection)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """All or nothing, READ COMMITTED. Raises PoolTimeout, psycopg.Error."""
        with self.pool.connection() as connection, connection.transaction():
            yield Session(connection)

    def problem(self) -> str | None:
        """Why the shop could not work with the database just now; None when it could."""
        try:
            with self.pool.connection(timeout=PROBE_SECONDS) as connection:
                return _schema_problem(connection)
        except PoolTimeout:
            # Everything lent out is a busy shop, not one without a database. Taken out of the balancer for that, it
            # would pass its load on to the next machine and so on, so ask past the pool.
            return find_problem(self._url)
        except psycopg.errors.UndefinedTable:
            return NO_TABLES
        except psycopg.Error as error:
            return f"the database does not answer: {type(error).__name__}"


def find_problem(url: str) -> str | None:
    """Why nobody could work with the database just now, by a connection of its own; None when one could."""
    try:
        with psycopg.connect(url, connect_timeout=2, row_factory=dict_row) as connection:
            return _schema_problem(connection)
    except psycopg.errors.UndefinedTable:
        return NO_TABLES
    except psycopg.Error as error:
        return f"the database does not answer: {type(error).__name__}"


def _schema_problem(connection: psycopg.Connection[DictRow]) -> str | None:
    row = connection.execute("SELECT max(version) AS version FROM schema_versions").fetchone()
    version = (row["version"] if row else None) or 0
    newest = newest_version()
    if version < newest:
        return f"the tables are at version {version} of {newest}: run `python -m shop migrate`"
    return None
