"""Predicted against measured: what was known at minute 20 and 40 decides, and each prediction can fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bongsu.catalogue import load_catalogue
from bongsu.core.burst import drain
from bongsu.core.timescale import Timescale
from bongsu.lab.drill import foresight
from bongsu.lab.drill.evening import Evening
from bongsu.lab.drill.judge import judge
from bongsu.lab.drill.result import run_of
from bongsu.lab.drill.scenarios import FLASH_SALE, NOBODY

SCALE = Timescale(datetime(2026, 1, 5, 20, 0, tzinfo=UTC), 60.0)
SALE = SCALE.origin.timestamp() + 5
MACHINE = load_catalogue()[FLASH_SALE.machine_type]


def as_planned(minute: int) -> float:
    return 0.08 if minute < 0 else 1.0 if minute < 7 else 0.42


def evening(cpu: Callable[[int], float] = as_planned, until: int = 75) -> Evening:
    """One machine from 35 credits on; the governor writes each lab minute, which is a second."""
    balance, rows, samples = 35.0, [], []
    for minute in range(-5, until):
        used = 0.2 if balance <= 0 else cpu(minute)
        balance = drain(balance, MACHINE, used, 1)
        state = {"u": used, "balance": balance, "empty": balance <= 0}
        rows.append({"at": SALE + minute + 1, "machines": {"m1": state}, "steal": 0.0, "stall": 0.0})
        samples.append((SALE + minute + 1.0, used))
    return Evening(
        run=NOBODY, scenario=FLASH_SALE, timescale=SCALE, began_at=SALE - 5, sale_at=SALE, ended_at=SALE + until,
        incident={"status": "triggered", "timeline": [], "deliveries": []}, report=None, report_file="", inbox=[],
        governor=rows, samples=[], scraped={"m1": samples}, acknowledged_at=None, scaled_at=None,
    )  # fmt: skip


def outcomes(found: Evening) -> dict[str, bool]:
    return {each.name: each.passed for each in judge([found]) if each.name.startswith("exhaustion as predicted")}


def test_a_plateau_is_foreseen_at_both_minutes() -> None:
    found = evening()
    assert outcomes(found) == {
        "exhaustion as predicted at minute 20": True,
        "exhaustion as predicted at minute 40": True,
    }
    _, twenty, forty = foresight.foresights(found)
    assert twenty.off == pytest.approx(0, abs=0.02)
    assert forty.off == pytest.approx(0, abs=0.02)


def test_at_the_breachs_start_it_is_reported_only() -> None:
    first = foresight.foresights(evening())[0]
    assert (first.at, first.judged) == (1.0, False)
    assert first.as_data()["predicted_s"] is not None


def test_a_course_that_turns_after_minute_20_fails_that_minute_alone() -> None:
    found = evening(lambda minute: as_planned(minute) if minute < 20 else 0.29, until=130)
    assert outcomes(found) == {
        "exhaustion as predicted at minute 20": False,
        "exhaustion as predicted at minute 40": True,
    }


def test_credits_that_never_end_fail_both() -> None:
    found = evening(lambda minute: as_planned(minute) if minute < 15 else 0.1)
    assert outcomes(found) == {
        "exhaustion as predicted at minute 20": False,
        "exhaustion as predicted at minute 40": False,
    }


def test_nothing_is_asked_of_a_minute_after_the_end() -> None:
    assert outcomes(evening(lambda minute: 0.08 if minute < 0 else 0.8)) == {
        "exhaustion as predicted at minute 20": True
    }


def test_without_any_sample_there_is_no_prediction_to_judge() -> None:
    assert outcomes(replace(evening(), scraped={})) == {}


def test_the_result_shows_predicted_and_measured() -> None:
    exhaustion = run_of(evening())["exhaustion"]
    said = {each["at_s"]: each for each in exhaustion["predictions"] if each["judged"]}
    assert set(said) == {1200, 2400}
    assert said[2400]["predicted_s"] == pytest.approx(exhaustion["measured_s"], rel=0.02)
    assert said[2400]["forecast_p10_s"] <= said[2400]["forecast_p50_s"] <= said[2400]["forecast_p90_s"]
