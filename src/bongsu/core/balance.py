"""What is known of one machine's credits: dead reckoning from its CPU, put right by measured balances.

Before a balance was ever measured it lies between two accounts: one that began empty and one that began full. Every
time one of them runs against its end they come closer; a day brings them together at the latest in a calm week. Alarms
go by the higher one, and only once the two agree: what is not known never wakes anybody.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from bongsu.core.breach import FLAT_FROM, FLAT_WITHIN, Point
from bongsu.core.burst import MachineType, Mode
from bongsu.core.credits import Credits, launched, spend

GAP_MINUTES = 15
"""Up to here a missing stretch is bridged by the mean of its two ends; beyond, anything may have happened in it."""
AGREED = 0.05
"""The two accounts agree when they differ by no more than this share of the cap."""
ROUNDING = 0.02
"""A CPU share may measure this much above 1, and a balance this share above what the type holds."""
REANCHOR = timedelta(hours=1)
"""Dead reckoning is compared with measured balances over at most this long."""
BACK = timedelta(minutes=1)
"""A newest sample this far ahead of the present means that a clock went back."""
DEFIED_OVER, DEFIED_MINUTES = 1.25, 10.0
"""A machine that runs this many times its baseline for so long without credits proves the account wrong."""
DEFIES = "runs above its baseline with no credits left; are the machine's type and mode right?"


class Balance(NamedTuple):
    """Credits of one machine as of ``at``, its newest sample. ``used``: CPU it really got then (0..1).

    ``reckoned``: dead reckoning since ``anchored_at``, when a measured balance last set it. ``residual``: measured
    minus reckoned. ``measured_at``: the newest measured balance. ``defied``: minutes above the baseline without
    credits. ``gaps``: how many stretches were missing. ``net``: what was earned minus what was spent, counted from any
    beginning, once a provider has measured it.
    """

    at: datetime
    used: float
    low: Credits
    high: Credits
    demand: float = 0.0
    steal: float | None = None
    throttled: float | None = None
    measured_at: datetime | None = None
    anchored_at: datetime | None = None
    reckoned: Credits | None = None
    residual: float | None = None
    defied: float = 0.0
    gaps: int = 0
    net: float = 0.0

    def known(self, machine: MachineType) -> bool:
        """Whether the two accounts agree."""
        return self.high.balance - self.low.balance <= agreed(machine)

    @property
    def credits(self) -> float:
        """The balance that alarms and forecasts go by."""
        return self.high.balance


def agreed(machine: MachineType) -> float:
    """How far apart two accounts that agree may be, in credits; the threshold of emptiness where that is more."""
    return max(AGREED * machine.cap, machine.empty_below)


class Faults:
    """What was wrong with the points of a machine, counted by what it is."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def told(self) -> tuple[str, ...]:
        """A sentence each."""
        return tuple(f"{n} point{'s' * (n != 1)}: {what}" for what, n in sorted(self.counts.items()))


def fold(
    known: Balance | None, points: Iterable[Point], machine: MachineType, now: datetime
) -> tuple[Balance | None, Faults]:
    """Take in one machine's points in the order of time; what is wrong with them is told and not used."""
    faults = Faults()
    for point in sorted(points, key=lambda each: each.at):
        known = take(known, point, machine, now, faults)
    return known, faults


def take(known: Balance | None, point: Point, machine: MachineType, now: datetime, faults: Faults) -> Balance | None:
    """Take in one point; the same balance comes back when there is nothing to count.

    Points seen before are ignored silently, for every look overlaps the one before it: taking one twice changes
    nothing.
    """
    at, cpu, steal = point.at, point.cpu, point.steal
    if known is not None and known.at > now and known.at - now > BACK:
        faults.counts["not counted: a clock went back, and the account is ahead of it"] += 1
    if at > now:
        faults.counts["in the future"] += 1
        return known
    if known is not None and at <= known.at:
        return known
    if not 0 <= cpu <= 1 + ROUNDING:  # nor is it a number, perhaps
        faults.counts["CPU is no share of the whole machine, 0..1"] += 1
        return known
    busy = min(1.0, cpu)
    used = max(0.0, busy - (steal or 0.0))  # stolen time counts as busy, and costs no credits
    if known is None:
        known = Balance(at, used, Credits(), _full(machine), busy, steal, point.throttled)
    else:
        known = _reckon(known, point, busy, used, machine, faults)
    if point.balance is not None:
        known = anchor(known, at, point.balance, machine, faults)
    return known


def _full(machine: MachineType) -> Credits:
    return launched(machine)._replace(earned=machine.cap)


def _reckon(known: Balance, point: Point, busy: float, used: float, machine: MachineType, faults: Faults) -> Balance:
    minutes = (point.at - known.at).total_seconds() / 60
    low, high, reckoned, defied = known.low, known.high, known.reckoned, 0.0
    gap = minutes > GAP_MINUTES
    if gap:
        faults.counts[f"after a gap of more than {GAP_MINUTES} minutes"] += 1
    if high.balance <= machine.empty_below and _held_down(known, used, machine):
        pass  # it gets what it earns, whatever share of it was measured; also in a gap
    elif gap:
        low, high, reckoned = spend(low, machine, 1.0, minutes), spend(high, machine, 0.0, minutes), None
        defied = known.defied
    else:
        mean = (known.used + used) / 2
        one = low == high  # once measured they are
        low = spend(low, machine, mean, minutes)
        high = low if one else spend(high, machine, mean, minutes)
        reckoned = None if reckoned is None else spend(reckoned, machine, mean, minutes)
        if high.balance <= 0 and machine.mode is Mode.STANDARD and mean > DEFIED_OVER * _baseline(machine):
            defied = known.defied + minutes
            if defied > DEFIED_MINUTES:
                faults.counts[DEFIES] += 1
                high, defied = _full(machine), 0.0
    return Balance(
        at=point.at,
        used=used,
        low=low,
        high=high,
        demand=busy,
        steal=point.steal,
        throttled=point.throttled,
        measured_at=known.measured_at,
        anchored_at=known.anchored_at,
        reckoned=reckoned,
        residual=known.residual,
        defied=defied,
        gaps=known.gaps + gap,
        net=known.net + (0.0 if known.measured_at is None else _net(high) - _net(known.high)),
    )


def _baseline(machine: MachineType) -> float:
    return machine.earn_per_minute / machine.vcpus


def _held_down(known: Balance, used: float, machine: MachineType) -> bool:
    """Whether an empty one stood and stands on the flat line: that is no rest in which credits come back."""
    if machine.mode is not Mode.STANDARD:
        return False
    low, high = FLAT_FROM * _baseline(machine), (1 + FLAT_WITHIN) * _baseline(machine)
    return low <= known.used <= high and low <= used <= high


def anchor(
    known: Balance, at: datetime, balance: float, machine: MachineType, faults: Faults, since: float | None = None
) -> Balance:
    """Put the accounts right by a measured balance. In unlimited mode what is owed is measured below zero.

    ``at`` may lie before the newest sample. ``since``: what was earned minus what was spent between the two; not told,
    it is what the newest pace comes to.
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
        measured = _brought_on(measured, known, at, machine, since)
    residual = known.residual if known.reckoned is None else _net(measured) - _net(known.reckoned)
    fresh = known.reckoned is None or known.anchored_at is None or at - known.anchored_at >= REANCHOR
    return known._replace(
        low=measured,
        high=measured,
        measured_at=at,
        anchored_at=at if fresh else known.anchored_at,
        reckoned=measured if fresh else known.reckoned,
        residual=residual,
        defied=0.0,
    )


def _brought_on(measured: Credits, known: Balance, at: datetime, machine: MachineType, since: float | None) -> Credits:
    """A balance of an earlier moment as of the newest sample."""
    if since is None:
        return spend(measured, machine, known.used, (known.at - at).total_seconds() / 60)
    net = _net(measured) + since
    left, owed = max(0.0, net), max(0.0, -net) if machine.mode is Mode.UNLIMITED else 0.0
    launch = min(measured.launch, left)
    return measured._replace(earned=min(machine.cap, left - launch), launch=launch, surplus=min(machine.cap, owed))


def _net(account: Credits) -> float:
    return account.balance - account.surplus
