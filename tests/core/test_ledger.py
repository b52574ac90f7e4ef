"""The ledger's columns against the rules for one machine, sample by sample."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bongsu.catalogue import load_catalogue
from bongsu.core.balance import Balance, Faults, fold, take
from bongsu.core.breach import Point
from bongsu.core.burst import MachineType, Mode
from bongsu.core.ledger import TRAIL, Ledger
from bongsu.core.outlook import Course, wanted

T0 = datetime(2026, 1, 5, 20, 0, 7, tzinfo=UTC)
LATER = T0 + timedelta(days=30)
SMALL = load_catalogue()["lightsail:small-2GB"]
KINDS = {
    "standard": SMALL,
    "launch": load_catalogue()["ec2:t2.micro"],
    "unlimited": replace(SMALL, mode=Mode.UNLIMITED, surplus_price=0.05),
    "tiny": MachineType("x:tiny", 1, 0.05, 3.0),
}

shares = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.2, 1.0]))
cpus = st.one_of(shares, shares, shares, st.sampled_from([1.01, 1.5, -0.1, math.nan]))
passed = st.one_of(st.integers(1, 30), st.integers(1, 900), st.integers(900, 6000), st.just(0), st.integers(-60, -1))
measures = st.one_of(*[st.none()] * 5, st.floats(0, 700), st.floats(0, 3), st.sampled_from([0.0, 576.0, -3.0, 9999.0]))
sample = st.tuples(passed, cpus, measures, st.none() | shares, st.none() | st.floats(0, 0.5))
looks = st.lists(st.lists(st.tuples(st.sampled_from("abc"), sample), max_size=5), min_size=1, max_size=12)


def points_of(looks: list[list[tuple[str, Any]]]) -> list[list[Point]]:
    """Each machine's clock goes on by what its samples say."""
    clocks: dict[str, datetime] = {}
    found = []
    for look in looks:
        points = []
        for name, (seconds, cpu, balance, throttled, steal) in look:
            clocks[name] = clocks.get(name, T0) + timedelta(seconds=seconds)
            points.append(Point(clocks[name], name, cpu, balance, throttled, steal))
        found.append(points)
    return found


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None)
@given(looks=looks, stored=st.booleans())
def test_column_by_column_is_the_same_as_sample_by_sample(
    kind: str, looks: list[list[tuple[str, Any]]], stored: bool
) -> None:
    machine = KINDS[kind]
    ledger, known, courses, mine = Ledger(), dict[str, Balance](), dict[str, Course](), dict[str, Course]()
    for points in points_of(looks):
        if stored:
            ledger = Ledger(ledger.names, ledger.columns, ledger.trail)
        look = ledger.take(points, machine, LATER)
        told: dict[str, list[str]] = {}
        said = list(points)
        for n in sorted(range(len(points)), key=lambda n: points[n].at):
            point, faults = points[n], Faults()
            before = known.get(point.machine)
            after = take(before, point, machine, LATER, faults)
            if faults.counts:
                told.setdefault(point.machine, []).extend(faults.told())
            if after is None or after is before:
                continue
            known[point.machine] = after
            courses.setdefault(point.machine, Course()).add(point.at, wanted(after, machine))
            if machine.mode is Mode.STANDARD and after.known(machine):
                said[n] = point._replace(balance=after.credits)
        for name, at, demand, samples in look.steps:
            mine.setdefault(name, Course()).know(at, demand, samples)
        assert look.faults == told
        assert [each.balance for each in look.points] == pytest.approx([each.balance for each in said], abs=1e-6)
    for name, at, demand, samples in ledger.running():
        mine.setdefault(name, Course()).know(at, demand, samples)
    assert set(ledger) == set(known)
    for name, balance in known.items():
        assert_close(ledger[name], balance)
        assert mine[name].demand(LATER) == pytest.approx(courses[name].demand(LATER), nan_ok=True)


def assert_close(one: Balance, other: Balance) -> None:
    """Times exactly, figures but for what floats lose."""
    for name, mine, theirs in zip(Balance._fields, one, other, strict=True):
        if isinstance(theirs, float | tuple):
            assert mine == pytest.approx(theirs, abs=1e-6), name
        else:
            assert mine == theirs, name


def test_a_clock_that_went_back_is_told_for_each_point() -> None:
    ledger = Ledger()
    ledger.take([Point(T0, "m", 0.5, 300.0)], SMALL, LATER)
    look = ledger.take([Point(T0, "m", 0.5), Point(T0 - timedelta(hours=2), "m", 0.5)], SMALL, T0 - timedelta(hours=1))
    assert len(look.faults["m"]) == 3
    assert any("a clock went back" in each for each in look.faults["m"])
    assert ledger["m"].at == T0


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(5, 300), st.floats(0, 1)), min_size=2, max_size=80),
    st.floats(0, 1),
    st.booleans(),
)
@example([(60, 0.5), (60, 0.5)], 1.0, True)
def test_what_was_spent_since_a_moment_is_what_the_samples_say(
    course: list[tuple[int, float]], share: float, together: bool
) -> None:
    """Away from both ends of the bucket; whole minutes are exact, and within one minute it is a line."""
    huge = MachineType("x:huge", 2, 0.2, 1e6)
    at, points = T0, [Point(T0, "m", 0.3, 5e5)]
    for seconds, cpu in course:
        at += timedelta(seconds=seconds)
        points.append(Point(at, "m", cpu))
    ledger = Ledger()
    for some in [points[:1], points[1:]] if together else [[point] for point in points]:
        ledger.take(some, huge, LATER)
    begin = max(points[0].at + timedelta(minutes=1), at - timedelta(minutes=TRAIL - 2))
    if begin >= at:
        return
    moment = begin + share * (at - begin)
    whole = moment.replace(second=0, microsecond=0)
    truth, _ = fold(None, [point for point in points if point.at <= whole], huge, LATER)
    assert truth is not None
    after = next((point for point in points if point.at > whole), points[-1])  # the last one may be at ``whole`` itself
    mean = (truth.used + after.cpu) / 2
    then = truth.credits + (huge.earn_per_minute - 2 * mean) * (whole - truth.at).total_seconds() / 60
    before = ledger["m"].credits
    ledger.anchor("m", whole, then + 100.0, huge, Faults())
    assert ledger["m"].measured_at == whole
    assert ledger["m"].credits == pytest.approx(before + 100.0, abs=1e-5)
    assert ledger["m"].residual == pytest.approx(100.0, abs=1e-5)


def test_before_the_trail_begins_the_newest_pace_has_to_do() -> None:
    ledger, hour = Ledger(), timedelta(hours=1)
    ledger.take([Point(T0, "m", 0.5, 300.0), Point(T0 + 20 * timedelta(seconds=1), "m", 0.5)], SMALL, LATER)
    ledger.anchor("m", T0 + timedelta(seconds=5), 200.0, SMALL, Faults())
    assert ledger["m"].credits == pytest.approx(200.0 - 2 * 0.3 * 0.25)
    ledger.take([Point(T0 + hour, "m", 0.5)], SMALL, LATER)
    ledger.anchor("m", T0 + timedelta(minutes=10), 200.0, SMALL, Faults())
    assert ledger["m"].credits == pytest.approx(200.0 - 2 * 0.3 * 50)
