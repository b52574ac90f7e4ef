"""Figures of one method over many series: per series, their plain mean, and two bootstrap intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bench.forecasters import Said
from bench.series import Laid
from bongsu.core.analogue import Flags, Floats
from bongsu.core.backtest import brier_skill, foreseen, judged, nuisance, proposed_level
from bongsu.core.record import NUISANCE_HOURS, Level

MOMENT_LEADS = {10: 2, 15: 3, 30: 6, 60: 12, 90: 18}
"""Minutes ahead, and steps."""
SAME_MOMENT = 24
"""Exhaustions of one series within so many steps are one moment."""
DRAWS = 2000
TTE_FROM, TTE_TO = 3, 36


@dataclass(slots=True)
class SeriesFigures:
    """One method on one series. ``hits``: by minutes ahead, for each exhaustion whether it was foreseen."""

    name: str
    family: str
    hits: dict[int, Flags]
    moment: dict[int, NDArray[np.int64]]
    skill: float
    factor: float
    points: int
    causal: dict[int, float] = field(default_factory=dict)
    realised: float = float("nan")

    def recall(self, minutes: int) -> float:
        """Share of the exhaustions that were foreseen; NaN without any."""
        return float(self.hits[minutes].mean()) if len(self.hits[minutes]) else float("nan")


def figures(machines: Sequence[Laid], said: Sequence[Said]) -> SeriesFigures:
    """The figures of one series; the warning level is fitted to the series itself (its own)."""
    found = [each.found for each in machines]
    level = proposed_level([each.score for each in said], found, NUISANCE_HOURS)
    hits, moment = {}, {}
    for minutes, lead in MOMENT_LEADS.items():
        hits[minutes] = np.concatenate(
            [foreseen(one.score > level, each, lead) for one, each in zip(said, found, strict=True)]
        )
        moment[minutes] = _moments(np.concatenate([judged(each, lead) for each in found]))
    hour = np.concatenate([one.hour[each.scored] for one, each in zip(said, found, strict=True)])
    happened = np.concatenate([each.ahead[each.scored] <= 12 for each in found])
    wrong = [_tte_errors(one.when, each.ahead, each.scored) for one, each in zip(said, found, strict=True)]
    errors = np.concatenate(wrong)
    first = machines[0].series
    return SeriesFigures(
        first.name, first.family, hits, moment, brier_skill(hour, happened),
        float(2 ** np.median(errors)) if len(errors) else float("nan"), len(errors),
    )  # fmt: skip


def _moments(events: NDArray[np.int64]) -> NDArray[np.int64]:
    """Which moment each exhaustion belongs to."""
    order = np.argsort(events, kind="stable")
    apart = np.concatenate([[False], np.diff(events[order]) > SAME_MOMENT])[: len(events)]
    number = np.empty(len(events), np.int64)
    number[order] = np.cumsum(apart)
    return number


def _tte_errors(when: Floats, ahead: NDArray[np.int64], scored: Flags) -> Floats:
    here = scored & (ahead >= TTE_FROM) & (ahead <= TTE_TO)
    result: Floats = np.abs(np.log2(np.maximum(when[here], 0.2) / ahead[here]))
    return result


def add_causal(to: SeriesFigures, machines: Sequence[Laid], said: Sequence[Said], first: float | None = None) -> None:
    """What the warning level learnt from the machine's own past alone would have done."""
    warned = [causal(one.score, each, first) for one, each in zip(said, machines, strict=True)]
    weeks = sum(each.found.weeks for each in machines)
    hours = sum(nuisance(on, each.found) * each.found.weeks for on, each in zip(warned, machines, strict=True))
    to.realised = hours / weeks if weeks else float("nan")
    for minutes, lead in MOMENT_LEADS.items():
        hits = np.concatenate([foreseen(on, each.found, lead) for on, each in zip(warned, machines, strict=True)])
        to.causal[minutes] = float(hits.mean()) if len(hits) else float("nan")


def causal(score: Floats, machine: Laid, first: float | None) -> Flags:
    """Warned or not at each step; ``first``: a rival's level before it has a record (its scores have another scale)."""
    found, scores = machine.found, score.tolist()
    scored, false = found.scored.tolist(), found.false.tolist()
    level = Level() if first is None else Level(first=first, lowest=-math.inf)
    warned = np.zeros(len(scores), bool)
    for at in range(len(scores)):
        known = at - 25  # then it is certain whether two hours passed
        if known >= 0 and scored[known]:
            level.learn(scores[known], false[known])
        if scored[at]:
            warned[at] = level.warns(scores[at])
    return warned


def macro(each: Sequence[SeriesFigures], what: Callable[[SeriesFigures], float]) -> float:
    """The plain mean over the series where there is such a figure."""
    values = [value for one in each if not np.isnan(value := what(one))]
    return float(np.mean(values)) if values else float("nan")


def interval(values: Sequence[float]) -> tuple[float, float]:
    """90 % of the macro means when series are drawn anew."""
    known = np.array([each for each in values if not np.isnan(each)])
    if not len(known):
        return float("nan"), float("nan")
    drawn = np.random.default_rng(1).integers(len(known), size=(DRAWS, len(known)))
    low, high = np.quantile(known[drawn].mean(1), [0.05, 0.95])
    return float(low), float(high)


def moment_interval(each: Sequence[SeriesFigures], minutes: int) -> tuple[float, float]:
    """90 % of the macro recalls when the moments of every series are drawn anew."""
    random = np.random.default_rng(2)
    means = []
    for one in each:
        if not len(one.hits[minutes]):
            continue
        number = one.moment[minutes]
        count = np.bincount(number).astype(float)
        hit = np.bincount(number, one.hits[minutes])
        drawn = random.integers(len(count), size=(DRAWS, len(count)))
        means.append(hit[drawn].sum(1) / count[drawn].sum(1))
    if not means:
        return float("nan"), float("nan")
    low, high = np.quantile(np.mean(means, axis=0), [0.05, 0.95])
    return float(low), float(high)


def better(rival: Sequence[float], ours: Sequence[float]) -> bool:
    """Whether the rival is better beyond the interval: 95 % of the redrawn mean differences lie above 0."""
    pairs = np.array([a - b for a, b in zip(rival, ours, strict=True) if not np.isnan(a - b)])
    return len(pairs) > 1 and interval(pairs.tolist())[0] > 1e-9


def table(rows: Mapping[str, Sequence[str]], head: Sequence[str]) -> str:
    """Plain columns."""
    lines = [["", *head], *([name, *cells] for name, cells in rows.items())]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) if column == 0 else cell.rjust(width)
                  for column, (cell, width) in enumerate(zip(line, widths, strict=True)))
        for line in lines
    )  # fmt: skip
