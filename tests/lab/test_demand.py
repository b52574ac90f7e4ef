"""The sale's demand: visits held at the peak, the declared CPU on the plateau, hands off afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from bongsu.core.drill import Scenario
from bongsu.lab.drill.demand import QUEUE, Demand

SCENARIO = Scenario("flash-sale")
OWN = SCENARIO.own_cost
FULL = 40 * (1 - OWN) / (SCENARIO.plateau - OWN)
"""Visits at full CPU, if 40 a second are the plateau."""


class Load:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.rates: list[float] = []
        self.told: list[str] = []

    def rate(self, arrivals: float) -> None:
        self.rates.append(arrivals)
        self.told.append("rate")

    def hold(self, visits: int, mix: str) -> None:
        self.told.append(f"hold {visits} {mix}")


def second(at: float, sent: int = 100, rate: float = 40) -> dict[str, Any]:
    """A second's line; the requests answered are more than the visits, as orders take two."""
    return {"at": at, "sent": sent, "rate": rate, "ok": 2 * sent}


def machines(cpu_seconds: float, count: int = 1, empty: bool = False) -> dict[str, dict[str, Any]]:
    return {f"m{n}": {"cpu_seconds": cpu_seconds, "empty": empty} for n in range(count)}


def steered(load: Load, *looks: tuple[float, dict[str, Any], dict[str, dict[str, Any]]]) -> Demand:
    """A demand that has had these looks (minutes since the sale, second, machines), at a lab minute a second."""
    demand = Demand(load, SCENARIO, plateau=40)
    for minutes, line, found in looks:
        demand.steer(minutes, line, minutes, found)
    return demand


def test_at_the_peak_so_many_visits_are_always_under_way() -> None:
    load = Load()
    steered(load, *((minute, second(minute, rate=0), machines(0)) for minute in (0.4, 1.4, 2.4, 6.9)))
    assert load.told == [f"hold {QUEUE} sale"]


def test_the_plateau_begins_where_the_peak_says_it_lies() -> None:
    load = Load()
    steered(
        load,
        (0.5, second(1, sent=30), machines(0)),
        (1.5, second(2, sent=50, rate=0), machines(0)),  # the peak's in part only
        (2.5, second(3, sent=85, rate=0), machines(0)),
        (3.0, second(3, sent=85, rate=0), machines(0)),  # the same second again
        (3.5, second(4, sent=75, rate=0), machines(0)),
        (7.5, second(5, sent=40), machines(0)),
    )
    assert load.told == [f"hold {QUEUE} sale", "rate"]
    assert load.rates == pytest.approx([80 * (SCENARIO.plateau - OWN) / (1 - OWN)])


def test_without_a_whole_second_of_the_peak_the_plateau_begins_as_it_was_found_before() -> None:
    load = Load()
    steered(load, (7.5, second(1), machines(0)))
    assert load.rates == pytest.approx([40])


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
    assert load.rates == pytest.approx([40])


@pytest.mark.parametrize("known", [True, False])
def test_help_at_the_peak_does_not_swell_it_and_the_plateau_still_comes(known: bool) -> None:
    load = Load()
    sent = (second(1, sent=90, rate=0), second(2, sent=90, rate=0)) if known else (second(1), second(2))
    steered(
        load,
        (1.5, sent[0], machines(0)),
        (2.5, sent[1], machines(0)),
        (4.5, second(3, rate=0), machines(0, count=3)),
        (5.5, second(4, sent=300, rate=90), machines(0, count=3)),
        (7.5, second(5), machines(0, count=3)),
        (9.5, second(6), machines(0, count=3)),
    )
    full = 95 if known else FULL
    assert load.rates == pytest.approx([full, full * (SCENARIO.plateau - OWN) / (1 - OWN)])


def test_from_when_the_credits_end_the_arrivals_stay() -> None:
    load = Load()
    steered(
        load,
        (7.5, second(1), machines(0.2)),
        (60, second(2), machines(0.2, empty=True)),
        (61, second(3), machines(0.2, empty=True)),
    )
    assert load.rates == pytest.approx([40])


def test_the_calm_before_is_left_alone() -> None:
    load = Load()
    steered(load, (-1, second(1), machines(0.05)))
    assert load.told == []
