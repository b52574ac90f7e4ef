"""The back-test's answer: each rule of a policy and the early warning beside each other, over all machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median

import numpy as np

from bongsu.core import backtest
from bongsu.core.analogue import DAY, Floats
from bongsu.core.backtest import TWO_HOURS, Bin, Outcome
from bongsu.core.burst import MachineType
from bongsu.core.forecast import STEP
from bongsu.core.hindsight import EARLY, Warned, course_of, early_calls, hits, notified, over_time, policy_tells, warn
from bongsu.core.policy import Policy

LOOK_BACK = 72
"""Steps before an exhaustion in which a telling is put down to it: six hours."""
EVERY = 3
"""A forecast each quarter of an hour; in between the last one stands."""
TEACHES = 2 * DAY
"""Steps at the beginning that only teach: nothing in them is counted, but an exhaustion after them may have been told
in them."""


@dataclass(frozen=True, slots=True)
class Past:
    """A machine's past: means of five minutes from ``begin``. ``share``: the measured balance; None computes it."""

    name: str
    begin: datetime
    demand: Floats
    share: Floats | None = None


@dataclass(frozen=True, slots=True)
class Exhaustion:
    """The credits of a machine were gone; ``before``: by rule, minutes from its first telling until then."""

    machine: str
    at: datetime
    before: dict[str, float | None]


@dataclass(slots=True)
class RuleFigures:
    """One rule over all machines. ``early``: minutes before, for tellings within six hours before an exhaustion;
    others are ``vain``.
    """

    rule: str
    notify: tuple[str, ...]
    told: int = 0
    vain: int = 0
    reached: int = 0
    early: list[float] = field(default_factory=list)

    @property
    def median_before(self) -> float | None:
        """Minutes."""
        return median(self.early) if self.early else None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The whole answer."""

    machines: int
    weeks: float
    exhaustions: list[Exhaustion]
    rules: list[RuleFigures]
    nuisance_hours: float
    recall: dict[int, float]
    brier: float
    skill: float
    bins: list[Bin]
    asked_hours: float
    proposed: float
    proposed_recall: dict[int, float]
    too_short: list[str]


def judge(pasts: Sequence[Past], machine: MachineType, policy: Policy, hours: float, opening: float) -> Verdict:
    """Play every past through the policy and the forecaster; the first two days only teach."""
    too_short = [past.name for past in pasts if len(past.demand) < TEACHES + DAY]
    rules = [*(f"tier {number}" for number in range(1, len(policy.tiers) + 1))]
    rules += [name for name in ("ceiling", "runway") if getattr(policy, name) is not None]
    figures = {rule: RuleFigures(rule, notified(policy, rule)) for rule in [*rules, EARLY]}
    outcomes: list[Outcome] = []
    warned: list[Warned] = []
    exhaustions: list[Exhaustion] = []
    for past in pasts:
        if past.name in too_short:
            continue
        share = course_of(past.demand, machine, opening) if past.share is None else past.share
        found = backtest.outcome(share, warm_up=TEACHES)
        curve = over_time(past.demand, machine.baseline, [share], [~np.isnan(past.demand)], EVERY, TWO_HOURS)[0]
        early = warn(curve, share, found, hours)
        tells = {**policy_tells(policy, machine, past.demand, share), EARLY: early_calls(early.on)}
        _count(figures, tells, found)
        exhaustions += [
            _exhaustion(past, tells, found, int(event), figures) for event in found.events if event >= TEACHES
        ]
        outcomes.append(found)
        warned.append(early)
    return _verdict(outcomes, warned, exhaustions, list(figures.values()), hours, too_short)


def _count(figures: dict[str, RuleFigures], tells: dict[str, list[int]], found: Outcome) -> None:
    for rule, every in tells.items():
        steps = [step for step in every if step >= TEACHES]
        before = hits(steps, found)
        figures[rule].told += len(steps)
        figures[rule].vain += sum(each is None for each in before)
        figures[rule].early += [each for each in before if each is not None]


def _exhaustion(
    past: Past, tells: dict[str, list[int]], found: Outcome, event: int, figures: dict[str, RuleFigures]
) -> Exhaustion:
    earlier = found.events[found.events < event]
    first = max(event - LOOK_BACK, int(earlier[-1]) + 1 if len(earlier) else 0)
    before: dict[str, float | None] = {}
    for rule, steps in tells.items():
        mine = [step for step in steps if first <= step <= event]
        before[rule] = (event - mine[0]) * 5.0 if mine else None
        figures[rule].reached += bool(mine)
    return Exhaustion(past.name, past.begin + event * STEP, before)


def _recall(warnings: Sequence[np.typing.NDArray[np.bool_]], outcomes: Sequence[Outcome]) -> dict[int, float]:
    told = {}
    for minutes in (15, 30, 60):
        each = [backtest.foreseen(on, found, minutes // 5) for on, found in zip(warnings, outcomes, strict=True)]
        every = np.concatenate(each) if each else np.zeros(0)
        told[minutes] = float(every.mean()) if len(every) else float("nan")
    return told


def _verdict(
    outcomes: list[Outcome],
    warned: list[Warned],
    exhaustions: list[Exhaustion],
    rules: list[RuleFigures],
    hours: float,
    too_short: list[str],
) -> Verdict:
    weeks = sum(found.weeks for found in outcomes)
    nuisance = sum(
        backtest.nuisance(each.on, found) * found.weeks for each, found in zip(warned, outcomes, strict=True)
    )
    hour = np.concatenate(
        [each.hour[found.scored] for each, found in zip(warned, outcomes, strict=True)] or [np.zeros(0, np.float32)]
    )
    came = np.concatenate([found.ahead[found.scored] <= 12 for found in outcomes] or [np.zeros(0, bool)])
    level = backtest.proposed_level([each.score for each in warned], outcomes, hours) if outcomes else float("nan")
    return Verdict(
        machines=len(outcomes),
        weeks=weeks,
        exhaustions=sorted(exhaustions, key=lambda each: each.at),
        rules=rules,
        nuisance_hours=nuisance / weeks if weeks else float("nan"),
        recall=_recall([each.on for each in warned], outcomes),
        brier=backtest.brier(hour, came),
        skill=backtest.brier_skill(hour, came),
        bins=backtest.reliability(hour, came),
        asked_hours=hours,
        proposed=level,
        proposed_recall=_recall([each.score > level for each in warned], outcomes),
        too_short=too_short,
    )


def span(past: Past) -> timedelta:
    """How long a past is."""
    return len(past.demand) * STEP
