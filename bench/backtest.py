"""``python -m bench.backtest``: how long a back-test of 30 days of 100 machines takes. The last line is JSON."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import json
import time
from datetime import UTC, datetime

import numpy as np

from bench.series import NAB, read_series
from bongsu.catalogue import load_catalogue
from bongsu.cli.subject import ORDINARY
from bongsu.core.analogue import DAY
from bongsu.core.verdicts import Past, judge

DAYS, MACHINES = 30, 100
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def main() -> None:
    """Tweets as demand: every machine begins at another hour of them, at a mean near the baseline."""
    machine = load_catalogue()["lightsail:small-2GB"]
    tweets = [read_series(path, "bursty").demand for path in sorted((NAB / "bursty").glob("Twitter*"))]
    random = np.random.default_rng(4)
    pasts = []
    for number in range(MACHINES):
        demand = tweets[number % len(tweets)]
        begin = int(random.integers(len(demand) - DAYS * DAY))
        piece = demand[begin : begin + DAYS * DAY]
        scaled = np.clip(piece * (0.9 * machine.baseline / max(float(piece.mean()), 1e-6)), 0, 1)
        pasts.append(Past(f"m{number}", BEGIN, scaled.astype(np.float32)))
    began, used = time.perf_counter(), time.process_time()
    verdict = judge(pasts, machine, ORDINARY, 2.0, 0.5)
    took, cpu = time.perf_counter() - began, time.process_time() - used
    print(
        f"{MACHINES} machines x {DAYS} days: {took:.1f} s ({cpu:.1f} s of CPU); {len(verdict.exhaustions)} exhaustions"
    )
    print(
        json.dumps({"seconds": round(took, 2), "cpu_seconds": round(cpu, 2), "exhaustions": len(verdict.exhaustions)})
    )


if __name__ == "__main__":
    main()
