"""The breach clock, rule by rule."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from bongsu.core.breach import BreachClock, Cause, Point, advance, cause_of, look_around, summarise
from bongsu.core.burst import MachineType
from bongsu.core.policy import Ceiling, Policy, Tier

T0 = datetime(2026, 1, 5, 20, 0, tzinfo=UTC)
SMALL = MachineType("lightsail:small-2GB", vcpus=2, baseline=0.2, cap=576)
POLICY = Policy("burst", (Tier(timedelta(minutes=5), ("on-call:shop",)),), ceiling=Ceiling(("on-call:shop",)))
STALE = timedelta(seconds=45)


def minute(number: float) -> datetime:
    return T0 + timedelta(minutes=number)


def points(machine: str, *levels: float, start: float = 0, step: float = 1) -> list[Point]:
    """One sample a minute unless told otherwise."""
    return [Point(minute(start + n * step), machine, level) for n, level in enumerate(levels)]


def run(*found: Point, clock: BreachClock | None = None) -> BreachClock:
    return advance(clock or BreachClock(), found, SMALL, POLICY)[0]


def test_it_counts_from_the_first_sample_over_the_baseline() -> None:
    clock = run(*points("a", 0.1, 0.3, 0.3, 0.3))
    assert clock.since == minute(1)
    assert clock.elapsed(minute(10)) == timedelta(minutes=2)


def test_a_sample_at_the_baseline_is_no_breach() -> None:
    assert run(*points("a", 0.2, 0.2)).since is None


def test_any_machine_in_breach_keeps_the_clock_running_though_the_average_is_low() -> None:
    clock = run(*points("a", 0.3, 0.05, 0.05, 0.05), *points("b", 0.05, 0.3, 0.3, 0.3))
    assert clock.since == minute(0)
    assert clock.breaching() == ("b",)


def test_the_clock_survives_the_replacement_of_a_machine() -> None:
    clock = run(*points("a", 0.3, 0.3, 0.3))
    clock = run(*points("b", 0.3, 0.3, start=2), clock=clock)
    clock = look_around(clock, minute(3), STALE, POLICY, frozenset({"b"}))
    assert clock.since == minute(0)
    assert clock.elapsed(minute(3)) == timedelta(minutes=3)


def test_a_dip_shorter_than_settle_counts_as_duration() -> None:
    clock = run(*points("a", 0.3, 0.1, 0.3, 0.3))
    assert clock.elapsed(minute(3)) == timedelta(minutes=3)


def test_a_dip_of_settle_ends_the_stretch_at_its_last_sample_over() -> None:
    clock, ended = advance(BreachClock(), points("a", 0.3, 0.3, 0.1, 0.1, 0.1), SMALL, POLICY)
    assert not clock.running
    assert [(each.since, each.until) for each in ended] == [(minute(0), minute(1))]


def test_a_breach_within_rejoin_adds_up() -> None:
    clock = run(*points("a", 0.3, 0.3, 0.3, 0.1, 0.1, 0.1, 0.3, 0.3))
    assert clock.elapsed(minute(7)) == timedelta(minutes=3)


def test_a_breach_after_rejoin_counts_from_zero() -> None:
    clock = run(*points("a", 0.3, 0.3, 0.3, 0.1, 0.1, 0.1))
    clock = run(*points("a", 0.3, 0.3, start=40), clock=clock)
    assert clock.elapsed(minute(41)) == timedelta(minutes=1)


def test_missing_data_neither_ends_nor_resets_a_breach_and_counts_on_blind() -> None:
    clock = run(*points("a", 0.3, 0.3))
    clock = look_around(clock, minute(9), STALE, POLICY, None)
    assert clock.blind_since == minute(1)
    assert clock.elapsed(minute(9)) == timedelta(minutes=9)
    clock = look_around(run(*points("a", 0.3, start=9), clock=clock), minute(9), STALE, POLICY, None)
    assert (clock.blind_since, clock.since) == (None, minute(0))


def test_missing_data_starts_nothing() -> None:
    clock = look_around(run(*points("a", 0.1)), minute(30), STALE, POLICY, None)
    assert not clock.running
    assert clock.blind_since is None


def test_a_removed_machine_leaves_the_breach_but_a_vanished_one_is_blind() -> None:
    clock = run(*points("a", 0.3, 0.3))
    vanished = look_around(clock, minute(5), STALE, POLICY, frozenset({"a"}))
    assert (vanished.breaching(), vanished.blind_since) == (("a",), minute(1))
    removed = look_around(clock, minute(1), STALE, POLICY, frozenset({"b"}))
    assert removed.breaching() == ()
    assert not look_around(removed, minute(3), STALE, POLICY, frozenset({"b"})).running


def test_the_flat_line_of_an_empty_bucket_is_a_breach() -> None:
    assert cause_of(Point(T0, "a", 0.19, balance=0.4), SMALL, POLICY) is Cause.FLAT
    assert cause_of(Point(T0, "a", 0.16, balance=0.4), SMALL, POLICY) is None
    assert cause_of(Point(T0, "a", 0.19, balance=50), SMALL, POLICY) is None


def test_without_a_known_balance_the_flat_line_is_seen_by_throttling_near_the_baseline() -> None:
    assert cause_of(Point(T0, "a", 0.19, throttled=0.5), SMALL, POLICY) is Cause.FLAT
    assert cause_of(Point(T0, "a", 0.19, steal=0.5), SMALL, POLICY) is Cause.FLAT
    assert cause_of(Point(T0, "a", 0.10, throttled=0.5), SMALL, POLICY) is None
    assert cause_of(Point(T0, "a", 0.19, throttled=0.05), SMALL, POLICY) is None


def test_steal_with_credits_left_is_a_neighbour_and_says_so() -> None:
    clock = run(Point(T0, "a", 0.3, balance=100, steal=0.4))
    assert clock.machines["a"].stolen
    assert clock.machines["a"].cause is Cause.OVER


def test_the_ceiling_needs_two_samples_in_a_row() -> None:
    def high(*levels: float) -> bool:
        clock = run(*points("a", *levels, step=0.25))
        seen = summarise(clock, SMALL, POLICY, minute(len(levels) / 4 - 0.25), stale=STALE, watched_at=None)
        return seen.high

    assert not high(0.3, 0.97)
    assert high(0.3, 0.97, 0.96)
    assert not high(0.97, 0.3, 0.97)


levels = st.lists(st.sampled_from([0.05, 0.1, 0.19, 0.25, 0.6, 0.99]), min_size=1, max_size=60)


@given(levels, st.integers(0, 60))
def test_folding_in_parts_or_twice_is_the_same_as_at_once(found: list[float], cut: int) -> None:
    """A restart between any two samples, with an overlapping window, changes nothing."""
    whole = points("a", *found, step=0.5)
    once = run(*whole)
    twice = run(*whole, clock=run(*whole[:cut]))
    assert once == twice


@given(levels, st.randoms(use_true_random=False))
def test_the_order_of_machines_in_a_window_does_not_matter(found: list[float], random: object) -> None:
    mixed = [*points("a", *found), *points("b", *reversed(found))]
    shuffled = list(mixed)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert run(*mixed).since == run(*shuffled).since


@given(levels)
def test_time_over_the_limit_never_exceeds_the_time_that_passed(found: list[float]) -> None:
    clock = run(*points("a", *found))
    last = minute(len(found) - 1)
    assert timedelta(0) <= clock.elapsed(last) <= last - T0
    assert clock.running == (clock.since is not None)
