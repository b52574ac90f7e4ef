"""Profiles: where each signal lives in the metrics of one kind of exporter."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from string import Template

SERVICE, MACHINE = "job", "job, instance"
"""What a query's ``$by`` may be: one series for the whole service, or one for each machine."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to get a signal.

    ``query`` is PromQL with the places ``$job`` (the job's name), ``$window`` (a range long enough for four scrapes)
    and ``$by`` (the labels that an aggregation keeps). ``needs`` are the metric names it cannot do without, each a
    pattern for the whole name. ``how`` says what figure this is where several ways differ: "p95", "mean".
    """

    query: str
    needs: tuple[str, ...]
    how: str = ""

    def fits(self, names: Collection[str]) -> bool:
        """Whether every metric that it needs is among ``names``."""
        return all(any(re.fullmatch(need, name) for name in names) for need in self.needs)

    def needs_name(self, name: str) -> bool:
        """Whether this metric is one of those it needs."""
        return any(re.fullmatch(need, name) for need in self.needs)

    def fill(self, job: str, window: str, by: str = SERVICE) -> str:
        """The PromQL for one job. ``window`` is a Prometheus duration in wall time."""
        return Template(self.query).safe_substitute(job=job, window=window, by=by)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a signal lives: the readings, the best first, and the one line to ``add`` when the best does not fit."""

    readings: tuple[Reading, ...]
    add: str = ""

    def best(self, names: Collection[str]) -> Reading | None:
        """The first reading that fits; None when the signal is missing."""
        return next((reading for reading in self.readings if reading.fits(names)), None)


@dataclass(frozen=True, slots=True)
class Profile:
    """A kind of exporter. ``known_by`` are patterns of metric names that it alone has."""

    name: str
    title: str
    known_by: tuple[str, ...]
    signals: Mapping[str, Source] = field(default_factory=dict)

    def fit(self, names: Collection[str]) -> float:
        """How much of what it is known by is there (0..1)."""
        if not self.known_by:
            return 0.0
        found = sum(any(re.fullmatch(pattern, name) for name in names) for pattern in self.known_by)
        return found / len(self.known_by)


def recognise(profiles: Collection[Profile], names: Collection[str]) -> Profile | None:
    """The profile that fits best; None when none fits at all."""
    best = max(profiles, key=lambda profile: (profile.fit(names), profile.name), default=None)
    return best if best is not None and best.fit(names) > 0 else None


def expressions(profile: Profile, own: Mapping[str, str], job: str, window: str, by: str = SERVICE) -> dict[str, str]:
    """Every signal that a service has, as PromQL; its own queries add to the profile's or replace them."""
    signals = {name: source.readings[0] for name, source in profile.signals.items() if source.readings}
    signals |= {name: Reading(query, ()) for name, query in own.items()}
    return {name: reading.fill(job, window, by) for name, reading in signals.items()}
