"""The store on both databases: what goes in comes out, what must not happen twice is refused."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import inspect, text

from bongsu.core.alert import Alert
from bongsu.core.breach import BreachClock, Machine
from bongsu.core.errors import NotFound, Stale
from bongsu.core.incident import Entry, Incident, Seen, Status
from bongsu.core.policy import Policy, Tier
from bongsu.core.routing import Destination
from bongsu.core.schedule import Recipient
from bongsu.store import actions, alerts, breaches, incidents, outbox, timeline
from bongsu.store.columns import microseconds
from bongsu.store.database import Database, Transaction, after_commit
from bongsu.store.migrate import TooNew, migrate
from bongsu.store.outbox import Result
from bongsu.store.schema import metadata

T0 = datetime(2026, 1, 5, 20, 0, tzinfo=UTC)
HERE = Destination("shop")
POLICY = Policy("burst", (Tier(timedelta(minutes=5), ("on-call:shop",)),))
SEEN = Seen(at=T0, holding=True, elapsed=timedelta(minutes=5), since=T0, facts={"cpu": 0.42, "machine": "machine-1"})


def incident(name: str = "i1", status: Status = Status.TRIGGERED) -> Incident:
    return Incident(name, "shop", POLICY, T0, SEEN, status=status, due_at=T0 + timedelta(minutes=15), version=1)


def message(number: int = 1, incident_id: str = "i1") -> outbox.Message:
    to = Recipient(f"person:p{number}", "Kim Jimin", f"p{number}@example.com", "ko")
    return outbox.Message(
        0, f"<{incident_id}.tier1.1.{number}@example.com>", incident_id, "tier", 1, 1, to, {"elapsed_s": 300.0},
        T0, T0, T0, "pending", 0, 0,
    )  # fmt: skip


def test_migrating_twice_changes_nothing(db: Database) -> None:
    assert migrate(db) == []


def test_the_migrations_make_the_schema_that_the_code_expects(db: Database) -> None:
    made = inspect(db.engine)
    assert set(made.get_table_names()) - {"migrations"} == set(metadata.tables)
    for name, table in metadata.tables.items():
        columns = {column["name"]: column["nullable"] for column in made.get_columns(name)}
        assert columns == {column.name: bool(column.nullable) for column in table.columns}, name
        indexes = {(index["name"], bool(index["unique"])) for index in made.get_indexes(name)}
        meant = {(index.name, index.unique) for index in table.indexes if not (db.is_sqlite and index._ddl_if)}
        assert indexes == meant, name


def test_a_database_from_a_newer_version_is_left_alone(db: Database) -> None:
    db.write(lambda tx: tx.execute(text("INSERT INTO migrations (number) VALUES (9999)")))
    with pytest.raises(TooNew):
        migrate(db)


def test_an_incident_comes_back_as_it_was(db: Database) -> None:
    db.write(lambda tx: incidents.add(tx, incident()))
    assert db.read(lambda tx: incidents.load(tx, "i1")) == incident()


def test_a_second_open_incident_of_a_service_and_policy_is_refused(db: Database) -> None:
    db.write(lambda tx: incidents.add(tx, incident()))
    with pytest.raises(Exception, match=r"(?i)unique"):
        db.write(lambda tx: incidents.add(tx, incident("i2")))
    db.write(lambda tx: incidents.add(tx, incident("i3", Status.RESOLVED)))
    assert len(db.read(incidents.search)) == 2


def test_saving_over_somebody_elses_change_is_refused(db: Database) -> None:
    db.write(lambda tx: incidents.add(tx, incident()))
    db.write(lambda tx: incidents.save(tx, replace(incident(), version=2), read=1))
    with pytest.raises(Stale):
        db.write(lambda tx: incidents.save(tx, replace(incident(), version=2), read=1))


def test_a_missing_incident_is_not_found(db: Database) -> None:
    with pytest.raises(NotFound, match="nobody"):
        db.read(lambda tx: incidents.load(tx, "nobody"))


def test_only_passed_timers_are_due(db: Database) -> None:
    db.write(lambda tx: incidents.add(tx, incident()))
    assert db.read(lambda tx: incidents.due(tx, T0 + timedelta(minutes=14))) == []
    assert len(db.read(lambda tx: incidents.due(tx, T0 + timedelta(minutes=15)))) == 1


def test_a_clock_comes_back_as_it_was(db: Database) -> None:
    clock = BreachClock(since=T0, held_at=T0, machines={"a": Machine("a", T0, 0.3, 12.5)})
    db.write(lambda tx: breaches.save(tx, "shop", "burst", clock))
    db.write(lambda tx: breaches.save(tx, "shop", "burst", clock))
    assert db.read(lambda tx: breaches.load(tx, "shop", "burst")) == clock
    assert db.read(lambda tx: breaches.load(tx, "shop", "other")) == BreachClock()


def test_the_same_message_is_put_once(db: Database) -> None:
    db.write(lambda tx: [outbox.put(tx, message(), message()) for _ in range(2)])
    assert len(db.read(lambda tx: outbox.of(tx, "i1"))) == 1


def test_a_claimed_message_is_nobody_elses_until_the_lease_ends(db: Database) -> None:
    db.write(lambda tx: outbox.put(tx, message()))
    first = db.write(lambda tx: outbox.claim(tx, T0, 10))
    assert [m.recipient.address for m in first] == ["p1@example.com"]
    assert db.write(lambda tx: outbox.claim(tx, T0, 10)) == []
    db.write(lambda tx: tx.execute(text("UPDATE outbox SET leased_until = 1")))  # the lease runs out
    second = db.write(lambda tx: outbox.claim(tx, T0, 10))
    assert second[0].fence == first[0].fence + 1


def test_whoever_lost_the_lease_cannot_write_its_result(db: Database) -> None:
    db.write(lambda tx: outbox.put(tx, message()))
    (late,) = db.write(lambda tx: outbox.claim(tx, T0, 10))
    db.write(outbox.release)
    (new,) = db.write(lambda tx: outbox.claim(tx, T0, 10))
    lost = Result(late, "refused", T0, "refused", "550 no", T0)
    assert db.write(lambda tx: outbox.finish(tx, [lost])) == set()
    done = Result(new, "accepted", T0, "accepted", "250 ok", T0)
    assert db.write(lambda tx: outbox.finish(tx, [done])) == {new.id}
    (kept,) = db.read(lambda tx: outbox.of(tx, "i1"))
    assert (kept.state, kept.accepted_at, kept.answer) == ("accepted", T0, "250 ok")
    assert len(db.read(lambda tx: outbox.attempts_of(tx, [kept.id]))[kept.id]) == 2


def test_many_claimers_never_get_the_same_message(db: Database) -> None:
    db.write(lambda tx: outbox.put(tx, *(message(n) for n in range(200))))
    got: list[int] = []
    guard = threading.Lock()

    def take() -> None:
        while found := db.write(lambda tx: outbox.claim(tx, T0, 7)):
            with guard:
                got.extend(each.id for each in found)

    threads = [threading.Thread(target=take) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == len(set(got)) == 200


def test_everyone_told_is_everyone_not_refused(db: Database) -> None:
    db.write(lambda tx: outbox.put(tx, *(message(n) for n in (1, 2, 3))))
    one, two, _ = db.write(lambda tx: outbox.claim(tx, T0, 10))
    results = [Result(one, "accepted", T0, "", "", T0), Result(two, "refused", T0, "", "", T0)]
    db.write(lambda tx: outbox.finish(tx, results))
    told = db.read(lambda tx: outbox.told(tx, "i1"))
    assert {each.address for each in told} == {"p1@example.com", "p3@example.com"}


def test_the_timeline_keeps_its_order(db: Database) -> None:
    lines = [Entry(T0, f"line {n}", {"n": n, "nothing": None}) for n in range(5)]
    db.write(lambda tx: timeline.append(tx, "i1", lines))
    assert db.read(lambda tx: timeline.of(tx, "i1")) == lines


def row(alert: Alert, now: datetime, to: Destination | None = HERE) -> alerts.Row8:
    return alerts.row_of(alert, alerts.identity(alert.labels), microseconds(now), to)


def keep(db: Database, alert: Alert, now: datetime, to: Destination = HERE) -> None:
    db.write(lambda tx: alerts.put(tx, [row(alert, now, to)]))


def test_an_alert_is_one_row_whatever_the_order_of_its_labels(db: Database) -> None:
    first = Alert({"alertname": "A", "instance": "x"}, T0, T0 + timedelta(minutes=5))
    again = Alert({"instance": "x", "alertname": "A"}, T0 + timedelta(minutes=1), T0 + timedelta(minutes=6))
    keep(db, first, T0)
    keep(db, again, T0 + timedelta(minutes=1))
    (kept,) = db.read(lambda tx: alerts.firing(tx, T0))
    assert kept.alert == again._replace(starts_at=T0)  # it has fired since then
    assert db.read(lambda tx: alerts.firing(tx, T0 + timedelta(minutes=6))) == []


def test_an_alert_that_fires_again_after_its_end_begins_anew(db: Database) -> None:
    alert = Alert({"alertname": "A"}, T0, T0 + timedelta(minutes=5))
    keep(db, alert, T0)
    later = T0 + timedelta(minutes=10)
    keep(db, alert._replace(starts_at=later, ends_at=later + timedelta(minutes=5)), later)
    (kept,) = db.read(lambda tx: alerts.firing(tx, later, HERE))
    assert kept.alert.starts_at == later
    assert db.write(lambda tx: alerts.prune(tx, later, 9)) == 0
    assert db.write(lambda tx: alerts.prune(tx, later + timedelta(hours=1), 9)) == 1


def test_a_destination_is_undecided_from_its_first_alert_until_somebody_takes_it(db: Database) -> None:
    alert, there = Alert({"alertname": "A"}, T0, T0 + timedelta(hours=1)), HERE._replace(group="there")
    later = T0 + timedelta(minutes=1)
    keep(db, alert, T0)
    keep(db, alert, later)
    keep(db, Alert({"alertname": "B"}, T0, T0 + timedelta(hours=1)), later, there)
    assert db.read(lambda tx: alerts.undecided(tx, T0 - timedelta(seconds=1))) == set()
    assert db.read(lambda tx: alerts.undecided(tx, T0)) == {HERE}
    assert db.write(lambda tx: alerts.take(tx, [HERE, HERE._replace(group="elsewhere")])) == {HERE: T0}
    assert db.read(lambda tx: alerts.undecided(tx, later)) == {there}
    db.write(lambda tx: alerts.leave(tx, {HERE: T0}))
    assert db.read(lambda tx: alerts.undecided(tx, later)) == {HERE, there}


def test_alerts_that_nobody_is_responsible_for_or_that_are_decided_at_once_leave_nothing_to_decide(
    db: Database,
) -> None:
    alert = Alert({"alertname": "A"}, T0, T0 + timedelta(minutes=5))
    rows = [row(alert, T0, None), row(alert._replace(labels={"alertname": "B"}), T0)]
    db.write(lambda tx: alerts.put(tx, rows[:1]))
    db.write(lambda tx: alerts.put(tx, rows, decided=True))
    assert len(db.read(lambda tx: alerts.firing(tx, T0))) == 2
    assert db.read(lambda tx: alerts.undecided(tx, T0)) == set()


def test_the_same_alert_twice_in_one_batch_is_the_later_one(db: Database) -> None:
    alert = Alert({"alertname": "A"}, T0, T0 + timedelta(minutes=5))
    both = [alert, alert._replace(annotations={"summary": "the later one"})]
    db.write(lambda tx: alerts.put(tx, [row(each, T0) for each in both]))
    (kept,) = db.read(lambda tx: alerts.firing(tx, T0))
    assert kept.alert.annotations == {"summary": "the later one"}


def test_an_action_is_finished_once(db: Database) -> None:
    db.write(lambda tx: actions.request(tx, "i1", "shop", "add", ["machine-3"], "Kim Jimin", T0))
    (asked,) = db.read(actions.unfinished)
    assert db.write(lambda tx: actions.change(tx, asked, "done", "127.0.0.1:1", T0))
    assert not db.write(lambda tx: actions.change(tx, asked, "done", "127.0.0.1:1", T0))


def held_up(db: Database, pool: ThreadPoolExecutor) -> threading.Event:
    """A write that lasts until the event is set: on SQLite others come together behind it meanwhile."""
    begun, held = threading.Event(), threading.Event()

    def slow(tx: Transaction) -> None:
        begun.set()
        assert held.wait(10)

    pool.submit(db.write, slow)
    assert begun.wait(10)
    return held


def test_a_failing_job_takes_nobody_with_it(db: Database) -> None:
    """On SQLite the jobs below share one transaction."""

    def fail(tx: object) -> None:
        db_line = Entry(T0, "never", {})
        timeline.append(tx, "bad", [db_line])
        raise ValueError("bad job")

    with ThreadPoolExecutor(22) as pool:
        held = held_up(db, pool)
        jobs = [
            pool.submit(db.write, lambda tx, n=n: timeline.append(tx, "good", [Entry(T0, str(n), {})]))
            for n in range(20)
        ]
        bad = pool.submit(db.write, fail)
        held.set()
    for job in jobs:
        job.result(10)
    with pytest.raises(ValueError, match="bad job"):
        bad.result(10)
    assert len(db.read(lambda tx: timeline.of(tx, "good"))) == 20
    assert db.read(lambda tx: timeline.of(tx, "bad")) == []


def test_a_lease_can_be_renewed_and_given_back(db: Database) -> None:
    moment = timedelta(milliseconds=1)
    db.write(lambda tx: outbox.put(tx, message()))
    (held,) = db.write(lambda tx: outbox.claim(tx, T0, 10, lease=moment))
    db.write(lambda tx: outbox.renew(tx, [held]))
    assert not db.read(lambda tx: outbox.is_due(tx, T0))
    assert db.write(lambda tx: outbox.claim(tx, T0, 10)) == []
    db.write(lambda tx: outbox.let_go(tx, [held]))
    (again,) = db.write(lambda tx: outbox.claim(tx, T0, 10))
    db.write(lambda tx: outbox.let_go(tx, [held]))  # it is somebody else's by now
    assert db.write(lambda tx: outbox.claim(tx, T0, 10)) == []
    assert again.fence == held.fence + 1


def test_while_mail_is_away_only_channels_are_claimed(db: Database) -> None:
    chat = replace(message(2), recipient=Recipient("person:p2", "Chat", "channel:room", "en"))
    db.write(lambda tx: outbox.put(tx, message(1), chat))
    assert [m.recipient.name for m in db.write(lambda tx: outbox.claim(tx, T0, 10, mail=False))] == ["Chat"]
    assert not db.read(lambda tx: outbox.is_due(tx, T0, mail=False))
    assert db.read(lambda tx: outbox.is_due(tx, T0))


def test_what_is_to_follow_a_commit_follows_it_and_only_it(db: Database) -> None:
    done: list[str] = []

    def good(tx: Transaction) -> None:
        after_commit(tx, lambda: done.append(f"{len(db.read(lambda other: timeline.of(other, 'i1')))} on disk"))
        timeline.append(tx, "i1", [Entry(T0, "x", {})])

    def bad(tx: Transaction) -> None:
        after_commit(tx, lambda: done.append("never"))
        raise ValueError("no")

    with ThreadPoolExecutor(4) as pool:
        held = held_up(db, pool)
        jobs = [pool.submit(db.write, job) for job in (bad, good, bad)]
        held.set()
    with pytest.raises(ValueError, match="no"):
        jobs[0].result(10)
    with pytest.raises(ValueError, match="no"):
        db.write(bad)
    jobs[1].result(10)
    assert done == ["1 on disk"]


def test_what_was_to_wait_is_due_at_once_unless_it_was_tried(db: Database) -> None:
    morning, now = T0 + timedelta(hours=8), T0 + timedelta(hours=1)
    db.write(lambda tx: outbox.put(tx, *(replace(message(n), written_at=morning, due_at=morning) for n in (1, 2, 3))))
    waiting = db.read(lambda tx: outbox.of(tx, "i1"))
    db.write(lambda tx: outbox.redate(tx, [replace(waiting[0], facts={"a": 1}, written_at=now, due_at=now)]))
    (free,) = db.write(lambda tx: outbox.claim(tx, now, 10))
    assert (free.id, free.written_at, free.facts) == (waiting[0].id, now, {"a": 1})
    again = Result(free, "pending", now, "retry:unreachable", "later", morning)
    db.write(lambda tx: outbox.finish(tx, [again]))
    db.write(lambda tx: outbox.redate(tx, [replace(free, due_at=now)]))
    assert db.write(lambda tx: outbox.claim(tx, now, 10)) == [], "a retry keeps its own time"


def test_texts_are_kept_as_they_are(db: Database) -> None:
    texts = ["봉수 🔥", '{"a",b} NULL \\x00', "'; --", ""]
    db.write(lambda tx: timeline.append(tx, "i1", [Entry(T0, each, {"said": each}) for each in texts]))
    assert [(each.what, each.facts["said"]) for each in db.read(lambda tx: timeline.of(tx, "i1"))] == [
        (each, each) for each in texts
    ]
    groups, later = [HERE._replace(group=each) for each in texts], T0 + timedelta(hours=1)
    db.write(
        lambda tx: alerts.put(tx, [row(Alert({"alertname": to.group or "A"}, T0, later), T0, to) for to in groups])
    )
    assert {each.to for each in db.read(lambda tx: alerts.firing(tx, T0))} == set(groups)


def test_what_came_before_does_not_replace_what_came_after_it(db: Database) -> None:
    alert, later = Alert({"alertname": "A"}, T0, T0 + timedelta(hours=1)), T0 + timedelta(seconds=1)
    keep(db, alert._replace(ends_at=later), later)
    keep(db, alert, T0)
    assert db.read(lambda tx: alerts.firing(tx, later)) == []
    keep(db, alert, later)
    assert db.read(lambda tx: alerts.firing(tx, later))


def test_a_clock_that_was_wrong_is_put_right(db: Database) -> None:
    alert, ahead = Alert({"alertname": "A"}, T0, T0 + timedelta(hours=9)), T0 + timedelta(hours=1)
    keep(db, alert, ahead)
    keep(db, alert._replace(ends_at=T0), T0)
    assert db.read(lambda tx: alerts.firing(tx, T0)) == []
