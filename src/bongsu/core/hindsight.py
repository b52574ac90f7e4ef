"""Back-test of a policy on the past: who would have been told when, how long before the credits were gone, how often
in vain.

The past is five-minute means, so what is finer is judged as coarsely: a dip shorter than five minutes is not seen,
and two samples at the ceiling are one mean at it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from bongsu.core import analogue
from bongsu.core.analogue import DAY, HORIZON, LEADS, Flags, Floats
from bongsu.core.backtest import Outcome, recovered
from bongsu.core.burst import MachineType, drain
from bongsu.core.forecast import STEP
from bongsu.core.policy import Policy
from bongsu.core.record import NEAR, NOTHING_NEW, Level, Record

_CHUNK = 64
"""Moments at a time: what they need fits into a processor's cache."""
EARLY = "early warning"
_COLUMN = {int(minutes): column for column, minutes in enumerate(LEADS * 5)}


def over_time(
    demand: Floats,
    baseline: float,
    shares: Sequence[Floats],
    asked: Sequence[Flags],
    every: int = 1,
    reach: int = HORIZON,
) -> list[Floats]:
    """At each asked step the probability of being empty by each of LEADS, for balances over one course of demand.

    Every step sees its own past alone. Between steps ``every`` apart the last answer stands; where the credits last
    more than ``reach`` steps even at 100 % nothing is computed.
    """
    base = np.float32(baseline)
    told = [np.zeros((len(demand), len(LEADS)), np.float32) for _ in shares]
    full = DAY * baseline / (1 - baseline)
    near = [mine & (share * full <= reach) for share, mine in zip(shares, asked, strict=True)]
    wanted = np.flatnonzero(np.any(near, axis=0))
    wanted = wanted[wanted % every == 0]
    states = analogue.describe(demand[None, :], np.array([base]))
    m15, m60, day, run, spread = (analogue.windows(each[0], 0) for each in states[:5])
    usable, seen = analogue.windows(states.usable[0], False), analogue.windows(demand, np.nan)
    for at in _evenly(wanted, every):
        pick = slice(int(at[0]), int(at[-1]) + 1, every)  # a view: a copy of every step's past would cost the most
        then = analogue.States(m15[pick], m60[pick], day[pick], run[pick], spread[pick], usable[pick])
        paths = analogue.futures(seen[pick], analogue.moments_of(then))
        for share, mine, curve in zip(shares, near, told, strict=True):
            some = np.flatnonzero(mine[at])
            if len(some):
                picked = analogue.Paths(paths.demand[some], paths.weight[some], paths.found[some])
                curve[at[some]] = analogue.exhausted_by(share[at[some]], np.full(len(some), base), picked)
    if every > 1:
        for curve in told:
            last = np.arange(len(demand)) // every * every
            curve[:] = curve[last]
    return told


def _evenly(steps: NDArray[np.int64], every: int) -> Iterator[NDArray[np.int64]]:
    """The steps in batches that are evenly spaced."""
    for run in np.split(steps, np.flatnonzero(np.diff(steps) != every) + 1):
        for begin in range(0, len(run), _CHUNK):
            yield run[begin : begin + _CHUNK]


def course_of(demand: Floats, machine: MachineType, opening: float) -> Floats:
    """The balance (share of the cap) after each step, from an opening one; unknown demand neither earns nor spends."""
    balance, shares = opening * machine.cap, []
    minutes = STEP.total_seconds() / 60
    for each in demand.tolist():
        if each == each:  # not NaN
            balance = drain(balance, machine, each, minutes)
        shares.append(balance / machine.cap)
    return np.array(shares, np.float32)


def policy_tells(policy: Policy, machine: MachineType, demand: Floats, share: Floats) -> dict[str, list[int]]:
    """The steps at which each rule of a policy would have told somebody."""
    known = np.nan_to_num(demand, nan=0.0)
    over = machine.baseline if policy.over is None else policy.over
    told: dict[str, list[int]] = {f"tier {number}": [] for number in range(1, len(policy.tiers) + 1)}
    held, last_end = timedelta(0), None
    for begin, end in _stretches(known > over):
        if last_end is None or (begin - last_end) * STEP > policy.rejoin:
            held, fired = timedelta(0), 0
        for number, tier in enumerate(policy.tiers[fired:], start=fired):
            wait = max(timedelta(0), tier.after - held)
            step = begin + max(0, -(-wait // STEP) - 1)  # a step's mean is known at its end
            if step >= end:
                break
            told[f"tier {number + 1}"].append(step)
            fired = number + 1
        held += (end - begin) * STEP
        last_end = end
    if policy.ceiling is not None:
        told["ceiling"] = _calls(known >= policy.ceiling.at, policy.ceiling.again_after)
    if policy.runway is not None:
        full_burn = share * (1440 * machine.baseline / (1 - machine.baseline))
        limit = policy.runway.full_burn_under.total_seconds() / 60
        told["runway"] = _calls((full_burn < limit) & (known > over), policy.rejoin)
    return told


def _stretches(on: Flags) -> list[tuple[int, int]]:
    """Where something holds: (first step, step after the last)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], on, [False]]).astype(np.int8)))
    return [(int(begin), int(end)) for begin, end in edges.reshape(-1, 2)]


def _calls(on: Flags, again_after: timedelta) -> list[int]:
    """Where a stretch begins that is not the same call again."""
    found: list[int] = []
    last_end: int | None = None
    for begin, end in _stretches(on):
        if last_end is None or (begin - last_end) * STEP >= again_after:
            found.append(begin)
        last_end = end
    return found


def notified(policy: Policy, rule: str) -> tuple[str, ...]:
    """Whom a rule tells."""
    if rule.startswith("tier "):
        return policy.tiers[int(rule.removeprefix("tier ")) - 1].notify
    for name, section in (("ceiling", policy.ceiling), ("runway", policy.runway)):
        if rule == name and section is not None:
            return section.notify
    return policy.tiers[0].notify


def hits(steps: Sequence[int], found: Outcome, within: timedelta = timedelta(hours=6)) -> list[float | None]:
    """For each telling how many minutes before the credits were gone it was; None if they were not within that time."""
    most = within // STEP
    return [float(found.ahead[step]) * 5 if found.ahead[step] <= most else None for step in steps]


@dataclass(frozen=True, slots=True)
class Warned:
    """The forecaster on one machine's past, learning from it as it would have. ``hour``: P(gone within 60 minutes)."""

    on: Flags
    hour: Floats
    score: Floats


def warn(curve: Floats, share: Floats, found: Outcome, hours: float) -> Warned:
    """Play the record and the warning level forward: each learns an outcome only when it is known."""
    score = scores_of(curve, recovered(share))
    scores = score.tolist()
    said, scored = hour_of(curve).tolist(), found.scored.tolist()
    ahead, false = found.ahead.tolist(), found.false.tolist()
    record, level = Record(), Level(hours)
    on, hour = np.zeros(len(said), bool), np.zeros(len(said), np.float32)
    for step, probability in enumerate(said):
        if step >= 12 and scored[step - 12]:
            record.learn(said[step - 12], ahead[step - 12] <= 12)
        if step >= 25 and scored[step - 25]:
            level.learn(scores[step - 25], false[step - 25])
        if scored[step]:
            hour[step] = record.corrected(probability)
            on[step] = level.warns(scores[step])
    return Warned(on, hour, score)


def hour_of(curve: Floats) -> Floats:
    """The column of 60 minutes."""
    return curve[:, _COLUMN[60]]


def scores_of(curve: Floats, anew: Flags, near: Sequence[int] = NEAR) -> Floats:
    """``core.record.alarm_score`` of every row. ``anew``: ``core.backtest.recovered``."""
    soon = sum(curve[:, _COLUMN[minutes]] for minutes in near) / np.float32(len(near))
    score: Floats = np.log(soon + 0.01 + 0.001 * curve[:, _COLUMN[360]]) - np.log(1.02 - curve[:, _COLUMN[120]])
    score[~anew] = NOTHING_NEW
    return score


def early_calls(on: Flags) -> list[int]:
    """Steps at which an early warning would have been sent: not again within an hour of its end."""
    return _calls(on, timedelta(hours=1))
