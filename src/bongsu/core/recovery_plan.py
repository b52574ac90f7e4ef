"""A recovery plan: reviewable SQL, one statement a line, each of which must touch exactly one row.

Every statement carries its own guard (the damaged value that was seen, or the history that it must agree with), so that
a row that changed legitimately since is never overwritten: it is refused, and with it the whole plan.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from bongsu.core.comparing import Change, Layout
from bongsu.core.errors import InvalidInput
from bongsu.core.recovery import PLACEHOLDER, Row, Value

FIRST = "-- bongsu data plan, form 1"
_HEADER = re.compile(r"-- (database|backup|recovery point|begun|leaves|lock|triggers off): (.*)")
_STEP = re.compile(r"-- step \d+: (.*)")
_ALLOWED = re.compile(r"(insert|update|delete)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Step:
    """One row put right: why, and by which statement."""

    why: str
    sql: str


@dataclass(frozen=True, slots=True)
class Plan:
    """``locks``: tables in the order in which they are locked; ``quiet``: tables whose triggers are off meanwhile.

    ``recovery_point``: when the backup was taken; ``begun``: when the recovery began; ``leaves``: damaged rows that no
    step can put right, by invariant.
    """

    database: str
    backup: str
    recovery_point: datetime
    begun: datetime
    locks: tuple[str, ...] = ()
    quiet: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    leaves: Mapping[str, int] = field(default_factory=dict)


def quoted(name: str) -> str:
    """An identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: Value) -> str:
    """A value in SQL, on one line whatever it holds."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal):
        return str(value) if value >= 0 else f"({value})"
    if isinstance(value, datetime):
        return f"'{value.isoformat()}'::timestamptz"
    text = value.replace("'", "''")
    if "\\" in text or not text.isprintable():
        escaped = "".join(c if c.isprintable() and c != "\\" else _escape(c) for c in text)
        return f"E'{escaped}'"
    return f"'{text}'"


def _escape(sign: str) -> str:
    return "\\\\" if sign == "\\" else f"\\U{ord(sign):08x}"


def filled(repair: str, columns: Sequence[str], row: Row) -> str:
    """A repair with the values of one damaged row."""
    values = dict(zip(columns, row, strict=True))
    return PLACEHOLDER.sub(lambda found: literal(values[found[1]]), repair)


def put_back(layout: Layout, change: Change) -> Step:
    """A lost row as it was in the backup."""
    columns = ", ".join(map(quoted, layout.columns))
    values = ", ".join(_typed(*each) for each in zip(change.values, layout.types, strict=True))
    sql = (
        f"INSERT INTO {quoted(layout.table)} ({columns}) "  # noqa: S608 - names are quoted, values are literals
        f"OVERRIDING SYSTEM VALUE VALUES ({values}) ON CONFLICT DO NOTHING"
    )
    return Step(f"{named(layout, change)} is gone; as in the backup", sql)


def corrected(layout: Layout, change: Change) -> Step:
    """The damaged columns of a row as they were in the backup, if they are still as they were seen."""
    types = dict(zip(layout.columns, layout.types, strict=True))
    cells = [each for each in change.cells if each.damaged]
    sets = ", ".join(f"{quoted(each.column)} = {_typed(each.before, types[each.column])}" for each in cells)
    seen = [f"{quoted(each.column)} IS NOT DISTINCT FROM {_typed(each.now, types[each.column])}" for each in cells]
    at = [
        f"{quoted(name)} = {_typed(str(value), types[name])}"
        for name, value in zip(layout.key, change.key, strict=True)
    ]
    what = ", ".join(f"{each.column} {each.now} -> {each.before}" for each in cells)
    return Step(
        f"{named(layout, change)}: {_one_line(what)}; as in the backup",
        f"UPDATE {quoted(layout.table)} SET {sets} WHERE {' AND '.join([*at, *seen])}",  # noqa: S608 - likewise
    )


def _typed(value: str | None, kind: str) -> str:
    return "NULL" if value is None else f"{literal(value)}::{kind}"


def named(layout: Layout, change: Change) -> str:
    """A row for people: ``orders id 7``."""
    return _one_line(f"{layout.table} " + ", ".join(f"{n} {v}" for n, v in zip(layout.key, change.key, strict=True)))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def render(plan: Plan) -> str:
    """The plan as a file."""
    lines = [
        FIRST,
        "-- Read it, change or remove lines as you like (one statement a line), then:",
        "--   bongsu data apply THIS_FILE --confirm",
        "-- All of it in one transaction: each statement must touch exactly one row, and the invariants must hold in",
        "-- the end, or nothing is done.",
        f"-- database: {plan.database}",
        f"-- backup: {plan.backup}",
        f"-- recovery point: {plan.recovery_point.isoformat()}",
        f"-- begun: {plan.begun.isoformat()}",
    ]
    lines += [f"-- leaves: {name} {count}" for name, count in plan.leaves.items()]
    lines += [f"-- lock: {each}" for each in plan.locks]
    lines += [f"-- triggers off: {each}" for each in plan.quiet]
    for number, step in enumerate(plan.steps, start=1):
        lines += ["", f"-- step {number}: {_one_line(step.why)}", f"{step.sql};"]
    return "\n".join(lines) + "\n"


def parse(file: str, text: str) -> Plan:
    """A plan from its file, which people may have edited. Raises InvalidInput with every fault."""
    lines = text.splitlines()
    if not lines or lines[0].strip() != FIRST:
        raise InvalidInput([f"{file}: not a recovery plan; name a file that bongsu data plan wrote"])
    found: dict[str, list[str]] = {}
    steps: list[Step] = []
    problems: list[str] = []
    why = ""
    for number, line in enumerate(lines[1:], start=2):
        header, step = _HEADER.fullmatch(line), _STEP.fullmatch(line)
        if header:
            found.setdefault(header[1], []).append(header[2].strip())
        elif step:
            why = step[1]
        elif line.strip() and not line.startswith("--"):
            if not _ALLOWED.match(line) or not line.rstrip().endswith(";"):
                problems.append(
                    f"{file}:{number}: a line must be one INSERT, UPDATE or DELETE that ends with ; (or a comment)"
                )
            steps.append(Step(why, line.strip().rstrip(";")))
            why = ""
    needed = ("database", "backup", "recovery point", "begun")
    problems += [
        f"{file}: the line `-- {each}: ...` is missing; make the plan anew" for each in needed if each not in found
    ]
    times: dict[str, datetime] = {}
    for each in ("recovery point", "begun"):
        try:
            times[each] = datetime.fromisoformat(found.get(each, ["?"])[0])
        except ValueError:
            if each in found:
                problems.append(f"{file}: {each}: {found[each][0]!r} is not a time")
    leaves = [each.rpartition(" ") for each in found.get("leaves", [])]
    problems += [f"{file}: leaves: {name or count!r} has no number" for name, _, count in leaves if not count.isdigit()]
    if problems:
        raise InvalidInput(problems)
    return Plan(
        found["database"][0], found["backup"][0], times["recovery point"], times["begun"],
        tuple(found.get("lock", [])), tuple(found.get("triggers off", [])), tuple(steps),
        {name: int(count) for name, _, count in leaves},
    )  # fmt: skip
