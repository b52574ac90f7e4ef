"""When a machine's credits run out: at full burn, at the present pace, and how likely how soon.

Vectorised over machines; the server imports this module (and with it numpy) only when it forecasts. The paths that
demand may take are those of ``core/analogue.py``; what a machine's own record does to the probabilities is in
``core/record.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from bongsu.core import analogue
from bongsu.core.analogue import DAY, HORIZON, LEADS, QUANTILES, WINDOW, Floats

STEP = timedelta(minutes=5)
SOON, BEYOND = 36, 10.4
"""Steps: "soon" is three hours; 10.4 steps (52 minutes) is the middle of 15 to 180 minutes on a scale of ratios."""
ENOUGH = 2 * DAY
"""Steps of history below which similar moments are not asked."""
PRIOR = 0.02
"""Weight of "any time between 15 minutes and 3 hours, by ratio" in the answer to "if it comes soon, when?"."""
_BATCH = 64
"""Machines at a time: their arrays fit into a processor's cache."""


class Method(StrEnum):
    """What a forecast rests on."""

    ANALOGUE = "analogue"
    """What followed similar moments of the machine's own past."""
    RATE = "rate"
    """The pace of the last hour alone: the history is shorter than two days."""
    OUT_OF_REACH = "out_of_reach"
    """Even at 100 % the balance lasts more than six hours."""
    BLIND = "blind"
    """Nothing is known of the last quarter of an hour, or no balance."""


@dataclass(frozen=True, slots=True)
class Forecasts:
    """One row a machine; times in minutes, infinite where the credits are not spent, NaN where nothing is known.

    ``curve``: probability that the balance is gone by each of ``LEADS`` steps. ``p10`` to ``p90``: by when it is gone
    with that probability, infinite beyond six hours. ``fan``, if asked for: the balance's ``QUANTILES`` at
    ``LEADS``. ``when``: if it runs out within three hours at all, the middle of when.
    """

    method: NDArray[np.str_]
    full_burn: Floats
    pace: Floats
    curve: Floats
    p10: Floats
    p50: Floats
    p90: Floats
    when: Floats
    similar: NDArray[np.int64]
    fan: Floats | None = None

    def within(self, minutes: int) -> Floats:
        """The probability that the balance is gone within so many minutes, at a lead of ``LEADS``."""
        return self.curve[:, int(np.flatnonzero(minutes == LEADS * 5)[0])]


def forecast(
    demand: Floats, baseline: Floats, share: Floats, rate: Floats | None = None, *, with_fan: bool = False
) -> Forecasts:
    """Forecast machines from their demand (machines, steps of five minutes, NaN unknown; the last column is now).

    ``share``: the balance as a share of the cap. ``rate``: something that runs ahead of the CPU, such as requests a
    second, in any unit; moments are then also compared by it.
    """
    machines, steps = demand.shape
    if steps < WINDOW:
        demand = _longer(demand)
        rate = None if rate is None else _longer(rate)
    demand, baseline, share = demand[:, -WINDOW:], baseline.astype(np.float32), share.astype(np.float32)
    full_burn = (share * 1440 * baseline / (1 - baseline)).astype(np.float32)
    seen = ~np.isnan(demand)
    with np.errstate(invalid="ignore", divide="ignore"):
        last_hour = np.where(seen[:, -12:], demand[:, -12:], 0).sum(1) / seen[:, -12:].sum(1)
        burn = (last_hour / baseline - 1) / DAY
        pace = np.where(burn > 0, share * 5 / np.maximum(burn, 1e-12), np.inf).astype(np.float32)
    method = np.full(machines, Method.ANALOGUE.value, dtype="<U12")
    method[seen.sum(1) < ENOUGH] = Method.RATE.value
    method[full_burn > HORIZON * 5] = Method.OUT_OF_REACH.value
    blind = ~seen[:, -3:].any(1) | np.isnan(share)
    method[blind] = Method.BLIND.value
    pace[blind] = np.nan

    curve = np.zeros((machines, len(LEADS)), np.float32)
    similar = np.zeros(machines, np.int64)
    fan = np.full((machines, len(QUANTILES), len(LEADS)), np.nan, np.float32) if with_fan else None
    asked = np.flatnonzero((method == Method.ANALOGUE.value) | (method == Method.RATE.value))
    for begin in range(0, len(asked), _BATCH):
        batch = asked[begin : begin + _BATCH]
        mine = demand[batch]
        extra = None if rate is None else _in_spreads(rate[batch, -WINDOW:])
        paths = analogue.futures(mine, analogue.moments(mine, baseline[batch]), extra)
        paths = _persistence_alone(paths, method[batch] == Method.RATE.value)
        curve[batch] = analogue.exhausted_by(share[batch], baseline[batch], paths)
        similar[batch] = paths.found
        if fan is not None:
            fan[batch] = analogue.fan(share[batch], baseline[batch], paths)
    curve[blind] = np.nan
    p10, p50, p90 = (_by_when(curve, probability) for probability in (0.1, 0.5, 0.9))
    return Forecasts(method, full_burn, pace, curve, p10, p50, p90, when_if_soon(curve), similar, fan)


def _longer(values: Floats) -> Floats:
    unknown = np.full((len(values), WINDOW - values.shape[1]), np.nan, np.float32)
    return np.concatenate([unknown, values.astype(np.float32)], axis=1)


def _in_spreads(rate: Floats) -> Floats:
    """The 15-minute mean of a covariate in units of its own spread."""
    known = ~np.isnan(rate)
    filled = np.where(known, rate, 0.0).astype(np.float64)
    mean = analogue.rolling_mean(known, filled, 3)
    spread = np.sqrt(np.maximum((filled**2).sum(1) / np.maximum(known.sum(1), 1) - _mean(filled, known) ** 2, 1e-12))
    scaled: Floats = (mean / spread[:, None]).astype(np.float32)
    return scaled


def _mean(filled: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    mean: NDArray[np.float64] = filled.sum(1) / np.maximum(known.sum(1), 1)
    return mean


def _persistence_alone(paths: analogue.Paths, short: NDArray[np.bool_]) -> analogue.Paths:
    """Where the history is short, only the three paths that go on as now count."""
    if not short.any():
        return paths
    weight = paths.weight.copy()
    weight[short] = 0.0
    weight[short, analogue.NEIGHBOURS : analogue.NEIGHBOURS + 3] = 1 / 3
    return analogue.Paths(paths.demand, weight, np.where(short, 0, paths.found))


def _by_when(curve: Floats, probability: float) -> Floats:
    """Minutes until the curve reaches a probability, straight between the leads; infinite beyond the last."""
    leads = np.concatenate([[0], LEADS * 5]).astype(np.float32)
    told = np.concatenate([np.zeros((len(curve), 1), np.float32), curve], axis=1)
    reached = told >= probability
    after = np.where(reached.any(1), reached.argmax(1), 1)
    rows = np.arange(len(curve))
    low, high = told[rows, after - 1], told[rows, after]
    with np.errstate(invalid="ignore", divide="ignore"):
        between = (probability - low) / (high - low)
        found = leads[after - 1] + between * (leads[after] - leads[after - 1])
    result: Floats = np.where(reached.any(1), found, np.where(np.isnan(curve[:, -1]), np.nan, np.inf)).astype(
        np.float32
    )
    return result


def when_if_soon(curve: Floats, prior: float = PRIOR) -> Floats:
    """If the balance is gone within three hours at all, the middle of when (minutes), on a scale of ratios."""
    soon = int(np.searchsorted(LEADS, SOON)) + 1
    edges = np.concatenate([[0.7], LEADS[:soon]]).astype(np.float64)
    told = np.concatenate([np.zeros((len(curve), 1)), curve[:, :soon]], axis=1)
    spread = np.log(np.maximum(edges[1:], 3) / np.maximum(edges[:-1], 3))
    mass = np.diff(told, axis=1) + prior * spread / spread.sum()
    reached = np.cumsum(mass, axis=1)
    reached /= reached[:, -1:]
    after = (reached < 0.5).sum(1).clip(0, soon - 1)
    rows = np.arange(len(curve))
    low = np.where(after > 0, reached[rows, np.maximum(after - 1, 0)], 0.0)
    between = (0.5 - low) / np.maximum(reached[rows, after] - low, 1e-9)
    middle: Floats = (5 * np.exp(np.log(edges[after]) * (1 - between) + np.log(edges[after + 1]) * between)).astype(
        np.float32
    )
    return middle
