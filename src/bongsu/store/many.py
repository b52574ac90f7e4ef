"""Many rows put by few statements, past SQLAlchemy, whose binding of values would cost more than the database."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from sqlalchemy import Connection

from bongsu.store.driver import driver_of

PORTIONS = (256, 128, 64, 32, 16, 8, 4, 2, 1)
"""Rows in one statement on SQLite. Its driver lets other threads run Python at every step of a statement and has to win
it back afterwards: row by row that takes several times as long while a storm of requests is being read. Few sizes, for
each is a statement that SQLite keeps prepared."""


@dataclass(frozen=True)
class Many:
    """How rows of a table are put. ``columns``: PostgreSQL's type by name; ``conflict``: what ON CONFLICT says."""

    table: str
    columns: Mapping[str, str]
    conflict: str = ""

    def put(self, tx: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert or change rows, in their order; no key may be there twice."""
        if tx.dialect.name == "sqlite":
            driver = driver_of(tx)
            for some in portions(rows):
                driver.execute(self._values[len(some)], tuple(chain.from_iterable(some)))
        elif rows:
            tx.exec_driver_sql(self.unfolded, columns(rows))

    @functools.cached_property
    def _values(self) -> dict[int, str]:
        one = f"({', '.join('?' for _ in self.columns)})"
        return {n: self._statement(f"VALUES {', '.join([one] * n)}") for n in PORTIONS}

    @functools.cached_property
    def unfolded(self) -> str:
        """For PostgreSQL: of an array for each column."""
        arrays = ", ".join(f"%b::{kind}[]" for kind in self.columns.values())  # as text each quote would be escaped
        return self._statement(f"SELECT * FROM unnest({arrays})")  # noqa: S608 - constants

    def _statement(self, source: str) -> str:
        conflict = self.conflict and f" ON CONFLICT {self.conflict}"
        return f"INSERT INTO {self.table} ({', '.join(self.columns)}) {source}{conflict}"


def put_together(
    tx: Connection, many: Many, rows: Sequence[tuple[Any, ...]], other: Many, others: Sequence[tuple[Any, ...]]
) -> None:
    """Put rows of two tables in one statement, of PostgreSQL."""
    if rows and others:
        tx.exec_driver_sql(f"WITH others AS ({other.unfolded}) {many.unfolded}", columns(others) + columns(rows))
    else:
        many.put(tx, rows)
        other.put(tx, others)


def columns(rows: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
    """As PostgreSQL's driver wants them."""
    from bongsu.store.arrays import packed

    return tuple(packed(column) for column in zip(*rows, strict=True))


def portions(rows: Sequence[tuple[Any, ...]]) -> Iterator[Sequence[tuple[Any, ...]]]:
    """The rows in PORTIONS, the large ones first."""
    first = 0
    for size in PORTIONS:
        while len(rows) - first >= size:
            yield rows[first : first + size]
            first += size
