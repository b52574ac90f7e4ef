"""The sale's demand: a standing queue at the peak, the declared CPU on the plateau, hands off afterwards."""

from __future__ import annotations

from typing import Any

from bongsu.core.drill import Scenario
from bongsu.lab.drill.demand import Demand

SCENARIO = Scenario("flash-sale")


class Load:
    """Remembers the rates it was given."""

    def __init__(self) -> None:
        self.rates: list[float] = []

    def rate(self, arrivals: float) -> None:
        self.rates.append(arrivals)


def second(at: float, outstanding: int = 20, served: int = 100) -> dict[str, Any]:
    return {"at": at, "outstanding": outstanding, "ok": served, "refused": 0, "failed": 0, "mix": "sale"}


def machines(cpu: float, count: int = 1, empty: bool = False) -> dict[str, dict[str, Any]]:
    return {f"m{n}": {"u": cpu, "empty": empty} for n in range(count)}


def test_the_peak_is_a_small_standing_queue() -> None:
    load = Load()
    demand = Demand(load, SCENARIO, peak=100, plateau=40)
    demand.steer(0.5, second(1, outstanding=0, served=30), machines(0.5))  # a second that was the sale's in part only
    assert load.rates == []
    demand.steer(1.5, second(2, outstanding=1), machines(0.9))
    demand.steer(2, second(2, outstanding=1), machines(0.9))  # the same second again
    demand.steer(2.5, second(3, outstanding=25), machines(1.0))
    demand.steer(3.5, second(4, outstanding=65), machines(1.0))
    assert [round(rate) for rate in load.rates] == [112, 100, 80]
    demand.steer(4.5, second(5, outstanding=400), machines(1.0))
    assert round(load.rates[-1]) == 48  # never by more than that in a second


def test_the_plateau_is_held_at_the_declared_cpu() -> None:
    load = Load()
    demand = Demand(load, SCENARIO, peak=100, plateau=40)
    demand.steer(7.5, second(1), machines(0.9))
    assert load.rates == [40]
    demand.steer(12, second(2), machines(0.30))
    assert load.rates[-1] > 40
    demand.steer(13, second(3), machines(0.60))
    assert load.rates[-1] < load.rates[-2]


def test_from_when_somebody_acts_the_arrivals_stay() -> None:
    load = Load()
    demand = Demand(load, SCENARIO, peak=100, plateau=40)
    demand.steer(7.5, second(1), machines(0.9))
    demand.steer(12, second(2), machines(0.2, count=3))
    demand.steer(13, second(3), machines(0.1))  # one machine again, but hands off is hands off
    assert load.rates == [40]


def test_from_when_the_credits_end_the_arrivals_stay() -> None:
    load = Load()
    demand = Demand(load, SCENARIO, peak=100, plateau=40)
    demand.steer(60, second(1), machines(0.2, empty=True))
    demand.steer(61, second(2), machines(0.2, empty=True))
    assert load.rates == [40]


def test_the_calm_before_is_left_alone() -> None:
    load = Load()
    Demand(load, SCENARIO, peak=100, plateau=40).steer(-1, second(1), machines(0.05))
    assert load.rates == []
