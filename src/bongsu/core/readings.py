"""Readings of one machine onto the five-minute grid that forecasts are made on. Bad ones are told, not used."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from bongsu.core.analogue import WINDOW, Floats
from bongsu.core.balance import ROUNDING
from bongsu.core.burst import MachineType
from bongsu.core.forecast import STEP


@dataclass(frozen=True, slots=True)
class Readings:
    """Demand on the grid (NaN unknown, the last value is now), and what was wrong with the points, a sentence each."""

    demand: Floats
    problems: tuple[str, ...]


def on_grid(points: Iterable[tuple[datetime, float]], now: datetime, steps: int = WINDOW) -> Readings:
    """Means of five minutes up to ``now`` from (time, utilisation 0..1) as they came.

    Not used, and told: what is no number, negative or above 1; a time seen before; a time in the future. A clock that
    went back is told, and its points are put in order.
    """
    wrong: Counter[str] = Counter()
    sums, counts = np.zeros(steps), np.zeros(steps)
    seen: set[datetime] = set()
    latest: datetime | None = None
    first = now - steps * STEP
    for at, value in points:
        if not math.isfinite(value):
            wrong["no number"] += 1
        elif value < 0:
            wrong["negative"] += 1
        elif value > 1 + ROUNDING:
            wrong["above 1: utilisation is a share of the whole machine, 0..1"] += 1
        elif at in seen:
            wrong["a time that was there before"] += 1
        elif at > now:
            wrong["in the future"] += 1
        else:
            if latest is not None and at < latest:
                wrong["out of order (used nevertheless)"] += 1
            latest = at if latest is None else max(at, latest)
            seen.add(at)
            if at > first:
                step = steps - 1 - (now - at) // STEP
                sums[step] += min(value, 1.0)
                counts[step] += 1
    with np.errstate(invalid="ignore"):
        demand = (sums / counts).astype(np.float32)
    told = tuple(f"{count} point{'s' * (count != 1)}: {what}" for what, count in sorted(wrong.items()))
    return Readings(demand, told)


def share_of(balance: float, machine: MachineType) -> tuple[float, str | None]:
    """A balance as a share of the cap, and what was wrong with it; NaN when it cannot be used.

    More than the cap is right as long as launch credits are left: they lie outside it.
    """
    if not math.isfinite(balance) or balance < 0:
        return math.nan, f"balance {balance:g} is not a number of credits; it is not used"
    if machine.cap <= 0:
        return math.nan, f"{machine.key} has no cap, so its credits cannot run out as a bucket's do"
    if balance > (machine.cap + machine.launch_credits) * (1 + ROUNDING):
        known = f"{machine.cap:g} credits" + (
            f" and {machine.launch_credits:g} at launch" if machine.launch_credits else ""
        )
        return (
            math.nan,
            f"balance {balance:g} is more than {machine.key} can hold ({known}); is the machine type right?",
        )
    return balance / machine.cap, None


def gap_of(points: Iterable[tuple[datetime, float]], now: datetime) -> timedelta | None:
    """How long ago the newest usable point was; None without any."""
    newest = max((at for at, value in points if math.isfinite(value) and at <= now), default=None)
    return None if newest is None else now - newest
