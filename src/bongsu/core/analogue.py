"""Paths that demand may take from here: what followed the past moments most like now, pushed through the bucket.

Everything is an array over machines (first axis) and five-minute steps (last axis; the last column is now). Demand is
the mean over the vCPUs, 0..1, NaN where nothing is known. The balance is a share of the cap, so that vCPUs cancel:
``x' = clip(x + (1 - u / b) / 288, 0, 1)`` a step, for a cap of 24 hours' earnings is 288 steps of them.

A nearest-neighbour bootstrap as hydrologists use it for reservoirs (Lall and Sharma, Water Resources Research 32,
1996), with the bucket in the reservoir's place. ``docs/forecast.md`` explains it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]
T = TypeVar("T", bound=np.generic)

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
_PAST = slice(0, -HORIZON, STRIDE)
_BETWEEN_LEADS = np.concatenate([[0], LEADS[:-1]])
_AHEAD = np.arange(1, HORIZON + 1)
_FADING = np.exp(-_AHEAD / 36).astype(np.float32)
_LOGS = (np.sqrt(0.2) * np.log1p(np.arange(WINDOW + 1))).astype(np.float32)


class States(NamedTuple):
    """What moments are compared by, for each step. ``usable``: an hour before and six hours after it are known."""

    m15: Floats
    m60: Floats
    day: Floats
    run: Floats
    spread: Floats
    usable: Flags


class Moments(NamedTuple):
    """Now (one value a machine) and the past moments it may be like (machines, candidates)."""

    m15: Floats
    m60: Floats
    day: Floats
    run: Floats
    spread: Floats
    past_m15: Floats
    past_m60: Floats
    past_run: Floats
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


def run_length(above: Flags) -> NDArray[np.int32]:
    """For each step how many steps what holds there has held: above, or not above."""
    step = np.arange(above.shape[-1], dtype=np.int32)
    turned = np.empty(above.shape, np.int32)
    turned[:, 0] = 0
    np.multiply(above[:, 1:] != above[:, :-1], step[1:], out=turned[:, 1:])
    length: NDArray[np.int32] = step + 1 - np.maximum.accumulate(turned, axis=-1, out=turned)
    return length


def _run_feature(demand: Floats, baseline: Floats, at: slice = slice(None)) -> Floats:
    """How long demand has been above the baseline (positive) or below it (negative, half as much), at some steps."""
    above = demand > baseline[:, None]
    length = run_length(above)[:, at]
    sign = above[:, at].astype(np.float32) * np.float32(1.5) - np.float32(0.5)
    result: Floats = _LOGS.take(np.minimum(length, len(_LOGS) - 1)) * sign
    return result


def describe(demand: Floats, baseline: Floats) -> States:
    """The states of every step of (machines, steps)."""
    known = ~np.isnan(demand)
    filled = np.where(known, demand, 0.0).astype(np.float64)
    mean = rolling_mean(known, filled, MEMORY).astype(np.float64)
    square = rolling_mean(known, filled * filled, MEMORY).astype(np.float64)
    spread = np.sqrt(np.maximum(square - mean * mean, 1e-8))
    gaps = np.cumsum(~known, axis=-1)
    usable = np.zeros(demand.shape, bool)
    if demand.shape[-1] > HORIZON + 12:
        usable[:, 12:-HORIZON] = gaps[:, HORIZON + 12 :] == gaps[:, : -HORIZON - 12]
    return States(
        rolling_mean(known, filled, 3), rolling_mean(known, filled, 12), rolling_mean(known, filled, DAY),
        _run_feature(filled.astype(np.float32), baseline), spread.astype(np.float32), usable,
    )  # fmt: skip


def moments_of(states: States) -> Moments:
    """Now and its past from the states of every step, of which the last WINDOW count (they may be views)."""
    m15, m60, day, run, spread, usable = states
    return Moments(
        m15[:, -1], m60[:, -1], day[:, -1], run[:, -1], spread[:, -1],
        m15[:, _PAST], m60[:, _PAST], run[:, _PAST], usable[:, _PAST],
    )  # fmt: skip


def moments(demand: Floats, baseline: Floats) -> Moments:
    """The same straight from (machines, WINDOW): only what is looked at is computed. This is where the time goes."""
    if np.isnan(demand).any():
        return moments_of(describe(demand, baseline))
    total = np.zeros((len(demand), WINDOW + 1))
    np.cumsum(demand.astype(np.float64), axis=1, out=total[:, 1:])

    def means(window: int, first: int = WINDOW - 1, end: int = WINDOW) -> Floats:
        sums = total[:, first + 1 : end + 1 : STRIDE] - total[:, first + 1 - window : end + 1 - window : STRIDE]
        return (sums / window).astype(np.float32)

    recent = np.ascontiguousarray(demand[:, -MEMORY:])
    mean = (total[:, -1] - total[:, -1 - MEMORY]) / MEMORY
    square = np.matmul(recent[:, None, :], recent[:, :, None])[:, 0, 0].astype(np.float64) / MEMORY
    spread = np.sqrt(np.maximum(square - mean * mean, 1e-8)).astype(np.float32)
    first, end = 12, WINDOW - HORIZON  # an hour of each candidate's own past is needed
    run = _run_feature(demand, baseline, slice(first, None))
    now_run, run = run[:, -1], run[:, : end - first : STRIDE]
    usable = np.ones(run.shape, bool)
    return Moments(
        means(3)[:, 0], means(12)[:, 0], means(DAY)[:, 0], now_run, spread,
        means(3, first, end), means(12, first, end), run, usable,
    )  # fmt: skip


def _similar(now: Moments, extra: Floats | None) -> tuple[NDArray[np.int64], Flags]:
    """For each machine the steps nearest to now, and which of them are real."""
    distance = np.square(now.past_m15 - now.m15[:, None])
    distance += np.square(now.past_m60 - now.m60[:, None])
    distance *= (1 / np.square(now.spread))[:, None]
    distance += np.square(now.past_run - now.run[:, None])
    begin = WINDOW - HORIZON - STRIDE * distance.shape[1]
    if extra is not None:
        distance += np.square(extra[:, begin:-HORIZON:STRIDE] - extra[:, -1:])
    distance[~now.usable] = _FAR
    nearest = np.argpartition(distance, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
    real = np.take_along_axis(distance, nearest, 1) < _FAR
    return nearest * STRIDE + begin, real


def futures(demand: Floats, now: Moments, extra: Floats | None = None) -> Paths:
    """Paths from the last of WINDOW steps. ``extra``: one more thing to compare by, such as the request rate, in
    units of its own spread.
    """
    machines = len(demand)
    path = np.empty((machines, NEIGHBOURS + 10, HORIZON), np.float32)
    weight = np.zeros((machines, NEIGHBOURS + 10), np.float32)
    near, real = _similar(now, extra)
    candidate = (near - (WINDOW - HORIZON - STRIDE * now.past_m15.shape[1])) // STRIDE
    level = now.m15[:, None] - np.take_along_axis(now.past_m15, candidate, 1)
    followed = path[:, :NEIGHBOURS]
    followed[:] = demand[np.arange(machines)[:, None, None], near[:, :, None] + _AHEAD]
    followed += level[:, :, None] * _FADING
    if not real.all():
        followed[~real] = 0.0
    found = real.sum(1)
    weight[:, :NEIGHBOURS] = real * (1 - PERSISTENCE - DAYS_BEFORE) / np.maximum(found, 1)[:, None]

    now15, now60, day = now.m15[:, None], now.m60[:, None], now.day[:, None]
    path[:, NEIGHBOURS] = day + (now15 - day) * np.clip(1 - _AHEAD / 24, 0, 1)
    path[:, NEIGHBOURS + 1] = day + (now60 - day) * np.clip(1 - _AHEAD / 36, 0, 1)
    path[:, NEIGHBOURS + 2] = now15
    weight[:, NEIGHBOURS : NEIGHBOURS + 3] = PERSISTENCE / 3
    for back in range(1, 8):
        begin = WINDOW - DAY * back
        same_time = demand[:, begin : begin + HORIZON]
        complete = np.array(~np.isnan(same_time).any(axis=1), bool)
        path[:, NEIGHBOURS + 2 + back] = np.where(complete[:, None], same_time, 0.0)
        weight[:, NEIGHBOURS + 2 + back] = complete * (DAYS_BEFORE / 7)
    np.clip(path, 0.0, 1.0, out=path)
    return Paths(path, weight / weight.sum(1, keepdims=True), found)


def exhausted_by(share: Floats, baseline: Floats, paths: Paths) -> Floats:
    """The probability (machines, LEADS) that the bucket has run empty, from ``share`` of the cap.

    Without a loop: S = x + cumsum(flow); what overflows is lost, so the bucket holds S - max(0, running max of (S -
    1)).
    """
    held = paths.demand * (-1 / (DAY * baseline))[:, None, None]
    held += np.float32(1 / DAY)
    np.cumsum(held, axis=2, out=held)
    held += share[:, None, None]
    full = np.flatnonzero(share > 1 - HORIZON / DAY)  # no other can overflow in six hours
    if len(full):
        lost = np.maximum.accumulate(held[full] - 1, axis=2)
        held[full] -= np.maximum(lost, 0, out=lost)
    lowest: Floats = np.minimum.accumulate(np.minimum.reduceat(held, _BETWEEN_LEADS, axis=2), axis=2)
    gone = lowest <= 0
    probability: Floats = np.matmul(paths.weight[:, None, :], gone.astype(np.float32))[:, 0, :]
    return np.minimum(probability, 1.0)


def windows(values: NDArray[T], before: object) -> NDArray[T]:
    """For each step of one machine's course the WINDOW steps that end there, as views; ``before`` fills the start."""
    padded = np.concatenate([np.full(WINDOW - 1, before, values.dtype), values])
    return sliding_window_view(padded, WINDOW)
