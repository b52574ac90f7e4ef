"""Figures of an evening, computed from what was recorded and not from what Bongsu says of itself."""

from __future__ import annotations

import itertools
from typing import Any

from bongsu.catalogue import load_catalogue
from bongsu.core.burst import drain
from bongsu.core.drill import predicted_exhaustion
from bongsu.lab.drill.evening import Evening
from bongsu.lab.latency import Window, window


def breach_minutes(evening: Evening, until: float) -> float | None:
    """Lab minutes over the baseline by Prometheus' own timestamps, as a newcomer would count them.

    From the first sample of any machine over the baseline after the sale began to the last one not after ``until``.
    A stretch that was interrupted for ``settle`` or longer does not count.
    """
    baseline = load_catalogue()[evening.scenario.machine_type].baseline
    gap = evening.scenario.settle * 60 / evening.scenario.speed
    over = sorted(
        at for samples in evening.scraped.values() for at, cpu in samples if cpu > 0.85 * baseline and at <= until
    )
    first = next(
        (at for at in sorted(a for s in evening.scraped.values() for a, cpu in s if cpu > baseline and a <= until)),
        None,
    )
    if first is None:
        return None
    run = [at for at in over if at >= first]
    start = run[0]
    for earlier, later in itertools.pairwise(run):
        if later - earlier > gap:
            start = later
    return (run[-1] - start) * evening.scenario.speed / 60


def empty_at(evening: Evening) -> float | None:
    """When the first machine's credits were gone (wall), by the governor's record."""
    return next(
        (row["at"] for row in evening.governor if any(each["empty"] for each in row["machines"].values())), None
    )


def emptied_machine(evening: Evening) -> str | None:
    """The first machine without credits."""
    for row in evening.governor:
        for name, each in row["machines"].items():
            if each["empty"]:
                return str(name)
    return None


def integrated_exhaustion(evening: Evening) -> float | None:
    """When the credits of the first emptied machine should have been gone (wall), by its scraped CPU samples.

    What the integral has left when the governor found the bucket empty is spent at the mean pace until then: near the
    baseline the credits end so slowly that the integral's own zero would say little.
    """
    name, gone = emptied_machine(evening), empty_at(evening)
    if name is None or gone is None:
        return None
    machine = load_catalogue()[evening.scenario.machine_type]
    before = [row for row in evening.governor if row["at"] <= evening.sale_at and name in row["machines"]]
    samples = [s for s in evening.scraped.get(name, []) if evening.sale_at <= s[0] <= gone]
    if not before or not samples:
        return None
    opening = balance = float(before[-1]["machines"][name]["balance"])
    at = float(before[-1]["at"])
    for when, cpu in samples:
        minutes = (when - at) * evening.scenario.speed / 60
        after = drain(balance, machine, cpu, minutes)
        if after <= 0:
            return at + (when - at) * balance / (machine.vcpus * (cpu - machine.baseline) * minutes)
        balance, at = after, when
    pace = (opening - balance) / (at - evening.sale_at)
    return at + balance / pace if pace > 0 else None


def predicted_s(evening: Evening) -> float | None:
    """Lab seconds from the sale to the end of the credits, by the scenario alone."""
    gone = predicted_exhaustion(evening.scenario, load_catalogue()[evening.scenario.machine_type])
    return None if gone is None else gone * 60


def measured_s(evening: Evening, at: float | None) -> float | None:
    """Lab seconds from the sale to a wall time."""
    return None if at is None else (at - evening.sale_at) * evening.scenario.speed


def cpu_while_empty(evening: Evening) -> float | None:
    """Mean CPU (0..1) of the machines without credits, from two seconds after they were gone."""
    since = empty_at(evening)
    if since is None:
        return None
    used = [
        each["u"]
        for row in evening.governor
        if row["at"] >= since + 2.5 and row["at"] <= evening.ended_at
        for each in row["machines"].values()
        if each["empty"] and each["u"] is not None
    ]
    return sum(used) / len(used) if used else None


def steal(evening: Evening, begin: float, end: float) -> float:
    """Share of the computer's CPU that its host took in a window, the mean of the governor's readings."""
    rows = [row["steal"] for row in evening.governor if begin <= row["at"] < end]
    return sum(rows) / len(rows) if rows else 0.0


def stall(evening: Evening, begin: float, end: float) -> float:
    """The longest time (s) that this computer let nobody run, in a window."""
    return max((row["stall"] for row in evening.governor if begin - 1 <= row["at"] <= end + 1), default=0.0)


def calm(evening: Evening) -> Window:
    """What users met before the sale."""
    return window(evening.samples, evening.began_at, evening.sale_at)


def sale(evening: Evening) -> Window:
    """What users met from the sale on."""
    return window(evening.samples, evening.sale_at, evening.ended_at)


def starved(evening: Evening) -> Window:
    """What users met once the credits were gone."""
    since = empty_at(evening)
    return window(evening.samples, since or evening.ended_at, evening.ended_at)


def affected(evening: Evening) -> dict[str, int]:
    """Users hurt, as the report counts them."""
    impact: dict[str, Any] = ((evening.report or {}).get("measured") or {}).get("traffic", {}).get("impact") or {}
    users = impact.get("affected") or {"identified": 0, "upper": 0}
    return {"identified": users["identified"], "upper": users["upper"]}


def balances(evening: Evening, begin: float, end: float) -> dict[str, list[float]]:
    """Each machine's balance, record by record, in a window; only machines that were there all the time."""
    rows = [row for row in evening.governor if begin <= row["at"] <= end]
    names = set(rows[0]["machines"]) if rows else set()
    for row in rows:
        names &= set(row["machines"])
    return {name: [row["machines"][name]["balance"] for row in rows] for name in sorted(names)}
