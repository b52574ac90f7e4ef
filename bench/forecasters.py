"""What each method says of every moment of a laid machine: how much it warns, P(gone within the hour), and when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bench.series import Laid
from bongsu.core import analogue
from bongsu.core.analogue import DAY, HORIZON, LEADS, Floats
from bongsu.core.forecast import BEYOND

_CHUNK = 256
FAR = np.float32(1e6)


class Said(NamedTuple):
    """Per step. ``score``: the higher the more it warns; ``hour``: probability; ``when``: steps."""

    score: Floats
    hour: Floats
    when: Floats


def _by_time(when: Floats) -> Said:
    return Said(-when, (when <= 12).astype(np.float32), when)


def _at_pace(laid: Laid, burn: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        result: Floats = np.where(burn > 0, np.minimum(laid.share / burn, FAR), FAR).astype(np.float32)
    return result


def rivals(laid: Laid) -> dict[str, Said]:
    """The methods that people use today."""
    demand, b = laid.series.demand.astype(np.float64), laid.baseline
    known = np.ones(len(demand), bool)
    rate = {w: (analogue.rolling_mean(known, demand, w) / b - 1) / DAY for w in (3, 12)}
    drained = np.cumsum((demand / b - 1) / DAY)
    # predict_linear over an hour: least squares over the last 13 points of what was drained, so that a machine's daily
    # new start does not spoil the line
    ramp = np.arange(13) - 6.0
    slope = np.zeros(len(demand))
    slope[12:] = np.lib.stride_tricks.sliding_window_view(drained, 13) @ ramp / (ramp @ ramp)
    return {
        "full burn": _by_time(laid.full_burn),
        "rate 15 min": _by_time(_at_pace(laid, rate[3])),
        "rate 1 h": _by_time(_at_pace(laid, rate[12])),
        "predict_linear 1 h": _by_time(_at_pace(laid, slope.astype(np.float32))),
        "constant 52 min": _by_time(np.full(len(demand), BEYOND, np.float32)),
    }


def curves(machines: Sequence[Laid]) -> list[Floats]:
    """For machines with one series and baseline: at each step the probability of being empty by each of LEADS.

    Every step sees its own past alone: the same code as the product's, with moments in the place of machines.
    """
    demand, baseline = machines[0].series.demand, np.float32(machines[0].baseline)
    told = [np.zeros((len(demand), len(LEADS)), np.float32) for _ in machines]
    reach = [(each.full_burn <= HORIZON) & each.found.scored for each in machines]
    wanted = np.flatnonzero(np.any(reach, axis=0))
    states = analogue.describe(demand[None, :], np.array([baseline]))
    spans = analogue.States(
        *(analogue.windows(each[0], False if each.dtype == bool else 0) for each in states)  # type: ignore[arg-type]
    )
    seen: Floats = analogue.windows(demand, np.nan)  # type: ignore[assignment]
    for begin in range(0, len(wanted), _CHUNK):
        at = wanted[begin : begin + _CHUNK]
        chunk = slice(int(at[0]), int(at[-1]) + 1)
        here = at - at[0]
        if len(at) == chunk.stop - chunk.start:  # neighbours in time: views suffice
            now, past = analogue.States(*(each[chunk] for each in spans)), seen[chunk]
        else:
            now, past = analogue.States(*(each[at] for each in spans)), seen[at]
            here = np.arange(len(at))
        paths = analogue.futures(past, now)
        for machine, mine, curve in zip(machines, reach, told, strict=True):
            asked = mine[at]
            if asked.any():
                some = analogue.Paths(paths.demand[here[asked]], paths.weight[here[asked]], paths.found[here[asked]])
                bases = np.full(int(asked.sum()), baseline, np.float32)
                curve[at[asked]] = analogue.exhausted_by(machine.share[at[asked]], bases, some)
    return told
