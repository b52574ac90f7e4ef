"""What a visit costs: CPU per arrival, measured, so that "42 % CPU on each machine" becomes a rate of arrivals."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

from bongsu.core.errors import BongsuError
from bongsu.lab.running import RunningLab, start_load
from bongsu.lab.traffic import Segment


@dataclass(frozen=True, slots=True)
class Calibration:
    """``per_arrival``: CPU seconds of all machines per arrival. ``idle``: cores a machine uses without visitors.

    ``steal``: the worst share of this computer's CPU that its host took meanwhile; above 0.05 do not trust it.
    """

    mix: str
    per_arrival: float
    idle: float
    arrivals: int
    steal: float

    def rate(self, utilisation: float, machines: int, size: float) -> float:
        """Arrivals per second that bring each of ``machines`` machines to ``utilisation`` (0..1 of ``size`` cores)."""
        return max(0.0, (utilisation * size - self.idle) * machines / self.per_arrival)

    def utilisation(self, rate: float, machines: int, size: float) -> float:
        """The other way round: what ``rate`` arrivals per second do to each machine."""
        return (rate * self.per_arrival / machines + self.idle) / size


def calibrate(
    lab: RunningLab, directory: Path, *, mix: str = "calm", rate: float = 30.0, seconds: float = 5.0
) -> Calibration:
    """Measure a short phase without visitors and one at ``rate`` arrivals per second; about ``seconds`` + 3 s.

    Choose a rate that no machine's cap touches. Raises BongsuError when nothing was answered.
    """
    started = time.time()
    begun, at = _cpu(lab), time.monotonic()
    time.sleep(1.5)
    quiet, later = _cpu(lab), time.monotonic()
    idle = sum(quiet.values()) - sum(begun.values())
    idle /= (later - at) * len(quiet)
    with start_load(lab, (Segment(seconds, rate, mix),), directory) as load:
        before, at = _cpu(lab), time.monotonic()
        load.wait(seconds + 15)
        time.sleep(0.3)  # the governor looks ten times a second
        used = sum(_cpu(lab).values()) - sum(before.values())
        used -= idle * len(before) * (time.monotonic() - at)
    rows = [json.loads(line) for line in load.seconds.read_text(encoding="utf-8").splitlines()]
    arrivals = sum(row["sent"] for row in rows)
    if sum(row["ok"] for row in rows) == 0 or arrivals == 0:
        raise BongsuError(f"calibration: nothing of {arrivals} arrivals was answered well; look into {directory}")
    return Calibration(mix, used / arrivals, idle, arrivals, steal(lab.directory.records, started, time.time()))


def steal(records: Path, begin: float, end: float) -> float:
    """The worst share of this computer's CPU that its host took between two wall times, from the governor's records."""
    rows = (json.loads(line) for line in records.read_text(encoding="utf-8").splitlines())
    return max((float(row["steal"]) for row in rows if begin <= row["at"] < end), default=0.0)


def _cpu(lab: RunningLab) -> dict[str, float]:
    figures = {machine: each.get("machine_cpu_seconds_total") for machine, each in lab.gauges().items() if machine}
    return {machine: value for machine, value in figures.items() if value is not None}
