"""The scoring of warnings against a slow and obvious way to do the same."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bongsu.core.backtest import (
    NEVER,
    brier,
    brier_skill,
    foreseen,
    judged,
    nuisance,
    outcome,
    proposed_level,
    recovered,
    reliability,
)

courses = st.lists(st.sampled_from([0.0, 0.0, 0.02, 0.05, 0.3, 1.0]), min_size=1, max_size=90)
starts = st.lists(st.integers(1, 80), max_size=3)


def slowly(share: list[float], begins: list[int], warm_up: int) -> tuple[list[int], list[bool], list[int]]:
    """The rules, one step at a time."""
    edges = [*sorted({0, *(each for each in begins if each < len(share))}), len(share)]
    ahead, scored, events = [], [], []
    for first, end in itertools.pairwise(edges):
        for at in range(first, end):
            gone = [each for each in range(at, end) if share[each] <= 0]
            ahead.append(gone[0] - at if gone else NEVER)
            scored.append(at >= warm_up and share[at] > 0 and (bool(gone) or end - at > 24))
            if share[at] <= 0:
                held = []
                for before in range(at - 1, max(first, at - 24) - 1, -1):
                    if share[before] <= 0:
                        break
                    held.append(share[before])
                if held and max(held) > 0.04:
                    events.append(at)
    return ahead, scored, events


@given(share=courses, begins=starts, warm_up=st.integers(0, 30))
def test_outcomes_are_those_of_the_slow_way(share: list[float], begins: list[int], warm_up: int) -> None:
    found = outcome(np.array(share, np.float32), [each for each in begins if each < len(share)], warm_up)
    ahead, scored, events = slowly(share, begins, warm_up)
    assert found.ahead.tolist() == ahead
    assert found.scored.tolist() == scored
    assert found.events.tolist() == events


@given(share=courses, warned=st.lists(st.booleans(), min_size=90, max_size=90), lead=st.integers(1, 12))
def test_recall_and_nuisance_are_those_of_the_slow_way(share: list[float], warned: list[bool], lead: int) -> None:
    on = np.array(warned[: len(share)])
    found = outcome(np.array(share, np.float32))
    ahead, scored, events = slowly(share, [], 0)
    fair = [each for each in events if each >= lead and scored[each - lead] and ahead[each - lead] == lead]
    assert judged(found, lead).tolist() == fair
    assert foreseen(on, found, lead).tolist() == [warned[each - lead] for each in fair]
    false = sum(warned[at] and scored[at] and ahead[at] > 24 for at in range(len(share)))
    if sum(scored):
        assert nuisance(on, found) == pytest.approx(false / 12 / (sum(scored) / 2016))


@given(share=courses)
def test_credits_have_recovered_when_they_were_above_the_mark_since_they_were_gone(share: list[float]) -> None:
    course, state = np.array(share, np.float32), True
    told = recovered(course)
    for at, held in enumerate(share):
        state = held > 0 and (state or held > 0.04)
        assert told[at] == state
    found = outcome(course)
    assert told[judged(found, 1) - 1].all(), "no exhaustion that counts comes while they have not"


@given(
    scores=st.lists(st.floats(-5, 5), min_size=60, max_size=60),
    share=st.lists(st.sampled_from([0, 0.1, 1.0]), min_size=60, max_size=60),
    hours=st.floats(0, 2000),
)
def test_the_proposed_level_is_the_lowest_that_keeps_the_nuisance(
    scores: list[float], share: list[float], hours: float
) -> None:
    score, found = np.array(scores, np.float32), outcome(np.array(share, np.float32))
    level = proposed_level([score], [found], hours)
    assert nuisance(score > level, found) <= hours + 1e-6
    lower = [each for each in score[found.false] if each <= level]
    if found.scored.any() and lower:  # one score lower would be too much, unless equal scores come together
        below = np.nextafter(np.float32(level), np.float32(-9))
        assert nuisance(score > below, found) > hours - 1e-6


@given(said=st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=300))
@settings(max_examples=50)
def test_brier_and_reliability_are_those_of_the_slow_way(said: list[tuple[float, bool]]) -> None:
    probability = np.array([each for each, _ in said], np.float32)
    happened = np.array([each for _, each in said])
    slow = sum((float(p) - y) ** 2 for p, y in zip(probability, happened, strict=True)) / len(said)
    assert brier(probability, happened) == pytest.approx(slow, abs=1e-6)
    for each in reliability(probability, happened, fewest=1):
        tenth = min(9, int(np.float32(each.said) * 10 + 1e-6))
        inside = [y for p, y in zip(probability, happened, strict=True) if min(9, int(p * 10)) == tenth]
        assert each.count == len(inside) or abs(each.said * 10 - round(each.said * 10)) < 1e-4
    rate = happened.mean()
    if 0 < rate < 1:
        assert brier_skill(np.full(len(said), rate), happened) == pytest.approx(0)
        assert brier_skill(happened.astype(np.float32), happened) == pytest.approx(1)
    else:
        assert np.isnan(brier_skill(probability, happened))


def test_one_exhaustion_that_flickers_counts_once() -> None:
    share = np.array([0.5] * 30 + [0.0, 0.01, 0.0, 0.02, 0.0] + [0.03] * 30 + [0.0], np.float32)
    assert outcome(share).events.tolist() == [30]
