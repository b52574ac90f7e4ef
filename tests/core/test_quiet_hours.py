"""Quiet hours as properties: what is quiet is what the local clock says, and every stretch ends."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from bongsu.core.quiet import Quiet
from bongsu.core.rotation import Hours
from bongsu.core.severity import Severity, gravest, said_by

BERLIN, SEOUL = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Seoul")
moments = st.integers(0, 365 * 1440).map(lambda n: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=n))
clocks = st.builds(time, st.integers(0, 23), st.sampled_from((0, 15, 30)))
days = st.frozensets(st.integers(0, 6), min_size=1)
parts = st.lists(st.builds(Hours, days, clocks, clocks), min_size=1, max_size=3).map(tuple)


def covers(hours: Hours, local: datetime) -> bool:
    """Whether a part of the week covers a local time, told by weekday and time of day alone."""
    today, before = local.weekday() in hours.days, (local.weekday() - 1) % 7 in hours.days
    if hours.end > hours.start:
        return today and hours.start <= local.time() < hours.end
    return (today and local.time() >= hours.start) or (before and local.time() < hours.end)


@given(parts, moments)
def test_it_is_quiet_exactly_when_the_local_clock_says_so(hours: tuple[Hours, ...], now: datetime) -> None:
    quiet = Quiet(hours, SEOUL)
    local = now.astimezone(SEOUL)
    assert (quiet.stretch(now) is not None) == any(covers(each, local) for each in hours)


@given(parts, moments, st.sampled_from((BERLIN, SEOUL, UTC)))
def test_a_stretch_holds_its_moment_and_after_its_end_it_is_not_quiet(
    hours: tuple[Hours, ...], now: datetime, zone: ZoneInfo
) -> None:
    quiet = Quiet(hours, zone)
    found = quiet.stretch(now)
    if found is None or quiet.endless:
        return
    start, end = found
    assert start <= now < end <= now + timedelta(days=7, hours=1)
    assert quiet.stretch(start) == found, "it is the same one from its beginning on"
    assert quiet.stretch(end) is None


def test_labels_say_how_grave_and_words_that_are_none_of_ours_say_nothing() -> None:
    assert said_by({"severity": "Warning"}, Severity.CRITICAL) is Severity.WARNING
    assert said_by({"severity": "page"}, Severity.CRITICAL) is Severity.CRITICAL
    assert said_by({}, Severity.INFO) is Severity.INFO
    assert gravest([Severity.INFO, Severity.CRITICAL, Severity.WARNING], Severity.INFO) is Severity.CRITICAL
    assert gravest([], Severity.WARNING) is Severity.WARNING
