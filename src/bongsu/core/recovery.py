"""Data verification: named invariants, the rules of tables, and what a look at the data found."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from bongsu.core.errors import InvalidInput

Value = None | bool | int | float | Decimal | str | datetime
Row = tuple[Value, ...]

_HEADER = re.compile(r"--\s*(name|means|key|repair):\s*(.+?)\s*$")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
PLACEHOLDER = re.compile(r"(?<![:\w]):([a-z_][a-z0-9_]*)")
"""``:column`` in a repair; ``::type`` is a cast."""
KINDS = ("grows", "stays", "free")


@dataclass(frozen=True, slots=True)
class Invariant:
    """A query that returns the damaged rows; no row: it holds.

    ``key``: the columns that name a damaged row. ``repair``: a statement for one damaged row, with ``:column`` for its
    values; it must touch nothing when the row is no longer damaged in that way.
    """

    name: str
    means: str
    key: tuple[str, ...]
    sql: str
    repair: str | None = None
    file: str = ""

    def unknown(self, columns: Sequence[str]) -> list[str]:
        """The faults of a header that names columns the query does not return."""
        asked = [("key", each) for each in self.key]
        asked += [("repair", each) for each in PLACEHOLDER.findall(self.repair or "")]
        return [
            f"{self.file}: {what} names {column!r}, which the query does not return; it returns {', '.join(columns)}"
            for what, column in dict.fromkeys(asked)
            if column not in columns
        ]


def read_invariant(file: str, text: str) -> Invariant:
    """An invariant from its file. Raises InvalidInput."""
    found: dict[str, str] = {}
    problems: list[str] = []
    for line in text.splitlines():
        header = _HEADER.match(line)
        if header and header[1] in found:
            problems.append(f"{file}: {header[1]} is given twice; keep one line")
        if header:
            found[header[1]] = header[2]
    problems += [f"{file}: no line `-- {each}: ...`; add it" for each in ("name", "means", "key") if each not in found]
    name = found.get("name", "x")
    if not _NAME.fullmatch(name):
        problems.append(f"{file}: {name!r} is no name; use small letters, digits and -")
    sql = "\n".join(line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("--"))
    sql = sql.strip().rstrip(";")
    if not re.match(r"(select|with)\b", sql, re.IGNORECASE):
        problems.append(f"{file}: must be one SELECT that returns the damaged rows")
    if problems:
        raise InvalidInput(problems)
    key = tuple(each.strip() for each in found["key"].split(","))
    return Invariant(name, found["means"], key, sql, found.get("repair", "").rstrip("; ") or None, file)


@dataclass(frozen=True, slots=True)
class Rule:
    """What may happen to a table's rows. ``grows``: only added; ``stays``: never deleted; ``free``: anything.

    The columns of ``fixed`` never change, those of ``once`` never after they were set.
    """

    table: str
    rows: str = "free"
    fixed: tuple[str, ...] = ()
    once: tuple[str, ...] = ()

    def damaged(self, column: str, before: str | None) -> bool:
        """Whether a change of this column from this value cannot be business."""
        return self.rows == "grows" or column in self.fixed or (column in self.once and before is not None)


def read_rules(file: str, data: Mapping[str, object]) -> tuple[Rule, ...]:
    """The rules of tables, in the order of the file. Raises InvalidInput."""
    rules, problems = [], []
    for table, given in data.items():
        if not isinstance(given, Mapping):
            problems.append(f"{file}: {table} must be a table: [{table}]")
            continue
        unknown = sorted(given.keys() - {"rows", "fixed", "once"})
        problems += [f"{file}: {table}.{key}: unknown key; use rows, fixed or once" for key in unknown]
        rows, fixed, once = given.get("rows", "free"), given.get("fixed", []), given.get("once", [])
        if rows not in KINDS:
            problems.append(f"{file}: {table}.rows: {rows!r} is none of {', '.join(KINDS)}")
        for key, columns in (("fixed", fixed), ("once", once)):
            if not isinstance(columns, list) or not all(isinstance(each, str) for each in columns):
                problems.append(f"{file}: {table}.{key}: must be a list of columns")
        if not problems:
            assert isinstance(fixed, list)
            assert isinstance(once, list)
            rules.append(Rule(table, str(rows), tuple(fixed), tuple(once)))
    if problems:
        raise InvalidInput(problems)
    return tuple(rules)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an invariant found: the damaged rows, or why it could not be asked (``fault``)."""

    name: str
    means: str
    key: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    fault: str | None = None

    @property
    def holds(self) -> bool:
        """Asked, and no row damaged."""
        return self.fault is None and not self.rows

    def keys(self) -> list[str]:
        """The damaged rows by their key: ``id 7``."""
        places = [(name, self.columns.index(name)) for name in self.key]
        return [", ".join(f"{name} {row[place]}" for name, place in places) for row in self.rows]


@dataclass(frozen=True, slots=True)
class Verification:
    """All invariants at one moment of the data, ``at`` (wall time); ``took``: seconds."""

    database: str
    at: datetime
    verdicts: tuple[Verdict, ...]
    took: float = 0.0

    @property
    def holding(self) -> int:
        """How many hold."""
        return sum(each.holds for each in self.verdicts)

    @property
    def damaged(self) -> int:
        """How many damaged rows were found."""
        return sum(len(each.rows) for each in self.verdicts)

    @property
    def faults(self) -> list[str]:
        """Why invariants could not be asked."""
        return [f"{each.name}: {each.fault}" for each in self.verdicts if each.fault]

    @property
    def good(self) -> bool:
        """All were asked and hold."""
        return self.holding == len(self.verdicts)


@dataclass(frozen=True, slots=True)
class Damaged:
    """Damaged rows of one invariant as texts; ``key``: the columns that name a row."""

    name: str
    means: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


LISTED = 200
"""Damaged rows of an invariant that are kept beside their number."""


@dataclass(frozen=True, slots=True)
class Check:
    """The result of asking the invariants, ``at`` a moment of service time.

    ``damaged``: how many damaged rows by invariant; ``faults``: why invariants could not be asked; ``listed``: the
    rows, of each invariant ``LISTED`` at the most.
    """

    name: str
    at: datetime
    holding: int
    of: int
    damaged: Mapping[str, int]
    faults: tuple[str, ...] = ()
    listed: tuple[Damaged, ...] = ()

    @property
    def brief(self) -> Check:
        """The same without the rows, for reports."""
        return replace(self, listed=())


def listed(verdict: Verdict) -> Damaged:
    """A verdict's rows as texts."""
    rows = tuple(tuple("" if each is None else str(each) for each in row) for row in verdict.rows[:LISTED])
    return Damaged(verdict.name, verdict.means, verdict.key, verdict.columns, rows)
