"""Statements that are compiled once say the same as SQLAlchemy's own way, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import bindparam, delete, func, insert, select, update

from bongsu.store.database import Database
from bongsu.store.prepared import Prepared
from bongsu.store.schema import suspects

T0 = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
ROWS = [{"address": f"p{n}@example.com", "since": T0 + timedelta(minutes=n), "why": f"550 {n}"} for n in range(4)]
PUT = Prepared(insert(suspects))
AMONG = Prepared(select(suspects).where(suspects.c.address.in_(bindparam("these", expanding=True))).order_by("address"))
SINCE = Prepared(
    select(suspects).where(suspects.c.since >= bindparam("since")).order_by(suspects.c.since).limit(bindparam("most"))
)


@pytest.fixture
def filled(db: Database) -> Database:
    assert db.write(lambda tx: PUT.run(tx, *ROWS)) in (4, -1)
    return db


def test_rows_come_back_by_name_with_their_times(filled: Database) -> None:
    (row,) = filled.read(lambda tx: AMONG.all(tx, {"these": ["p1@example.com"]}))
    assert (row.address, row.since, row.why) == ("p1@example.com", T0 + timedelta(minutes=1), "550 1")
    assert tuple(row) == tuple(ROWS[1].values())


@pytest.mark.parametrize("count", [0, 1, 3, 2])
def test_a_list_may_have_any_length(filled: Database, count: int) -> None:
    asked = [str(each["address"]) for each in ROWS[:count]]
    assert filled.read(lambda tx: AMONG.column(tx, {"these": asked})) == asked


def test_a_time_means_the_same_in_any_zone(filled: Database) -> None:
    for zone in (UTC, timezone(timedelta(hours=9))):
        given = {"since": (T0 + timedelta(minutes=2)).astimezone(zone), "most": 1}
        (row,) = filled.read(lambda tx, given=given: SINCE.all(tx, given))  # type: ignore[misc]
        assert row.since == T0 + timedelta(minutes=2)


def test_how_many_rows_were_changed_is_told_and_what_is_fixed_in_the_statement_stays(filled: Database) -> None:
    change = Prepared(update(suspects).where(suspects.c.since > bindparam("after")).values(why="later"))
    assert filled.write(lambda tx: change.run(tx, {"after": T0})) == 3
    assert filled.write(lambda tx: change.run(tx, {"after": T0 + timedelta(hours=1)})) == 0
    clear = Prepared(delete(suspects).where(suspects.c.address.in_(bindparam("these", expanding=True))))
    assert filled.write(lambda tx: clear.run(tx, {"these": ["p0@example.com", "p3@example.com", "x"]})) == 2
    assert [row.why for row in filled.read(lambda tx: SINCE.all(tx, {"since": T0, "most": 9}))] == ["later", "later"]


def test_nothing_to_run_runs_nothing(db: Database) -> None:
    assert db.write(PUT.run) == 0


def test_a_statement_may_answer_with_what_it_wrote(db: Database) -> None:
    put = Prepared(insert(suspects).returning(suspects.c.since, func.length(suspects.c.why)))
    ((since, length),) = db.write(lambda tx: put.all(tx, ROWS[0]))
    assert (since, length) == (T0, 5)


def test_a_value_that_is_not_given_is_an_error_and_no_null(filled: Database) -> None:
    with pytest.raises(Exception, match=r"most|required"):
        filled.read(lambda tx: SINCE.all(tx, {"since": T0}))
    with pytest.raises(Exception, match=r"why|NOT NULL|not-null"):
        filled.write(lambda tx: PUT.run(tx, {"address": "x", "since": T0}))
    assert len(filled.read(lambda tx: SINCE.all(tx, {"since": T0, "most": 9}))) == 4
