"""A service's PostgreSQL: asking its invariants, reading its rows in order, applying a recovery plan."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from bongsu.core.comparing import Key, Layout, Line
from bongsu.core.errors import BongsuError
from bongsu.core.recovery import Invariant, Verdict
from bongsu.core.recovery_plan import Plan, quoted
from bongsu.ports import Unavailable

if TYPE_CHECKING:
    import psycopg

Connection = Any
PATIENCE_S = 10
LOCK_S = 0.3
"""Less than the second after which PostgreSQL looks for circles of waiting: it is always we who give way."""
TRIES = 40
_INTEGERS = ("smallint", "integer", "bigint")


class PlanRefused(BongsuError):
    """The plan was not carried out; the data is as it was."""


class Conflict(PlanRefused):
    """A statement of the plan did not touch exactly one row; nothing was done."""


def connect(dsn: str, *, seconds: float = 60.0, name: str = "bongsu-data") -> psycopg.Connection[Any]:
    """A connection whose statements end after so long. Raises Unavailable."""
    import psycopg

    settings = (
        f"-c statement_timeout={int(seconds * 1000)} -c timezone=UTC -c datestyle=ISO "
        "-c intervalstyle=postgres -c bytea_output=hex -c extra_float_digits=1 -c jit=off"
    )
    try:
        return psycopg.connect(
            dsn, connect_timeout=PATIENCE_S, application_name=name, options=settings, autocommit=True
        )
    except psycopg.Error as error:
        raise Unavailable(f"the database does not answer: {said(error)}") from None


def said(error: Exception) -> str:
    """What the server complained of, on one line."""
    return " ".join(str(error).split()) or type(error).__name__


def run(connection: Connection, sql: str, values: Sequence[object] | None = None) -> Any:
    """Run SQL that was put together here or stands in a file of the user's."""
    return connection.execute(sql, values)


@contextmanager
def looking(connection: Connection) -> Iterator[None]:
    """One moment of the data, for every statement within; nothing can be written."""
    run(connection, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    try:
        yield
    finally:
        run(connection, "ROLLBACK")


def ask(connection: Connection, invariants: Sequence[Invariant]) -> tuple[Verdict, ...]:
    """Every invariant, within the caller's transaction; one that cannot be asked does not keep the others."""
    return tuple(_ask(connection, each) for each in invariants)


def _ask(connection: Connection, invariant: Invariant) -> Verdict:
    import psycopg

    try:
        with connection.transaction():
            found = run(connection, invariant.sql)
            columns = tuple(each.name for each in found.description or ())
            unknown = invariant.unknown(columns)
            if unknown:
                return Verdict(invariant.name, invariant.means, fault="; ".join(unknown))
            return Verdict(invariant.name, invariant.means, invariant.key, columns, tuple(found.fetchall()))
    except psycopg.errors.InsufficientPrivilege as error:
        hint = "; grant it: GRANT SELECT ON ALL TABLES IN SCHEMA public TO the user of this connection"
        return Verdict(invariant.name, invariant.means, fault=f"{said(error)}{hint}")
    except psycopg.errors.QueryCanceled:
        return Verdict(
            invariant.name, invariant.means, fault="took too long; raise `timeout` in [data], or add an index"
        )
    except psycopg.Error as error:
        if connection.closed:
            raise Unavailable(f"the database went away: {said(error)}") from None
        return Verdict(invariant.name, invariant.means, fault=f"{invariant.file}: {said(error)}")


def server_version(connection: Connection) -> int:
    """As a number: 150018 is 15.18."""
    return int(connection.info.server_version)


def layouts(connection: Connection) -> tuple[list[Layout], list[str]]:
    """The tables of the schema public, parents before the rows that belong to them; and those without a primary key."""
    rows = run(
        connection,
        """SELECT c.relname, array_agg(a.attname::text ORDER BY a.attnum),
                  array_agg(format_type(a.atttypid, a.atttypmod) ORDER BY a.attnum),
                  (SELECT array_agg(k.attname::text ORDER BY array_position(i.indkey::int[], k.attnum::int))
                   FROM pg_index i JOIN pg_attribute k ON k.attrelid = c.oid AND k.attnum = ANY (i.indkey)
                   WHERE i.indrelid = c.oid AND i.indisprimary),
                  (SELECT array_agg(DISTINCT p.relname::text) FROM pg_constraint f
                   JOIN pg_class p ON p.oid = f.confrelid
                   WHERE f.conrelid = c.oid AND f.contype = 'f' AND f.confrelid <> c.oid)
           FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
           WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attgenerated = ''
           GROUP BY c.oid, c.relname ORDER BY c.relname""",
    ).fetchall()
    found = {
        name: Layout(name, tuple(columns), tuple(types), tuple(key or ())) for name, columns, types, key, _ in rows
    }
    parents = {name: [each for each in above or [] if each in found] for name, *_, above in rows}
    ordered: list[str] = []
    while len(ordered) < len(found):
        free = [n for n in found if n not in ordered and all(p in ordered for p in parents[n])]
        ordered += free or [next(n for n in found if n not in ordered)]  # a circle has no good order: any
    return [found[n] for n in ordered if found[n].key], [n for n in ordered if not found[n].key]


def counts(connection: Connection, tables: Sequence[str]) -> dict[str, int]:
    """The rows of each table."""
    return {each: run(connection, f"SELECT count(*) FROM {quoted(each)}").fetchone()[0] for each in tables}  # noqa: S608


def stamps_commits(connection: Connection) -> bool:
    """Whether the server knows when each row was last written."""
    return bool(run(connection, "SHOW track_commit_timestamp").fetchone()[0] == "on")


def lines(connection: Connection, layout: Layout, *, written: bool = False) -> Iterator[Line]:
    """Every row in the order of the primary key, a batch at a time; within a transaction."""
    types = dict(zip(layout.columns, layout.types, strict=True))
    keys = [
        quoted(each) if types[each] in _INTEGERS else f'{quoted(each)}::text COLLATE "C"'  # both sides sort by bytes
        for each in layout.key
    ]
    values = ", ".join(f"{quoted(each)}::text" for each in layout.columns)
    stamp = "pg_xact_commit_timestamp(xmin)" if written else "NULL::timestamptz"
    width = len(keys)
    order = ", ".join(str(place) for place in range(1, width + 1))
    sql = f"SELECT {', '.join(keys)}, {stamp}, {values} FROM {quoted(layout.table)} ORDER BY {order}"  # noqa: S608
    with connection.cursor(name=f"lines_{id(layout):x}") as cursor:
        cursor.itersize = 5000
        for row in cursor.execute(sql):
            yield Line(cast("Key", row[:width]), tuple(row[width + 1 :]), row[width])


def attempt(connection: Connection, sql: str) -> int:
    """Run one repair on a copy; how many rows it touched, 0 when it was refused."""
    import psycopg

    try:
        with connection.transaction():
            return int(run(connection, sql).rowcount)
    except psycopg.Error:
        return 0


@contextmanager
def triggers_off(connection: Connection, tables: Sequence[str]) -> Iterator[None]:
    """Without the guards of tables that only grow; within a transaction, so that nobody else sees them off."""
    for each in tables:
        run(connection, f"ALTER TABLE {quoted(each)} DISABLE TRIGGER USER")
    yield
    for each in tables:
        run(connection, f"ALTER TABLE {quoted(each)} ENABLE TRIGGER USER")


def carry_out(
    dsn: str, plan: Plan, check: Callable[[Connection], Sequence[Verdict]], *, seconds: float
) -> tuple[tuple[Verdict, ...], float]:
    """Apply a plan in one transaction: locks, statements, the invariants, COMMIT; how long writers waited.

    Raises Conflict, PlanRefused or Unavailable; then nothing has changed.
    """
    import psycopg

    with connect(dsn, seconds=seconds, name="bongsu-apply") as connection:
        for last in (number == TRIES for number in range(1, TRIES + 1)):
            try:
                with connection.transaction():
                    began = time.monotonic()
                    _lock(connection, plan.locks)
                    run(connection, "SET LOCAL lock_timeout = 0")
                    _steps(connection, plan)
                    verdicts = tuple(check(connection))
                return verdicts, time.monotonic() - began
            except psycopg.errors.LockNotAvailable:
                if last:
                    raise PlanRefused(
                        "the tables are held by others all the time; see pg_stat_activity for long transactions, "
                        "and start again (nothing was done)"
                    ) from None
            except psycopg.Error as error:
                raise PlanRefused(f"{said(error)} (nothing was done)") from None
    raise AssertionError("unreachable")


def _lock(connection: Connection, tables: Sequence[str]) -> None:
    run(connection, f"SET LOCAL lock_timeout = '{int(LOCK_S * 1000)}ms'")
    for each in tables:
        run(connection, f"LOCK TABLE {quoted(each)} IN EXCLUSIVE MODE")  # readers go on, writers wait


def _steps(connection: Connection, plan: Plan) -> None:
    import psycopg

    problems = []
    with triggers_off(connection, plan.quiet):
        for number, step in enumerate(plan.steps, start=1):
            try:
                with connection.transaction():
                    touched = run(connection, step.sql).rowcount
            except psycopg.Error as error:
                problems.append(f"step {number} ({step.why}): {said(error)}")
                continue
            if touched != 1:
                what = "the row has changed since, or is not there" if touched == 0 else f"{touched} rows"
                problems.append(f"step {number} ({step.why}): {what}")
    if problems:
        shown = "\n".join(problems[:20]) + (f"\nand {len(problems) - 20} more" if len(problems) > 20 else "")
        raise Conflict(f"{shown}\nNothing was done. Make the plan anew, or remove these lines.")
