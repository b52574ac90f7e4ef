"""The child process that searches: ``python -m bongsu.engine.forecasting``, machines in, probabilities out (msgpack).

numpy lives here alone, at a low priority and for a moment: the server stays small, and the watch waits for nobody.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Sequence

import msgspec

from bongsu.core.errors import BongsuError

NICE, TIMEOUT = 10, 120.0


class Asked(msgspec.Struct, frozen=True):
    """A machine: its demand as float32, its baseline (0..1), its balance as a share of the cap."""

    demand: bytes
    baseline: float
    share: float


class Found(msgspec.Struct, frozen=True):
    """What is foreseen; minutes, None beyond six hours. ``curve``: probability by minutes.

    ``fan``: the balance by minutes, as shares of the cap: lower than the first in one of ten paths, the middle, lower
    than the last in nine of ten.
    """

    method: str
    pace: float | None
    p10: float | None
    p50: float | None
    p90: float | None
    curve: dict[int, float]
    similar: int
    fan: dict[int, tuple[float, float, float]] = {}


def ask(machines: Sequence[Asked]) -> list[Found]:
    """Let a child do the work. Raises BongsuError when it fails."""
    try:
        child = subprocess.run(
            [sys.executable, "-m", "bongsu.engine.forecasting"],
            input=msgspec.msgpack.encode(machines),
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BongsuError(f"the forecast of {len(machines)} machines took longer than {TIMEOUT:g} s") from None
    if child.returncode != 0:
        raise BongsuError(f"the forecast failed: {child.stderr.decode(errors='replace')[-500:].strip()}")
    return msgspec.msgpack.decode(child.stdout, type=list[Found])


def search(machines: Sequence[Asked]) -> list[Found]:
    """Forecast them in this process."""
    import numpy as np

    from bongsu.core.analogue import LEADS, WINDOW
    from bongsu.core.forecast import forecast

    demand = np.full((len(machines), WINDOW), np.nan, np.float32)
    for row, each in zip(demand, machines, strict=True):
        known = np.frombuffer(each.demand, np.float32)[-WINDOW:]
        row[WINDOW - len(known) :] = known
    baseline = np.array([each.baseline for each in machines], np.float32)
    found = forecast(demand, baseline, np.array([each.share for each in machines], np.float32), with_fan=True)
    assert found.fan is not None
    return [
        Found(
            method=str(found.method[row]),
            pace=_finite(found.pace[row]),
            p10=_finite(found.p10[row]),
            p50=_finite(found.p50[row]),
            p90=_finite(found.p90[row]),
            curve={
                int(lead) * 5: float(p) for lead, p in zip(LEADS, found.curve[row], strict=True) if math.isfinite(p)
            },
            similar=int(found.similar[row]),
            fan={
                int(lead) * 5: (float(low), float(middle), float(high))
                for lead, (low, middle, high) in zip(LEADS, found.fan[row].T, strict=True)
                if math.isfinite(middle)
            },
        )
        for row in range(len(machines))
    ]


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def main() -> None:
    """The child."""
    os.nice(NICE)
    asked = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=list[Asked])
    sys.stdout.buffer.write(msgspec.msgpack.encode(search(asked)))


if __name__ == "__main__":
    main()
