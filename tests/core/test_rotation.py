"""Rotations: properties that hold for every schedule, and the days on which clocks are moved."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bongsu.core.rotation import ALL_WEEK, Beat, Hours, Override, Rotation, Schedule, Shift

BERLIN, SEOUL = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Seoul")
ZONES = (UTC, BERLIN, SEOUL, ZoneInfo("America/St_Johns"), ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Asia/Kathmandu"))
PEOPLE = ("jimin", "sora", "minho")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)

moments = st.integers(0, 2 * 365 * 24 * 60).map(lambda n: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=n))
times = st.times().map(lambda t: t.replace(second=0, microsecond=0))
hours = st.builds(Hours, st.frozensets(st.integers(0, 6), min_size=1), times, times)


@st.composite
def beats(draw: st.DrawFn, zone: tzinfo) -> Beat:
    start = draw(moments)
    if draw(st.booleans()):
        return Beat(start, draw(st.integers(1, 30)) * DAY, zone)
    return Beat(start, draw(st.integers(1, 24 * 30)) * HOUR)


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    zone = draw(st.sampled_from(ZONES))
    people = st.lists(st.sampled_from(PEOPLE), max_size=4).map(tuple)
    layer = st.builds(Rotation, people, beats(zone), st.lists(hours, max_size=2).map(tuple))
    standing = []
    for number in range(draw(st.integers(0, 3))):
        start, made = draw(moments), draw(moments)
        end = start + draw(st.integers(1, 100)) * HOUR
        standing.append(Override(f"o{number}", "shop", draw(st.sampled_from(PEOPLE)), start, end, "minho", made))
    return Schedule(tuple(draw(st.lists(layer, max_size=3))), zone, tuple(standing))


@given(schedules(), moments, st.integers(1, 60 * 24), st.integers(0, 999))
def test_shifts_fill_the_window_and_agree_with_who_is_on_call(
    schedule: Schedule, start: datetime, span: int, share: int
) -> None:
    end = start + span * HOUR
    shifts = schedule.shifts(start, end)
    assert shifts[0].start == start
    assert shifts[-1].end == end
    for one, other in itertools.pairwise(shifts):
        assert one.start < one.end == other.start
    now = start + (end - start) * share / 1000
    (holding,) = (each for each in shifts if each.start <= now < each.end)
    assert holding.person == schedule.on_call(now)
    for each in shifts:
        assert schedule.on_call(each.start) == each.person == schedule.on_call(each.end - timedelta(microseconds=1))


@given(schedules(), moments, st.integers(1, 500), st.integers(1, 500))
def test_a_whole_shift_is_the_same_in_whichever_window_it_is_seen(
    schedule: Schedule, start: datetime, one: int, other: int
) -> None:
    seen = {each for each in schedule.whole_shifts(start, start + one * HOUR) if each.person}
    later = start + min(one, other) * HOUR / 2
    again = {each for each in schedule.whole_shifts(later, later + other * HOUR) if each.person}
    near = [each for each in seen if each.end > later and each.start < later + other * HOUR]
    assert set(near) <= again


def test_a_long_turn_ends_where_the_hours_of_a_layer_that_has_not_begun_yet_end_it() -> None:
    start = datetime(2026, 1, 3, 21, 45, tzinfo=UTC)
    mondays = Rotation(("sora",), Beat(datetime(2026, 1, 30, tzinfo=UTC), DAY), (Hours(frozenset({0})),))
    schedule = Schedule((Rotation(("jimin",), Beat(start, 719 * HOUR)), mondays))
    (seen,) = schedule.whole_shifts(start + 5 * DAY, start + 13 * DAY)
    assert (seen.start, seen.end) == (start, datetime(2026, 2, 2, tzinfo=UTC))


def test_a_layer_that_begins_in_a_year_costs_nothing_today(monkeypatch: pytest.MonkeyPatch) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    hourly, distant = Rotation(("jimin", "sora"), Beat(start, HOUR)), Rotation(("minho",), Beat(start + 400 * DAY, DAY))
    schedule, asked = Schedule((hourly, distant)), list[datetime]()
    at = Schedule._at
    monkeypatch.setattr(Schedule, "_at", lambda self, now: asked.append(now) or at(self, now))
    assert len(schedule.whole_shifts(start, start + 5 * HOUR)) == 5
    assert len(asked) < 20


@given(st.sampled_from(ZONES), st.data(), moments)
def test_a_beat_is_the_last_one_before(zone: tzinfo, data: st.DataObject, now: datetime) -> None:
    beat = data.draw(beats(zone))
    number = beat.number(now)
    assert beat.at(number) <= now < beat.at(number + 1)


@pytest.mark.parametrize(("zone", "start"), [(BERLIN, "2026-03-23T09:00+01:00"), (SEOUL, "2026-03-23T09:00+09:00")])
def test_a_weekly_hand_over_keeps_its_time_of_day(zone: ZoneInfo, start: str) -> None:
    beat = Beat(datetime.fromisoformat(start), 7 * DAY, zone)
    schedule = Schedule((Rotation(("jimin", "sora"), beat),), zone)
    shifts = schedule.shifts(beat.start, beat.start + 40 * 7 * DAY)
    assert {each.start.astimezone(zone).time() for each in shifts} == {time(9)}
    assert [each.person for each in shifts[:4]] == ["jimin", "sora", "jimin", "sora"]


def test_168_hours_are_not_a_week_of_the_calendar() -> None:
    start = datetime(2026, 3, 23, 9, tzinfo=BERLIN)  # clocks go forward on the 29th
    calendar, elapsed = Beat(start, 7 * DAY, BERLIN), Beat(start, 7 * DAY)
    assert calendar.at(1) == datetime(2026, 3, 30, 7, tzinfo=UTC)
    assert elapsed.at(1) == datetime(2026, 3, 30, 8, tzinfo=UTC)


def test_a_hand_over_in_the_hour_that_clocks_skip_or_repeat_happens_once() -> None:
    daily = Beat(datetime(2026, 3, 27, 2, 30, tzinfo=BERLIN), DAY, BERLIN)
    schedule = Schedule((Rotation(PEOPLE, daily),), BERLIN)
    for start in (daily.start, datetime(2026, 10, 23, 2, 30, tzinfo=BERLIN)):
        shifts = schedule.shifts(start, start + 5 * DAY)
        assert len({each.start for each in shifts}) == len(shifts) >= 5
    assert daily.at(2) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)  # 02:30 is skipped: 03:30 summer time
    assert daily.at(212) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # the first of two 02:30


def test_before_the_first_turn_and_without_people_is_a_gap() -> None:
    beat = Beat(datetime(2026, 1, 5, tzinfo=UTC), DAY)
    assert Schedule((Rotation(PEOPLE, beat),)).on_call(beat.start - HOUR) is None
    assert Schedule((Rotation((), beat),)).gaps(beat.start, beat.start + DAY) == (
        Shift(beat.start, beat.start + DAY, None),
    )


def test_nights_and_weekends_are_layers_above() -> None:
    monday = datetime(2026, 1, 5, tzinfo=SEOUL)
    week = Rotation(("jimin",), Beat(monday, 7 * DAY, SEOUL), (Hours(frozenset(range(5)), time(9), time(18)),))
    night = Rotation(("sora",), Beat(monday, 7 * DAY, SEOUL), (Hours(ALL_WEEK, time(18), time(9)),))
    weekend = Rotation(("minho",), Beat(monday, 7 * DAY, SEOUL), (Hours(frozenset({5, 6})),))
    schedule = Schedule((week, night, weekend), SEOUL)

    def who(day: int, hour: int) -> str | None:
        return schedule.on_call(datetime(2026, 1, day, hour, tzinfo=SEOUL))

    assert (who(6, 10), who(6, 20), who(7, 3)) == ("jimin", "sora", "sora")
    assert (who(10, 10), who(11, 23), who(12, 3)) == ("minho", "minho", "sora")
    assert Schedule((week,), SEOUL).on_call(datetime(2026, 1, 6, 20, tzinfo=SEOUL)) is None


def test_the_override_made_last_counts() -> None:
    beat = Beat(datetime(2026, 1, 5, tzinfo=UTC), 7 * DAY)
    noon = beat.start + 12 * HOUR
    first = Override("a", "shop", "sora", noon, noon + 4 * HOUR, "sora", noon - DAY)
    second = Override("b", "shop", "minho", noon + HOUR, noon + 2 * HOUR, "minho", noon)
    schedule = Schedule((Rotation(("jimin",), beat),), UTC, (second, first))
    found = [(each.person, each.override) for each in schedule.shifts(beat.start, beat.start + DAY)]
    assert found == [("jimin", None), ("sora", "a"), ("minho", "b"), ("sora", "a"), ("jimin", None)]
    assert schedule.following(beat.start, DAY) == Shift(noon, noon + HOUR, "sora", "a")
