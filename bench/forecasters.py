"""What each method says of every moment of a laid machine: how much it warns, P(gone within the hour), and when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bench.series import Laid
from bongsu.core import analogue
from bongsu.core.analogue import DAY, Floats
from bongsu.core.backtest import recovered
from bongsu.core.forecast import BEYOND
from bongsu.core.hindsight import over_time

FAR = np.float32(1e6)


class Said(NamedTuple):
    """Per step. ``score``: the higher the more it warns; ``hour``: probability; ``when``: steps."""

    score: Floats
    hour: Floats
    when: Floats


def _by_time(when: Floats) -> Said:
    return Said(-when, (when <= 12).astype(np.float32), when)


def _at_pace(laid: Laid, burn: np.typing.NDArray[np.floating]) -> Floats:
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
    anew, hour = recovered(laid.share), _by_time(_at_pace(laid, rate[12]))
    return {
        "full burn": _by_time(laid.full_burn),
        "rate 15 min": _by_time(_at_pace(laid, rate[3])),
        "rate 1 h": hour,
        "rate 1 h, anew": hour._replace(score=np.where(anew, hour.score, -2 * FAR)),
        "predict_linear 1 h": _by_time(_at_pace(laid, slope)),
        "constant 52 min": _by_time(np.full(len(demand), BEYOND, np.float32)),
    }


def curves(machines: Sequence[Laid]) -> list[Floats]:
    """For machines with one series and baseline: at each step the probability of being empty by each of LEADS."""
    first = machines[0]
    return over_time(
        first.series.demand, first.baseline, [each.share for each in machines], [each.found.scored for each in machines]
    )
