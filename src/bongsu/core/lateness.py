"""What scaling out is worth when it is done late: newcomers begin poor, and take their time to boot."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import timedelta

from bongsu.core.burst import MachineType, Mode
from bongsu.core.capacity import MINUTES, MOST, Load
from bongsu.core.credits import launched

CALM = 0.7
"""Newcomers go when those that stay would use less than this share of the baseline ..."""
CALM_STEPS = 6
"""... for half an hour on end."""


@dataclass(frozen=True, slots=True)
class Late:
    """``stay`` machines, joined by ``added`` whenever a runway at full burn is down to the trigger.

    ``added``: 0 when it is never needed, None when not even many newcomers help. ``times``: how often in one course.
    ``machine_hours``: of all newcomers together in one course. ``starved``: minutes in which a machine that wanted more
    than its baseline had no credits, of the closest try.
    """

    stay: int
    added: int | None
    times: int = 0
    machine_hours: float = 0.0
    starved: float = 0.0


@dataclass(frozen=True, slots=True)
class Habit:
    """How a team scales out: at which full-burn runway, and how long until a newcomer answers."""

    runway: timedelta = timedelta(minutes=30)
    boot: timedelta = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class _State:
    """Credits of each machine that stays and of each newcomer; ``boots``: steps until newcomers answer, None: none."""

    old: float
    new: float
    boots: int | None = None
    calm: int = 0


def scaled_late(load: Load, machine: MachineType, stay: int, habit: Habit) -> Late:
    """The fewest newcomers that keep everybody from starving, in standard mode; the course comes twice, the second
    counts.
    """
    best = Late(stay, None, starved=math.inf)
    for added in range(MOST - stay + 1):
        tried = _play(load, machine, stay, added, habit)
        if tried.starved == 0:
            return replace(tried, added=added if tried.times else 0)
        best = replace(best, starved=min(best.starved, tried.starved))
        if added >= 8 * stay and tried.starved >= best.starved:
            break  # more hands have not helped for long: they come too late
    return best


def _play(load: Load, machine: MachineType, stay: int, added: int, habit: Habit) -> Late:
    trigger = (machine.vcpus - machine.earn_per_minute) * habit.runway.total_seconds() / 60
    boot = math.ceil(habit.boot.total_seconds() / 60 / MINUTES)
    opening = launched(machine, Mode.STANDARD).balance
    baseline = machine.earn_per_minute / machine.vcpus
    alone, together = (min(load.skew, n) / (n * machine.vcpus) for n in (stay, stay + added))
    cores = load.cores.tolist()
    state = _State(machine.cap, opening)
    times = starved = steps = 0
    for _ in range(2):
        times = starved = steps = 0
        for wanted in cores:
            if added and state.boots is None and state.old <= trigger and wanted * alone > baseline:
                state = replace(state, new=opening, boots=boot, calm=0)
                times += 1
            serving = state.boots == 0
            share = wanted * (together if serving else alone)
            hungry = share > baseline
            old = _flow(state.old, machine, share)
            new = _flow(state.new, machine, share) if serving else state.new
            starved += share > 1 or (hungry and (old <= machine.empty_below or (serving and new <= 0)))
            steps += state.boots is not None
            calm = state.calm + 1 if wanted * alone < CALM * baseline else 0
            boots = None if serving and calm >= CALM_STEPS else max(0, state.boots - 1) if state.boots else state.boots
            state = _State(old, new, boots, calm)
    return Late(stay, added, times, steps * added * MINUTES / 60, starved * MINUTES)


def _flow(balance: float, machine: MachineType, share: float) -> float:
    flow = (machine.earn_per_minute - machine.vcpus * share) * MINUTES
    return min(machine.cap, max(0.0, balance + flow))
