"""Statements compiled once. On SQLite they go to the driver as they are: SQLAlchemy's way to it and back takes several
times as long as the answer, and a mail waits for a dozen of them. On PostgreSQL they go the usual way.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from sqlite3 import Cursor
from typing import Any, NamedTuple

from sqlalchemy import Connection
from sqlalchemy.sql.expression import ColumnElement, Delete, Insert, Select, Update

from bongsu.store.columns import Instant, instant, microseconds
from bongsu.store.driver import driver_of

Given = Mapping[str, Any]


class _Slot(NamedTuple):
    """Where a value goes: which parameter's, and its place in a list if it is one; without a name it is ``always``."""

    name: str | None
    at: int | None
    always: Any


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the driver gets; ``row`` makes a row of its answer."""

    text: str
    values: Callable[[Given], Sequence[Any]]
    instants: Sequence[int]
    row: Callable[[Sequence[Any]], Any]

    def run(self, tx: Connection, given: Given) -> Cursor:
        values = self.values(given)
        if self.instants:
            values = list(values)
            for at in self.instants:
                if values[at] is not None:
                    values[at] = microseconds(values[at])
        cursor: Cursor = driver_of(tx).execute(self.text, values)
        return cursor


def _picker(slots: Sequence[_Slot]) -> Callable[[Given], Sequence[Any]]:
    """What picks the values of the slots."""
    names = [each.name for each in slots if each.name is not None and each.at is None]
    if len(names) == len(slots) > 1:
        return itemgetter(*names)

    def picked(given: Given) -> Sequence[Any]:
        found = (each.always if each.name is None else given[each.name] for each in slots)
        return [each if slot.at is None else each[slot.at] for slot, each in zip(slots, found, strict=True)]

    return picked


class Prepared:
    """A statement with named parameters; a list is for ``IN``. Times stand in columns of the type ``Instant`` alone."""

    def __init__(self, statement: Select[Any] | Insert | Update | Delete) -> None:
        self._statement = statement
        self._plans: dict[tuple[object, ...], _Plan] = {}

    def all(self, tx: Connection, given: Given) -> Sequence[Any]:
        """The rows, each with its columns by name."""
        if tx.dialect.name != "sqlite":
            return tx.execute(self._statement, given).all()
        plan = self._plan(tx, given)
        return list(map(plan.row, plan.run(tx, given).fetchall()))

    def column(self, tx: Connection, given: Given) -> list[Any]:
        """The first column of the rows."""
        return [row[0] for row in self.all(tx, given)]

    def run(self, tx: Connection, *given: Given) -> int:
        """Run it with each of these; how many rows were changed, where the database says so."""
        if not given:
            return 0
        if tx.dialect.name != "sqlite":
            return tx.execute(self._statement, given).rowcount
        return sum(self._plan(tx, each).run(tx, each).rowcount for each in given)

    def _plan(self, tx: Connection, given: Given) -> _Plan:
        key = (*given, *(len(each) for each in given.values() if type(each) is list))
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = self._compile(tx, given)
        return plan

    def _compile(self, tx: Connection, given: Given) -> _Plan:
        made = self._statement.compile(dialect=tx.dialect, column_keys=list(given))
        state = made.construct_expanded_state(dict(given))
        spread = state.parameter_expansion.items()
        source = {name: (whole, at) for whole, names in spread for at, name in enumerate(names)}
        slots, instants = [], []
        for number, each in enumerate(state.positiontup or ()):
            name, at = source.get(each, (each, None))
            bind = made.binds[name]
            there = bind.required or name in given
            slots.append(_Slot(name if there else None, at, state.parameters[each]))
            if isinstance(bind.type, Instant):
                instants.append(number)
        answers = self._statement.exported_columns
        return _Plan(state.statement, _picker(slots), instants, _maker(answers))


def _maker(columns: Iterable[ColumnElement[Any]]) -> Callable[[Sequence[Any]], Any]:
    """What makes a named row of values as the driver has them."""
    columns = list(columns)
    names = [str(each.key) for each in columns]
    row = namedtuple("Row", names, rename=True)  # type: ignore[misc] # noqa: PYI024 - known at run time alone
    instants = [at for at, each in enumerate(columns) if isinstance(each.type, Instant)]
    if not instants:
        return row._make

    def made(values: Sequence[Any]) -> Any:
        values = list(values)
        for at in instants:
            if values[at] is not None:
                values[at] = instant(values[at])
        return row._make(values)

    return made
