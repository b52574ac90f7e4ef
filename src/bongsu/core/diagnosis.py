"""What rose: traffic before an incident against traffic during it, by route, client or machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rise:
    """One name's rate (per second) before and during; ``share`` is its part of the whole rise (0..1)."""

    name: str
    before: float
    during: float
    share: float

    @property
    def factor(self) -> float | None:
        """How many times as much; None when there was nothing before."""
        return self.during / self.before if self.before > 0 else None


def what_rose(before: Mapping[str, float], during: Mapping[str, float]) -> tuple[Rise, ...]:
    """Names whose rate rose, the largest part of the rise first."""
    names = before.keys() | during.keys()
    rises = {name: during.get(name, 0.0) - before.get(name, 0.0) for name in names}
    whole = sum(rise for rise in rises.values() if rise > 0)
    found = [
        Rise(name, before.get(name, 0.0), during.get(name, 0.0), rise / whole)
        for name, rise in rises.items()
        if rise > 0
    ]
    return tuple(sorted(found, key=lambda rise: (-rise.share, rise.name)))
