"""How many machines carry the demand, and when one may go again (rule 16)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

HEADROOM = 0.7
"""A machine may go only while the others would stay under this share of their baseline."""
PLANNED = 0.5
"""Machines are added until each runs at this share of its baseline: credits grow back, and a machine costs something
of its own that the demand measured before did not hold."""


@dataclass(frozen=True, slots=True)
class ScaleOut:
    """Add ``count`` machines. ``reason`` is a code; ``projected`` the CPU (0..1) each machine will then have."""

    count: int
    projected: float
    reason: str


def scale_out(utilisations: Sequence[float], baseline: float, most: int) -> ScaleOut:
    """How many machines to add so that each comes to ``PLANNED`` x baseline, with at most ``most`` in all.

    ``utilisations`` are the machines' CPU (0..1) now. While throttled they are less than the demand, so the
    answer is then a lower bound.
    """
    have, demand = len(utilisations), sum(utilisations)
    need = max(have, math.ceil(demand / (PLANNED * baseline)))
    total = max(have, min(need, most))
    reason = "enough" if total == have and need == have else "at_most" if need > most else "demand"
    return ScaleOut(count=total - have, projected=demand / total if total else 0.0, reason=reason)


@dataclass(frozen=True, slots=True)
class ScaleIn:
    """Whether ``machine`` may be drained and removed now; ``reason`` says why or why not."""

    machine: str | None
    reason: str


def scale_in(
    utilisations: Mapping[str, float],
    added: Sequence[str],
    baseline: float,
    *,
    resolved: bool,
    blind: bool,
    calm_since: datetime | None,
    now: datetime,
    wait: timedelta = timedelta(minutes=30),
) -> ScaleIn:
    """Which machine may go: only one that Bongsu added, the newest first, one at a time.

    ``calm_since``: since when the survivors' projected CPU has stayed under ``HEADROOM`` x baseline.
    """
    present = [name for name in added if name in utilisations]
    if not present:
        return ScaleIn(None, "nothing_added")
    if not resolved:
        return ScaleIn(None, "incident_open")
    if blind:
        return ScaleIn(None, "blind")
    if not calm_after_leaving(utilisations, baseline):
        return ScaleIn(None, "still_needed")
    if calm_since is None or now - calm_since < wait:
        return ScaleIn(None, "waiting")
    return ScaleIn(present[-1], "calm")


def calm_after_leaving(utilisations: Mapping[str, float], baseline: float) -> bool:
    """Whether the survivors could carry the demand of one machine fewer under ``HEADROOM`` x baseline."""
    survivors = len(utilisations) - 1
    return survivors > 0 and sum(utilisations.values()) / survivors < HEADROOM * baseline
