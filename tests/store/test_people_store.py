"""Overrides, rounds of questions and weekly mails in the store, on both databases."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from bongsu.core.contact import Ask, Round
from bongsu.core.errors import NotFound
from bongsu.core.rotation import Override
from bongsu.core.schedule import Recipient
from bongsu.store import contacts, outbox, overrides
from bongsu.store.database import Database

T0 = datetime(2026, 1, 5, 20, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
JIMIN = Recipient("person:jimin", "Kim Jimin", "jimin@example.com", "ko")
SORA = Recipient("person:sora", "Lee Sora", "sora@example.com", "en")


def override(name: str, start: datetime = T0, end: datetime = T0 + 2 * HOUR) -> Override:
    return Override(name, "shop", "sora", start, end, "Kim Jimin", T0, "a wedding")


def test_an_override_comes_back_as_it_was_until_it_is_over(db: Database) -> None:
    db.write(lambda tx: [overrides.add(tx, each) for each in (override("b", T0 + HOUR), override("a"))])
    assert db.read(lambda tx: overrides.since(tx, T0)) == [override("a"), override("b", T0 + HOUR)]
    assert db.read(lambda tx: overrides.since(tx, T0 + 2 * HOUR)) == []


def test_what_has_passed_of_an_override_that_is_taken_back_stays(db: Database) -> None:
    db.write(lambda tx: [overrides.add(tx, each) for each in (override("a"), override("b", T0 + HOUR))])
    half = T0 + HOUR / 2
    for each in ("a", "b"):
        end = partial(overrides.end, override_id=each, now=half)
        db.write(end)
        with pytest.raises(NotFound):
            db.write(end)
    assert db.read(lambda tx: overrides.since(tx, T0)) == [override("a", end=half)]


def round_(name: str = "r1", start: datetime = T0) -> Round:
    return Round(name, start, start + 48 * HOUR, "the calendar")


def test_a_round_remembers_the_first_answer_of_each(db: Database) -> None:
    asks = [Ask(f"r1-{to.id}", "r1", to, T0) for to in (JIMIN, SORA)]
    db.write(lambda tx: contacts.begin(tx, round_(), asks))
    db.write(lambda tx: contacts.answer(tx, asks[0].id, T0 + HOUR))
    again = db.write(lambda tx: contacts.answer(tx, asks[0].id, T0 + 2 * HOUR))
    assert again == replace(asks[0], answered_at=T0 + HOUR)
    assert again.took == HOUR
    assert db.read(lambda tx: contacts.asks_of(tx, "r1")) == [again, asks[1]]
    newest = db.read(contacts.newest_asks)
    assert newest == {(JIMIN.id, JIMIN.address): (T0, T0 + HOUR), (SORA.id, SORA.address): (T0, None)}
    with pytest.raises(NotFound):
        db.write(lambda tx: contacts.answer(tx, "none", T0))


def test_the_end_of_a_round_is_told_once(db: Database) -> None:
    db.write(lambda tx: contacts.begin(tx, round_(), []))
    db.write(lambda tx: contacts.begin(tx, round_("r2", T0 + HOUR), []))
    assert [each.id for each in db.read(contacts.unreported)] == ["r1", "r2"]
    assert db.write(lambda tx: contacts.report(tx, "r1", T0)) is True
    assert db.write(lambda tx: contacts.report(tx, "r1", T0)) is False
    assert [each.id for each in db.read(contacts.unreported)] == ["r2"]
    assert db.read(contacts.latest) == round_("r2", T0 + HOUR)


def test_a_weekly_mail_is_claimed_by_one_of_many(db: Database) -> None:
    db.write(lambda tx: contacts.take_slot(tx, "contacts", T0))
    won: list[bool] = []

    def claim() -> None:
        won.append(db.write(lambda tx: contacts.take_slot(tx, "contacts", T0 + 168 * HOUR)))

    threads = [threading.Thread(target=claim) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(won) == [False] * 5 + [True]
    assert db.write(lambda tx: contacts.take_slot(tx, "contacts", T0)) is False, "an older one is no longer asked for"


def test_how_the_mails_of_a_round_fared(db: Database) -> None:
    def put(key: str, to: Recipient, state: str) -> None:
        row = outbox.Message(
            0, f"<contact.{key}.{to.id}@example.com>", "", "contact", 0, 1, to, {}, T0, T0, T0, "pending", 0, 0
        )
        db.write(lambda tx: outbox.put(tx, row))
        (mine,) = db.write(lambda tx: outbox.claim(tx, T0, 1))
        db.write(lambda tx: outbox.finish(tx, [outbox.Result(mine, state, T0, state, "said", T0)]))

    put("r1", JIMIN, "refused")
    put("r1", SORA, "refused")
    put("r2", SORA, "accepted")
    assert db.read(lambda tx: contacts.delivered(tx, "r1")) == {
        JIMIN.address: ("refused", "said"),
        SORA.address: ("refused", "said"),
    }
