"""How long a machine's credits last, as it is told to people, pages and metrics. Standard library alone."""

from __future__ import annotations

import math
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

    __slots__ = ("_count", "_last", "_means", "_newest", "_sum")

    def __init__(self) -> None:
        self._means = array("f")
        self._sum = self._count = 0.0  # of the last step, which is running
        self._last = 0
        self._newest: datetime | None = None

    def add(self, at: datetime, demand: float | None) -> None:
        """Take a sample newer than all before; None: what was wanted then is not known."""
        if self._newest is not None and at <= self._newest:
            return
        self._newest = at
        step = int(at.timestamp()) // STEP_S
        if step != self._last or not self._means:
            self._begin(step)
        if demand is not None:
            self._sum += demand
            self._count += 1

    def know(self, at: float, wanted: float, samples: float) -> None:
        """Take what is known of a step, or of what has passed of it, from a ``Ledger``: a sum, and of how many samples.

        ``at``: any moment of the step, in seconds since 1970. A course is fed by this or by ``add``, not by both.
        """
        step = int(at) // STEP_S
        if step > self._last or not self._means:
            self._begin(step)
        if step == self._last and samples:
            self._sum, self._count = wanted, samples

    def _begin(self, step: int) -> None:
        means = self._known()
        means.extend([math.nan] * (min(KEPT, step - self._last) if means else 1))
        del means[:-KEPT]
        self._last, self._sum, self._count = step, 0.0, 0.0

    def _known(self) -> array[float]:
        """The mean of each step, the running one's so far."""
        if self._means:
            self._means[-1] = self._sum / self._count if self._count else math.nan
        return self._means

    def before(self, past: Course) -> None:
        """Put what was before this course in front of it; what both know is this one's."""
        mine, theirs = self._known(), past._known()
        if not mine:
            self._means, self._last, self._newest = theirs[:], past._last, past._newest
            self._sum, self._count = past._sum, past._count
        elif theirs:
            first, have = self._last - len(mine) + 1, past._last - len(theirs) + 1
            missing = range(max(have, self._last - KEPT + 1), first)
            self._means = array("f", (theirs[n - have] if n <= past._last else math.nan for n in missing)) + mine

    def demand(self, now: datetime) -> array[float]:
        """The means up to ``now``; not a number where nothing is known."""
        means = self._known()[:]
        means.extend([math.nan] * (min(KEPT, max(0, int(now.timestamp()) // STEP_S - self._last)) if means else 0))
        return means[-KEPT:]

    def fill(self, at: datetime, demand: float) -> None:
        """Say what was wanted in a step of which nothing is known: the machine was held down."""
        if self._place(at) is None:
            self.know(at.timestamp(), 0.0, 0.0)
        place = self._place(at)
        if place is None or not math.isnan(self._known()[place]):
            return
        if place == len(self._means) - 1:
            self._sum, self._count = demand, 1.0
        else:
            self._means[place] = demand

    def at(self, moment: datetime) -> float | None:
        """The mean of the step that a moment lies in; None where nothing is known."""
        place = self._place(moment)
        return None if place is None or math.isnan(mean := self._known()[place]) else mean

    def _place(self, moment: datetime) -> int | None:
        place = len(self._means) - 1 - (self._last - int(moment.timestamp()) // STEP_S)
        return place if 0 <= place < len(self._means) else None

    @property
    def hours(self) -> float:
        """How much of it is known."""
        return sum(1 for mean in self._known() if not math.isnan(mean)) * STEP_S / 3600

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
    left = balance.credits > machine.empty_below
    known = balance.known(machine)
    if (balance.steal or 0.0) > HELD_BACK or (left and known):
        return balance.demand
    if not known and (balance.throttled or 0.0) <= HELD_BACK:
        return balance.demand  # nothing says that anything holds it down, which ``cause`` would take longer to find
    return None if cause(balance, machine).cause is Cause.CREDITS_GONE else balance.demand


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
