"""What a machine's own record does to its forecasts."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime, timedelta

import pytest

from bongsu.core.record import FIRST_LEVEL, LOWEST_LEVEL, MEMORY, MOST_KEPT, Level, Record, alarm_score
from bongsu.core.scoring import LEARNT, Score


def test_without_a_record_what_is_said_stands() -> None:
    assert Record().corrected(0.37) == 0.37


def test_a_machine_that_cries_wolf_is_believed_less_and_a_timid_one_more() -> None:
    wolf, timid = Record(), Record()
    for _ in range(600):
        wolf.learn(0.75, False)
        timid.learn(0.75, True)
    assert wolf.corrected(0.75) < 0.15
    assert timid.corrected(0.75) > 0.94
    assert wolf.corrected(0.3) == 0.3, "the record of 75 % says nothing of 30 %"
    assert wolf.corrected(0.001) == 0.001


def test_a_fair_machine_is_left_as_it_is() -> None:
    dice, record = random.Random(1), Record()
    for _ in range(20_000):
        said = dice.random()
        record.learn(said, dice.random() < said)
    for said in (0.15, 0.35, 0.55, 0.75):
        assert record.corrected(said) == pytest.approx(said, abs=0.06)


def test_scores_rise_with_the_near_and_fall_with_the_far() -> None:
    def score(hour: float, two: float, six: float = 1.0) -> float:
        return alarm_score({30: hour / 2, 60: hour, 120: two, 360: six})

    assert score(0.5, 0.6) > score(0.3, 0.6)
    assert score(0.3, 0.9) > score(0.3, 0.4), "what comes within two hours is no nuisance"
    assert score(0.0, 0.0, 0.5) > score(0.0, 0.0, 0.0)


def test_nobody_is_warned_of_credits_that_have_not_recovered() -> None:
    sure = dict.fromkeys(LEARNT, 0.99)
    assert alarm_score(sure, recovered=False) < LOWEST_LEVEL < alarm_score(sure)
    score, now = Score(), datetime(2026, 11, 28, tzinfo=UTC)
    for share, warned in ((0.02, True), (0.0, False), (0.03, False), (0.05, True), (0.01, True), (0.0, False)):
        now += timedelta(minutes=5)
        score.learn(now, share <= 0, share)
        assert score.warns(sure) == warned, share
        if share > 0:
            score.say(now, sure)
    assert not score.waiting, "what was said is settled, whether or not anybody was warned"
    assert score.level.seen == 4


def test_the_level_lets_through_as_much_nuisance_as_was_asked_for() -> None:
    dice = random.Random(2)
    level, hours = Level(hours=2.0), 0.0
    for week in range(8):
        for _ in range(2016):
            score = dice.gauss(0, 1) - 1
            hours += level.warns(score) / 12
            level.learn(score, false=True)
        assert hours <= 2.0 * (week + 1) * 1.5
    assert hours == pytest.approx(16, rel=0.35)


def test_a_machine_without_a_past_begins_with_a_careful_level() -> None:
    assert Level().level == FIRST_LEVEL
    quiet = Level()
    for _ in range(5000):
        quiet.learn(-9.0, false=True)
    assert quiet.level == LOWEST_LEVEL, "a machine that never worried anybody does not warn of nothing"


def test_what_is_kept_is_bounded_and_old_ways_fade() -> None:
    level = Level()
    for _ in range(MEMORY * 3):
        level.learn(3.0, false=True)
    assert len(level.worst) <= MOST_KEPT
    assert level.seen <= MEMORY
    assert math.isclose(level.level, 3.0)
    for _ in range(MEMORY * 3):
        level.learn(-5.0, false=True)
    assert level.level < 3.0
