"""The sale's demand: a peak that saturates the machines and no more, then a plateau of the declared CPU."""

from __future__ import annotations

from typing import Any, Protocol

from bongsu.core.drill import Scenario

QUEUE = 25
"""Requests under way at the peak: enough that the machines never idle, too few for users to wait long."""
PATIENCE = 0.5
"""How much of the queue's distance from that is made good in a second."""
LESS, MORE = 0.6, 1.3
"""How far the peak's rate may change in a second."""
GAIN = 0.35
"""How much of the CPU's distance from the plateau is made good in a second."""
SETTLES = 3.0
"""Lab minutes after the peak in which the measured CPU still holds some of it."""


class Adjustable(Protocol):
    """A load driver whose rate can be changed."""

    def rate(self, arrivals: float) -> None:
        """From now on."""
        ...


class Demand:
    """Steers a load driver, once a second.

    What a visit costs differs by half from one minute to the next on a shared computer. A fixed rate would either miss
    the ceiling or pile up a queue that hurts users before the credits do; so the peak is a small standing queue. The
    plateau is held at the declared CPU until somebody acts or the credits end: from then on arrivals stay.
    """

    def __init__(self, load: Adjustable, scenario: Scenario, peak: float, plateau: float) -> None:
        """``peak`` and ``plateau``: the arrivals per real second to begin with."""
        self._load, self._scenario, self._rate, self._plateau = load, scenario, peak, plateau
        self._seen: float | None = None
        self._over = self._frozen = False

    def steer(self, minutes: float, second: dict[str, Any], machines: dict[str, dict[str, Any]]) -> None:
        """``minutes`` since the sale began, the driver's newest second, the governor's newest record."""
        ends = self._scenario.peak_minutes
        if minutes >= ends and not self._over:
            self._over, self._rate = True, self._plateau
            self._load.rate(self._rate)
        if minutes <= 0 or second.get("mix") != "sale" or second["at"] == self._seen:
            return
        first, self._seen = self._seen is None, second["at"]
        if first:
            return  # a second that was the sale's in part only
        factor = self._at_peak(second) if minutes < ends else self._at_plateau(minutes - ends, machines)
        if factor != 1.0:
            self._rate *= factor
            self._load.rate(self._rate)

    def _at_peak(self, second: dict[str, Any]) -> float:
        """As many arrivals as were served, and what the queue lacks or has too much."""
        served: int = second["ok"] + second["refused"] + second["failed"]
        wanted: float = served + PATIENCE * (QUEUE - second["outstanding"])
        return min(MORE, max(LESS, wanted / self._rate))

    def _at_plateau(self, since: float, machines: dict[str, dict[str, Any]]) -> float:
        alone = len(machines) == self._scenario.machines and not any(each["empty"] for each in machines.values())
        self._frozen = self._frozen or not alone
        used: list[float] = [each["u"] for each in machines.values() if each["u"] is not None]
        if self._frozen or since < SETTLES or not used:
            return 1.0
        off = (self._scenario.plateau - sum(used) / len(used)) / self._scenario.plateau
        return 1.0 + GAIN * max(-0.5, min(0.5, off))
