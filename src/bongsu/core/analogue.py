"""Paths that demand may take from here: what followed the past moments most like now, pushed through the bucket.

Everything is an array over machines (first axis) and five-minute steps (last axis; the last column is now). Demand is the
mean over the vCPUs, 0..1, NaN where nothing is known. The balance is a share of the cap, so that vCPUs cancel:
``x' = clip(x + (1 - u / b) / 288, 0, 1)`` a step, for a cap of 24 hours' earnings is 288 steps of them.

A nearest-neighbour bootstrap as hydrologists use it for reservoirs (Lall and Sharma, Water Resources Research 32, 1996),
with the bucket in the reservoir's place. ``docs/forecast.md`` explains it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

DAY = 288
"""Steps of five minutes."""
HORIZON = 72
"""Steps ahead: six hours."""
MEMORY = 14 * DAY
"""Steps back in which similar moments are looked for."""
WINDOW = MEMORY + HORIZON
"""Steps that a forecast looks at."""
LEADS = np.array([1, 2, 3, 4, 6, 9, 12, 18, 24, 36, 48, 72])
"""Steps ahead at which the probability of exhaustion is told."""
NEIGHBOURS, STRIDE = 40, 2
PERSISTENCE, DAYS_BEFORE = 0.15, 0.15
"""Weights of the paths that go on as now, and of those that repeat the last seven days."""
_FAR = np.float32(1e9)


class States(NamedTuple):
    """What a moment is compared by. ``usable``: an hour before and six hours after it are known."""

    m15: Floats
    m60: Floats
    day: Floats
    run: Floats
    spread: Floats
    usable: Flags


@dataclass(frozen=True, slots=True)
class Paths:
    """Future demand (machines, paths, HORIZON) and each path's weight (machines, paths), summing to 1."""

    demand: Floats
    weight: Floats
    found: NDArray[np.int64]
    """How many similar moments each machine had."""


def _sums(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Sums over the last ``window`` steps, over fewer at the beginning."""
    total = np.cumsum(values, axis=-1)
    total[..., window:] -= total[..., :-window].copy()
    return total


def rolling_mean(known: Flags, filled: NDArray[np.float64], window: int) -> Floats:
    """The mean of what is known in the last ``window`` steps; 0 where nothing is."""
    count = np.maximum(_sums(known.astype(np.float64), window), 1.0)
    return (_sums(filled, window) / count).astype(np.float32)


def run_length(above: Flags) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each step how many steps ``above`` has held, and how many it has not; one of the two is 0."""
    at = np.arange(above.shape[-1])
    last_below = np.maximum.accumulate(np.where(above, -1, at), axis=-1)
    last_above = np.maximum.accumulate(np.where(above, at, -1), axis=-1)
    return np.where(above, at - last_below, 0), np.where(above, 0, at - last_above)


def describe(demand: Floats, baseline: Floats) -> States:
    """The states of every step of (machines, steps)."""
    known = ~np.isnan(demand)
    filled = np.where(known, demand, 0.0).astype(np.float64)
    up, down = run_length(np.where(known, demand, 0.0) > baseline[:, None])
    run = np.sqrt(0.2) * (np.log1p(up) - 0.5 * np.log1p(down))
    mean = rolling_mean(known, filled, MEMORY).astype(np.float64)
    square = rolling_mean(known, filled * filled, MEMORY).astype(np.float64)
    spread = np.sqrt(np.maximum(square - mean * mean, 1e-8))
    gaps = np.cumsum(~known, axis=-1)
    usable = np.zeros(demand.shape, bool)
    if demand.shape[-1] > HORIZON + 12:
        usable[:, 12:-HORIZON] = gaps[:, HORIZON + 12 :] == gaps[:, : -HORIZON - 12]
    return States(
        rolling_mean(known, filled, 3), rolling_mean(known, filled, 12), rolling_mean(known, filled, DAY),
        run.astype(np.float32), spread.astype(np.float32), usable,
    )  # fmt: skip


def _similar(states: States, extra: Floats | None) -> tuple[NDArray[np.int64], Flags]:
    """For each machine the candidates nearest to now, and which of them are real."""
    past = slice(states.m15.shape[-1] - WINDOW, -HORIZON, STRIDE)
    distance = np.square(states.m15[:, past] - states.m15[:, -1:])
    distance += np.square(states.m60[:, past] - states.m60[:, -1:])
    distance /= np.square(states.spread[:, -1:])
    distance += np.square(states.run[:, past] - states.run[:, -1:])
    if extra is not None:
        distance += np.square(extra[:, past] - extra[:, -1:])
    distance[~states.usable[:, past]] = _FAR
    nearest = np.argpartition(distance, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
    real = np.take_along_axis(distance, nearest, 1) < _FAR
    return nearest * STRIDE + past.start, real


def futures(demand: Floats, states: States, extra: Floats | None = None) -> Paths:
    """Paths from the last column; the arrays must hold at least WINDOW steps. ``extra``: one more thing to compare by,
    such as the request rate, already in units of its own spread.
    """
    machines = len(demand)
    ahead = np.arange(1, HORIZON + 1)
    path = np.empty((machines, NEIGHBOURS + 10, HORIZON), np.float32)
    weight = np.zeros((machines, NEIGHBOURS + 10), np.float32)
    near, real = _similar(states, extra)
    rows = np.arange(machines)[:, None]
    level = (states.m15[:, -1:] - states.m15[rows, near])[:, :, None]
    followed = demand[rows[:, :, None], near[:, :, None] + ahead]
    path[:, :NEIGHBOURS] = np.where(real[:, :, None], followed + level * np.exp(-ahead / 36).astype(np.float32), 0.0)
    found = real.sum(1)
    weight[:, :NEIGHBOURS] = real * (1 - PERSISTENCE - DAYS_BEFORE) / np.maximum(found, 1)[:, None]

    now15, now60, day = (each[:, -1:] for each in (states.m15, states.m60, states.day))
    path[:, NEIGHBOURS] = day + (now15 - day) * np.clip(1 - ahead / 24, 0, 1)
    path[:, NEIGHBOURS + 1] = day + (now60 - day) * np.clip(1 - ahead / 36, 0, 1)
    path[:, NEIGHBOURS + 2] = now15
    weight[:, NEIGHBOURS : NEIGHBOURS + 3] = PERSISTENCE / 3
    end = demand.shape[-1]
    for back in range(1, 8):
        same_time = demand[:, end - 1 - DAY * back : end - 1 - DAY * back + HORIZON + 1][:, 1:]
        complete = ~np.isnan(same_time).any(1)
        path[:, NEIGHBOURS + 2 + back] = np.where(complete[:, None], same_time, 0.0)
        weight[:, NEIGHBOURS + 2 + back] = complete * (DAYS_BEFORE / 7)
    np.clip(path, 0.0, 1.0, out=path)
    return Paths(path, weight / weight.sum(1, keepdims=True), found)


def exhausted_by(share: Floats, baseline: Floats, paths: Paths) -> Floats:
    """The probability (machines, LEADS) that the bucket has run empty, from ``share`` of the cap.

    Without a loop: S = x + cumsum(flow); what overflows is lost, so the bucket holds S - max(0, running max of (S - 1)).
    """
    flow = (1 - paths.demand / baseline[:, None, None]) / DAY
    unclipped = share[:, None, None] + np.cumsum(flow, axis=2)
    lost = np.maximum(np.maximum.accumulate(unclipped - 1, axis=2), 0)
    lowest = np.minimum.accumulate(unclipped - lost, axis=2)[:, :, LEADS - 1]
    probability: Floats = np.einsum("mp,mpl->ml", paths.weight, (lowest <= 0).astype(np.float32))
    return np.minimum(probability, 1.0)


def windows(values: NDArray[np.generic], before: object) -> NDArray[np.generic]:
    """For each step of one machine's course the WINDOW steps that end there, as views; ``before`` fills the beginning."""
    padded = np.concatenate([np.full(WINDOW - 1, before, values.dtype), values])
    return sliding_window_view(padded, WINDOW)
