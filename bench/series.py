"""Series to try a forecaster on, and the machines that are laid over them."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from bongsu.core.analogue import DAY, Floats
from bongsu.core.backtest import Outcome, outcome
from bongsu.core.errors import InvalidInput

NAB = Path(__file__).parent / "data" / "nab"
LOADS = (0.75, 0.9, 1.02)
"""The mean demand of a series as a share of the baseline laid over it: easy, tight, and a little too much."""
STARTS = ((0.6, False), (0.15, True), (0.4, True))
"""Share of the cap at the start, and whether the machine starts anew with it every day."""
WARM_UP = 2 * DAY


@dataclass(frozen=True, slots=True)
class Series:
    """Demand, 0..1, one value every five minutes."""

    name: str
    family: str
    demand: Floats


@dataclass(frozen=True, slots=True)
class Laid:
    """A machine laid over a series: its baseline, its balance (share of the cap), and what became of it."""

    series: Series
    baseline: float
    share: Floats
    found: Outcome

    @property
    def full_burn(self) -> Floats:
        """Steps that the balance lasts at 100 %."""
        result: Floats = self.share * DAY * self.baseline / (1 - self.baseline)
        return result


def read_series(path: Path, family: str) -> Series:
    """A CSV of ``timestamp,value``; raises InvalidInput with the place of the first bad line."""
    text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text(encoding="utf-8")
    at: list[float] = []
    values: list[float] = []
    for number, row in enumerate(csv.reader(io.StringIO(text)), start=1):
        if number == 1 and row[:1] == ["timestamp"]:
            continue
        try:
            at.append(datetime.fromisoformat(row[0]).timestamp())
            values.append(float(row[1]))
        except (ValueError, IndexError):
            raise InvalidInput(
                [f"{path}:{number}: {','.join(row)!r} is not timestamp,value such as 2014-02-14 14:30:00,6.456"]
            ) from None
    if len(values) < 2 * WARM_UP:
        raise InvalidInput([f"{path}: {len(values)} points are too few; the bench needs four days of them"])
    step = np.round((np.array(at) - at[0]) / 300).astype(int)
    course = np.full(step.max() + 1, np.nan)
    course[step] = values
    known = np.maximum.accumulate(np.where(np.isnan(course), 0, np.arange(len(course))))
    course = course[known]  # a gap keeps the last value
    scale = 100.0 if family == "cpu" else float(np.quantile(course, 0.995)) or 1.0
    return Series(path.name.split(".")[0], family, np.clip(course / scale, 0, 1).astype(np.float32))


def all_series(folder: Path | None) -> list[Series]:
    """Both families of NAB, or the CSV files of a folder: values up to 100 in a name with ``cpu`` are percent."""
    if folder is None:
        cpu = [read_series(path, "cpu") for path in sorted(NAB.glob("*.csv.gz"))]
        return cpu + [read_series(path, "bursty") for path in sorted((NAB / "bursty").glob("*.csv.gz"))]
    paths = sorted([*folder.glob("*.csv"), *folder.glob("*.csv.gz")])
    if len(paths) < 2:
        raise InvalidInput([f"{folder}: at least two files *.csv (timestamp,value) are needed: half of them tune"])
    return [read_series(path, "cpu" if "cpu" in path.name.lower() else "bursty") for path in paths]


def lay(series: Series) -> Iterator[Laid]:
    """The machines over one series; those with the same baseline stand together."""
    mean = float(series.demand.mean())
    for load in LOADS:
        baseline = mean / load
        if not 0 < baseline < 0.95:
            continue
        flow = ((1 - series.demand / baseline) / DAY).tolist()
        for start, daily in STARTS:
            balance, share = start, []
            for at, each in enumerate(flow):
                balance = start if daily and at % DAY == 0 else min(1.0, max(0.0, balance + each))
                share.append(balance)
            course = np.array(share, np.float32)
            begins = range(0, len(course), DAY) if daily else (0,)
            yield Laid(series, baseline, course, outcome(course, list(begins), WARM_UP))
