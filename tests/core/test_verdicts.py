"""A back-test of a policy on days whose course is known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from bongsu.catalogue import load_catalogue
from bongsu.core import backtest
from bongsu.core.analogue import DAY, Floats
from bongsu.core.hindsight import EARLY, course_of, policy_tells
from bongsu.core.policy import Ceiling, Policy, Runway, Tier
from bongsu.core.verdicts import Past, judge

SMALL = load_catalogue()["lightsail:small-2GB"]
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
POLICY = Policy(
    "burst",
    tuple(Tier(timedelta(minutes=after), (who,)) for after, who in ((5, "a"), (20, "b"), (40, "c"))),
    ceiling=Ceiling(("a",)),
    runway=Runway(("a",)),
)


def demand(days: int, *above: tuple[int, int, float]) -> Floats:
    """Calm but for (first step, step after the last, level)."""
    course = np.full(days * DAY, 0.05, np.float32)
    for begin, end, level in above:
        course[begin:end] = level
    return course


def tells(*above: tuple[int, int, float]) -> dict[str, list[int]]:
    course = demand(1, *above)
    return policy_tells(POLICY, SMALL, course, course_of(course, SMALL, 0.5))


def test_tiers_are_told_when_their_time_is_over() -> None:
    """Tier 1 after five minutes (known at the end of step 10), tier 2 after four steps, tier 3 after eight."""
    told = tells((10, 30, 0.5))
    assert (told["tier 1"], told["tier 2"], told["tier 3"]) == ([10], [13], [17])
    assert told["ceiling"] == []


def test_a_short_breach_reaches_the_first_tier_alone() -> None:
    told = tells((10, 12, 0.5))
    assert (told["tier 1"], told["tier 2"]) == ([10], [])


def test_a_breach_that_comes_back_soon_goes_on_counting_and_one_that_comes_late_begins_anew() -> None:
    assert tells((10, 12, 0.5), (15, 18, 0.5))["tier 2"] == [16], "two steps, a dip, two more"
    late = tells((10, 12, 0.5), (30, 33, 0.5))
    assert (late["tier 1"], late["tier 2"]) == ([10, 30], [])


def test_the_ceiling_calls_again_only_after_an_hour() -> None:
    assert tells((10, 12, 1.0), (16, 18, 1.0), (40, 41, 1.0))["ceiling"] == [10, 40]


def test_the_low_runway_calls_while_the_credits_are_being_spent() -> None:
    course = demand(1, (10, 80, 0.9))
    share = course_of(course, SMALL, 0.5)
    told = policy_tells(POLICY, SMALL, course, share)["runway"]
    full_burn = share * 360
    assert told == [int(np.flatnonzero(full_burn < 30)[0])]


def evenings(days: int) -> Floats:
    """A sale every evening that empties the bucket in about four hours, with a night to recover."""
    return demand(days, *((day * DAY + 200, day * DAY + 280, 0.8) for day in range(days)))


def test_the_verdict_counts_what_happened() -> None:
    past = Past("m1", BEGIN, evenings(16))
    verdict = judge([past, Past("short", BEGIN, evenings(1))], SMALL, POLICY, hours=2.0, opening=0.9)
    share = course_of(past.demand, SMALL, 0.9)
    events = backtest.outcome(share, warm_up=2 * DAY).events
    events = events[events >= 2 * DAY]
    assert len(events) >= 10
    assert [each.at for each in verdict.exhaustions] == [BEGIN + int(each) * timedelta(minutes=5) for each in events]
    assert verdict.too_short == ["short"]
    assert verdict.machines == 1
    first = next(each for each in verdict.rules if each.rule == "tier 1")
    assert (first.notify, first.reached) == (("a",), len(events))
    before = [each.before["tier 1"] for each in verdict.exhaustions]
    assert before == [(each % DAY - 200) * 5 for each in events]
    assert first.vain == 0
    assert first.median_before is not None
    early = next(each for each in verdict.rules if each.rule == EARLY)
    assert early.reached >= len(events) - 3, "after a few evenings it knows them"
    assert verdict.recall[30] > 0.7
    assert verdict.nuisance_hours <= 4
    assert verdict.skill > 0.6
    assert verdict.proposed_recall[30] >= verdict.recall[30] - 0.2


def test_who_was_told_while_it_was_still_learning_was_told() -> None:
    cut = 230  # as when one asks in the middle of a sale: the third evening's begins within the first two days
    verdict = judge([Past("m1", BEGIN, evenings(5)[cut:])], SMALL, POLICY, hours=2.0, opening=0.9)
    assert len(verdict.exhaustions) == 3
    for each in verdict.exhaustions:
        step = (each.at - BEGIN) // timedelta(minutes=5) + cut
        assert each.before["tier 1"] == (step % DAY - 200) * 5
    assert next(each.told for each in verdict.rules if each.rule == "tier 1") == 2, "what is learnt from is not counted"


def test_without_anything_to_judge_there_are_no_figures() -> None:
    verdict = judge([Past("calm", BEGIN, demand(1))], SMALL, POLICY, hours=2.0, opening=0.5)
    assert verdict.machines == 0
    assert verdict.exhaustions == []
    assert np.isnan(verdict.brier)
    calm = judge([Past("calm", BEGIN, demand(6))], SMALL, POLICY, hours=2.0, opening=0.5)
    assert calm.weeks == pytest.approx(4 / 7, rel=0.05)
    assert [each.told for each in calm.rules] == [0] * 6
