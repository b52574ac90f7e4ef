"""Pasts to back-test on: CSV files, or what Prometheus remembers of a service."""

from __future__ import annotations

import csv
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bongsu.config import Config
from bongsu.core.balance import ROUNDING
from bongsu.core.errors import InvalidInput
from bongsu.core.forecast import STEP
from bongsu.core.readings import on_grid
from bongsu.core.verdicts import Past

CHUNK = timedelta(days=14)
"""Asked of Prometheus at a time: it answers at most 11,000 points a series."""


def from_csv(path: Path) -> tuple[Past, list[str]]:
    """A file of ``timestamp,value`` (CPU, 0..1 or percent) and what was wrong with its points; named by the file."""
    points: list[tuple[datetime, float]] = []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for number, row in enumerate(csv.reader(file), start=1):
                if not row or (number == 1 and row[0].strip().lower() in ("timestamp", "time")):
                    continue
                points.append((_time(row[0]), float(row[1])))
    except OSError as error:
        raise InvalidInput([f"{path}: cannot be read ({error.strerror})"]) from None
    except (ValueError, IndexError):
        raise InvalidInput(
            [f"{path}:{number}: {','.join(row)!r} is not timestamp,value; write 2026-01-31T09:00:00Z,0.42"]
        ) from None
    if not points:
        raise InvalidInput([f"{path}: there is no point in it"])
    notes = []
    if max((value for _, value in points if math.isfinite(value)), default=0) > 1 + ROUNDING:
        points = [(at, value / 100) for at, value in points]
        notes.append("values above 1: taken as percent")
    begin, end = min(at for at, _ in points), max(at for at, _ in points)
    readings = on_grid(points, end, (end - begin) // STEP + 1)
    return Past(path.stem, begin, readings.demand), [f"{path}: {note}" for note in (*notes, *readings.problems)]


def _time(text: str) -> datetime:
    at = datetime.fromisoformat(text.strip())
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def from_prometheus(config: Config, name: str, since: timedelta) -> tuple[list[Past], list[str]]:
    """Every machine of a service as Prometheus remembers it: its CPU, and its balance where that is measured."""
    from bongsu.adapters.clock import SystemClock
    from bongsu.adapters.prometheus import Prometheus
    from bongsu.bootstrap import service_of
    from bongsu.core.timescale import Timescale

    service = service_of(name, config.service[name], config)
    timescale = Timescale(config.timescale.origin, config.timescale.speed)
    clock = SystemClock()
    store = Prometheus(config.prometheus.url, config.prometheus.timeout, timescale, clock, config.prometheus.scrape)
    now = timescale.to_service(clock.now())
    points: dict[str, list[tuple[datetime, float]]] = {}
    begin = now - since
    while begin < now:
        end = min(now, begin + CHUNK)
        for machine, samples in store.values(service.signals["cpu"], begin, end, STEP).items():
            points.setdefault(machine, []).extend(samples)
        begin = end + STEP
    pasts, notes = [], []
    for machine, course in sorted(points.items()):
        first = min(at for at, _ in course)
        readings = on_grid(course, now, (now - first) // STEP + 1)
        pasts.append(Past(machine, first, readings.demand))
        notes += [f"{machine}: {note}" for note in readings.problems]
    if not pasts:
        raise InvalidInput(
            [f"Prometheus at {config.prometheus.url} has no CPU of service {name!r}; bongsu doctor says what it has"]
        )
    return pasts, notes
