"""What is known of one machine's credits: dead reckoning from its CPU, put right by measured balances.

Before a balance was ever measured it lies between two accounts: one that began empty and one that began full. Every
time one of them runs against its end they come closer; a day brings them together at the latest in a calm week. Alarms
go by the higher one, and only once the two agree: what is not known never wakes anybody.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from bongsu.core.breach import FLAT_FROM, FLAT_WITHIN, Point
from bongsu.core.burst import MachineType, Mode
from bongsu.core.credits import Credits, launched, spend

GAP = timedelta(minutes=15)
"""Up to here a missing stretch is bridged by the mean of its two ends; beyond, anything may have happened in it."""
AGREED = 0.05
"""The two accounts agree when they differ by less than this share of the cap."""
ROUNDING = 0.02
"""A CPU share may measure this much above 1, and a balance this share above what the type holds."""
REANCHOR = timedelta(hours=1)
"""Dead reckoning is compared with measured balances over at most this long."""
TRAIL, TRAIL_EVERY = timedelta(minutes=35), timedelta(minutes=1)
"""How far back it is known what was earned and spent: a provider's newest point may be half an hour old."""
BACK = timedelta(minutes=1)
"""A newest sample this far ahead of the present means that a clock went back."""
DEFIED_OVER, DEFIED_MINUTES = 1.25, 10.0
"""A machine that runs this many times its baseline for so long without credits proves the account wrong."""


@dataclass(frozen=True, slots=True)
class Balance:
    """Credits of one machine as of ``at``, its newest sample. ``used``: CPU it really got then (0..1).

    ``reckoned``: dead reckoning since ``anchored_at``, when a measured balance last set it. ``residual``: measured
    minus reckoned. ``measured_at``: the newest measured balance. ``defied``: minutes above the baseline without
    credits. ``gaps``: how many stretches were missing. ``trail``: what was earned minus what was spent up to
    the moments of the last half hour, from any beginning; only of machines whose balance a provider measures.
    """

    at: datetime
    used: float
    low: Credits
    high: Credits
    demand: float = 0.0
    measured_at: datetime | None = None
    anchored_at: datetime | None = None
    reckoned: Credits | None = None
    residual: float | None = None
    defied: float = 0.0
    gaps: int = 0
    steal: float | None = None
    throttled: float | None = None
    trail: tuple[tuple[datetime, float], ...] = ()

    def known(self, machine: MachineType) -> bool:
        """Whether the two accounts agree."""
        return self.high.balance - self.low.balance <= max(AGREED * machine.cap, machine.empty_below)

    @property
    def credits(self) -> float:
        """The balance that alarms and forecasts go by."""
        return self.high.balance


@dataclass
class Faults:
    """What was wrong with the points of a machine, counted by what it is."""

    counts: Counter[str] = field(default_factory=Counter)

    def told(self) -> tuple[str, ...]:
        """A sentence each."""
        return tuple(f"{n} point{'s' * (n != 1)}: {what}" for what, n in sorted(self.counts.items()))


def fold(
    known: Balance | None, points: Iterable[Point], machine: MachineType, now: datetime
) -> tuple[Balance | None, Faults]:
    """Take in one machine's points in the order of time; what is wrong with them is told and not used.

    Points seen before are ignored silently, for every look overlaps the one before it: folding twice changes nothing.
    """
    faults = Faults()
    if known is not None and known.at - now > BACK:
        faults.counts["not counted: a clock went back, and the account is ahead of it"] += 1
    for point in sorted(points, key=lambda each: each.at):
        if point.at > now:
            faults.counts["in the future"] += 1
        elif known is not None and point.at <= known.at:
            continue
        elif not math.isfinite(point.cpu) or not 0 <= point.cpu <= 1 + ROUNDING:
            faults.counts["CPU is no share of the whole machine, 0..1"] += 1
        else:
            known = _take(known, point, machine, faults)
    return known, faults


def _take(known: Balance | None, point: Point, machine: MachineType, faults: Faults) -> Balance:
    used = max(0.0, min(1.0, point.cpu) - (point.steal or 0.0))  # stolen time counts as busy, and costs no credits
    if known is None:
        known = _moved(Balance(point.at, used, Credits(), _full(machine)), point, used)
    else:
        known = _reckon(known, point, used, machine, faults)
    if point.balance is not None:
        known = anchor(known, point.at, point.balance, machine, faults)
    return known


def _moved(known: Balance, point: Point, used: float, **accounts: Any) -> Balance:
    """As of a newer point. ``accounts``: what has changed beside what the point itself says."""
    if known.measured_at is not None:
        change = _net(accounts.get("high", known.high)) - _net(known.high)
        accounts["trail"] = _longer(known.trail, point.at, change)
    demand, steal, throttled = min(1.0, point.cpu), point.steal, point.throttled
    return replace(known, at=point.at, used=used, demand=demand, steal=steal, throttled=throttled, **accounts)


def _full(machine: MachineType) -> Credits:
    return replace(launched(machine), earned=machine.cap)


def _longer(
    trail: tuple[tuple[datetime, float], ...], at: datetime, change: float
) -> tuple[tuple[datetime, float], ...]:
    total = trail[-1][1] + change if trail else change
    kept = trail[:-1] if len(trail) > 1 and at - trail[-2][0] < TRAIL_EVERY else trail
    return (*(each for each in kept if at - each[0] <= TRAIL), (at, total))


def _since(trail: tuple[tuple[datetime, float], ...], at: datetime) -> float | None:
    """What was earned minus what was spent since a moment; None when that is not known."""
    for (left, before), (right, after) in pairwise(trail):
        if left <= at <= right:
            share = (at - left) / (right - left)
            return trail[-1][1] - (before + share * (after - before))
    return None


def _reckon(known: Balance, point: Point, used: float, machine: MachineType, faults: Faults) -> Balance:
    lasted = point.at - known.at
    minutes = lasted.total_seconds() / 60
    gap = lasted > GAP
    if gap:
        faults.counts[f"after a gap of more than {GAP.seconds // 60} minutes"] += 1
    if _held_down(known, used, machine):  # it gets what it earns, whatever share of it was measured; also in the gap
        return _moved(known, point, used, defied=0.0, gaps=known.gaps + gap)
    if gap:
        low, high = spend(known.low, machine, 1.0, minutes), spend(known.high, machine, 0.0, minutes)
        return _moved(known, point, used, low=low, high=high, reckoned=None, gaps=known.gaps + 1)
    mean = (known.used + used) / 2
    baseline = _baseline(machine)
    low = spend(known.low, machine, mean, minutes)
    high = low if known.high == known.low else spend(known.high, machine, mean, minutes)  # once measured they are one
    without = machine.mode is Mode.STANDARD and high.balance <= 0 and mean > DEFIED_OVER * baseline
    defied = known.defied + minutes if without else 0.0
    if defied > DEFIED_MINUTES:
        faults.counts["runs above its baseline with no credits left; are the machine's type and mode right?"] += 1
        high, defied = _full(machine), 0.0
    reckoned = None if known.reckoned is None else spend(known.reckoned, machine, mean, minutes)
    return _moved(known, point, used, low=low, high=high, reckoned=reckoned, defied=defied)


def _baseline(machine: MachineType) -> float:
    return machine.earn_per_minute / machine.vcpus


def _held_down(known: Balance, used: float, machine: MachineType) -> bool:
    """Whether it had no credits, and stood and stands on the flat line: that is no rest in which credits come back."""
    if machine.mode is not Mode.STANDARD or known.high.balance > machine.empty_below:
        return False
    low, high = FLAT_FROM * _baseline(machine), (1 + FLAT_WITHIN) * _baseline(machine)
    return low <= known.used <= high and low <= used <= high


def anchor(known: Balance, at: datetime, balance: float, machine: MachineType, faults: Faults) -> Balance:
    """Put the accounts right by a measured balance. ``at`` may lie before the newest sample: the pace since is kept.
    In unlimited mode what is owed is measured below zero.
    """
    owed = machine.mode is Mode.UNLIMITED
    if not math.isfinite(balance) or (balance < 0 and not owed):
        faults.counts["a balance that is no number of credits"] += 1
        return known
    if balance > (machine.cap + machine.launch_credits) * (1 + ROUNDING):
        faults.counts[f"a balance above what {machine.key} can hold; is the machine type right?"] += 1
        return known
    if known.measured_at is not None and at <= known.measured_at:
        return known
    measured = Credits(
        max(0.0, min(balance, machine.cap)),
        max(0.0, balance - machine.cap),
        min(machine.cap, max(0.0, -balance)) if balance else known.high.surplus,
        known.high.charged,
    )
    if at < known.at:
        measured = _brought_on(measured, known, at, machine)
    residual = known.residual if known.reckoned is None else _net(measured) - _net(known.reckoned)
    fresh = known.reckoned is None or known.anchored_at is None or at - known.anchored_at >= REANCHOR
    return replace(
        known,
        low=measured,
        high=measured,
        measured_at=at,
        anchored_at=at if fresh else known.anchored_at,
        reckoned=measured if fresh else known.reckoned,
        residual=residual,
        defied=0.0,
    )


def _brought_on(measured: Credits, known: Balance, at: datetime, machine: MachineType) -> Credits:
    """A balance of an earlier moment as of the newest sample: by what was spent since, else by the newest pace."""
    since = _since(known.trail, at)
    if since is None:
        return spend(measured, machine, known.used, (known.at - at).total_seconds() / 60)
    net = _net(measured) + since
    left, owed = max(0.0, net), max(0.0, -net) if machine.mode is Mode.UNLIMITED else 0.0
    launch = min(measured.launch, left)
    return replace(measured, earned=min(machine.cap, left - launch), launch=launch, surplus=min(machine.cap, owed))


def _net(account: Credits) -> float:
    return account.balance - account.surplus
