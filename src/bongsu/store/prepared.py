"""Statements compiled once. On SQLite they go to the driver as they are: SQLAlchemy's way to it and back takes several
times as long as the answer, and a mail waits for a dozen of them. On PostgreSQL they go the usual way.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from sqlite3 import Cursor
from typing import Any, NamedTuple

from sqlalchemy import Connection
from sqlalchemy.sql.expression import ColumnElement, Delete, Insert, Select, Update

from bongsu.store.columns import Instant, instant, microseconds

Given = Mapping[str, Any]


class _Slot(NamedTuple):
    """Where a value goes: which parameter's, the place in its list if it is one, and what it is unless given."""

    name: str
    at: int | None
    otherwise: Any
    required: bool
    is_instant: bool

    def value(self, given: Given) -> Any:
        found = given[self.name] if self.required else given.get(self.name, self.otherwise)
        if self.at is not None:
            found = found[self.at]
        return microseconds(found) if self.is_instant and found is not None else found


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the driver gets; ``row`` makes a row of its answer."""

    text: str
    slots: Sequence[_Slot]
    row: Callable[[Sequence[Any]], Any]

    def run(self, tx: Connection, given: Given) -> Cursor:
        driver = tx.connection.driver_connection
        assert driver is not None
        cursor: Cursor = driver.execute(self.text, [slot.value(given) for slot in self.slots])
        return cursor


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
        slots = []
        for each in state.positiontup or ():
            name, at = source.get(each, (each, None))
            bind = made.binds[name]
            slots.append(_Slot(name, at, state.parameters[each], bind.required, isinstance(bind.type, Instant)))
        answers = self._statement.exported_columns
        return _Plan(state.statement, slots, _maker(answers))


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
