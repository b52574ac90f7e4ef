"""Scenarios whose physics close, and verdicts that can fail."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bongsu.catalogue import load_catalogue
from bongsu.core.burst import drain, full_burn_runway, runway
from bongsu.core.drill import Expectation, Scenario, Verdict, physics_problems, predicted_exhaustion, verdict

SMALL = load_catalogue()["lightsail:small-2GB"]


def test_the_default_scenarios_physics_close() -> None:
    scenario = Scenario("flash-sale")
    assert physics_problems(scenario, SMALL) == []
    gone = predicted_exhaustion(scenario, SMALL)
    assert gone is not None
    assert 50 < gone < 70, "about an hour"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"calm": 0.18}, "calm"),
        ({"plateau": 0.3}, "plateau"),
        ({"peak": 0.9}, "peak"),
        ({"scale_to": 2}, "scale_to"),
        ({"opening_balance": 400.0}, None),
        ({"opening_balance": 12.0}, "opening_balance"),
    ],
)
def test_physics_that_do_not_close_are_named(change: dict[str, float], named: str | None) -> None:
    problems = physics_problems(replace(Scenario("x"), **change), SMALL)
    assert [problem.partition(":")[0] for problem in problems] == ([named] if named else [])


def test_the_bucket_agrees_with_its_formulas() -> None:
    assert drain(100, SMALL, 0.2, 60) == 100
    assert drain(100, SMALL, 0.7, 60) == pytest.approx(40)
    assert drain(570, SMALL, 0.0, 600) == 576
    assert runway(100, SMALL, 0.7) == timedelta(minutes=100)
    assert runway(100, SMALL, 0.2) is None
    assert full_burn_runway(160, SMALL) == timedelta(minutes=100)


def test_a_full_bucket_at_full_burn_lasts_as_the_vendors_formula_says() -> None:
    for machine in load_catalogue().values():
        if machine.cap > 0 and machine.baseline < 1:
            expected = 1440 * machine.baseline / (1 - machine.baseline)
            assert full_burn_runway(machine.cap, machine).total_seconds() / 60 == pytest.approx(expected, rel=0.02)


def expectation(passed: bool, steal: float = 0.0) -> Expectation:
    return Expectation("nobody-acts", "a name", "this", "that", passed, steal)


def test_one_failure_fails_the_drill() -> None:
    assert verdict([expectation(True), expectation(False)]) is Verdict.FAIL
    assert verdict([expectation(True)]) is Verdict.PASS


def test_a_drill_without_expectations_has_shown_nothing() -> None:
    assert verdict([]) is Verdict.FAIL


def test_stolen_cpu_makes_it_inconclusive_but_hides_no_other_failure() -> None:
    assert verdict([expectation(True, 0.2)]) is Verdict.INCONCLUSIVE
    assert verdict([expectation(False, 0.2)]) is Verdict.INCONCLUSIVE
    assert verdict([expectation(False), expectation(True, 0.2)]) is Verdict.FAIL
