"""Paths that demand may take from here: what followed the past moments most like now, pushed through the bucket.

Everything is an array over machines (first axis) and five-minute steps (last axis; the last column is now). Demand is
the mean over the vCPUs, 0..1, NaN where nothing is known. The balance is a share of the cap, so that vCPUs cancel:
``x' = clip(x + (1 - u / b) / 288, 0, 1)`` a step, for a cap of 24 hours' earnings is 288 steps of them.

A nearest-neighbour bootstrap as hydrologists use it for reservoirs (Lall and Sharma, Water Resources Research 32,
1996), with the bucket in the reservoir's place. ``docs/forecast.md`` explains it.
"""

from __future__ import annotations

import itertools
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
QUANTILES = (0.1, 0.5, 0.9)
"""Of the balance, in the fan: it is lower than the first in one of ten paths."""
NEIGHBOURS, STRIDE = 40, 2
PERSISTENCE, DAYS_BEFORE = 0.15, 0.15
"""Weights of the paths that go on as now, and of those that repeat the last seven days."""
_FAR = np.float32(1e9)
_PAST = slice(0, -HORIZON, STRIDE)
_AHEAD = np.arange(1, HORIZON + 1)
_LAGS = (1, 4, 24, 72)
_BETWEEN = np.stack([np.interp(_AHEAD, _LAGS, one) for one in np.eye(len(_LAGS))]).astype(np.float32)
"""What is known at _LAGS, at every step."""
_LOGS = (np.sqrt(0.2) * np.log1p(np.arange(WINDOW + 1))).astype(np.float32)
_RUNS = np.concatenate([_LOGS * np.float32(-0.5), _LOGS])
"""By how long it has been below the baseline, then by how long above it."""
_FIRST = 12
"""The first candidate: an hour of its own past is needed."""
_CANDIDATES = slice(_FIRST, WINDOW - HORIZON, STRIDE)


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


def _run_feature(above: Flags, length: NDArray[np.int32]) -> Floats:
    """How long demand has been above the baseline (positive) or below it (negative, half as much)."""
    row = np.minimum(length, WINDOW)
    row += above * np.int32(WINDOW + 1)
    result: Floats = _RUNS.take(row)
    return result


def describe(demand: Floats, baseline: Floats) -> States:
    """The states of every step of (machines, steps)."""
    known = ~np.isnan(demand)
    filled = np.where(known, demand, 0.0).astype(np.float64)
    mean = rolling_mean(known, filled, MEMORY).astype(np.float64)
    square = rolling_mean(known, filled * filled, MEMORY).astype(np.float64)
    spread = np.sqrt(np.maximum(square - mean * mean, 1e-8))
    above = filled.astype(np.float32) > baseline[:, None]
    gaps = np.cumsum(~known, axis=-1)
    usable = np.zeros(demand.shape, bool)
    if demand.shape[-1] > HORIZON + 12:
        usable[:, 12:-HORIZON] = gaps[:, HORIZON + 12 :] == gaps[:, : -HORIZON - 12]
    return States(
        rolling_mean(known, filled, 3), rolling_mean(known, filled, 12), rolling_mean(known, filled, DAY),
        _run_feature(above, run_length(above)), spread.astype(np.float32), usable,
    )  # fmt: skip


def moments_of(states: States) -> Moments:
    """Now and its past from the states of every step, of which the last WINDOW count (they may be views)."""
    m15, m60, day, run, spread, usable = states
    return Moments(
        m15[:, -1], m60[:, -1], day[:, -1], run[:, -1], spread[:, -1],
        m15[:, _PAST], m60[:, _PAST], run[:, _PAST], usable[:, _PAST],
    )  # fmt: skip


def moments(demand: Floats, baseline: Floats) -> Moments:
    """The same straight from (machines, WINDOW): only what is looked at is computed, by few additions.

    Candidates are every other step, so that sums of pairs do. Now falls between two of them and is summed by itself.
    """
    if np.isnan(demand).any():
        return moments_of(describe(demand, baseline))
    pairs = demand[:, 1:-1:STRIDE] + demand[:, 2::STRIDE]  # steps (1, 2), (3, 4), ...: each candidate ends one
    fours = pairs[:, 1:] + pairs[:, :-1]
    hours = fours[:, 4:] + fours[:, 2:-2]
    hours += fours[:, :-4]
    candidates = (WINDOW - HORIZON - _FIRST) // STRIDE
    hours = hours[:, :candidates] * np.float32(1 / 12)
    quarters = pairs[:, 5 : 5 + candidates] + demand[:, _FIRST - 2 : WINDOW - HORIZON - 2 : STRIDE]
    quarters *= np.float32(1 / 3)

    recent = np.ascontiguousarray(demand[:, -MEMORY:])
    mean = recent.mean(axis=1, dtype=np.float64)
    square = np.matmul(recent[:, None, :], recent[:, :, None])[:, 0, 0].astype(np.float64) / MEMORY
    spread = np.sqrt(np.maximum(square - mean * mean, 1e-8)).astype(np.float32)
    above = demand > baseline[:, None]
    length = run_length(above)
    run = _run_feature(above[:, _CANDIDATES], length[:, _CANDIDATES])
    return Moments(
        demand[:, -3:].mean(axis=1), demand[:, -12:].mean(axis=1), demand[:, -DAY:].mean(axis=1),
        _run_feature(above[:, -1], length[:, -1]), spread,
        quarters, hours, run, np.ones(run.shape, bool),
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


def lasting(demand: Floats, now: Moments) -> Floats:
    """Which share of a difference of the 15-minute mean lasts until each step ahead (machines, HORIZON).

    The slope of what followed the past moments on their means: near 1 for hours on a machine that changes slowly, 0
    within minutes on one whose bursts end as they began.
    """
    begin = WINDOW - HORIZON - STRIDE * now.past_m15.shape[1]
    past, usable = now.past_m15[:, ::2], now.usable[:, ::2]  # half of them are enough for a slope
    if usable.all():
        past = past - past.mean(axis=1, keepdims=True)
    else:
        demand, number = np.nan_to_num(demand), np.maximum(usable.sum(1, keepdims=True), 1).astype(np.float32)
        past = np.where(usable, past, 0)
        past = (past - past.sum(1, keepdims=True) / number) * usable
    follows = [
        np.einsum("mc,mc->m", past, demand[:, begin + lag : WINDOW - HORIZON + lag : 2 * STRIDE]) for lag in _LAGS
    ]
    slope = np.stack(follows, axis=1) / np.maximum(np.einsum("mc,mc->m", past, past), 1e-9)[:, None]
    share: Floats = np.clip(slope, 0, 1).astype(np.float32) @ _BETWEEN
    return share


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
    ahead = sliding_window_view(demand, HORIZON, axis=1)  # copying whole stretches is much faster than picking steps
    followed[:] = ahead[np.arange(machines)[:, None], near + 1]
    followed += level[:, :, None] * lasting(demand, now)[:, None, :]
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

    A step at a time over all machines and paths: with the steps on the first axis each step is one stretch of memory.
    """
    flow = _flow(baseline, paths)
    held = np.repeat(share[:, None], flow.shape[2], axis=1)
    lowest = np.full_like(held, np.inf)
    probability = np.empty((len(share), len(LEADS)), np.float32)
    steps = iter(flow)
    for lead, count in enumerate(np.diff(LEADS, prepend=0)):
        for each in itertools.islice(steps, int(count)):
            held += each
            np.minimum(held, 1, out=held)
            np.minimum(lowest, held, out=lowest)
        probability[:, lead] = np.einsum("mp,mp->m", paths.weight, lowest <= 0)
    return np.minimum(probability, 1.0)


def fan(share: Floats, baseline: Floats, paths: Paths) -> Floats:
    """The balance at LEADS as a share of the cap: (machines, QUANTILES, LEADS), by the paths' weights."""
    flow = _flow(baseline, paths)
    held = np.repeat(share[:, None], flow.shape[2], axis=1)
    found = np.empty((len(share), len(QUANTILES), len(LEADS)), np.float32)
    steps = iter(flow)
    for lead, count in enumerate(np.diff(LEADS, prepend=0)):
        for each in itertools.islice(steps, int(count)):
            held = np.clip(held + each, 0, 1)
        order = np.argsort(held, axis=1)
        reached = np.cumsum(np.take_along_axis(paths.weight, order, 1), axis=1)
        for number, quantile in enumerate(QUANTILES):
            at = np.minimum((reached < quantile).sum(1, keepdims=True), held.shape[1] - 1)
            found[:, number, lead] = np.take_along_axis(held, np.take_along_axis(order, at, 1), 1)[:, 0]
    return found


def _flow(baseline: Floats, paths: Paths) -> Floats:
    """What each step adds (HORIZON, machines, paths), as a share of the cap."""
    flow: Floats = np.multiply(np.moveaxis(paths.demand, 2, 0), (-1 / (DAY * baseline))[:, None], order="C")
    flow += np.float32(1 / DAY)
    return flow


def windows(values: NDArray[T], before: object) -> NDArray[T]:
    """For each step of one machine's course the WINDOW steps that end there, as views; ``before`` fills the start."""
    padded = np.concatenate([np.full(WINDOW - 1, before, values.dtype), values])
    return sliding_window_view(padded, WINDOW)
