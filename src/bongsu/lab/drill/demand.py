"""The sale's demand: a peak that saturates the machines and no more, then a plateau of the declared CPU."""

from __future__ import annotations

from typing import Any, Protocol

from bongsu.core.drill import Scenario

QUEUE = 15
"""Visits under way at the peak: enough that the machines never idle, too few for users to wait long."""
STANDING = 5
"""Visits under way at both ends of a second in which the machines had work all the time."""
PATIENCE = 0.7
"""How much of the queue's distance from its length is made good in a second."""
LESS, MORE = 0.6, 1.3
"""How far the rate may be from what the machines can do at the peak, and from what the plateau takes on the whole."""
SETTLES = 2.0
"""Real seconds after the peak until its queue is served and the plateau's account begins."""
HORIZON = 2.0
"""Real seconds in which the plateau makes good what CPU was used too much or too little until now."""
KNOWN = 100
"""Visits of the plateau after which their own cost counts as much as what the peak said of it."""


class Adjustable(Protocol):
    """A load driver whose rate can be changed."""

    def rate(self, arrivals: float) -> None:
        """From now on."""
        ...


class Demand:
    """Steers a load driver, once a second.

    What a visit costs differs by half from one minute to the next on a shared computer. A fixed rate would either miss
    the ceiling or pile up a queue that hurts users before the credits do; so the peak is a small standing queue, and
    what the machines finish meanwhile tells what a visit costs now. The plateau uses the declared CPU, on the whole:
    what chance used too much in one second is saved in the next ones, for a lab minute has sixty times fewer visits
    than a real one and would scatter as much more. From when somebody acts or the credits end, arrivals stay.
    """

    def __init__(self, load: Adjustable, scenario: Scenario, peak: float, plateau: float) -> None:
        """``peak`` and ``plateau``: the arrivals per real second to begin with."""
        self._load, self._scenario, self._rate, self._plateau = load, scenario, peak, plateau
        self._cores = scenario.machines * scenario.size
        self._before: dict[str, Any] | None = None
        self._capacity = peak
        self._finished: list[float] = []
        self._over = self._frozen = False
        self._sent = 0
        self._began: tuple[float, float, int] | None = None

    def steer(self, minutes: float, second: dict[str, Any], at: float, machines: dict[str, dict[str, Any]]) -> None:
        """``minutes`` since the sale began, the driver's newest second, the governor's newest record and its time."""
        alone = len(machines) == self._scenario.machines and not any(each["empty"] for each in machines.values())
        self._frozen = self._frozen or (minutes > 0 and not alone)
        if minutes >= self._scenario.peak_minutes and not self._over:
            self._over, self._plateau = True, self._plateau_rate()
            self._change(self._plateau)
        before = self._before
        if minutes <= 0 or second.get("mix") != "sale" or (before is not None and second["at"] == before["at"]):
            return
        self._before = second
        self._sent += second["sent"]
        if before is None or self._frozen:  # the first second was the sale's in part only
            return
        if not self._over:
            self._at_peak(second, before["outstanding"])
        elif (minutes - self._scenario.peak_minutes) * 60 / self._scenario.speed >= SETTLES:
            self._at_plateau(at, machines)

    def _change(self, rate: float) -> None:
        if rate != self._rate:
            self._rate = rate
            self._load.rate(rate)

    def _at_peak(self, second: dict[str, Any], waiting: int) -> None:
        """As many arrivals as the machines can finish, and what the queue lacks or has too much."""
        finished, now_waiting = second["sent"] + waiting - second["outstanding"], second["outstanding"]
        if min(waiting, now_waiting) >= STANDING:
            self._finished.append(finished)
            self._capacity += (finished - self._capacity) / 2
        else:
            self._capacity = max(self._capacity, finished)
        wanted = self._capacity + PATIENCE * (QUEUE - now_waiting)
        self._change(self._capacity * min(MORE, max(LESS, wanted / self._capacity)))

    def _plateau_rate(self) -> float:
        """The plateau's share of what was finished a second at full CPU, if the peak has shown that."""
        if not self._finished:
            return self._plateau
        own = self._scenario.own_cost
        return sum(self._finished) / len(self._finished) * (self._scenario.plateau - own) / (1 - own)

    def _at_plateau(self, at: float, machines: dict[str, dict[str, Any]]) -> None:
        """The rate that brings the CPU used to the plan's within the horizon, at what a visit costs."""
        began, used, sent = self._began = self._began or (at, _used(machines), self._sent)
        pace = self._scenario.plateau * self._cores
        spent, visits = _used(machines) - used, self._sent - sent
        cost = (spent + KNOWN * pace / self._plateau) / (visits + KNOWN)
        behind = pace * (at - began) - spent
        self._change(pace / cost * min(MORE, max(LESS, 1 + behind / (pace * HORIZON))))


def _used(machines: dict[str, dict[str, Any]]) -> float:
    """CPU seconds of all machines since each began."""
    return sum(float(each["cpu_seconds"]) for each in machines.values())
