"""The sale's demand: a standing queue at the peak, the declared CPU on the plateau, hands off afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from bongsu.core.drill import Scenario
from bongsu.lab.drill.demand import Demand

SCENARIO = Scenario("flash-sale")


class Load:
    """Remembers the rates it was given."""

    def __init__(self) -> None:
        self.rates: list[float] = []

    def rate(self, arrivals: float) -> None:
        self.rates.append(arrivals)


def second(at: float, outstanding: int = 20, sent: int = 100) -> dict[str, Any]:
    """A second's line; the requests answered are more than the visits, as orders take two."""
    answered = {"ok": 2 * sent, "refused": 0, "failed": 0}
    return {"at": at, "outstanding": outstanding, "sent": sent, "mix": "sale", **answered}


def machines(cpu_seconds: float, count: int = 1, empty: bool = False) -> dict[str, dict[str, Any]]:
    return {f"m{n}": {"cpu_seconds": cpu_seconds, "empty": empty} for n in range(count)}


def steered(load: Load, *looks: tuple[float, dict[str, Any], dict[str, dict[str, Any]]]) -> Demand:
    """A demand that has had these looks (minutes since the sale, second, machines), at a lab minute a second."""
    demand = Demand(load, SCENARIO, peak=100, plateau=40)
    for minutes, line, found in looks:
        demand.steer(minutes, line, minutes, found)
    return demand


def test_the_peak_is_a_small_standing_queue_of_visits() -> None:
    load = Load()
    steered(
        load,
        (0.5, second(1, outstanding=15, sent=30), machines(0)),  # a second that was the sale's in part only
        (1.5, second(2, outstanding=15, sent=110), machines(0)),
        (2.0, second(2, outstanding=15, sent=110), machines(0)),  # the same second again
        (2.5, second(3, outstanding=25, sent=110), machines(0)),
        (3.5, second(4, outstanding=5, sent=80), machines(0)),
    )
    # 100, as calibrated, then halfway to the 110, 100 and 100 finished; the queue is right, too long, too short
    assert load.rates == pytest.approx([105, 102.5 - 7, 101.25 + 7])


def test_machines_that_idle_at_the_peak_are_given_more() -> None:
    load = Load()
    steered(
        load,
        (0.5, second(1, outstanding=0), machines(0)),
        (1.5, second(2, outstanding=0, sent=100), machines(0)),
        (2.5, second(3, outstanding=0, sent=115), machines(0)),
    )
    assert load.rates == pytest.approx([100 + 10.5, 115 + 10.5])


def test_the_peaks_rate_stays_near_what_the_machines_can_do() -> None:
    load = Load()
    steered(load, (0.5, second(1), machines(0)), (1.5, second(2, outstanding=400, sent=480), machines(0)))
    assert load.rates == pytest.approx([100 * 0.6])


def test_the_plateau_begins_where_the_peak_says_it_lies() -> None:
    load = Load()
    steered(
        load,
        (4.5, second(1, outstanding=20), machines(0)),
        (5.5, second(2, outstanding=25, sent=85), machines(0)),  # 80 finished in a second of full CPU
        (7.5, second(3, outstanding=25, sent=80), machines(0)),
    )
    assert load.rates[-1] == pytest.approx(80 * (0.42 - 0.03) / (1 - 0.03))


def test_without_a_standing_queue_the_plateau_begins_as_calibrated() -> None:
    load = Load()
    steered(load, (7.5, second(1), machines(0)))
    assert load.rates == [40]


def on_the_plateau(load: Load, *used: float, sent: int) -> list[float]:
    """The rates after seconds of the plateau that used so much of its pace, all visits sent being so many a second."""
    pace = SCENARIO.plateau * SCENARIO.size
    demand = steered(load, (7, second(1), machines(2.0)), (8, second(2), machines(4.8)))  # the peak's queue is no debt
    rates, total = [], 4.8
    for minute, share in enumerate(used, 9):
        total += share * pace
        demand.steer(minute, second(minute, sent=sent), minute, machines(total))
        rates.append(load.rates[-1])
    return rates


def test_what_was_used_too_much_is_saved_in_the_next_seconds() -> None:
    rates = on_the_plateau(Load(), 0.0, 1.0, 1.6, 0.4, sent=40)
    assert rates[:2] == pytest.approx([40, 40])
    dearer = (2.6 * 40 + 100) / (2 * 40 + 100)  # and a visit seems to cost more than at the peak
    assert rates[2] == pytest.approx(40 / dearer * (1 - 0.6 / 2))
    assert rates[3] == pytest.approx(40)


def test_visits_that_cost_less_than_at_the_peak_become_more() -> None:
    rates = on_the_plateau(Load(), 0.0, *[1.0] * 30, sent=50)
    assert 48 < rates[-1] <= 50
    assert rates == sorted(rates)


def test_the_plateaus_rate_stays_near_what_it_takes_on_the_whole() -> None:
    rates = on_the_plateau(Load(), 0.0, 1.0, 5.0, -4.0, sent=40)
    dearer, cheaper = (6 * 40 + 100) / (2 * 40 + 100), (2 * 40 + 100) / (3 * 40 + 100)
    assert rates[2:] == pytest.approx([40 / dearer * 0.6, 40 / cheaper * 1.3])


def test_from_when_somebody_acts_the_arrivals_stay() -> None:
    load = Load()
    steered(
        load,
        (7.5, second(1), machines(0)),
        (12, second(2), machines(0.2, count=3)),
        (13, second(3), machines(0.1)),  # one machine again, but hands off is hands off
    )
    assert load.rates == [40]


def test_help_at_the_peak_does_not_swell_it_and_the_plateau_still_comes() -> None:
    load = Load()
    steered(
        load,
        (4.5, second(1), machines(0, count=3)),
        (5.5, second(2, outstanding=0), machines(0, count=3)),
        (7.5, second(3, outstanding=0), machines(0, count=3)),
        (8.5, second(4, outstanding=0), machines(0, count=3)),
    )
    assert load.rates == [40]


def test_from_when_the_credits_end_the_arrivals_stay() -> None:
    load = Load()
    steered(load, (60, second(1), machines(0.2, empty=True)), (61, second(2), machines(0.2, empty=True)))
    assert load.rates == [40]


def test_the_calm_before_is_left_alone() -> None:
    load = Load()
    steered(load, (-1, second(1), machines(0.05)))
    assert load.rates == []
