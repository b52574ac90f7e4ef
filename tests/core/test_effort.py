"""What requests cost a machine, and what it would use if nothing held it down."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bongsu.core.effort import ENOUGH, LEARNT, Effort, demand_while_throttled
from bongsu.core.outlook import STEP_S, Course

T0 = datetime(2026, 1, 5, tzinfo=UTC)
STEP = timedelta(seconds=STEP_S)


def test_demand_while_throttled_is_what_was_wanted() -> None:
    assert demand_while_throttled(0.2, 0.5) == pytest.approx(0.7)
    assert demand_while_throttled(0.2, 0.0, requests=30, cpu_per_request=0.02) == pytest.approx(0.6)
    assert demand_while_throttled(0.2, 0.9) == 1.0
    assert demand_while_throttled(0.2, 0.0, requests=1, cpu_per_request=0.02) == 0.2, "never less than it used"


def test_a_cost_is_learnt_in_free_hours_alone_and_is_no_matter_of_one_backup() -> None:
    effort = Effort()
    for number in range(ENOUGH - 1):
        effort.see(T0 + number * STEP, 20.0, 0.1, 0.2)
    effort.see(T0 + 20 * STEP, 50.0, 9.0, None)  # held down: nothing is learnt
    assert effort.cpu_per_request is None
    assert effort.wants(0.2, 0.0) is None
    effort.see(T0 + 21 * STEP, 1.0, 0.1, 0.9)  # a backup at night
    assert effort.cpu_per_request == pytest.approx(0.01)
    assert effort.usual_p95 == pytest.approx(0.1)
    effort.see(T0 + 22 * STEP, 60.0, 4.0, None)
    assert effort.wants(0.2, 0.0) == pytest.approx(0.6)
    assert effort.p95 == 4.0
    effort.see(T0 + 23 * STEP, None, None, None)
    assert effort.wants(0.2, 0.0) is None, "what is not seen is not known"


def test_it_forgets_what_is_older_than_a_week() -> None:
    effort = Effort()
    for number in range(LEARNT):
        effort.see(T0 + number * STEP, 10.0, 0.1, 0.1)
    for number in range(LEARNT):
        effort.see(T0 + (LEARNT + number) * STEP, 10.0, 0.1, 0.3)
    assert len(effort.costs) == LEARNT
    assert effort.cpu_per_request == pytest.approx(0.03)


@given(st.lists(st.tuples(st.integers(0, 40), st.one_of(st.none(), st.floats(0, 1))), max_size=60))
def test_a_course_is_filled_only_where_nothing_was_known(steps: list[tuple[int, float | None]]) -> None:
    course, known = Course(), dict[int, float]()
    for number, (step, value) in enumerate(sorted(steps, key=lambda each: each[0])):
        at = T0 + step * STEP + timedelta(seconds=number)
        course.add(at, value)
        before = course.at(at)
        course.fill(at, 0.5)
        assert course.at(at) == (before if before is not None else 0.5)
        known[step] = course.at(at) or 0.0
    for step, value in known.items():
        assert course.at(T0 + step * STEP) == value
    assert course.at(T0 - STEP) is None
    assert course.at(T0 + 99 * STEP) is None
