"""Accounts of credits and their scores on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bongsu.catalogue import load_catalogue
from bongsu.core.balance import fold
from bongsu.core.breach import Point
from bongsu.core.scoring import LEARNT, Score
from bongsu.store import balances
from bongsu.store.database import Database

T0 = datetime(2026, 1, 5, 20, 0, tzinfo=UTC)


def test_accounts_and_scores_come_back_as_they_were(db: Database) -> None:
    machine = load_catalogue()["lightsail:small-2GB"]
    known, _ = fold(None, [Point(T0, "m", 0.4, balance=123.4, steal=0.1)], machine, T0)
    assert known is not None
    score = Score()
    score.say(T0, dict.fromkeys(LEARNT, 0.3))
    score.learn(T0, empty=True)
    score.say(T0, dict.fromkeys(LEARNT, 0.6))
    for kept in ({"m": (known, Score()), "n": (known, score)}, {"m": (known, score)}):
        db.write(lambda tx, k=kept: balances.save(tx, "shop", k))  # type: ignore[misc]
    found = db.write(lambda tx: balances.of_service(tx, "shop", to_change=True))
    assert found == {"m": (known, score), "n": (known, score)}
    db.write(lambda tx: balances.forget(tx, "shop", "n"))
    assert set(db.read(lambda tx: balances.of_service(tx, "shop"))) == {"m"}
    assert not db.read(lambda tx: balances.of_service(tx, "other"))


ODD = ("m", 'quo"ted', "it's", "a,b", "{brace}", "back\\slash", "", "null", "봉수-1", "100%s")


def test_a_look_writes_accounts_alone_whatever_machines_are_called(db: Database) -> None:
    machine = load_catalogue()["lightsail:small-2GB"]
    learnt = Score()
    learnt.say(T0, dict.fromkeys(LEARNT, 0.3))
    first, _ = fold(None, [Point(T0, "any", 0.4, balance=123.4)], machine, T0)
    then, _ = fold(first, [Point(T0 + timedelta(minutes=1), "any", 0.9)], machine, T0 + timedelta(minutes=1))
    assert first is not None
    assert then is not None
    db.write(lambda tx: balances.save(tx, "shop", {"m": (first, learnt), "it's": (first, learnt)}))
    db.write(lambda tx: balances.save_accounts(tx, "other", {"m": first}))
    db.write(lambda tx: balances.save_accounts(tx, "shop", {}))
    db.write(lambda tx: balances.save_accounts(tx, "shop", dict.fromkeys(ODD, then)))
    found = db.read(lambda tx: balances.of_service(tx, "shop"))
    assert found == {name: (then, learnt if name in ("m", "it's") else Score()) for name in ODD}
    assert db.write(lambda tx: balances.accounts(tx, "shop", to_change=True)) == dict.fromkeys(ODD, then)
    assert db.read(lambda tx: balances.accounts(tx, "other")) == {"m": first}
