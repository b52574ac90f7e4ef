"""Estimates of what did not come."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bongsu.core.missed import Method, estimate


def test_without_a_sample_there_is_no_estimate() -> None:
    assert estimate(Method.CALM_RATE, [], 5) is None
    assert estimate(Method.CALM_RATE, [5.0], 5, spans=0) is None


def test_more_than_expected_is_nothing_missing() -> None:
    found = estimate(Method.CALM_RATE, [10.0, 10.0], 300.0)
    assert found is not None
    assert (found.missing, found.missing_low, found.missing_high) == (0, 0, 0)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=12), st.floats(0, 1e6), st.floats(0.01, 100))
def test_the_range_holds_the_estimate(samples: list[float], seen: float, spans: float) -> None:
    found = estimate(Method.SAME_HOURS, samples, seen, spans)
    assert found is not None
    assert 0 <= found.expected_low <= found.expected <= found.expected_high
    assert found.missing_low <= found.missing <= found.missing_high
    won = found.times(1000.0)
    assert won.missing == pytest.approx(1000.0 * found.missing, rel=1e-9, abs=1e-6)


@pytest.mark.parametrize(("scatter", "spans"), [(1.0, 1.0), (4.0, 1.0), (1.0, 5.0)])
def test_about_95_of_100_ranges_hold_what_really_comes(scatter: float, spans: float) -> None:
    """Six samples of a mean of 100, and what comes in a time ``spans`` as long; ``scatter`` against chance's own."""
    chance = random.Random(1)
    held = 0
    for _ in range(2000):
        *samples, comes = (chance.gauss(100, (100 * scatter) ** 0.5) for _ in range(7))
        comes = 100 * spans + (comes - 100) * spans**0.5
        found = estimate(Method.CALM_RATE, samples, 0.0, spans)
        assert found is not None
        held += found.expected_low <= comes <= found.expected_high
    assert 0.93 <= held / 2000 <= 0.995
