"""How many machines of which type carry a measured demand for ever, and what unlimited mode would be billed.

Demand is in vCPUs, one value for each step of five minutes, and is taken to come again and again as it was measured:
its own course goes through the bucket, not its mean. With ``S`` the sum of what is earned less what is spent, a bucket
that begins with ``x`` holds ``min(x + S(t), min over s <= t of cap + S(t) - S(s))``. So whether it runs dry needs no
loop over steps: the deepest fall of ``S`` must fit into the cap, and the whole course must earn what it spends.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from bongsu.core.burst import MachineType, Mode
from bongsu.core.credits import launched

Course = NDArray[np.float64]

STEP = timedelta(minutes=5)
MINUTES = 5.0
DAY = 288
HOURS_A_MONTH = 730.5
MOST = 100
"""Machines beyond which a type is not proposed."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a fleet wanted. ``skew``: the busiest machine's share of the load against an even one (1 and more)."""

    cores: Course
    skew: float = 1.0
    filled: float = 0.0
    """Share of the machine-steps that were not measured and are filled in."""
    machines: int = 1
    """How many there were at most at one time."""

    @property
    def days(self) -> float:
        """How long was measured."""
        return len(self.cores) / DAY


@dataclass(frozen=True, slots=True)
class Option:
    """A type that carries the load: ``count`` machines, None when not even ``MOST`` do.

    ``lowest``: credits left at the worst moment. ``wait``: how long a newcomer must be there before the worst moment of
    the course, its credits growing, so that it does not run dry. ``price``: a month of all of them.
    """

    machine: MachineType
    count: int | None
    peak: float = math.nan
    mean: float = math.nan
    lowest: float = math.nan
    wait: timedelta = timedelta()
    price: float | None = None
    surplus: tuple[Surplus, ...] = field(default=())

    @property
    def cheapest(self) -> Surplus | None:
        """The cheapest way in unlimited mode; the fewest machines where their price is not known."""
        return min(self.surplus, key=lambda each: (each.total or 0.0, each.count), default=None)


@dataclass(frozen=True, slots=True)
class Surplus:
    """Fewer machines in unlimited mode: what a month of credits beyond the free ones is billed, on top of ``price``."""

    count: int
    bill: float
    price: float | None

    @property
    def total(self) -> float | None:
        """Machines and bill together."""
        return None if self.price is None else self.price + self.bill


def load_of(courses: Sequence[tuple[datetime, Course]], vcpus: int, growth: float = 0.0) -> Load:
    """The fleet's demand from each machine's (begin, CPU 0..1, NaN unknown), ``growth`` more of it.

    Before its first and after its last reading a machine was not there. In between missing is not zero: the same time
    of the day before stands in, or the machine's mean.
    """
    first = min(begin for begin, _ in courses)
    at = [(begin - first) // STEP for begin, _ in courses]
    total = np.full((len(courses), max(a + len(each) for a, (_, each) in zip(at, courses, strict=True))), np.nan)
    filled = counted = 0
    for row, begin, (_, course) in zip(total, at, courses, strict=True):
        known = np.flatnonzero(~np.isnan(course))
        if not len(known):
            continue
        alive = np.array(course[known[0] : known[-1] + 1], np.float64)
        missing = np.flatnonzero(np.isnan(alive))
        mean = float(np.nanmean(alive))
        for step in missing.tolist():
            alive[step] = alive[step - DAY] if step >= DAY else mean
        row[begin + known[0] : begin + known[-1] + 1] = alive
        filled, counted = filled + len(missing), counted + len(alive)
    there = ~np.isnan(total)
    joint = total[:, there.all(axis=0)].sum(axis=1)
    even = float(joint.mean()) if joint.size else 0.0
    skew = float(joint.max()) / even if even > 0 else 1.0
    somebody = np.flatnonzero(there.any(axis=0))
    cores = np.nansum(total, axis=0)[somebody] * vcpus * (1.0 + growth)
    return Load(np.asarray(cores, np.float64), skew, filled / counted if counted else 1.0, int(there.sum(axis=0).max()))


def used(load: Load, machine: MachineType, count: int) -> Course:
    """What the busiest of ``count`` machines would want, 0..1 and beyond."""
    return load.cores * (min(load.skew, count) / (count * machine.vcpus))


def _falls(load: Load, machine: MachineType, count: int) -> tuple[float, float]:
    """The deepest fall of the credits over the course, played twice on end, and what one course leaves."""
    flow = (machine.earn_per_minute - machine.vcpus * used(load, machine, count)) * MINUTES
    total = np.concatenate([[0.0], np.cumsum(np.concatenate([flow, flow]))])
    deepest = float((np.maximum.accumulate(total) - total).max())
    return deepest, float(total[len(flow)])


def carries(load: Load, machine: MachineType, count: int) -> bool:
    """Whether ``count`` machines never lack processors nor credits, however often the course comes again."""
    if float(used(load, machine, count).max()) > 1.0:
        return False
    deepest, left = _falls(load, machine, count)
    return left >= -1e-6 and machine.cap - deepest >= machine.empty_below


def needed(load: Load, machine: MachineType, least: int = 1) -> int | None:
    """The fewest machines that carry the load; more always do as well, so halving finds them."""
    if not carries(load, machine, MOST):
        return None
    low, high = least, MOST
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if carries(load, machine, middle) else (middle + 1, high)
    return low


def option(load: Load, machine: MachineType, least: int = 1) -> Option:
    """What it takes to carry the load with one type."""
    count = needed(load, machine, least)
    if count is None:
        return Option(machine, None)
    deepest, _ = _falls(load, machine, count)
    share = used(load, machine, count)
    short = machine.empty_below + deepest - launched(machine, Mode.STANDARD).balance
    return Option(
        machine, count, float(share.max()), float(share.mean()), machine.cap - deepest,
        timedelta(minutes=math.ceil(max(0.0, short) / machine.earn_per_minute)) if deepest > 0 else timedelta(),
        _price(machine, count), unlimited(load, machine, count, least),
    )  # fmt: skip


def _price(machine: MachineType, count: int) -> float | None:
    return None if machine.month_price is None else machine.month_price * count


def unlimited(load: Load, machine: MachineType, enough: int, least: int = 1) -> tuple[Surplus, ...]:
    """Fewer machines than ``enough`` that have the processors, not the credits, and are billed for what is missing."""
    if machine.surplus_price is None:
        return ()
    counts = [count for count in range(least, enough) if float(used(load, machine, count).max()) <= 1.0]
    if not counts:
        return ()
    billed = _billed(load, machine, counts)
    courses_a_month = HOURS_A_MONTH / 24 / load.days
    return tuple(
        Surplus(count, count * each / 60 * machine.surplus_price * courses_a_month, _price(machine, count))
        for count, each in zip(counts, billed.tolist(), strict=True)
    )


def _billed(load: Load, machine: MachineType, counts: Sequence[int]) -> Course:
    """Credits that one machine is billed for in one course, once the free ones are used up: the second time it comes.

    The busiest machine's course: the bill of the others is smaller, and so is the sum.
    """
    flows = np.stack([machine.earn_per_minute - machine.vcpus * used(load, machine, each) for each in counts]) * MINUTES
    held, billed = np.zeros(len(counts)), np.zeros(len(counts))
    for again in (False, True):
        for flow in flows.T:
            held += flow
            if again:
                billed += np.maximum(-machine.cap - held, 0.0)
            np.clip(held, -machine.cap, machine.cap, out=held)
    return billed


def break_even(machine: MachineType, dearer_by: float) -> float | None:
    """The mean CPU (0..1) above which unlimited mode costs more than a machine ``dearer_by`` more a month."""
    if machine.surplus_price is None:
        return None
    return machine.earn_per_minute / machine.vcpus + dearer_by / (machine.vcpus * HOURS_A_MONTH * machine.surplus_price)


def ranked(options: Sequence[Option]) -> list[Option]:
    """The cheapest first; those without a price after them by their processors; those that do not carry last.

    Prices of several currencies cannot be compared: then none counts.
    """
    priced = {each.machine.currency for each in options if each.price is not None}

    def order(each: Option) -> tuple[bool, float, int, str]:
        price = each.price if each.price is not None and len(priced) == 1 else math.inf
        return each.count is None, price, (each.count or 0) * each.machine.vcpus, each.machine.key

    return sorted(options, key=order)
