"""Ledgers of credits and scores on both databases."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text, update

from bongsu.catalogue import load_catalogue
from bongsu.core.balance import Faults
from bongsu.core.breach import Point
from bongsu.core.ledger import Ledger
from bongsu.core.scoring import LEARNT, Score
from bongsu.store import balances, migrate
from bongsu.store.columns import pack
from bongsu.store.database import Database, Transaction
from bongsu.store.schema import balances as table

T0 = datetime(2026, 1, 5, 20, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SMALL = load_catalogue()["lightsail:small-2GB"]
ODD = ("m", 'quo"ted', "it's", "a,b", "{brace}", "back\\slash", "", "null", "봉수-1", "100%s")


def looked(db: Database, service: str, points: Sequence[Point]) -> Ledger:
    """The ledger after a look."""

    def look(tx: Transaction) -> Ledger:
        ledger = balances.to_change(tx, service)
        ledger.take(points, SMALL, T0 + timedelta(days=1))
        balances.keep(tx, service, ledger)
        return ledger

    return db.write(look)


def same(one: Ledger, other: Ledger) -> bool:
    """All of it, so that NaN is NaN."""
    return (one.names, one.columns, one.trail) == (other.names, other.columns, other.trail)


def test_a_ledger_comes_back_as_it_was_whatever_machines_are_called(db: Database) -> None:
    for minute in range(4):
        balance = 123.4 if minute == 0 else None
        points = [Point(T0 + minute * MINUTE, name, 0.1 * n, balance, 0.1, 0.2) for n, name in enumerate(ODD)]
        kept = looked(db, "shop", points)
    other = looked(db, "other", [Point(T0, "m", 0.4, 99.0)])
    for _ in ("as it was kept", "as it was read"):
        assert same(db.read(lambda tx: balances.of_service(tx, "shop")), kept)
        assert same(db.read(lambda tx: balances.of_service(tx, "other")), other)
        balances._LAST.clear()
    assert db.read(lambda tx: balances.of_service(tx, "shop"))["봉수-1"].measured_at == T0
    assert not db.read(lambda tx: balances.of_service(tx, "none"))


def test_what_another_server_has_kept_is_seen(db: Database) -> None:
    looked(db, "shop", [Point(T0, "m", 0.4, 99.0)])
    before = db.read(lambda tx: tx.execute(select(table.c.body, table.c.trail)).one())
    after = looked(db, "shop", [Point(T0 + MINUTE, "m", 0.9)])
    assert after["m"].at == T0 + MINUTE
    db.write(lambda tx: tx.execute(update(table).values(before._asdict())))
    assert db.read(lambda tx: balances.of_service(tx, "shop"))["m"].at == T0


def test_a_ledger_changed_and_not_kept_is_not_kept(db: Database) -> None:
    looked(db, "shop", [Point(T0, "m", 0.4, 99.0)])

    def change(tx: Transaction) -> None:
        balances.to_change(tx, "shop").anchor("m", T0 + MINUTE, 5.0, SMALL, Faults())

    db.write(change)
    assert db.read(lambda tx: balances.of_service(tx, "shop"))["m"].credits == 99.0


def test_a_machine_that_is_gone_is_forgotten_and_the_others_keep_theirs(db: Database) -> None:
    for minute in range(3):
        looked(db, "shop", [Point(T0 + minute * MINUTE, name, 0.5, 100.0) for name in ("a", "b", "c")])

    def forget(tx: Transaction) -> Ledger:
        ledger = balances.to_change(tx, "shop")
        ledger.forget({"b"})
        balances.keep(tx, "shop", ledger)
        return ledger

    before = db.read(lambda tx: balances.of_service(tx, "shop"))
    assert same(db.write(forget), db.read(lambda tx: balances.of_service(tx, "shop")))
    balances._LAST.clear()
    after = db.read(lambda tx: balances.of_service(tx, "shop"))
    assert dict(after) == {name: before[name] for name in ("a", "c")}


def test_scores_come_back_as_they_were(db: Database) -> None:
    score = Score()
    score.say(T0, dict.fromkeys(LEARNT, 0.3))
    score.learn(T0, empty=True)
    score.say(T0, dict.fromkeys(LEARNT, 0.6))
    db.write(lambda tx: balances.keep_scores(tx, "shop", {}))
    db.write(lambda tx: balances.keep_scores(tx, "shop", {"m": Score(), "it's": score}))
    db.write(lambda tx: balances.keep_scores(tx, "shop", {"m": score}))
    assert db.write(lambda tx: balances.scores_of(tx, "shop", to_change=True)) == {"m": score, "it's": score}
    db.write(lambda tx: balances.forget_score(tx, "shop", "it's"))
    assert set(db.read(lambda tx: balances.scores_of(tx, "shop"))) == {"m"}
    assert not db.read(lambda tx: balances.scores_of(tx, "other"))


def test_scores_outlive_the_table_that_they_shared_with_balances(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, db = migrate.migrations(), Database(database_url)
    with monkeypatch.context() as then:
        then.setattr(migrate, "migrations", lambda: [each for each in known if each[0] < 15])
        migrate.migrate(db)
    score = Score()
    score.say(T0, dict.fromkeys(LEARNT, 0.3))
    row = {"service": "shop", "machine": "m", "body": "{}", "score": pack(score)}
    db.write(lambda tx: tx.execute(text("INSERT INTO balances VALUES (:service, :machine, :body, :score)"), row))
    assert 15 in migrate.migrate(db)
    assert db.read(lambda tx: balances.scores_of(tx, "shop")) == {"m": score}
    assert not db.read(lambda tx: balances.of_service(tx, "shop"))
    db.close()
