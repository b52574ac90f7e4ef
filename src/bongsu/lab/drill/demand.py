"""The sale's demand: a peak that saturates the machines and no more, then a plateau of the declared CPU."""

from __future__ import annotations

from typing import Any, Protocol

from bongsu.core.drill import Scenario

QUEUE = 20
"""Visits under way at the peak: enough that a machine never idles, too few for users to wait long."""
SETTLES = 2.0
"""Real seconds after the peak until its queue is served and the plateau's account begins."""
HORIZON = 2.0
"""Real seconds in which the plateau makes good what CPU was used too much or too little until now."""
KNOWN = 100
"""Visits of the plateau after which their own cost counts as much as what the peak said of it."""
LESS, MORE = 0.6, 1.3
"""How far the rate may be from what the plateau takes on the whole."""


class Adjustable(Protocol):
    """A load driver that can be told what to do from now on."""

    def rate(self, arrivals: float) -> None:
        """So many arrivals a real second."""
        ...

    def hold(self, visits: int, mix: str) -> None:
        """So many visits of a mix always under way, and none besides."""
        ...


class Demand:
    """Steers a load driver, once a second.

    What a visit costs differs by half from one minute to the next on a shared computer. A rate would either miss the
    ceiling or pile up a queue that hurts users before the credits do; so at the peak a visit begins when another ends,
    and how many end in a second tells what one costs. The plateau uses the declared CPU, on the whole: what chance used
    too much in one second is saved in the next ones, for a lab minute has sixty times fewer visits than a real one and
    would scatter as much more. From when somebody acts or the credits end, arrivals stay.
    """

    def __init__(self, load: Adjustable, scenario: Scenario, plateau: float) -> None:
        """``plateau``: the arrivals per real second that were found for it before."""
        self._load, self._scenario, self._plateau = load, scenario, plateau
        self._share = (scenario.plateau - scenario.own_cost) / (1 - scenario.own_cost)
        """The plateau's visits as a share of those at full CPU."""
        self._pace = scenario.plateau * scenario.machines * scenario.size
        """The plateau's CPU seconds in a real second."""
        self._second: dict[str, Any] = {"at": None, "rate": None}
        self._ended: list[int] = []
        """Visits of each whole second at the peak."""
        self._peaks = self._over = self._frozen = False
        self._sent = 0
        self._began: tuple[float, float, int] | None = None

    def steer(self, minutes: float, second: dict[str, Any], at: float, machines: dict[str, dict[str, Any]]) -> None:
        """``minutes`` since the sale began, the driver's newest second, the governor's newest record and its time."""
        if minutes <= 0:
            return
        if not self._peaks:
            self._peaks = True
            self._load.hold(QUEUE, "sale")  # the driver's plan may be a moment behind
        news = bool(second) and second["at"] != self._second["at"]
        if news:
            self._note(second)
        alone = len(machines) == self._scenario.machines and not any(each["empty"] for each in machines.values())
        if not alone and not self._frozen:
            self._frozen = True
            if not self._over:
                self._load.rate(self._full_rate())
        if minutes >= self._scenario.peak_minutes and not self._over:
            self._over, self._plateau = True, self._full_rate() * self._share
            self._load.rate(self._plateau)
        since = (minutes - self._scenario.peak_minutes) * 60 / self._scenario.speed
        if news and not self._frozen and since >= SETTLES:
            self._at_plateau(at, machines)

    def _note(self, second: dict[str, Any]) -> None:
        before, self._second = self._second, second
        self._sent += second["sent"]
        if before["rate"] == second["rate"] == 0:  # no visit arrived by itself: it was the peak's as a whole
            self._ended.append(second["sent"])

    def _full_rate(self) -> float:
        """Visits that end in a second of full CPU; as the plateau's rate says until the peak has shown it."""
        if self._ended:
            return sum(self._ended) / len(self._ended)
        return self._plateau / self._share

    def _at_plateau(self, at: float, machines: dict[str, dict[str, Any]]) -> None:
        """The rate that brings the CPU used to the plan's within the horizon, at what a visit costs."""
        began, used, sent = self._began = self._began or (at, _used(machines), self._sent)
        spent, visits = _used(machines) - used, self._sent - sent
        cost = (spent + KNOWN * self._pace / self._plateau) / (visits + KNOWN)
        behind = self._pace * (at - began) - spent
        self._load.rate(self._pace / cost * min(MORE, max(LESS, 1 + behind / (self._pace * HORIZON))))


def _used(machines: dict[str, dict[str, Any]]) -> float:
    """CPU seconds of all machines since each began."""
    return sum(float(each["cpu_seconds"]) for each in machines.values())
