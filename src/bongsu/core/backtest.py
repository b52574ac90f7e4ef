"""How good an early warning was, scored on what happened: recall, nuisance, Brier score, reliability.

A *course* is the balance of one machine as a share of its cap, one value every five minutes. The rules are those of
``docs/forecast.md``, "How it is scored": the balance gone twice within two hours is one exhaustion, time without
credits is not scored, nor are the last two hours before the end when nobody knows what came after.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bongsu.core.analogue import DAY, Flags, Floats
from bongsu.core.record import RECOVERED

NEVER = 10**6
TWO_HOURS = 24
ARMED = 0.04
"""An exhaustion counts if more than this share of the cap was there within two hours before."""
WEEK = 7 * DAY


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of each step. ``ahead``: steps until the balance is gone, NEVER if not before the course ends."""

    ahead: NDArray[np.int64]
    scored: Flags
    events: NDArray[np.int64]

    @property
    def false(self) -> Flags:
        """Where a warning would be a nuisance: the credits last more than two hours longer."""
        result: Flags = self.scored & (self.ahead > TWO_HOURS)
        return result

    @property
    def weeks(self) -> float:
        """Scored time, in weeks."""
        return float(self.scored.sum()) / WEEK


def outcome(share: Floats, begins: Sequence[int] = (0,), warm_up: int = 0) -> Outcome:
    """What became of each step of a course that begins anew at each of ``begins``, not scored before ``warm_up``."""
    steps = len(share)
    at = np.arange(steps)
    starts = np.array(sorted({0, *begins}))
    which = np.searchsorted(starts, at, side="right") - 1
    end = np.append(starts[1:], steps)[which]
    empty = share <= 0
    following = np.minimum.accumulate(np.where(empty, at, NEVER * 2)[::-1])[::-1]
    ahead = np.where(following < end, following - at, NEVER)
    scored = (at >= warm_up) & ~empty & ~np.isnan(share) & ((ahead < NEVER) | (end - at > TWO_HOURS))
    events = []
    for now in np.flatnonzero(empty):
        first = max(int(starts[which[now]]), int(now) - TWO_HOURS)
        before = share[first:now]
        since_empty = np.flatnonzero(before <= 0)
        before = before[since_empty[-1] + 1 :] if len(since_empty) else before
        if len(before) and np.nanmax(before) > ARMED:
            events.append(int(now))
    return Outcome(ahead, scored, np.array(events, np.int64))


def recovered(share: Floats, mark: float = RECOVERED) -> Flags:
    """Where the balance has been above ``mark`` since it was last gone, or was never gone yet."""
    at = np.arange(len(share))
    gone = np.maximum.accumulate(np.where(share <= 0, at, -1))
    held = np.maximum.accumulate(np.where(share > mark, at, -1))
    result: Flags = (held > gone) | (gone < 0)
    return result


def foreseen(warned: Flags, found: Outcome, lead: int) -> Flags:
    """For each exhaustion that can be judged: whether the warning was on ``lead`` steps before."""
    before = judged(found, lead) - lead
    result: Flags = warned[before]
    return result


def judged(found: Outcome, lead: int) -> NDArray[np.int64]:
    """The exhaustions for which the moment ``lead`` steps before is scored and nothing came in between."""
    events = found.events[found.events >= lead]
    result: NDArray[np.int64] = events[found.scored[events - lead] & (found.ahead[events - lead] == lead)]
    return result


def nuisance(warned: Flags, found: Outcome) -> float:
    """Hours a week in which a warning was on although the credits lasted more than two hours longer."""
    return float((warned & found.false).sum()) / 12 / found.weeks if found.weeks else 0.0


def proposed_level(scores: Sequence[Floats], outcomes: Sequence[Outcome], hours: float) -> float:
    """The lowest score above which to warn so that these machines together would have had at most ``hours`` a week."""
    false = np.sort(np.concatenate([score[found.false] for score, found in zip(scores, outcomes, strict=True)]))[::-1]
    weeks = sum(found.weeks for found in outcomes)
    allowed = int(hours * 12 * weeks + 1e-9)
    return float(false[allowed]) if allowed < len(false) else float("-inf")


@dataclass(frozen=True, slots=True)
class Bin:
    """Of ``count`` forecasts that said ``said`` on average, ``happened`` came true."""

    count: int
    said: float
    happened: float


def brier(probability: Floats, happened: Flags) -> float:
    """Mean squared error of a probability: 0 is perfect."""
    return float(np.mean((probability - happened) ** 2)) if len(probability) else float("nan")


def brier_skill(probability: Floats, happened: Flags) -> float:
    """1: perfect; 0: no better than always saying how often it happens; NaN when it never, or always, does."""
    if not len(happened) or happened.all() or not happened.any():
        return float("nan")
    rate = np.full(len(happened), happened.mean())
    return 1 - brier(probability, happened) / brier(rate, happened)


def reliability(probability: Floats, happened: Flags, fewest: int = 50) -> list[Bin]:
    """Said against happened in tenths; bins with fewer forecasts are left out."""
    tenth = np.minimum((probability * 10).astype(int), 9)
    found = []
    for each in range(10):
        here = tenth == each
        if here.sum() >= fewest:
            found.append(Bin(int(here.sum()), float(probability[here].mean()), float(happened[here].mean())))
    return found
