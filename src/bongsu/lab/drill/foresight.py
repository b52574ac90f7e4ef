"""What could be said of the end of the credits while the evening was still going on, held against when they ended."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from bongsu.catalogue import load_catalogue
from bongsu.core.burst import runway
from bongsu.lab.drill import figures
from bongsu.lab.drill.evening import Evening

JUDGED = (20.0, 40.0)
"""Lab minutes into the sale at which a prediction must hold; at the breach's start its course is unknowable."""
WITHIN = 0.20
PACE_OVER = 10.0
"""Lab minutes whose mean is the present pace."""


@dataclass(frozen=True, slots=True)
class Foresight:
    """A prediction made ``at`` lab minutes into the sale from what was known by then. Times are lab seconds from the
    sale's beginning, as those of ``exhaustion``; None: not within sight.

    ``predicted``: the balance at the pace of the last ten minutes. ``earliest``, ``middle``, ``latest``: the
    forecaster's 10, 50 and 90 %, which has an evening's history only. ``off``: of ``predicted`` against what happened.
    """

    at: float
    judged: bool
    predicted: float | None
    earliest: float | None
    middle: float | None
    latest: float | None
    off: float | None

    def as_data(self) -> dict[str, Any]:
        """For ``result.json``."""
        return {
            "at_s": round(self.at * 60), "judged": self.judged, "predicted_s": _whole(self.predicted),
            "forecast_p10_s": _whole(self.earliest), "forecast_p50_s": _whole(self.middle),
            "forecast_p90_s": _whole(self.latest), "off": None if self.off is None else round(self.off, 3),
        }  # fmt: skip


def foresights(evening: Evening) -> list[Foresight]:
    """At the breach's start and at the judged minutes, as far as the credits lasted until then."""
    measured = figures.measured_s(evening, figures.empty_at(evening))
    last = math.inf if measured is None else measured / 60
    ended = (evening.ended_at - evening.sale_at) * evening.scenario.speed / 60
    start = _breach_start(evening)
    moments = [(each, True) for each in JUDGED] + ([] if start is None else [(start, False)])
    found = [_foresight(evening, at, judged, measured) for at, judged in sorted(moments) if at < min(last, ended)]
    return [each for each in found if each is not None]


def _breach_start(evening: Evening) -> float | None:
    baseline = load_catalogue()[evening.scenario.machine_type].baseline
    over = [at for samples in evening.scraped.values() for at, cpu in samples if cpu > baseline]
    over = [at for at in over if at >= evening.sale_at]
    return (min(over) - evening.sale_at) * evening.scenario.speed / 60 if over else None


def _foresight(evening: Evening, at: float, judged: bool, measured: float | None) -> Foresight | None:
    import numpy as np

    from bongsu.core.forecast import forecast
    from bongsu.core.readings import on_grid

    machine = load_catalogue()[evening.scenario.machine_type]
    a_minute = 60 / evening.scenario.speed
    now = evening.sale_at + at * a_minute
    known = [row["machines"] for row in evening.governor if row["at"] <= now and row["machines"]]
    if not known:
        return None
    name, state = min(known[-1].items(), key=lambda each: float(each[1]["balance"]))
    samples = [(when, cpu) for when, cpu in evening.scraped.get(name, []) if when <= now]
    recent = [cpu for when, cpu in samples if when > now - PACE_OVER * a_minute]
    if not recent:
        return None
    balance = float(state["balance"])
    lasts = runway(balance, machine, sum(recent) / len(recent))
    here = datetime.fromtimestamp(now, UTC)
    points = [(here - timedelta(minutes=(now - when) / a_minute), min(1.0, cpu)) for when, cpu in samples]
    said = forecast(
        on_grid(points, here).demand[None], np.array([machine.baseline], np.float32),
        np.array([balance / machine.cap], np.float32),
    )  # fmt: skip
    predicted = None if lasts is None else at * 60 + lasts.total_seconds()
    off = None if predicted is None or measured is None else predicted / measured - 1
    early, middle, late = (_from(at, float(each[0])) for each in (said.p10, said.p50, said.p90))
    return Foresight(at, judged, predicted, early, middle, late, off)


def _from(at: float, minutes: float) -> float | None:
    return (at + minutes) * 60 if math.isfinite(minutes) else None


def _whole(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
