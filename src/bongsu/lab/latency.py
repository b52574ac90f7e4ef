"""Latencies of single requests: how the load driver keeps them, and percentiles over any window."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

_FORM = struct.Struct("<dfHBBI")
ROUTES = ("list", "detail", "top", "order", "pay", "charge")


class Sample(NamedTuple):
    """One request. ``at``: when it was meant to be sent (seconds since 1970); ``latency``: seconds from then.

    ``status``: the HTTP status, 0 for a time-out or a broken connection. ``person``: number in the population.
    """

    at: float
    latency: float
    status: int
    route: str
    logged_in: bool
    person: int

    @property
    def failed(self) -> bool:
        """Whether the user got nothing: a server error, a time-out, a broken connection."""
        return self.status == 0 or self.status >= 500

    def pack(self) -> bytes:
        """Twenty bytes."""
        at, latency, status, route, logged_in, person = self
        return _FORM.pack(at, latency, status, ROUTES.index(route), logged_in, person)


@dataclass(frozen=True, slots=True)
class Window:
    """What users met in a span of time. Latencies in seconds; time-outs count with the time they waited."""

    requests: int
    failed: int
    p50: float | None
    p95: float | None
    p99: float | None
    people: int
    people_failed: int


def read_samples(path: Path) -> list[Sample]:
    """Everything the driver kept; a half-written last sample is left out."""
    data = path.read_bytes()
    whole = data[: len(data) - len(data) % _FORM.size]
    return [
        Sample(at, latency, status, ROUTES[route], bool(logged_in), person)
        for at, latency, status, route, logged_in, person in _FORM.iter_unpack(whole)
    ]


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that at least ``share`` (0..1) of the values do not exceed; None for no values."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def window(samples: Iterable[Sample], begin: float, end: float) -> Window:
    """Requests that were meant to be sent in [begin, end), both in seconds since 1970."""
    chosen = [sample for sample in samples if begin <= sample.at < end]
    latencies = [sample.latency for sample in chosen]
    return Window(
        requests=len(chosen),
        failed=sum(sample.failed for sample in chosen),
        p50=percentile(latencies, 0.50),
        p95=percentile(latencies, 0.95),
        p99=percentile(latencies, 0.99),
        people=len({sample.person for sample in chosen}),
        people_failed=len({sample.person for sample in chosen if sample.failed}),
    )
