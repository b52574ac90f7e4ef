"""How long a machine's credits last, as it is told to people, pages and metrics. Standard library alone."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bongsu.core.balance import Balance
from bongsu.core.burst import MachineType, Mode, full_burn_runway, runway
from bongsu.core.effort import Effort
from bongsu.core.throttle import HELD_BACK, Cause, Diagnosis, Seen, diagnose

STEP_S = 300
KEPT = 4104
"""Steps of five minutes that are kept of a machine: what the forecaster looks at (``analogue.WINDOW``)."""
REACH = timedelta(hours=6)
"""What lasts longer at full burn is out of reach, and nothing is searched."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """Times in minutes; None: not in sight. ``curve``: the probability by minutes ahead. ``within``: put right by the
    machine's own record. ``fan``: the balance by minutes ahead as shares of the cap: one of ten paths is lower than the
    first, half than the second, nine of ten than the last. ``method``: of ``core.forecast.Method``; ``hours``: how much
    history there is.
    """

    at: datetime
    method: str
    full_burn: float | None = None
    pace: float | None = None
    p10: float | None = None
    p50: float | None = None
    p90: float | None = None
    curve: Mapping[int, float] = field(default_factory=dict)
    within: Mapping[int, float] = field(default_factory=dict)
    fan: Mapping[int, tuple[float, float, float]] = field(default_factory=dict)
    similar: int = 0
    hours: float = 0.0
    warns: bool = False


class Course:
    """A machine's demand in steps of five minutes, the newest last; bounded, and filled from the past as well."""

    def __init__(self) -> None:
        self._sums, self._counts = array("f"), array("f")
        self._last = 0
        self._newest: datetime | None = None

    def add(self, at: datetime, demand: float | None) -> None:
        """Take a sample newer than all before; None: what was wanted then is not known."""
        if self._newest is not None and at <= self._newest:
            return
        self._newest = at
        step = int(at.timestamp()) // STEP_S
        missing = min(KEPT, step - self._last) if self._sums else 1
        self._sums.extend([0.0] * missing)
        self._counts.extend([0.0] * missing)
        self._last = step
        if demand is not None:
            self._sums[-1] += demand
            self._counts[-1] += 1
        del self._sums[:-KEPT], self._counts[:-KEPT]

    def before(self, past: Course) -> None:
        """Put what was before this course in front of it; what both know is this one's."""
        if not past._sums:
            return
        if not self._sums:
            self._sums, self._counts = past._sums[:], past._counts[:]
            self._last, self._newest = past._last, past._newest
            return
        first = self._last - len(self._sums) + 1
        have = past._last - len(past._sums) + 1
        for step in range(first - 1, max(have, self._last - KEPT + 1) - 1, -1):
            at = step - have
            inside = at < len(past._sums)
            self._sums.insert(0, past._sums[at] if inside else 0.0)
            self._counts.insert(0, past._counts[at] if inside else 0.0)

    def demand(self, now: datetime) -> array[float]:
        """The means up to ``now``; not a number where nothing is known."""
        late = min(KEPT, max(0, int(now.timestamp()) // STEP_S - self._last)) if self._sums else 0
        means = array("f", (s / n if n else float("nan") for s, n in zip(self._sums, self._counts, strict=True)))
        means.extend([float("nan")] * late)
        return means[-KEPT:]

    def fill(self, at: datetime, demand: float) -> None:
        """Say what was wanted in a step of which nothing is known: the machine was held down."""
        self.add(at, None)
        place = len(self._sums) - 1 - (self._last - int(at.timestamp()) // STEP_S)
        if place >= 0 and not self._counts[place]:
            self._sums[place], self._counts[place] = demand, 1.0

    def at(self, moment: datetime) -> float | None:
        """The mean of the step that a moment lies in; None where nothing is known."""
        place = len(self._sums) - 1 - (self._last - int(moment.timestamp()) // STEP_S)
        if not 0 <= place < len(self._sums) or not self._counts[place]:
            return None
        return self._sums[place] / self._counts[place]

    @property
    def hours(self) -> float:
        """How much of it is known."""
        return sum(1 for count in self._counts if count) * STEP_S / 3600

    def last_hour(self, now: datetime) -> float | None:
        """The mean demand of the last hour."""
        known = [each for each in self.demand(now)[-12:] if each == each]
        return sum(known) / len(known) if known else None


def cause(balance: Balance, machine: MachineType, effort: Effort | None = None) -> Diagnosis:
    """Why the machine is as slow or as fast as it is. In unlimited mode an empty balance holds nobody down.

    ``effort``: its requests and their times, which speak too where they are known.
    """
    said = balance.known(machine) and (machine.mode is Mode.STANDARD or balance.credits > machine.empty_below)
    known = balance.credits if said else None
    seen = Seen(balance.used, known, balance.steal, balance.throttled)
    if effort is not None:
        wants = effort.wants(balance.used, balance.steal or 0.0)
        seen = replace(seen, p95=effort.p95, usual_p95=effort.usual_p95, wants=wants)
    return diagnose(machine, seen)


def wanted(balance: Balance, machine: MachineType) -> float | None:
    """What the machine would use if it were not held down: its CPU with what was stolen; None when nothing says."""
    if balance.credits > machine.empty_below and balance.known(machine):
        return balance.demand
    if cause(balance, machine).cause is not Cause.CREDITS_GONE or (balance.steal or 0.0) > HELD_BACK:
        return balance.demand
    return None


def plain(balance: Balance, machine: MachineType, course: Course, now: datetime, stale: timedelta) -> Outlook:
    """The two answers that need no search. ``blind``: no fresh sample, or no balance to go by."""
    share = balance.credits / machine.cap if machine.cap > 0 else None
    if share is None or now - balance.at > stale or not balance.known(machine):
        return Outlook(now, "blind", hours=course.hours)
    full = full_burn_runway(balance.credits, machine)
    used = course.last_hour(now)
    pace = None if used is None else runway(balance.credits, machine, used)
    return Outlook(
        now,
        "out_of_reach" if full > REACH else "rate",
        full_burn=full.total_seconds() / 60,
        pace=None if pace is None else pace.total_seconds() / 60,
        hours=course.hours,
    )
