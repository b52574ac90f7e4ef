"""``python -m bench.forecast [--data FOLDER]``: how well exhaustion is foreseen, beside what people use today.

The protocol is that of docs/forecast.md. Four settings are chosen on one half of the series and the figures are
those of the other half; then the halves change places. The last line is JSON.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy: one core is what is measured
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bench.figures import SeriesFigures, add_causal, better, figures, interval, macro, moment_interval, table
from bench.forecasters import Said, curves, rivals
from bench.series import Laid, all_series, lay
from bongsu.core.analogue import WINDOW, Floats
from bongsu.core.backtest import recovered, reliability
from bongsu.core.errors import InvalidInput
from bongsu.core.forecast import forecast, when_if_soon
from bongsu.core.hindsight import hour_of, scores_of
from bongsu.core.record import RECOVERED, Record

OURS = "analogue"
NUMERATORS = ((60,), (30, 60), (15, 30, 60))
STRENGTHS = (2.0, 5.0, 10.0, 20.0)
PRIORS = (0.02, 0.05, 0.1, 0.2)
MARKS = (0.0, 0.01, 0.02, 0.03, 0.04, 0.06, 0.08)


@dataclass(frozen=True, slots=True)
class Settings:
    """What is chosen on the other half."""

    numerator: tuple[int, ...]
    strength: float
    prior: float
    mark: float


@dataclass(slots=True)
class Group:
    """One series: its machines and what the analogue's curves say of them."""

    machines: list[Laid]
    curves: list[Floats]
    family: str


def with_record(laid: Laid, hour: Floats, strength: float) -> Floats:
    """Every probability put right by what was known of the machine's own record by then: an hour later."""
    record, told = Record(), hour.tolist()
    scored, ahead = laid.found.scored.tolist(), laid.found.ahead.tolist()
    for at in range(len(told)):
        known = at - 12
        if known >= 0 and scored[known]:
            record.learn(hour[known], ahead[known] <= 12)
        if scored[at]:
            told[at] = record.corrected(told[at], strength)
    return np.array(told, np.float32)


def ours(group: Group, settings: Settings) -> list[Said]:
    """What the product says."""
    return [
        Said(
            scores_of(curve, recovered(laid.share, settings.mark), settings.numerator),
            with_record(laid, hour_of(curve), settings.strength),
            when_if_soon(curve, settings.prior) / np.float32(5),
        )
        for laid, curve in zip(group.machines, group.curves, strict=True)
    ]


def choose(half: Sequence[Group]) -> Settings:
    """The settings that are best on these series, each by the figure it serves."""

    def mean(settings: Settings, what: str) -> float:
        found = [figures(group.machines, ours(group, settings)) for group in half]
        if what == "recall":
            return macro(found, lambda each: each.recall(30)) + macro(found, lambda each: each.recall(15))
        return macro(found, lambda each: each.skill) if what == "skill" else -macro(found, lambda each: each.factor)

    best = Settings(NUMERATORS[0], STRENGTHS[1], PRIORS[1], RECOVERED)
    best = max((replace(best, mark=each) for each in MARKS), key=lambda each: mean(each, "recall"))
    best = max((replace(best, numerator=each) for each in NUMERATORS), key=lambda each: mean(each, "recall"))
    best = max((replace(best, strength=each) for each in STRENGTHS), key=lambda each: mean(each, "skill"))
    return max((replace(best, prior=each) for each in PRIORS), key=lambda each: mean(each, "factor"))


def speed() -> float:
    """Machines a second on one core: two weeks of each are looked through, none is out of reach."""
    count = 512
    random = np.random.default_rng(3)
    demand = np.clip(random.gamma(0.5, 0.3, (count, WINDOW)), 0, 1).astype(np.float32)
    baseline = np.full(count, 0.2, np.float32)
    share = random.uniform(0.05, 0.9, count).astype(np.float32)
    forecast(demand[:64], baseline[:64], share[:64])
    took = []
    for _ in range(5):
        began = time.perf_counter()
        forecast(demand, baseline, share)
        took.append(time.perf_counter() - began)
    return count / float(np.median(took))


def groups(folder: Path | None) -> list[Group]:
    """Every series with its machines and curves; the long part of the bench."""
    found = []
    for series in all_series(folder):
        machines = list(lay(series))
        told = [curve for begin in range(0, len(machines), 3) for curve in curves(machines[begin : begin + 3])]
        found.append(Group(machines, told, series.family))
    return found


def evaluate(every: Sequence[Group]) -> dict[str, list[SeriesFigures]]:
    """Figures by method; ours with settings chosen on the other half."""
    found: dict[str, list[SeriesFigures]] = {OURS: []}
    families = sorted({group.family for group in every})
    halves = [[g for f in families for g in [x for x in every if x.family == f][start::2]] for start in (0, 1)]
    chosen = [choose(half) for half in halves]
    for mine, (half, settings) in enumerate(zip(halves, reversed(chosen), strict=True)):
        names = ", ".join(group.machines[0].series.name for group in half)
        print(f"\nhalf {'AB'[mine]}: {names}\n  settings from half {'BA'[mine]}: {settings}")
        for group in half:
            told = ours(group, settings)
            one = figures(group.machines, told)
            add_causal(one, group.machines, told)
            found[OURS].append(one)
            for name in rivals(group.machines[0]):
                theirs = [rivals(laid)[name] for laid in group.machines]
                found.setdefault(name, []).append(figures(group.machines, theirs))
                if name.startswith("rate 1 h"):
                    add_causal(found[name][-1], group.machines, theirs, first=-12.0)
            GATHERED.append((group, told))
    return found


GATHERED: list[tuple[Group, list[Said]]] = []


def show(found: dict[str, list[SeriesFigures]], family: str) -> dict[str, float]:
    """Print one family; its part of the JSON line."""
    mine = {name: [each for each in all_ if each.family == family] for name, all_ in found.items()}
    print(f"\n== {family}: per series ({OURS}; own level at 2 h of nuisance a week; causal: the machine's own past)")
    head = ["events", "10", "15", "30", "60 min", "skill", "TTE x", "causal 30", "realised h/wk"]
    print(table({
        each.name: [str(len(each.hits[30])), *(f"{each.recall(m):.2f}" for m in (10, 15, 30, 60)), f"{each.skill:.2f}",
                    f"{each.factor:.2f}", f"{each.causal[30]:.2f}", f"{each.realised:.1f}"]
        for each in mine[OURS]
    }, head))  # fmt: skip
    print(f"-- {family}: macro [90 % over series] (90 % over moments)")
    rows = {}
    for name, each in mine.items():
        low, high = interval([one.recall(30) for one in each])
        from_, to = moment_interval(each, 30)
        rows[name] = [
            *(f"{macro(each, lambda one, m=m: one.recall(m)):.2f}" for m in (10, 15, 30, 60, 90)),  # type: ignore[misc]
            f"[{low:.2f} {high:.2f}] ({from_:.2f} {to:.2f})",
            f"{macro(each, lambda one: one.skill):.2f}",
            f"{2 ** macro(each, lambda one: float(np.log2(one.factor))):.2f}",
            f"{macro(each, lambda one: one.causal.get(30, float('nan'))):.2f}",
            f"{macro(each, lambda one: one.realised):.1f}",
        ]
    print(table(rows, ["10", "15", "30", "60", "90 min", "30 min: intervals", "skill", "TTE x", "causal 30", "h/wk"]))
    each = mine[OURS]
    hour = np.concatenate([s.hour[m.found.scored] for g, t in GATHERED if g.family == family
                           for m, s in zip(g.machines, t, strict=True)])  # fmt: skip
    came = np.concatenate([m.found.ahead[m.found.scored] <= 12 for g, _ in GATHERED if g.family == family
                           for m in g.machines])  # fmt: skip
    bins = reliability(hour, came)
    print(
        "said -> happened (within the hour): "
        + ", ".join(f"{b.said:.2f} -> {b.happened:.2f} ({b.count})" for b in bins)
    )
    return {
        "recall_30": macro(each, lambda one: one.recall(30)),
        "recall_15": macro(each, lambda one: one.recall(15)),
        "brier_skill": macro(each, lambda one: one.skill),
        "tte_factor": 2 ** macro(each, lambda one: float(np.log2(one.factor))),
        "nuisance_realised_h": macro(each, lambda one: one.realised),
        "causal_recall_30": macro(each, lambda one: one.causal[30]),
        "worst_bin": max((abs(b.said - b.happened) for b in bins), default=float("nan")),
    }


def beaten(found: dict[str, list[SeriesFigures]], family: str) -> list[str]:
    """Baselines that are better than ours beyond the interval, and at what."""
    told = []
    for name, all_ in found.items():
        pairs = [(a, b) for a, b in zip(all_, found[OURS], strict=True) if a.family == family and name != OURS]
        measures = {
            "recall_30": [(a.recall(30), b.recall(30)) for a, b in pairs],
            "recall_15": [(a.recall(15), b.recall(15)) for a, b in pairs],
            "brier_skill": [(a.skill, b.skill) for a, b in pairs],
            "tte_factor": [(-float(np.log2(a.factor)), -float(np.log2(b.factor))) for a, b in pairs],
        }
        for what, both in measures.items():
            if better([a for a, _ in both], [b for _, b in both]):
                told.append(f"{family}: {name} at {what}")
    return told


def main() -> None:
    """Measure and print."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--data", type=Path, help="a folder of timestamp,value CSV files instead of NAB")
    began = time.perf_counter()
    try:
        every = groups(asked.parse_args().data)
    except InvalidInput as error:
        sys.exit("\n".join(error.problems))
    took = time.perf_counter() - began
    print(f"{len(every)} series, {sum(len(g.machines) for g in every)} machines, curves in {took:.0f} s")
    found = evaluate(every)
    families = sorted({group.family for group in every}, reverse=True)
    result: dict[str, object] = {
        family: {name: round(value, 3) for name, value in show(found, family).items()} for family in families
    }
    result["beaten_by_baseline"] = [each for family in families for each in beaten(found, family)]
    result["machines_per_s"] = round(speed())
    print(f"\n{time.perf_counter() - began:.0f} s in all")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
