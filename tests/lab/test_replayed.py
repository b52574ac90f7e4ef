"""A recorded incident becomes a plan for the lab's load driver."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from bongsu.config.replays import Replay, Times
from bongsu.core.errors import InvalidInput
from bongsu.core.replay import Alarm, Minute
from bongsu.lab.calibration import Calibration
from bongsu.lab.drill.replayed import mix_of, scenario_of, seen_full, segments_of
from bongsu.lab.plan import LabPlan
from bongsu.lab.traffic import Population, plan_problems, weights_of

RECORDED = Replay(
    incident="20260105-2012-k3f9",
    service="shop",
    policy="burst",
    started_at=datetime(2026, 1, 5, 20, 12, tzinfo=UTC),
    lead=120.0,
    ends=150.0,
    machine_type="lightsail:small-2GB",
    machines=2,
    times=Times([300.0, 1200.0], 120.0, 900.0, 1800.0, 600.0),
    alarms=[Alarm("tier", 300.0, ("on-call:shop",), 1)],
    minutes=[Minute(-120, 1, 0.1), Minute(-60, 1, 0.1), Minute(0, 5, 0.5), Minute(60, 9, 1.2), Minute(120, 1, 0.0)],
    added=1,
    routes={"GET /products/{slug}": 30, "POST /orders": 5, "POST /orders/{id}/payment": 5, "GET /help": 2, "PUT /x": 1},
)
COST = Calibration("sale", per_arrival=0.002, idle=0.01, arrivals=100, steal=0.0)


def test_recorded_routes_are_the_visits_that_make_them() -> None:
    assert mix_of(RECORDED.routes) == "detail=32+order=6"  # a payment comes with its order
    assert mix_of({}) == "calm"


def test_each_minute_asks_here_what_it_asked_then() -> None:
    scenario = scenario_of(RECORDED)
    plan = segments_of(RECORDED, scenario, COST)
    assert [each.seconds for each in plan] == [1.0, 1.0, 1.0, 1.0, 0.5]
    assert not plan_problems(plan)
    for each, minute in zip(plan, RECORDED.minutes, strict=True):
        asked = COST.utilisation(each.rate, scenario.machines, scenario.size)
        assert asked == pytest.approx(max(minute.cpu, COST.idle / scenario.size), abs=0.001)
    full = segments_of(msgspec.structs.replace(RECORDED, minutes=[Minute(0, 5, 0.95)]), scenario, COST)
    assert COST.utilisation(full[0].rate, scenario.machines, scenario.size) > 1.0  # what is full was asked for more


def test_a_ceiling_of_a_minute_is_not_expected_of_a_lab_that_looks_once_a_minute() -> None:
    assert not seen_full(RECORDED)
    assert seen_full(msgspec.structs.replace(RECORDED, minutes=[Minute(n * 60, 9, 1.2) for n in range(3)]))


def test_the_lab_has_the_machines_and_times_of_then() -> None:
    scenario = scenario_of(RECORDED)
    assert (scenario.machines, scenario.scale_to, scenario.tiers) == (2, 3, (5.0, 20.0))
    assert scenario.opening_balance == pytest.approx(0.1 * LabPlan().type.cap)  # nobody knew it


def test_a_written_mix_is_what_visitors_do_and_a_wrong_one_is_refused() -> None:
    visits = Population(50, 20, 1)
    assert {visits.visit("top=1+list=0").steps[0].route for _ in range(50)} == {"top"}
    for wrong in ("sael", "list=x", "list=-1+top=2", "list=0", "cart=3"):
        with pytest.raises(InvalidInput, match="there is no mix"):
            weights_of(wrong)
