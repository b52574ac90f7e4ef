"""The machine catalogue: rows of a file, checked against themselves, and the nearest names to one that is unknown."""

from __future__ import annotations

import csv
import difflib
import io
import math
import re
from collections.abc import Iterable, Mapping

from bongsu.core.burst import MachineType, Mode, OnStop
from bongsu.core.errors import InvalidInput

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_NEEDED = ("provider", "type", "vcpus", "baseline_per_vcpu", "earn_per_hour", "cap", "launch_credits")
ROUNDING = 0.02
"""Vendors print rounded figures: Azure's B8ms earns 81 where 60 * 8 * 0.17 is 81.6."""


def parse_catalogue(text: str) -> dict[str, MachineType]:
    """The machine catalogue by key, from CSV with a header line.

    Raises InvalidInput with every bad row: earn must be 60 * vcpus * baseline and cap 24 * earn, within 2 %.
    """
    reader = csv.DictReader(io.StringIO(text))
    if missing := [name for name in _NEEDED if name not in (reader.fieldnames or ())]:
        raise InvalidInput([f"catalogue: no column {', '.join(missing)}; the first line must name the columns"])
    machines: dict[str, MachineType] = {}
    problems: list[str] = []
    for row in reader:
        key = f"{row['provider']}:{row['type']}"
        at = f"catalogue line {reader.line_num} ({key})"
        try:
            machine = _machine(key, row)
        except ValueError as error:
            problems.append(f"{at}: {error}; write plain numbers, and the words that the header's README names")
            continue
        if key in machines:
            problems.append(f"{at}: this type stands there twice; keep one")
        problems += [f"{at}: {fault}" for fault in faults(machine)]
        machines[key] = machine
    if problems:
        raise InvalidInput(problems)
    return machines


def _machine(key: str, row: Mapping[str, str]) -> MachineType:
    def number(name: str) -> float | None:
        return float(row[name]) if row.get(name) else None

    vcpus, baseline = int(row["vcpus"]), float(row["baseline_per_vcpu"])
    earn = number("earn_per_hour")
    follows = earn is not None and math.isclose(earn, 60 * vcpus * baseline, rel_tol=1e-9)
    return MachineType(
        key,
        vcpus,
        baseline,
        number("cap") or 0.0,
        number("launch_credits") or 0.0,
        earn_per_hour=None if follows else earn,
        mode=Mode(row.get("default_mode") or "standard"),
        on_stop=OnStop(row.get("on_stop") or "unknown"),
        surplus_price=number("surplus_price"),
        currency=row.get("currency") or "USD",
        ramp_minutes=number("ramp_minutes") or 0.0,
        month_price=number("month_price"),
        price_date=row.get("price_date") or "",
        price_region=row.get("price_region") or "",
        valid_from=row.get("valid_from") or "",
        source=row.get("source") or "",
    )


def faults(machine: MachineType) -> list[str]:
    """What in a machine type contradicts itself, one sentence each."""
    found: list[str] = []
    if machine.vcpus < 1:
        found.append(f"vcpus {machine.vcpus} must be at least 1")
    if not 0 < machine.baseline < 1:
        found.append(f"baseline {machine.baseline} must lie between 0 and 1: the share of each vCPU, 0.2 for 20 %")
    if found:
        return found
    earn = machine.earn_per_minute * 60
    if abs(earn - 60 * machine.vcpus * machine.baseline) > ROUNDING * earn:
        found.append(f"earn_per_hour {earn:g} is not 60 * vcpus * baseline")
    if abs(machine.cap - 24 * earn) > ROUNDING * machine.cap:
        found.append(f"cap {machine.cap:g} is not 24 * earn_per_hour")
    negative = {"launch_credits": machine.launch_credits, "surplus_price": machine.surplus_price or 0.0,
                "ramp_minutes": machine.ramp_minutes, "month_price": machine.month_price or 0.0}  # fmt: skip
    found += [f"{name} {value:g} must not be negative" for name, value in negative.items() if value < 0]
    for name, day in (("valid_from", machine.valid_from), ("price_date", machine.price_date)):
        if day and not _DAY.fullmatch(day):
            found.append(f"{name} {day!r} is not a day; write 2026-01-31")
    return found


def nearest(key: str, known: Iterable[str], most: int = 3) -> list[str]:
    """Names that a mistyped machine type may have meant: with or without the provider, small letters or not."""
    full = {name.lower(): name for name in known}
    short = {name.partition(":")[2]: name for name in full}
    wanted = key.lower()
    tail = (wanted.partition(":")[2] or wanted).removeprefix("standard_")  # as Azure's own tools write them
    if tail in short:
        return [full[short[tail]]]
    found = difflib.get_close_matches(wanted, full, n=most, cutoff=0.6) or [
        short[each] for each in difflib.get_close_matches(tail, short, n=most, cutoff=0.6)
    ]
    return [full[each] for each in found]
