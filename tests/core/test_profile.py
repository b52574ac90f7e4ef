"""Profiles: which one fits, which reading is the best there is, and that a missing signal stays missing."""

from __future__ import annotations

import re

import pytest

from bongsu.core.profile import MACHINE, Profile, Reading, Source, expressions, recognise
from bongsu.core.signal import SIGNALS
from bongsu.profiles import shipped

LATENCY = Source(
    (Reading("p95($by)", ("a_bucket",), "p95"), Reading("mean", ("a_(sum|total)",), "mean")), "switch it on"
)


def test_the_best_reading_that_fits_is_taken_and_without_one_the_signal_is_missing() -> None:
    best = LATENCY.best({"a_bucket", "a_sum"})
    assert best is not None
    assert best.how == "p95"
    second = LATENCY.best({"a_sum"})
    assert second is not None
    assert second.how == "mean"
    assert LATENCY.best({"a_summary", "xa_sum"}) is None


def test_a_reading_is_filled_for_the_service_or_for_each_machine() -> None:
    reading = Reading('sum by ($by) (rate(x{job="$job",uri!~"/a.*$$"}[$window]))', ())
    assert reading.fill("shop", "20s") == 'sum by (job) (rate(x{job="shop",uri!~"/a.*$"}[20s]))'
    assert "by (job, instance)" in reading.fill("shop", "20s", MACHINE)


def test_the_profile_that_fits_best_is_recognised() -> None:
    plain, rich = Profile("plain", "", ("up_time",)), Profile("rich", "", ("up_time", "level"))
    assert recognise([plain, rich], {"up_time", "level"}) is not None
    assert recognise([plain, rich], {"something"}) is None
    half = recognise([plain, rich], {"up_time"})
    assert half is not None
    assert half.name == "plain"


def test_a_services_own_queries_come_before_the_profiles() -> None:
    profile = Profile("p", "", ("x",), {"latency": LATENCY, "steal": Source((), "add a node exporter")})
    found = expressions(profile, {"latency": "mine{job='$job'}", "carts": "carts"}, "shop", "20s")
    assert found == {"latency": "mine{job='shop'}", "carts": "carts"}


@pytest.mark.parametrize("name", sorted(shipped()))
def test_a_shipped_profile_keeps_to_the_known_signals_and_can_be_recognised(name: str) -> None:
    profile = shipped()[name]
    assert profile.title
    assert profile.known_by
    assert set(profile.signals) <= set(SIGNALS)
    for signal, source in profile.signals.items():
        assert source.readings or source.add, f"{signal}: neither a query nor how to get one"
        for reading in source.readings:
            assert reading.needs, f"{signal}: needs nothing, so it would never be missing"
            assert "$job" in reading.query, f"{signal}: not keyed on the job"
            assert set(re.findall(r"\$(\w+)", reading.query)) <= {"job", "window", "by"}
