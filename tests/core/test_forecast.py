"""The forecaster: the bucket without a loop against one with, bad and short histories, a known day."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bongsu.catalogue import load_catalogue
from bongsu.core import analogue
from bongsu.core.analogue import DAY, HORIZON, LEADS, NEIGHBOURS, WINDOW, Floats
from bongsu.core.burst import drain
from bongsu.core.forecast import Method, forecast, when_if_soon
from bongsu.core.hindsight import course_of, hour_of, over_time, scores_of
from bongsu.core.readings import on_grid, share_of
from bongsu.core.record import alarm_score

SMALL = load_catalogue()["lightsail:small-2GB"]
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def shop(days: int = 15, seed: int = 1, sale: float = 0.9) -> Floats:
    """A shop: calm at 8 %, and every evening a sale of two hours."""
    at = np.arange(days * DAY)
    calm = 0.08 + 0.01 * np.random.default_rng(seed).standard_normal(len(at))
    evening = (at % DAY >= 216) & (at % DAY < 240)
    return np.clip(np.where(evening, sale, calm), 0, 1).astype(np.float32)


def ask(demand: Floats, share: float, baseline: float = 0.2, rate: Floats | None = None):  # type: ignore[no-untyped-def]
    return forecast(
        demand[None, :], np.array([baseline], np.float32), np.array([share], np.float32),
        None if rate is None else rate[None, :],
    )  # fmt: skip


@given(
    share=st.floats(0, 1), baseline=st.floats(0.02, 0.9), seed=st.integers(0, 99),
    weights=st.lists(st.floats(0.01, 1), min_size=3, max_size=3),
)  # fmt: skip
def test_the_bucket_over_many_paths_is_the_bucket(
    share: float, baseline: float, seed: int, weights: list[float]
) -> None:
    random = np.random.default_rng(seed)
    demand = np.clip(random.gamma(0.5, 0.5, (1, 3, HORIZON)), 0, 1).astype(np.float32)
    weight = (np.array(weights) / sum(weights)).astype(np.float32)[None]
    share32, base32 = np.float32(share), np.float32(baseline)
    told = analogue.exhausted_by(
        np.array([share32]), np.array([base32]), analogue.Paths(demand, weight, np.array([3]))
    )[0]
    gone = np.zeros((3, HORIZON), bool)
    margin = 1.0
    for path in range(3):
        held = float(share32)
        for step in range(HORIZON):
            held = min(1.0, max(0.0, held + (1 - float(demand[0, path, step]) / float(base32)) / 288))
            gone[path, step] = gone[path, : step + 1].any() or held <= 0
            margin = min(margin, abs(held) if held > 0 else 1.0)
    slowly = (gone[:, LEADS - 1] * weight[0][:, None]).sum(0)
    if margin > 1e-4:  # a balance that only grazes 0 may round either way
        assert told == pytest.approx(slowly, abs=1e-5)


@given(share=st.floats(0, 1), baseline=st.floats(0.02, 0.9), seed=st.integers(0, 99))
def test_the_fan_holds_the_paths_by_their_weights(share: float, baseline: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    demand = random.random((1, 5, HORIZON)).astype(np.float32)
    weight = np.full((1, 5), 0.2, np.float32)
    told = analogue.fan(
        np.array([share], np.float32), np.array([baseline], np.float32), analogue.Paths(demand, weight, np.array([5]))
    )[0]
    held, courses = np.full(5, share), []
    for step in range(HORIZON):
        held = np.clip(held + (1 - demand[0, :, step] / baseline) / 288, 0, 1)
        courses.append(np.sort(held))
    slowly = np.array(courses)[LEADS - 1]
    assert told == pytest.approx(slowly[:, [0, 2, 4]].T, abs=1e-3)  # of five alike the lowest, the third, the highest


def test_shares_and_credits_are_the_same_bucket() -> None:
    demand = shop(3)
    balance, share = SMALL.cap * 0.5, course_of(demand, SMALL, 0.5)
    for step, each in enumerate(demand):
        balance = drain(balance, SMALL, float(each), 5)
        assert share[step] * SMALL.cap == pytest.approx(balance, abs=1e-2)


def test_a_sale_that_comes_every_evening_is_foreseen() -> None:
    demand = shop()
    begun = demand[: 14 * DAY + 216 + 3]  # a quarter of an hour into the fifteenth sale
    found = ask(begun, share=0.15)
    real = over_when(demand, len(begun), 0.15)
    assert found.method[0] == Method.ANALOGUE
    assert found.similar[0] == NEIGHBOURS
    assert found.within(90)[0] > 0.85
    assert found.when[0] == pytest.approx(real, rel=0.2)
    assert found.p10[0] <= found.p50[0] <= found.p90[0]
    assert found.full_burn[0] == pytest.approx(0.15 * 1440 * 0.2 / 0.8)


def over_when(demand: Floats, now: int, share: float) -> float:
    held, step = share, now
    while held > 0:
        held += (1 - float(demand[step]) / 0.2) / 288
        step += 1
    return (step - now) * 5.0


def test_the_morning_after_is_calm() -> None:
    found = ask(shop()[: 14 * DAY + 100], share=0.15)
    assert found.within(360)[0] < 0.2
    assert np.isinf(found.pace[0])
    assert np.isinf(found.p90[0])


def test_more_credits_never_make_it_likelier() -> None:
    demand = np.stack([shop()[: 14 * DAY + 219]] * 30)
    found = forecast(demand, np.full(30, 0.2, np.float32), np.linspace(0, 1, 30, dtype=np.float32))
    reachable = found.full_burn <= 360
    assert (np.diff(found.curve[reachable], axis=0) <= 1e-6).all()
    assert (np.diff(found.curve, axis=1) >= 0).all(), "later is never less likely"


def test_a_short_history_says_so_and_uses_the_pace() -> None:
    demand = np.full(DAY, 0.6, np.float32)
    found = ask(demand, share=0.1)
    assert found.method[0] == Method.RATE
    assert found.similar[0] == 0
    assert found.pace[0] == pytest.approx(0.1 * 1440 / (0.6 / 0.2 - 1))
    assert found.within(120)[0] > 0.6


@pytest.mark.parametrize(("share", "tail"), [(0.3, np.nan), (np.nan, 0.5)])
def test_what_cannot_be_known_is_not_forecast(share: float, tail: float) -> None:
    demand = shop(15)
    demand[-3:] = tail
    found = ask(demand, share)
    assert found.method[0] == Method.BLIND
    assert np.isnan(found.curve).all()
    assert np.isnan([found.pace[0], found.p50[0]]).all()


def test_out_of_reach_needs_no_history() -> None:
    found = ask(np.full(5, 0.9, np.float32), share=0.9, baseline=0.4)
    assert found.method[0] == Method.OUT_OF_REACH
    assert found.curve.max() == 0


def test_gaps_in_the_past_are_never_taken_for_demand() -> None:
    demand = shop()[: 14 * DAY + 219]
    gaps = demand.copy()
    gaps[np.random.default_rng(5).integers(0, 12 * DAY, 60)] = np.nan
    whole, holed = ask(demand, 0.15), ask(gaps, 0.15)
    assert holed.method[0] == Method.ANALOGUE
    assert holed.similar[0] > 0
    assert np.isfinite(holed.curve).all()
    assert holed.within(60)[0] == pytest.approx(whole.within(60)[0], abs=0.15)


def test_requests_that_run_ahead_of_the_cpu_tell_one_hour_from_another() -> None:
    """Heavy and light evenings begin alike; the requests know an hour before which it will be."""
    heavy = [1, 0, 0, 1, 1, 0, 1, 0, 1, 1, 0, 0, 1, 0, 1]
    demand, rate = np.full(15 * DAY, 0.1, np.float32), np.full(15 * DAY, 10.0, np.float32)
    for day, each in enumerate(heavy):
        sale = slice(day * DAY + 216, day * DAY + 240)
        demand[sale] = 0.9 if each else 0.5
        rate[sale.start - 12 : sale.stop] = 100.0 if each else 10.0
    now = 14 * DAY + 213
    cpu, requests = demand[:now], rate[:now]
    assert ask(cpu, 0.15, rate=requests).within(120)[0] > ask(cpu, 0.15).within(120)[0] + 0.25


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), baseline=st.floats(0.05, 0.5))
def test_the_quick_way_to_describe_a_moment_is_the_long_way(seed: int, baseline: float) -> None:
    demand = np.clip(np.random.default_rng(seed).gamma(0.4, 0.4, (2, WINDOW)), 0, 1).astype(np.float32)
    bases = np.full(2, baseline, np.float32)
    quick, long = analogue.moments(demand, bases), analogue.moments_of(analogue.describe(demand, bases))
    share = np.full(2, 0.2, np.float32)
    told = [analogue.exhausted_by(share, bases, analogue.futures(demand, each)) for each in (quick, long)]
    assert told[0] == pytest.approx(told[1], abs=0.02)
    assert quick.spread == pytest.approx(long.spread, rel=1e-3)
    assert quick.past_run == pytest.approx(long.past_run[:, -quick.past_run.shape[1] :])


def test_a_difference_lasts_as_long_as_it_does_on_this_machine() -> None:
    dice = np.random.default_rng(8)
    slow = np.clip(0.4 + 0.2 * np.sin(np.arange(WINDOW) / 90) + 0.01 * dice.standard_normal(WINDOW), 0, 1)
    jumpy = (dice.random(WINDOW) < 0.03).astype(float)
    demand = np.stack([slow, jumpy]).astype(np.float32)
    now = analogue.moments(demand, np.full(2, 0.2, np.float32))
    lasts = analogue.lasting(demand, now)
    assert lasts.shape == (2, HORIZON)
    assert (lasts[0, :6] > 0.9).all()
    assert (lasts[1, 3:] < 0.1).all()
    demand[:, :DAY] = np.nan
    short = analogue.lasting(demand, analogue.moments(demand, np.full(2, 0.2, np.float32)))
    assert short == pytest.approx(lasts, abs=0.1), "what is unknown does not count"


def test_every_moment_of_a_past_is_told_as_it_would_have_been_then() -> None:
    demand = shop()
    share = course_of(demand, SMALL, 0.3)
    asked = np.zeros(len(demand), bool)
    asked[[14 * DAY + 217, 14 * DAY + 225]] = True
    told = over_time(demand, SMALL.baseline, [share], [asked])[0]
    for step in np.flatnonzero(asked):
        then = forecast(demand[None, : step + 1], np.array([0.2], np.float32), share[None, step])
        assert told[step] == pytest.approx(then.curve[0], abs=0.02)


def test_the_score_of_rows_is_that_of_one() -> None:
    curve = np.sort(np.random.default_rng(6).random((50, len(LEADS))).astype(np.float32), axis=1)
    columns = {int(minutes): column for column, minutes in enumerate(LEADS * 5)}
    anew = np.arange(len(curve)) % 5 > 0
    one = [
        alarm_score({minutes: float(row[columns[minutes]]) for minutes in columns}, bool(new))
        for row, new in zip(curve, anew, strict=True)
    ]
    assert scores_of(curve, anew) == pytest.approx(one, abs=1e-4)
    assert (hour_of(curve) == curve[:, columns[60]]).all()


def test_when_it_comes_if_it_comes_soon() -> None:
    certain = np.zeros((2, len(LEADS)), np.float32)
    certain[0, 4:] = 1.0  # between 20 and 30 minutes
    when = when_if_soon(certain)
    assert 20 <= when[0] <= 30
    assert when[1] == pytest.approx(52, rel=0.02), "nothing known: the middle of 15 minutes to 3 hours"


def test_bad_points_are_told_and_not_used() -> None:
    minute = timedelta(minutes=1)
    points = [
        (NOW - 3 * minute, 0.5), (NOW - 2 * minute, float("nan")), (NOW - minute, -0.1), (NOW - minute, 7.0),
        (NOW - 3 * minute, 0.9), (NOW + minute, 0.4), (NOW - 9 * minute, 0.3), (NOW, 1.01),
    ]  # fmt: skip
    found = on_grid(points, NOW, steps=4)
    assert found.demand[-1] == pytest.approx((0.5 + 1.0) / 2)
    assert found.demand[-2] == pytest.approx(0.3)
    assert np.isnan(found.demand[:2]).all()
    told = "\n".join(found.problems)
    for word in ("no number", "negative", "above 1", "there before", "future", "out of order"):
        assert word in told


@pytest.mark.parametrize(
    ("balance", "word"), [(-1.0, "not a number"), (float("nan"), "not a number"), (700.0, "is the machine type right?")]
)
def test_a_wrong_balance_is_told_and_not_used(balance: float, word: str) -> None:
    share, problem = share_of(balance, SMALL)
    assert np.isnan(share)
    assert problem is not None
    assert word in problem


def test_launch_credits_lie_above_the_cap() -> None:
    assert share_of(630.0, load_catalogue()["azure:B2s"]) == (630 / 576, None)
    assert share_of(288.0, SMALL) == (0.5, None)


def test_the_server_does_not_load_numpy() -> None:
    loaded = "import sys; import bongsu.bootstrap, bongsu.web.app, bongsu.cli.main; print('numpy' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True).stdout == "False\n"
    )
