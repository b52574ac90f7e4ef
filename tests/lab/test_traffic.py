"""Arrivals and visitors: plans, Poisson, the same people for the same seed."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from bongsu.core.errors import InvalidInput
from bongsu.lab.traffic import Population, RatePlan, Segment, parse_plan


def arrivals(plan: RatePlan, start: float) -> list[float]:
    found, at = [], plan.next_after(start)
    while at is not None:
        found.append(at)
        at = plan.next_after(at)
    return found


def test_a_plan_is_read() -> None:
    assert parse_plan("20x60,120x250:sale") == (Segment(20, 60), Segment(120, 250, "sale"))


@pytest.mark.parametrize("text", ["60", "60x", "x5", "10x10:party", "10x5000", "9000x1", "7000x1500", "-1x5"])
def test_bad_plans_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_plan(text)


def test_arrivals_follow_the_rates() -> None:
    plan = RatePlan([Segment(100, 20), Segment(50, 0), Segment(100, 80)], 1000.0, random.Random(7))
    times = arrivals(plan, 1000.0)
    first = [at for at in times if at < 1100]
    none = [at for at in times if 1100 <= at < 1150]
    second = [at for at in times if at >= 1150]
    assert len(first) == pytest.approx(2000, rel=0.08)
    assert none == []
    assert len(second) == pytest.approx(8000, rel=0.05)
    assert times == sorted(times)


def test_a_plan_can_be_changed_on_the_way() -> None:
    plan = RatePlan([Segment(100, 10)], 0.0, random.Random(7))
    plan.change(50.0, 100, "sale")
    times = arrivals(plan, 0.0)
    assert len([at for at in times if at < 50]) == pytest.approx(500, rel=0.15)
    assert len([at for at in times if at >= 50]) == pytest.approx(5000, rel=0.05)
    assert plan.current(60.0).mix == "sale"
    with pytest.raises(InvalidInput):
        plan.change(60.0, 1e6, None)


def test_the_same_seed_brings_the_same_people() -> None:
    one, two = Population(500, 200, seed=3), Population(500, 200, seed=3)
    assert [one.visit("calm") for _ in range(50)] == [two.visit("calm") for _ in range(50)]


def test_seven_in_ten_are_logged_in_and_all_have_a_cookie() -> None:
    population = Population(2000, 200, seed=3)
    visits = [population.visit("calm") for _ in range(4000)]
    people = {visit.person: visit for visit in visits}
    assert sum(visit.logged_in for visit in people.values()) / len(people) == pytest.approx(0.7, abs=0.05)
    for visit in visits:
        assert visit.headers["Cookie"] == f"visitor=v3-{visit.person}"
        assert visit.headers.get("X-User-Id") == (str(visit.person + 1) if visit.logged_in else None)


def test_only_those_who_are_logged_in_buy() -> None:
    population = Population(500, 200, seed=3)
    visits = [population.visit("sale") for _ in range(2000)]
    assert all(visit.logged_in for visit in visits if visit.steps[0].route in ("order", "charge"))


def test_a_sale_is_one_product_and_many_orders() -> None:
    population = Population(500, 200, seed=3)
    calm = [population.visit("calm") for _ in range(3000)]
    sale = [population.visit("sale") for _ in range(3000)]
    paths = Counter(visit.steps[0].path for visit in sale)
    assert paths["/products/1"] > 1000
    assert paths["/orders"] > 1.5 * Counter(visit.steps[0].path for visit in calm)["/orders"]
