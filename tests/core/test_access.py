"""Rights, sessions, limits and names, as values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bongsu.core.access import (
    Access,
    Limit,
    Right,
    Session,
    label_faults,
    name_faults,
    neighbourhood,
    password_faults,
    role_of,
)

NOW = datetime(2026, 1, 5, 20, 0, tzinfo=UTC)
LIMIT = Limit(3, timedelta(minutes=15))
MINUTES = st.lists(st.integers(0, 60), max_size=12).map(sorted)


def test_each_right_holds_those_before_it() -> None:
    order = [Right.PUBLIC, Right.VIEWER, Right.RESPONDER, Right.ADMIN]
    for number, each in enumerate(order):
        assert [each.covers(other) for other in order] == [True] * (number + 1) + [False] * (3 - number)


def test_public_is_no_role() -> None:
    assert role_of("public") is None
    assert role_of("admin") is Right.ADMIN


@pytest.mark.parametrize(("seen", "made", "over"), [(0, 0, False), (11, 100, False), (12, 100, True), (1, 168, True)])
def test_a_session_ends_unused_or_old(seen: int, made: int, over: bool) -> None:
    session = Session("jimin", NOW - timedelta(hours=made), NOW - timedelta(hours=seen), "127.0.0.1")
    assert Access().over(session, NOW) is over


@given(MINUTES)
def test_after_the_wait_there_is_room_again_and_before_it_there_is_none(minutes: list[int]) -> None:
    failures = [NOW + timedelta(minutes=each) for each in minutes]
    now = failures[-1] if failures else NOW
    wait = LIMIT.wait(failures, now)
    lately = [at for at in failures if now - at < LIMIT.within]
    assert (wait > timedelta(0)) is (len(lately) >= LIMIT.most)
    assert LIMIT.wait(failures, now + wait) == timedelta(0)
    if wait:
        assert LIMIT.wait(failures, now + wait - timedelta(seconds=1)) > timedelta(0)


def test_one_network_counts_as_one_address() -> None:
    assert neighbourhood("2001:db8::1") == neighbourhood("2001:db8::ffff:2")
    assert neighbourhood("2001:db8::1") != neighbourhood("2001:db8:0:1::1")
    assert neighbourhood("10.0.0.1") != neighbourhood("10.0.0.2")
    assert neighbourhood("testclient") == "testclient"


@pytest.mark.parametrize("password", ["short", "elevensigns", "x" * 257])
def test_a_password_is_judged_by_its_length(password: str) -> None:
    assert password_faults(password)
    assert password_faults("twelve signs") == []


@pytest.mark.parametrize("name", ["", "Jimin", "ji min", "-x", "x" * 65, "김지민", "a/b", "a\n"])
def test_a_name_is_plain(name: str) -> None:
    assert name_faults(name)
    assert name_faults("jimin.k-2_a") == []


@pytest.mark.parametrize("label", ["", " ", "x" * 81, "a\nb", "a\x00"])
def test_a_tokens_name_is_one_line(label: str) -> None:
    assert label_faults(label)
    assert label_faults("배포 pipeline") == []
