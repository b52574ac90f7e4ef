"""When an alert that is sent again has to be written again, and when the disk may be left alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bongsu.core.alert import Alert
from bongsu.core.routing import Destination
from bongsu.engine.known import Arrival, Arriving, Known, Touched
from bongsu.store.alerts import identity

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
KEPT = Alert({"alertname": "Slow", "instance": "m1"}, NOW, NOW + HOUR, {"summary": "slow"}, "http://prometheus/graph")


@pytest.fixture
def known() -> Known:
    """One alert lies on disk, and nobody else writes there."""
    made = Known()
    keep(made, KEPT)
    return made


def keep(known: Known, alert: Alert) -> None:
    mark = known.missing(alert, identity(alert.labels), NOW)
    assert mark is not None
    known.written([mark])


@pytest.mark.parametrize(
    "again",
    [
        KEPT,
        KEPT._replace(labels={name: KEPT.labels[name] for name in ("instance", "alertname")}),
        KEPT._replace(ends_at=NOW + 2 * HOUR),
        KEPT._replace(starts_at=NOW.astimezone()),
    ],
)
def test_what_says_the_same_is_left_alone_while_half_of_its_time_is_on_disk(known: Known, again: Alert) -> None:
    assert known.missing(again, identity(again.labels), NOW) is None


@pytest.mark.parametrize(
    "change",
    [
        {"labels": {"alertname": "Slow", "instance": "m2"}},
        {"labels": {"alertname": "Slow"}},
        {"annotations": {"summary": "slower"}},
        {"annotations": {}},
        {"generator_url": "http://elsewhere/graph"},
        {"starts_at": NOW - HOUR},
        {"ends_at": NOW + HOUR / 2},
        {"ends_at": NOW},
        {"ends_at": NOW + 3 * HOUR},
    ],
)
def test_what_says_something_else_is_written(known: Known, change: dict[str, Any]) -> None:
    changed = KEPT._replace(**change)
    assert known.missing(changed, identity(changed.labels), NOW) is not None


def test_nothing_is_known_before_it_was_written() -> None:
    known = Known()
    assert known.missing(KEPT, identity(KEPT.labels), NOW) is not None
    assert known.missing(KEPT, identity(KEPT.labels), NOW) is not None


def test_where_others_write_too_the_memory_is_trusted_for_a_while_only() -> None:
    known = Known(timedelta(minutes=1))
    keep(known, KEPT)
    assert known.missing(KEPT, identity(KEPT.labels), NOW + timedelta(minutes=1)) is None
    assert known.missing(KEPT, identity(KEPT.labels), NOW + timedelta(seconds=61)) is not None


def test_a_destination_was_decided_on_lately_for_a_second_however_many_others_come() -> None:
    touched, here = Touched(), Destination("shop", "alerts", "here")
    assert not touched.lately([here], NOW)
    for step in range(40):  # every tenth of a second others are decided on; in the first step this one, too
        at = NOW + step * timedelta(seconds=0.1)
        touched.decided([Destination("shop", "alerts", f"other {step}"), *([here] if step == 0 else [])], at)
        assert touched.lately([here], at) is (step < 10), at
    kept = len(touched._decided) + len(touched._before)
    assert kept <= 24, "what is older is forgotten"


def test_of_two_that_were_written_at_once_the_later_one_is_known() -> None:
    known, resolved = Known(), KEPT._replace(ends_at=NOW)
    older = known.missing(KEPT, identity(KEPT.labels), NOW)
    newer = known.missing(resolved, identity(resolved.labels), NOW + timedelta(milliseconds=1))
    assert older
    assert newer
    known.written([newer])
    known.written([older])
    assert known.missing(KEPT, identity(KEPT.labels), NOW + timedelta(seconds=1)) is not None


def arrival(rows: int) -> Arrival:
    row = ("f", "", 0, 0, 0, "", "", "")
    return Arrival(rows, [row] * rows, [], frozenset(), lambda _: None, lambda _: None)


def test_who_keeps_alerts_takes_what_has_come_up_to_a_good_transaction() -> None:
    arriving = Arriving()
    for _ in range(3):
        arriving.put(arrival(300))
    assert [len(each.rows) for each in arriving.take()] == [300, 300]
    arriving.put(arrival(1))
    assert [len(each.rows) for each in arriving.take()] == [300, 1]


def test_each_who_keeps_alerts_is_woken_once_at_the_end() -> None:
    arriving = Arriving()
    arriving.put(arrival(1))
    arriving.wake()
    arriving.wake()
    assert len(arriving.take()) == 1
    assert arriving.take() == []
