"""Comparing a table row by row with a backup, and telling damage from business by the table's rule."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from bongsu.core.recovery import Rule

Key = tuple[int | str, ...]
"""A row's primary key: whole numbers and texts, in an order that Python and the database share."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A table as it is compared: its columns with their types, and those of its primary key."""

    table: str
    columns: tuple[str, ...]
    types: tuple[str, ...]
    key: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """A row: its key, its values as the database writes them, and when it was last written, where that is known."""

    key: Key
    values: tuple[str | None, ...]
    written: datetime | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """A value that differs. ``damaged``: business does not change it."""

    column: str
    before: str | None
    now: str | None
    damaged: bool


@dataclass(frozen=True, slots=True)
class Change:
    """A row that is not as it was in the backup; ``lost``: it is gone (``cells`` is then empty)."""

    table: str
    key: Key
    values: tuple[str | None, ...]
    cells: tuple[Cell, ...]
    lost: bool = False
    damaged: bool = False
    written: datetime | None = None

    @property
    def kind(self) -> str:
        """Lost, damaged, or changed as business does."""
        return (
            "lost" if self.lost and self.damaged else "damaged" if self.damaged else "gone" if self.lost else "changed"
        )


@dataclass(slots=True)
class Tally:
    """How many rows of a table were alike, and how many came after the backup."""

    same: int = 0
    new: int = 0


def compare(layout: Layout, rule: Rule, before: Iterator[Line], now: Iterator[Line], tally: Tally) -> Iterator[Change]:
    """What differs, in the order of keys; both sides come in that order. ``tally`` counts the rest."""
    old, new = next(before, None), next(now, None)
    while old is not None or new is not None:
        if new is None or (old is not None and old.key < new.key):
            assert old is not None
            yield Change(layout.table, old.key, old.values, (), lost=True, damaged=rule.rows != "free")
            old = next(before, None)
        elif old is None or new.key < old.key:
            tally.new += 1
            new = next(now, None)
        else:
            if old.values == new.values:
                tally.same += 1
            else:
                cells = _cells(layout, rule, old, new)
                damaged = any(each.damaged for each in cells)
                yield Change(layout.table, old.key, old.values, cells, damaged=damaged, written=new.written)
            old, new = next(before, None), next(now, None)


def _cells(layout: Layout, rule: Rule, old: Line, new: Line) -> tuple[Cell, ...]:
    pairs = zip(layout.columns, old.values, new.values, strict=True)
    return tuple(Cell(column, was, now, rule.damaged(column, was)) for column, was, now in pairs if was != now)
