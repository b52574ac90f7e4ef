"""Clocks that are apart agree on the database's."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bongsu.adapters.clock import SharedClock, SystemClock
from bongsu.store.database import Database
from bongsu.testing import START, ManualClock

SECOND = timedelta(seconds=1)


class Remote:
    """A clock that takes its time to answer, and tells the time of half way."""

    def __init__(self, own: ManualClock, ahead: timedelta, trips: list[timedelta]) -> None:
        self.own, self.ahead, self.trips = own, ahead, trips

    def __call__(self) -> object:
        trip = self.trips.pop(0) if len(self.trips) > 1 else self.trips[0]
        self.own.advance(trip / 2)
        told = self.own.now() + self.ahead
        self.own.advance(trip / 2)
        return told


@pytest.mark.parametrize("seconds", [30, -30, 6])
def test_it_follows_the_other_clock_and_says_how_far_ours_is_ahead(seconds: int) -> None:
    own = ManualClock(START)
    clock = SharedClock(own, Remote(own, seconds * SECOND, [SECOND / 10]))
    assert clock.now() == own.now()
    assert clock.synchronise() == -seconds * SECOND
    assert clock.now() - own.now() == seconds * SECOND


def test_the_quickest_answer_counts() -> None:
    own = ManualClock(START)
    crooked = SharedClock(own, Remote(own, 3 * SECOND, [4 * SECOND, SECOND / 100, 5 * SECOND]))
    assert crooked.synchronise() == -3 * SECOND


def test_what_lies_within_the_measuring_is_left_alone() -> None:
    own = ManualClock(START)
    remote = Remote(own, SECOND / 20, [SECOND / 100])
    clock = SharedClock(own, remote)
    clock.synchronise()
    assert clock.now() == own.now()
    remote.ahead, remote.trips = SECOND, [3 * SECOND]
    clock.synchronise()
    assert clock.now() == own.now(), "an answer after 3 s may be 1.5 s old"


def test_two_computers_half_a_minute_apart_agree(postgres_server: str) -> None:
    db = Database(postgres_server.replace("DATABASE", "postgres"))
    clocks = [SharedClock(SystemClock(30 * SECOND), db.now), SharedClock(SystemClock(), db.now)]
    assert clocks[0].now() - clocks[1].now() > 29 * SECOND
    ahead = [clock.synchronise() for clock in clocks]
    assert abs(ahead[0] - 30 * SECOND) < SECOND / 2
    assert abs(ahead[1]) < SECOND / 2
    assert abs(clocks[0].now() - clocks[1].now()) < SECOND / 2
    db.close()
