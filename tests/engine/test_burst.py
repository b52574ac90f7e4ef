"""Credits in the server: the account lives through restarts and bad input, and forecasts come from a child."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from bongsu.catalogue import load_catalogue
from bongsu.core.balance import Balance, Faults, fold
from bongsu.core.breach import Point
from bongsu.core.burst import Mode, drain
from bongsu.core.ledger import Ledger
from bongsu.core.outlook import cause
from bongsu.core.scoring import LEARNT, Score
from bongsu.core.throttle import Cause, Witness
from bongsu.engine import burst
from bongsu.engine.anchor import anchor_all
from bongsu.ports import Samples, Unavailable
from bongsu.render.burst import fan, why
from bongsu.render.words import Words
from bongsu.telemetry import REGISTRY
from bongsu.testing import BURST, SCRAPE, START, World

SMALL = load_catalogue()["lightsail:small-2GB"]
LATER = START + timedelta(days=30)


def course(*levels: float, first: int = 0, balance: float | None = None, step: timedelta = SCRAPE) -> list[Point]:
    """Points a scrape apart; the first of all carries the balance."""
    return [
        Point(START + (first + n) * step, "m", level, balance=balance if n == 0 else None)
        for n, level in enumerate(levels)
    ]


def test_dead_reckoning_from_an_anchor_is_the_bucket_itself() -> None:
    known, faults = fold(None, course(*[0.6] * 41, balance=200.0), SMALL, LATER)
    assert known is not None
    assert known.known(SMALL)
    assert not faults.told()
    assert known.credits == pytest.approx(drain(200.0, SMALL, 0.6, 10.0))


def test_looking_twice_out_of_order_and_in_halves_gives_the_same() -> None:
    points = course(0.2, 0.9, 0.5, 0.7, 0.1, balance=100.0)
    whole, _ = fold(None, points, SMALL, LATER)
    half, _ = fold(None, points[:3], SMALL, LATER)
    again, faults = fold(half, [*reversed(points), *points], SMALL, LATER)
    assert again == whole
    assert not faults.told()


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (Point(START + SCRAPE, "m", float("nan")), "no share"),
        (Point(START + SCRAPE, "m", -0.1), "no share"),
        (Point(START + SCRAPE, "m", 37.0), "no share"),
        (Point(LATER + SCRAPE, "m", 0.5), "in the future"),
        (Point(START + SCRAPE, "m", 0.5, balance=float("inf")), "no number of credits"),
        (Point(START + SCRAPE, "m", 0.5, balance=-4.0), "no number of credits"),
        (Point(START + SCRAPE, "m", 0.5, balance=99_999.0), "above what lightsail:small-2GB can hold"),
    ],
)
def test_bad_points_are_told_and_change_no_balance(bad: Point, said: str) -> None:
    before, _ = fold(None, course(0.5, balance=300.0), SMALL, LATER)
    after, faults = fold(before, [bad], SMALL, LATER)
    assert before is not None
    assert after is not None
    assert [said in each for each in faults.told()] == [True]
    assert after.measured_at == before.measured_at
    assert after.credits >= 299


def test_a_clock_that_went_back_changes_nothing() -> None:
    known, _ = fold(None, course(0.5, 0.5, 0.5, balance=300.0), SMALL, LATER)
    assert fold(known, [Point(START - timedelta(hours=1), "m", 1.0, balance=0.0)], SMALL, LATER)[0] == known


def test_an_account_ahead_of_the_clock_is_told() -> None:
    known, _ = fold(None, course(0.5, 0.5, balance=300.0), SMALL, LATER)
    after, faults = fold(known, course(0.9), SMALL, START - timedelta(hours=1))
    assert after == known
    assert any("a clock went back" in each for each in faults.told())


@pytest.mark.parametrize("level", [0.18, 0.19, 0.2, 0.21])
def test_on_the_flat_line_no_credits_come_back_also_over_a_gap(level: float) -> None:
    minute = timedelta(minutes=1)
    known, _ = fold(None, course(*[level] * 720, balance=0.0, step=minute), SMALL, LATER)
    assert known is not None
    assert cause(known, SMALL).cause is Cause.CREDITS_GONE
    later = [
        point._replace(at=point.at + timedelta(hours=13), balance=None) for point in course(*[level] * 60, step=minute)
    ]
    known, faults = fold(known, later, SMALL, LATER)
    assert "after a gap" in faults.told()[0]
    assert known is not None
    assert cause(known, SMALL).cause is Cause.CREDITS_GONE
    rested, _ = fold(known, [each._replace(at=each.at + timedelta(hours=2), cpu=0.05) for each in later], SMALL, LATER)
    assert rested is not None
    assert rested.credits > SMALL.empty_below


def test_a_late_measured_point_is_brought_on_by_the_course_since_it() -> None:
    minute = timedelta(minutes=1)
    ledger = Ledger()
    ledger.take(course(*[0.1] * 30, 1.0, balance=60.0, step=minute), SMALL, LATER)
    before = ledger["m"].credits
    ledger.anchor("m", START + 20 * minute, drain(60.0, SMALL, 0.1, 20.0), SMALL, Faults())
    assert ledger["m"].credits == pytest.approx(before, abs=0.1)
    assert ledger["m"].residual == pytest.approx(0.0, abs=0.1)


def test_a_long_gap_is_told_and_leaves_a_doubt_that_no_alarm_goes_by() -> None:
    known, _ = fold(None, course(1.0, balance=300.0), SMALL, LATER)
    after, faults = fold(known, [Point(START + timedelta(hours=3), "m", 1.0)], SMALL, LATER)
    assert after is not None
    assert "after a gap" in faults.told()[0]
    assert not after.known(SMALL)
    assert after.low.balance == 12.0
    assert after.credits >= 300


def test_without_a_measured_balance_two_accounts_close_in_on_it() -> None:
    step = timedelta(minutes=5)
    calm = course(*[0.02] * 400, step=step)
    assert not _after(calm[:100]).known(SMALL)
    assert _after(calm).known(SMALL)
    assert _after(calm).credits == SMALL.cap


def test_a_machine_above_its_baseline_without_credits_proves_the_account_wrong() -> None:
    known, _ = fold(None, course(1.0, balance=2.0), SMALL, LATER)
    after, faults = fold(known, course(*[1.0] * 60, first=1), SMALL, LATER)
    assert after is not None
    assert not after.known(SMALL)
    assert "type and mode" in faults.told()[0]


def test_the_residual_shows_a_wrong_type() -> None:
    small, large = SMALL, load_catalogue()["lightsail:medium-4GB"]
    truth, measured = 300.0, []
    for n in range(12):
        measured.append(Point(START + n * timedelta(minutes=5), "m", 0.5, balance=truth))
        truth = drain(truth, small, 0.5, 5)
    right, wrong = _after(measured), fold(None, measured, replace(large, vcpus=4, cap=2 * large.cap), LATER)[0]
    assert right.residual == pytest.approx(0, abs=0.01)
    assert wrong is not None
    assert wrong.residual is not None
    assert wrong.residual > 20


def test_stolen_time_costs_no_credits() -> None:
    plain = course(0.5, 0.5, 0.5, balance=100.0)
    stolen = [point._replace(cpu=0.8, steal=0.3) for point in plain]
    assert _after(stolen).credits == pytest.approx(_after(plain).credits)


def _after(points: list[Point]) -> Balance:
    known, _ = fold(None, points, SMALL, LATER)
    assert known is not None
    return known


def test_a_score_learns_what_became_of_forecasts() -> None:
    score = Score()
    for n in range(12):
        score.learn(START + n * timedelta(minutes=5), empty=False)
        score.say(START + n * timedelta(minutes=5), dict.fromkeys(LEARNT, 0.8))
    score.learn(START + timedelta(minutes=60), empty=True)
    assert not score.waiting
    assert score.tallies[60].happened == 12
    assert score.tallies[30].happened == 6
    assert score.tallies[30].said == pytest.approx(12 * 0.8, rel=0.1)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A world whose balances nobody measures but the first time."""
    return World(f"sqlite:///{tmp_path}/w.db", tmp_path, policy=BURST, machines=1)


def measured_once(world: World, balance: float) -> None:
    """A balance is measured once; from then on there is dead reckoning alone."""
    world.balances = {"machine-1": balance}
    world.advance(seconds=15)
    world.balances = {"machine-1": None}


def test_the_tiers_live_on_dead_reckoning_and_a_restart_loses_nothing(world: World) -> None:
    measured_once(world, 40.0)
    world.cpu(1.0)
    world.advance(minutes=10)
    world.restart()
    world.advance(minutes=2)
    (standing,) = burst.standings(world.context)
    assert standing.balance.credits == pytest.approx(
        drain(40.0, SMALL, 1.0, 12 - 0.75), abs=0.1
    )  # a measurement holds for 3 scrapes
    world.advance(minutes=14)
    world.cpu(SMALL.baseline)
    world.advance(minutes=2)
    assert world.incident().seen.throttled
    (standing,) = burst.standings(world.context)
    assert standing.diagnosis.cause is Cause.CREDITS_GONE
    world.close()


def test_nobody_is_called_throttled_while_the_balance_is_in_doubt(world: World) -> None:
    world.balances = {"machine-1": None}
    world.cpu(SMALL.baseline)
    world.advance(minutes=20)
    assert not burst.standings(world.context)[0].balance.known(SMALL)
    world.expect_silence()
    world.close()


def test_a_forecast_comes_from_a_child_says_what_it_rests_on_and_is_exposed(world: World) -> None:
    measured_once(world, 60.0)
    world.cpu(0.9)
    world.advance(minutes=20)
    burst.foresee(world.context)
    (standing,) = burst.standings(world.context)
    outlook = standing.outlook
    assert outlook.method == "rate"
    assert outlook.hours < 1
    assert outlook.within[360] > 0.9
    assert outlook.p50 is not None
    assert outlook.pace is not None
    assert outlook.full_burn is not None
    assert outlook.full_burn < outlook.pace
    assert list(outlook.fan) == list(outlook.curve)
    assert all(0 <= low <= middle <= high <= 1 for low, middle, high in outlook.fan.values())
    assert outlook.fan[360][1] == 0.0, "gone by then in the middle, as the curve says"
    drawn = fan(standing.balance, SMALL, outlook, timedelta(minutes=30), Words("en"))
    assert drawn is not None
    assert "if it rested" in drawn
    assert "30 min at full burn" in drawn
    labels = {"service": "shop", "machine": "machine-1"}
    burst.expose(world.context)
    assert REGISTRY.get_sample_value("bongsu_burst_balance_credits", labels) == standing.balance.credits
    assert REGISTRY.get_sample_value("bongsu_burst_exhaustion_probability", {**labels, "within": "360m"}) > 0.9  # type: ignore[operator]
    assert standing.score.waiting
    world.advance(minutes=1)
    burst.expose(world.context)
    balance = REGISTRY.get_sample_value("bongsu_burst_balance_credits", labels)
    assert balance is not None
    assert balance < standing.balance.credits, "the account is as new as the last look, the forecast need not be"
    world.close()


def test_the_past_fills_the_course_and_narrows_the_account(world: World) -> None:
    for n in range(8 * 288, 0, -1):
        world.metrics.put("cpu", "machine-1", START - n * burst.STEP, 0.5 if n % 288 < 20 else 0.02)
    world.balances = {"machine-1": None}
    world.advance(seconds=30)
    burst.foresee(world.context)
    (standing,) = burst.standings(world.context)
    assert standing.outlook.hours > 24 * 7.9
    assert standing.balance.known(SMALL)
    assert standing.outlook.method == "analogue"
    assert standing.outlook.similar == 40
    assert standing.outlook.within[30] == 0
    world.close()


@dataclass
class ScriptedProvider:
    """A provider that says what the story put in."""

    said: dict[str, Samples]
    silent: bool = False

    def balances(self) -> dict[str, Samples]:
        if self.silent:
            raise Unavailable("AWS ap-northeast-2: there are no credentials")
        return self.said

    def doubts(self) -> dict[str, str]:
        return {"machine-1": "4 vCPUs, not 2"}


def test_the_provider_ends_the_doubt_late_points_keep_their_pace_and_silence_is_told(world: World) -> None:
    world.balances = {"machine-1": None}
    world.cpu(0.7)
    world.advance(minutes=10)
    provider = ScriptedProvider({"machine-1": ((world.clock.now() - timedelta(minutes=5), 100.0),)})
    context = replace(world.context, providers={"shop": provider})
    anchor_all(context)
    (standing,) = burst.standings(context)
    assert standing.balance.credits == pytest.approx(drain(100.0, SMALL, 0.7, 5))
    assert standing.problems == ("4 vCPUs, not 2",)
    anchor_all(context)
    assert burst.standings(context)[0].balance == standing.balance
    provider.silent = True
    anchor_all(context)
    assert "no credentials" in burst.standings(context)[0].problems[-1]
    world.close()


def test_in_unlimited_mode_what_is_owed_is_measured_below_zero() -> None:
    owing = replace(SMALL, mode=Mode.UNLIMITED)
    known, faults = fold(None, course(0.5, balance=-30.0), owing, LATER)
    assert known is not None
    assert not faults.told()
    assert known.high.surplus == 30.0
    assert known.credits == 0.0


def test_in_unlimited_mode_an_empty_balance_holds_nobody_down() -> None:
    known, _ = fold(None, course(SMALL.baseline, balance=0.0), SMALL, LATER)
    assert known is not None
    assert cause(known, SMALL).cause is Cause.CREDITS_GONE
    assert cause(known, replace(SMALL, mode=Mode.UNLIMITED)).cause is Cause.WELL


def test_a_throttled_machine_wants_what_its_requests_cost_before(database_url: str, tmp_path: Path) -> None:
    world = World(database_url, tmp_path, machines=2)
    by_machine = {"requests": "requests", "latency": "latency"}
    shop = replace(world.service, by_machine=by_machine)
    world.context = replace(world.context, services={"shop": shop})
    world.extra = {name: {"requests": 20.0, "latency": 0.05} for name in world.levels}
    world.cpu(0.1)
    world.advance(minutes=6)
    burst.foresee(world.context)
    world.extra["machine-1"] = {"requests": 120.0, "latency": 3.0}
    world.levels["machine-1"], world.balances["machine-1"] = 0.2, 0.0
    world.advance(minutes=6)
    burst.foresee(world.context)
    held, free = burst.standings(world.context)
    assert held.diagnosis.cause is Cause.CREDITS_GONE
    found = dict(held.diagnosis.witnesses)
    assert found[Witness.WANTS] == pytest.approx(0.6)
    assert found[Witness.LATENCY] == pytest.approx(3.0)
    assert any("60" in line for line in why(held.diagnosis, Words("en")))
    assert Witness.WANTS not in dict(free.diagnosis.witnesses)
    newest = world.context.courses.of("shop", "machine-1").demand(world.clock.now())[-1]
    assert newest == pytest.approx(0.6), "the forecaster sees the demand, not the flat line"
    world.metrics.down = True
    burst.foresee(world.context)  # requests that cannot be had are no error
    world.close()
